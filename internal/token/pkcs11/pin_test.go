// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/secret"
	"persten/internal/token"
	"persten/internal/token/tokentest"
)

// person enters PINs at random, or gives up, and keeps count of wrong ones.
type person struct {
	right    string
	rand     *rand.Rand
	entered  int
	wrong    int
	warned   bool // the last question said that it is the last try
	unwarned int  // wrong entries on the last try without that
	left     func() string
}

var errGaveUp = errors.New("gave up")

func (p *person) PIN(_ context.Context, r token.PINRequest) (secret.PIN, error) {
	if p.left() == "1" && !r.Final {
		p.unwarned++
	}
	switch p.rand.IntN(4) {
	case 0:
		return secret.PIN{}, errGaveUp
	case 1:
		p.entered++
		return tokentest.PIN(p.right)
	default:
		if r.Final && p.rand.IntN(3) > 0 { // the second, typed confirmation was refused
			return secret.PIN{}, errGaveUp
		}
		p.entered++
		p.wrong++
		return tokentest.PIN("11112222")
	}
}

// TestTries plays random people against a token with three tries. The counter may go down only by entries they made,
// never on the last try without a warning, and nothing is entered into a locked token.
func TestTries(t *testing.T) {
	s := newShim(t)
	counter := filepath.Join(s.dir, "tries")
	logFile := filepath.Join(s.dir, "log")
	t.Setenv("FAULT_TRIES", counter)
	t.Setenv("FAULT_LOG", logFile)
	left := func() string {
		b, _ := os.ReadFile(counter)
		return string(b)
	}
	inv := newInventory(t, s.options())
	os.WriteFile(counter, []byte("3"), 0o600)
	p := &person{right: s.hsm.PIN, rand: rand.New(rand.NewPCG(1, 2)), left: left}
	sequences, locked := 500, 0
	if testing.Short() {
		sequences = 50
	}
	for n := range sequences {
		inv.Refresh()
		keys, err := inv.Keys(t.Context())
		if err != nil || left() == "" {
			t.Fatalf("sequence %d: %v", n, err)
		}
		before := left()
		p.entered, p.wrong = 0, 0
		session, err := keys[n%len(keys)].Open(t.Context(), p.PIN)
		switch {
		case before == "0" && (p.entered > 0 || !errors.Is(err, token.ErrLocked)):
			t.Errorf("sequence %d: a locked token was tried: %v", n, err)
		case p.wrong == 0 && left() < before:
			t.Errorf("sequence %d: the counter went from %s to %s without an entry", n, before, left())
		case err != nil && !typedError(err) && !errors.Is(err, errGaveUp):
			t.Errorf("sequence %d: %v", n, err)
		}
		if err == nil {
			session.Close()
		}
		if left() == "0" {
			locked++
			if p.rand.IntN(2) == 0 {
				os.WriteFile(counter, []byte("3"), 0o600) // unblocked by the administrator
			}
		}
	}
	if p.unwarned > 0 {
		t.Errorf("%d entries on the last try without a warning", p.unwarned)
	}
	if locked == 0 {
		t.Error("the token was never locked: the test did not test that")
	}
	log, _ := os.ReadFile(logFile)
	if strings.Contains(string(log), " 0 0xa4") {
		t.Error("C_Login on a locked token")
	}
	t.Logf("%d sequences, locked after %d of them, %d logins", sequences, locked, strings.Count(string(log), "\n"))
}

// TestFinalWhileTyping lets somebody else spend a try while the person types: they are asked again, with the warning.
func TestFinalWhileTyping(t *testing.T) {
	s := newShim(t)
	counter := filepath.Join(s.dir, "tries")
	t.Setenv("FAULT_TRIES", counter)
	os.WriteFile(counter, []byte("2"), 0o600)
	inv := newInventory(t, s.options())
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var asked []token.PINRequest
	session, err := keys[0].Open(t.Context(), func(_ context.Context, r token.PINRequest) (secret.PIN, error) {
		asked = append(asked, r)
		if len(asked) == 1 {
			os.WriteFile(counter, []byte("1"), 0o600)
			return tokentest.PIN("11112222")
		}
		return tokentest.PIN(s.hsm.PIN)
	})
	if err != nil {
		t.Fatal(err)
	}
	session.Close()
	if len(asked) != 2 || asked[0].Final || !asked[1].Final || asked[1].Attempts != 1 {
		t.Errorf("asked %+v", asked)
	}
	if b, _ := os.ReadFile(counter); string(b) != "3" {
		t.Errorf("%s tries left: the PIN typed without the warning was used", b)
	}
}

// TestBusy waits for a token in use only as long as it should.
func TestBusy(t *testing.T) {
	hsm := tokentest.SoftHSM(t)
	o := inChild()
	o.Modules = append(o.Modules, moduleOf(hsm))
	o.LeaseWait = 100 * time.Millisecond
	inv := newInventory(t, o)
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, err := keys[0].Open(t.Context(), tokentest.Answers(hsm.PIN).PIN)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for _, k := range keys {
		if _, err := k.Open(t.Context(), tokentest.Answers(hsm.PIN).PIN); !errors.Is(err, token.ErrBusy) {
			t.Errorf("second Open: %v", err)
		}
	}
}
