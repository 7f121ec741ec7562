// SPDX-License-Identifier: GPL-3.0-or-later

package tokentest

import (
	"context"
	"errors"
	"testing"

	"persten/internal/secret"
	"persten/internal/token"
)

// spend enters n wrong PINs, one per Open, and returns the error of the last.
func (f Fixture) spend(t *testing.T, n int) error {
	t.Helper()
	var last error
	for range n {
		asked := 0
		_, err := f.key(t).Open(t.Context(), func(context.Context, token.PINRequest) (secret.PIN, error) {
			if asked++; asked > 1 {
				return secret.PIN{}, errEnough
			}
			return PIN(f.Wrong)
		})
		if err == nil {
			t.Fatal("a wrong PIN opened the token")
		}
		last = err
	}
	return last
}

var errEnough = errors.New("one try was enough")

// Token reads the state of the token of the fixture's key now.
func (f Fixture) Token(t *testing.T) token.Info {
	t.Helper()
	was := f.key(t).Token()
	tokens, err := f.Inventory.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range tokens {
		if i.Serial == was.Serial && i.Slot == was.Slot && i.Path == was.Path {
			return i
		}
	}
	t.Fatalf("no token %q among %d", was.Serial, len(tokens))
	return token.Info{}
}

// countsDown follows the flags through all attempts.
func countsDown(t *testing.T, f Fixture) {
	t.Cleanup(func() { f.Restore(t) })
	for left := f.Tries; left > 0; left-- {
		i := f.Token(t)
		if i.Low != (left < f.Tries) || i.Final != (left == 1) || i.Locked {
			t.Errorf("%d of %d attempts left: low %v, final %v, locked %v", left, f.Tries, i.Low, i.Final, i.Locked)
		}
		if i.Attempts != -1 && i.Attempts != left {
			t.Errorf("%d attempts left, token says %d", left, i.Attempts)
		}
		f.spend(t, 1)
	}
	if i := f.Token(t); !i.Locked || i.Attempts > 0 {
		t.Errorf("after %d wrong PINs: %+v", f.Tries, i)
	}
	f.Restore(t)
}

// finalTry asks for the last attempt only with the warning, and a right PIN there is as good as ever.
func finalTry(t *testing.T, f Fixture) {
	t.Cleanup(func() { f.Restore(t) })
	f.spend(t, f.Tries-1)
	k := f.key(t)
	if !k.Token().Final {
		t.Errorf("listed as %+v on the last try", k.Token())
	}
	a := Answers(f.PIN)
	s, err := k.Open(t.Context(), a.PIN)
	if err != nil {
		t.Fatalf("Open with the right PIN on the last try: %v", err)
	}
	s.Close()
	if len(a.Requests) != 1 || !a.Requests[0].Final || a.Requests[0].Attempts > 1 {
		t.Errorf("asked %+v", a.Requests)
	}
	if i := f.Token(t); i.Low || i.Final {
		t.Errorf("after the right PIN: %+v", i)
	}
}

// locked spends everything. Nothing is asked of the person, or of the token, afterwards.
func locked(t *testing.T, f Fixture) {
	t.Cleanup(func() { f.Restore(t) })
	if err := f.spend(t, f.Tries); !errors.Is(err, token.ErrLocked) {
		t.Errorf("the last wrong PIN: %v, want locked", err)
	}
	keys := f.keys(t)
	if len(keys) == 0 {
		t.Fatal("a locked token lists no certificates")
	}
	a := Answers(f.PIN)
	_, err := f.key(t).Open(t.Context(), a.PIN)
	if !errors.Is(err, token.ErrLocked) || len(a.Requests) != 0 {
		t.Errorf("Open of a locked token: %v, asked %d times", err, len(a.Requests))
	}
	f.Restore(t)
}
