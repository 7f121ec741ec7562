// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
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

// TestReusedPort: what a program sent before it closed its end is not taken for that of whoever gets the same port next.
func TestReusedPort(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	first, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	ownerOfWeb, err := ownerOf(l)
	if err != nil {
		t.Fatal(err)
	}
	if user, err := ownerOfWeb(accepted); err != nil || user != strconv.Itoa(os.Getuid()) {
		t.Fatalf("before: %s, %v", user, err)
	}
	if _, err := first.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	first.(*net.TCPConn).SetLinger(0) // closes at once, without waiting for the other end
	first.Close()
	d := net.Dialer{LocalAddr: first.LocalAddr()}
	next, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	client, server := netip.MustParseAddrPort(first.LocalAddr().String()), netip.MustParseAddrPort(l.Addr().String())
	if _, err := diagTCP(client, server); err != nil {
		t.Fatalf("the kernel does not know the next one: %v", err)
	}
	if user, err := ownerOfWeb(accepted); !errors.Is(err, ErrForeignUser) {
		t.Errorf("what the first sent is %s's: %v", user, err)
	}
	if data, err := io.ReadAll(io.LimitReader(accepted, 4)); string(data) != "GET " {
		t.Logf("the kernel has dropped it: %q, %v", data, err)
	}
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
