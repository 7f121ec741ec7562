// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"persten/internal/config"
	"persten/internal/journal"
)

// pair is a certificate of 127.0.0.1 that is its own authority.
type pair struct{ cert, key string }

func newPair(t *testing.T) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "collector"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := pair{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{p.cert: {Type: "CERTIFICATE", Bytes: der}, p.key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// freePort is a port nobody has at this moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

const rsyslogConf = `module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
global(workDirectory="%[1]s" DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="%[2]s"
  DefaultNetstreamDriverCertFile="%[2]s" DefaultNetstreamDriverKeyFile="%[3]s")
template(name="all" type="string" string="%%pri%%|%%protocol-version%%|%%hostname%%|%%app-name%%|%%msgid%%|%%structured-data%%|%%msg%%\n")
input(type="imtcp" address="127.0.0.1" port="%[4]d")
*.* action(type="omfile" file="%[1]s/out" template="all")
`

// rsyslog runs the real server and returns its address and the file it writes.
func rsyslog(t *testing.T, p pair) (address, out string) {
	t.Helper()
	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		t.Skip("not run: rsyslogd is not installed")
	}
	dir, port := t.TempDir(), freePort(t)
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, rsyslogConf, dir, p.cert, p.key, port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	said := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(said)
		}
	})
	address = fmt.Sprintf("127.0.0.1:%d", port)
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return address, filepath.Join(dir, "out")
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("rsyslogd does not listen: %s", said)
	return "", ""
}

// TestSyslog: records reach a real server over TLS, each once, with header, structured data and JSON as RFC 5424 has them.
func TestSyslog(t *testing.T) {
	p := newPair(t)
	address, out := rsyslog(t, p)
	d := newDesk(t)
	d.note(700)
	s := d.syslog(address, p.cert)
	if err := s.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for range 100 {
		text, _ := os.ReadFile(out)
		if lines = strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines) >= 700 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	header := regexp.MustCompile(`^108\|1\|[^|]+\|persten\|sign\|\[meta sequenceId="(\d+)"\]\[origin software="persten" swVersion="1"\]\|.*?(\{.*\})$`)
	for i, l := range lines {
		m := header.FindStringSubmatch(l)
		var r struct {
			ID     string
			Seq    int
			Result string
		}
		if m == nil || json.Unmarshal([]byte(m[2]), &r) != nil || r.Seq != i+1 || m[1] != fmt.Sprint(i+1) || len(r.ID) != 64 || r.Result != "pin_incorrect" {
			t.Fatalf("line %d: %s", i+1, l)
		}
	}
	if len(lines) != 700 {
		t.Errorf("%d lines arrived, want 700", len(lines))
	}
}

func (d *desk) syslog(address, ca string) *sender {
	d.t.Helper()
	e, err := New(Options{
		Journal: d.j.Path(), State: d.dir, Version: "1", Instance: "test", Forward: config.Forward{Syslog: address, CA: ca, Every: time.Second},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return e.senders[0]
}

// TestSyslogRefuses: a server nobody vouches for gets nothing; one that dies or talks has taken nothing.
func TestSyslogRefuses(t *testing.T) {
	p := newPair(t)
	d := newDesk(t)
	d.note(1)
	for name, c := range map[string]struct {
		ca    string
		serve func(net.Conn)
	}{
		"foreign certificate": {newPair(t).cert, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }},
		"reset": {p.cert, func(c net.Conn) {
			c.(*tls.Conn).Handshake()
			c.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
			c.(*tls.Conn).NetConn().Close()
		}},
		"talks": {p.cert, func(c net.Conn) { c.Write(make([]byte, 1<<20)); c.Close() }},
	} {
		pair, err := tls.LoadX509KeyPair(p.cert, p.key)
		if err != nil {
			t.Fatal(err)
		}
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			if conn, err := l.Accept(); err == nil {
				c.serve(conn)
			}
		}()
		if err := d.syslog(l.Addr().String(), c.ca).drain(t.Context()); err == nil {
			t.Errorf("%s: taken for success", name)
		}
	}
}

// FuzzSyslog: whatever stands in a record, a message has one header and no line of its own.
func FuzzSyslog(f *testing.F) {
	f.Add("sign", "user_rejected", "a\nb", `1"]\`)
	f.Add(strings.Repeat("\x1d", 5000), strings.Repeat("я", 5000), "", "")
	f.Add("", "\x00", "<0>1 - - -", "")
	f.Fuzz(func(t *testing.T, kind, result, name, version string) {
		s := &syslog{host: "desk 1", version: version, told: newTold(config.ForwardFields)}
		m := s.format(journal.Line{Seq: 1, Record: journal.Record{Kind: kind, Result: result, Documents: []journal.Document{{Name: name}}}})
		if strings.ContainsAny(m, "\x00\n\r") || len(m) > 8192 {
			t.Errorf("%q", m)
		}
		head, _, ok := strings.Cut(m, " \ufeff{")
		if !ok || strings.Count(head, "[origin ") != 1 || !strings.HasPrefix(m, "<10") {
			t.Errorf("%q", m)
		}
	})
}
