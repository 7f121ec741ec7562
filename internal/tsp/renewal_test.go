// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"context"
	"testing"
	"time"

	"persten/internal/cert"
)

// TestRekeyedCA: a CA that changes its key serves the new certificate and list where the old ones were. What was kept of the old
// key does not stand in the way of the new one.
func TestRekeyedCA(t *testing.T) {
	a, _, _, _, old := services(t, "ecdsa")
	c := here(t, Options{Dir: t.TempDir()})
	good := a.cert("good")
	if s, _ := statusOf(t, c, a, old); s != cert.Revoked {
		t.Fatal(s)
	}
	if list, err := c.Issuers(t.Context(), good); len(list) != 1 {
		t.Fatal(err)
	}
	a.key("ca", "ecdsa")
	a.Run("req", "-x509", "-new", "-key", "ca.key", "-subj", "/O=Example/CN=Root ecdsa", "-days", "30", "-"+a.digest, "-config", "ext.cnf", "-extensions", "ca", "-out", "ca.pem")
	next, nextListed := a.issue("next", "ecdsa", "leaf"), a.issue("nextlisted", "ecdsa", "leaf_crl")
	a.registered("nextlisted", "superseded")
	a.crl()
	if list, err := c.Issuers(t.Context(), next); len(list) != 1 || err != nil {
		t.Errorf("the new certificate of the CA: %d, %v", len(list), err)
	}
	if s, p := statusOf(t, c, a, nextListed); s != cert.Revoked {
		t.Errorf("the new list: %v, %v", s, p.Links[0].Revocation.Problem)
	}
}

// TestOldAnswerThenList: an OCSP answer that is out of date does not keep the list from being asked for.
func TestOldAnswerThenList(t *testing.T) {
	a, _, good, _, _ := services(t, "ecdsa")
	a.crl("-crldays", "7")
	c := here(t, Options{Dir: t.TempDir()})
	c.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	if s, p := statusOf(t, c, a, good); s != cert.Good || a.asked["/ca.crl"] != 1 {
		t.Errorf("%v, %v, asked %v", s, p.Links[0].Revocation.Problem, a.asked)
	}
}

// TestFlightPanic: a panic on the way comes out where the caller's border is, not in a goroutine that ends the program.
func TestFlightPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	var f flights
	f.do(t.Context(), "a", func(context.Context) (*entry, error) { panic("a parser's") })
}
