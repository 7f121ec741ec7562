// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// TestManyObjects lists tokens of 10,000 objects through the child.
func TestManyObjects(t *testing.T) {
	for _, c := range []struct {
		name, bulk string
		extra      int // keys listed beside the one that signs
	}{
		{"data", "bulk data 10000", 0},
		{"public keys", "bulk public 10000", -1}, // copies of one
		{"certificates", "bulk certs 10000", 10000},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, so := tokentest.NewScenario(t)
			s.Add("slot 1\nlabel Много объектов\nserial 0001\npin 12345678\nmechanisms gost256 ec rsa")
			s.Pair("gost256", "")
			if c.extra > 0 {
				public, _ := s.NewKey("p256")
				_, path := s.NewCertificate(public, "bulk")
				c.bulk += " " + path
			}
			s.Add("%s", c.bulk)
			s.Save()
			inv := newInventory(t, inChild(pkcs11.Module{Name: "test", Path: so}))
			if _, err := inv.Tokens(t.Context()); err != nil { // the module makes its objects when it is loaded
				t.Fatal(err)
			}
			first, keys := listed(t, inv)
			second, again := listed(t, inv)
			t.Logf("%d keys: first listing %v, second %v", len(keys), first, second)
			if os.Getenv("PERSTEN_BENCH") != "" && (first > 2*time.Second || second > 20*time.Millisecond) {
				t.Errorf("first listing %v, second %v", first, second)
			}
			if len(again) != len(keys) || c.extra >= 0 && len(keys) != 1+c.extra {
				t.Errorf("%d keys, then %d", len(keys), len(again))
			}
			if errs, _ := use(t.Context(), inv, tokentest.Answers("12345678").PIN); len(errs) > 0 {
				t.Errorf("signing: %v", errs)
			}
		})
	}
}

func listed(t *testing.T, inv token.Inventory) (time.Duration, []token.Key) {
	t.Helper()
	start := time.Now()
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return time.Since(start), keys
}

// TestManyListings is a flood of listings, cached and not, while one signs.
func TestManyListings(t *testing.T) {
	hsm := tokentest.SoftHSM(t)
	inv := newInventory(t, inChild(moduleOf(hsm)))
	var wg sync.WaitGroup
	for n := range 500 {
		wg.Go(func() {
			if n%10 == 0 {
				inv.Refresh()
			}
			keys, err := inv.Keys(t.Context())
			if err != nil || len(keys) != len(hsm.IDs) {
				t.Errorf("%d keys, %v", len(keys), err)
			}
			if infos, err := inv.Tokens(t.Context()); err != nil || len(infos) != 1 {
				t.Errorf("%d tokens, %v", len(infos), err)
			}
		})
	}
	for range 5 {
		if errs, _ := use(t.Context(), inv, tokentest.Answers(hsm.PIN).PIN); len(errs) > 0 {
			t.Errorf("signing meanwhile: %v", errs)
		}
	}
	wg.Wait()
}

// TestNoDescriptorsLeak starts, crashes and closes children many times.
func TestNoDescriptorsLeak(t *testing.T) {
	s := newShim(t)
	round := func(fault string) {
		t.Setenv("FAULT", fault)
		inv := pkcs11.New(s.options())
		defer inv.Close()
		use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN)
	}
	round("C_Sign:9:hang")
	before := descriptors(t)
	for range 10 {
		for _, fault := range []string{"C_Sign:1:crash", "C_Login:1:hang", "C_GetTokenInfo:1:exit", "C_Sign:9:hang"} {
			round(fault)
		}
	}
	for range 50 { // the readers of sockets end a moment after the child
		if descriptors(t) <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d descriptors before, %d after", before, descriptors(t))
}

// TestHeldPIN signs with a PIN kept by policy: one question for several signatures, and again after each way to lose it.
func TestHeldPIN(t *testing.T) {
	s := newShim(t)
	gone := s.dir + "/gone"
	t.Setenv("FAULT_GONE", gone)
	counter := s.dir + "/tries"
	t.Setenv("FAULT_TRIES", counter)
	os.WriteFile(counter, []byte("3"), 0o600)
	o := s.options()
	o.Start = pkcs11.Exec(io.Discard, os.Args[0], childArg)
	o.PINCache = pkcs11.PINCache{Sliding: 700 * time.Millisecond, Hard: 1500 * time.Millisecond}
	inv := newInventory(t, o)
	asks := func(pins ...string) (asked int) {
		t.Helper()
		a := tokentest.Answers(pins...)
		errs, _ := use(t.Context(), inv, a.PIN)
		var bad *token.PINError
		if len(errs) > 0 && !errors.As(errs[0], &bad) {
			t.Fatalf("%v", errs)
		}
		return len(a.Requests)
	}
	right := s.hsm.PIN
	expect := func(what string, want int) {
		t.Helper()
		if got := asks(right); got != want {
			t.Errorf("%s: asked %d times, want %d", what, got, want)
		}
	}
	expect("first", 1)
	expect("second", 0)
	expect("third", 0)
	inv.Forget(t.Context())
	expect("forgotten", 1)
	expect("and kept", 0)
	os.WriteFile(gone, nil, 0o600)
	inv.Tokens(t.Context())
	os.Remove(gone)
	expect("pulled and put back", 1)
	time.Sleep(900 * time.Millisecond)
	expect("unused for long", 1)
	start, asked := time.Now(), 0
	for time.Since(start) < 2*time.Second {
		asked += asks(right)
		time.Sleep(300 * time.Millisecond)
	}
	if asked != 1 {
		t.Errorf("used all the time: asked %d times within 2 s, want once for the hard limit", asked)
	}
	inv.Forget(t.Context())
	expect("again", 1)
	os.WriteFile(counter, []byte("2"), 0o600)
	expect("somebody entered a wrong PIN", 1)
	inv.Close()
	expect("child restarted", 1)
}
