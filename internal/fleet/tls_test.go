// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"persten/internal/config"
	"persten/proto"
)

// TestHTTPS: a collector that policy vouches for takes records from a machine that shows its certificate; nobody else gets or
// gives any.
func TestHTTPS(t *testing.T) {
	d, server, desk := newDesk(t), newPair(t), newPair(t)
	d.note(3)
	pair, err := tls.LoadX509KeyPair(server.cert, server.key)
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	pem, err := os.ReadFile(desk.cert)
	if err != nil || !known.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(d.into)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: known}
	s.StartTLS()
	t.Cleanup(s.Close)
	drain := func(f config.Forward) error {
		t.Helper()
		f.OTLP, f.Every = s.URL, time.Second
		e, err := New(Options{Journal: d.j.Path(), State: d.dir, Forward: f})
		if err != nil {
			t.Fatal(err)
		}
		return e.senders[0].drain(t.Context())
	}
	for name, f := range map[string]config.Forward{
		"a collector nobody vouches for": {Certificate: desk.cert, Key: desk.key},
		"no certificate of ours":         {CA: server.cert},
		"another authority":              {CA: desk.cert, Certificate: desk.cert, Key: desk.key},
	} {
		if err := drain(f); err == nil {
			t.Errorf("%s: taken for success", name)
		}
	}
	if err := drain(config.Forward{CA: server.cert, Certificate: desk.cert, Key: desk.key}); err != nil || len(d.arrived()) != 3 {
		t.Errorf("%v, %d records arrived", err, len(d.arrived()))
	}
}

// TestUnreadableCertificates: what is wrong with a file of policy's is said by its name.
func TestUnreadableCertificates(t *testing.T) {
	p := newPair(t)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []config.Forward{
		{CA: empty}, {CA: empty + ".absent"}, {Certificate: empty, Key: p.key}, {Certificate: p.cert, Key: empty + ".absent"}, {Certificate: p.cert, Key: newPair(t).key},
	} {
		_, err := New(Options{Forward: f})
		var pe *proto.Error
		if !errors.As(err, &pe) || pe.Code != proto.CodeFileUnreadable || pe.Args["file"] == "" {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
