// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDiagTCP: the kernel's answer about one connection is that of its table, and it has none about what is not there.
func TestDiagTCP(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp"} {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		to := l.Addr().String()
		if network == "tcp" {
			_, port, _ := net.SplitHostPort(to)
			to = "[::ffff:127.0.0.1]:" + port
		}
		c, err := net.Dial(network, to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		client, server := netip.MustParseAddrPort(c.LocalAddr().String()), netip.MustParseAddrPort(l.Addr().String())
		if uid, err := diagTCP(client, server); err != nil || uid != os.Getuid() {
			t.Errorf("%s: uid %d, %v", network, uid, err)
		}
		if uid, _, err := tcpListed(client, server); err != nil || uid != os.Getuid() {
			t.Errorf("%s, table: uid %d, %v", network, uid, err)
		}
		other := netip.AddrPortFrom(client.Addr(), client.Port()^1)
		if uid, err := diagTCP(other, server); !errors.Is(err, errNotListed) {
			t.Errorf("%s: uid %d, %v for nobody's connection", network, uid, err)
		}
		if uid, err := diagTCP(server, client); err == nil && !sameSocketHere(t, l, client) {
			t.Errorf("%s: uid %d for a connection that nobody has accepted", network, uid)
		}
	}
}

// sameSocketHere accepts the connection that waits, whose other end the kernel may know already.
func sameSocketHere(t *testing.T, l net.Listener, client netip.AddrPort) bool {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.RemoteAddr().String() == client.String()
}

func FuzzReadDiag(f *testing.F) {
	client, server := netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:24117")
	right := append(make([]byte, unix.SizeofNlMsghdr), make([]byte, diagAnswerSize)...)
	right[4] = sockDiagByFamily
	right[16] = unix.AF_INET
	copy(right[20:], diagRequest(client, server)[24:72])
	right[16+64], right[16+68] = 7, 1
	f.Add(right)
	f.Add(right[:40])
	f.Add([]byte{36, 0, 0, 0, unix.NLMSG_ERROR, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 254, 255, 255, 255})
	if uid, err := readDiag(right, client, server); uid != 7 || err != nil {
		f.Fatal(uid, err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		uid, err := readDiag(b, client, server)
		if err == nil && (len(b) < unix.SizeofNlMsghdr+diagAnswerSize || uid < 0) {
			t.Errorf("uid %d of %d bytes", uid, len(b))
		}
	})
}
