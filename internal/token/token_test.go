// SPDX-License-Identifier: GPL-3.0-or-later

package token

import (
	"context"
	"errors"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
)

func TestLease(t *testing.T) {
	var all Leases
	if all.Of("a") != all.Of("a") || all.Of("a") == all.Of("b") {
		t.Fatal("leases are not one per token")
	}
	l := all.Of("a")
	release, err := l.Take(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := l.Take(t.Context(), 50*time.Millisecond); !errors.Is(err, ErrBusy) || time.Since(start) < 50*time.Millisecond {
		t.Errorf("second Take after %v: %v", time.Since(start), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Take(ctx, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Take: %v", err)
	}
	release()
	release() // must not free the next holder's
	next, err := l.Take(t.Context(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := l.Take(t.Context(), 0); !errors.Is(err, ErrBusy) {
		t.Errorf("a released lease was released again: %v", err)
	}
	next()
}

// fake is a token in memory for the dialogue.
type fake struct {
	Info
	tries []error // what each attempt gives, the last one for ever
	tried int
	asked []PINRequest
	typed func(f *fake) // what happens while the person types
}

func (f *fake) login() Login {
	return Login{
		Lease: NewLease(),
		State: func(context.Context) (Info, error) { return f.Info, nil },
		Try: func(context.Context, secret.PIN) error {
			err := f.tries[min(f.tried, len(f.tries)-1)]
			f.tried++
			return err
		},
	}
}

func (f *fake) pin(_ context.Context, r PINRequest) (secret.PIN, error) {
	f.asked = append(f.asked, r)
	if f.typed != nil {
		f.typed(f)
	}
	return secret.PIN{}, nil
}

func TestLogin(t *testing.T) {
	wrong, broken := &PINError{Attempts: 2}, errors.New("broken")
	fresh := Info{Label: "t", LoginRequired: true, Attempts: 3}
	locked, keypad, open := fresh, fresh, fresh
	locked.Locked, keypad.PINPad, open.LoginRequired = true, true, false
	for _, c := range []struct {
		name         string
		info         Info
		tries        []error
		typed        func(*fake)
		want         error
		asked, tried int
	}{
		{"right", fresh, []error{nil}, nil, nil, 1, 1},
		{"wrong once", fresh, []error{wrong, nil}, nil, nil, 2, 2},
		{"wrong twice", fresh, []error{wrong, wrong, nil}, nil, wrong, 2, 2},
		{"locked", locked, []error{nil}, nil, ErrLocked, 0, 0},
		{"locked meanwhile", fresh, []error{nil}, func(f *fake) { f.Locked = true }, ErrLocked, 1, 0},
		{"final meanwhile", fresh, []error{nil}, func(f *fake) { f.Final = true }, nil, 2, 1},
		{"another token meanwhile", fresh, []error{nil}, func(f *fake) { f.Serial = "other" }, ErrRemoved, 1, 0},
		{"keypad", keypad, []error{nil}, nil, nil, 0, 1},
		{"no login", open, []error{nil}, nil, nil, 0, 1},
		{"other error", fresh, []error{broken, nil}, nil, broken, 1, 1},
	} {
		f := &fake{Info: c.info, tries: c.tries, typed: c.typed}
		l := f.login()
		release, err := l.Run(t.Context(), f.pin)
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if len(f.asked) != c.asked || f.tried != c.tried {
			t.Errorf("%s: asked %d, tried %d, want %d and %d", c.name, len(f.asked), f.tried, c.asked, c.tried)
		}
		if err == nil {
			if _, err := l.Lease.Take(t.Context(), 0); !errors.Is(err, ErrBusy) {
				t.Errorf("%s: the lease is not held", c.name)
			}
			release()
		}
		if r, err := l.Lease.Take(t.Context(), 0); err != nil {
			t.Errorf("%s: the lease is not free: %v", c.name, err)
		} else {
			r()
		}
	}
}

func TestLoginWithoutPerson(t *testing.T) {
	f := &fake{Info: Info{LoginRequired: true}, tries: []error{nil}}
	if _, err := f.login().Run(t.Context(), nil); err == nil || f.tried != 0 {
		t.Errorf("%v, tried %d", err, f.tried)
	}
}

// shelf is an inventory of fixed content.
type shelf struct {
	keys  []Key
	infos []Info
	err   error
	fresh int
}

func (s *shelf) Keys(context.Context) ([]Key, error)    { return s.keys, s.err }
func (s *shelf) Tokens(context.Context) ([]Info, error) { return s.infos, s.err }
func (s *shelf) Refresh()                               { s.fresh++ }
func (s *shelf) Events(ctx context.Context) <-chan Event {
	c := make(chan Event, 1)
	c <- Event{Kind: Inserted}
	close(c)
	return c
}

type label struct {
	id, from string
	algs     []algo.ID
}

func (l label) ID() string                                     { return l.id }
func (l label) Certificate() *cert.Certificate                 { return nil }
func (l label) Token() Info                                    { return Info{Module: l.from} }
func (l label) Algorithms() []algo.ID                          { return l.algs }
func (l label) Open(context.Context, PINFunc) (Session, error) { return nil, ErrAbsent }

func TestJoin(t *testing.T) {
	rsa := []algo.ID{algo.RSASHA256}
	broken := &ModuleError{Module: "c", Reason: "crashed"}
	a := &shelf{keys: []Key{label{"1", "a", rsa}, label{"2", "a", nil}}, infos: []Info{{Serial: "1"}, {}}}
	b := &shelf{keys: []Key{label{"1", "b", rsa}, label{"2", "b", rsa}, label{"3", "b", rsa}}, infos: []Info{{Serial: "1"}, {}}}
	c := &shelf{err: broken}
	j := Join(a, b, c)
	keys, err := j.Keys(t.Context())
	var failed *ModuleError
	if !errors.As(err, &failed) || failed != broken {
		t.Errorf("Keys: %v", err)
	}
	got := ""
	for _, k := range keys {
		got += k.ID() + k.Token().Module + " "
	}
	if got != "1a 2b 3b " {
		t.Errorf("keys %s", got)
	}
	if infos, _ := j.Tokens(t.Context()); len(infos) != 3 {
		t.Errorf("%d tokens", len(infos))
	}
	j.(Refresher).Refresh()
	if a.fresh != 1 || b.fresh != 1 {
		t.Error("not refreshed")
	}
	n := 0
	for range j.Events(t.Context()) {
		n++
	}
	if n != 3 {
		t.Errorf("%d events", n)
	}
}

// TestKeypad warns before a PIN is typed on the reader, and does not spend the last try without a warning.
func TestKeypad(t *testing.T) {
	final := Info{LoginRequired: true, PINPad: true, Attempts: 1, Final: true}
	f := &fake{Info: final, tries: []error{nil}}
	var bad *PINError
	if _, err := f.login().Run(t.Context(), f.pin); !errors.As(err, &bad) || !bad.Final || f.tried != 0 {
		t.Errorf("the last try without anybody to warn: %v, tried %d", err, f.tried)
	}
	var told []PINRequest
	refuse := errors.New("refused")
	answer := error(nil)
	ctx := OnKeypad(t.Context(), func(_ context.Context, r PINRequest) error {
		told = append(told, r)
		return answer
	})
	if release, err := f.login().Run(ctx, f.pin); err != nil || len(told) != 1 || !told[0].Final || len(f.asked) != 0 {
		t.Errorf("%v, told %+v, asked %d", err, told, len(f.asked))
	} else {
		release()
	}
	answer = refuse
	if _, err := f.login().Run(ctx, f.pin); !errors.Is(err, refuse) || f.tried != 1 {
		t.Errorf("refused: %v, tried %d", err, f.tried)
	}
}

// TestHeld uses a kept PIN only on a token whose state needs no warning, and asks when it is gone or wrong.
func TestHeld(t *testing.T) {
	wrong := &PINError{Attempts: 2}
	fresh := Info{Label: "t", LoginRequired: true, Attempts: 3}
	low := fresh
	low.Low = true
	for _, c := range []struct {
		name         string
		info         Info
		held         bool
		tries        []error
		want         error
		asked, tried int
	}{
		{"held", fresh, true, []error{nil}, nil, 0, 1},
		{"not held", fresh, false, []error{nil}, nil, 1, 1},
		{"low", low, true, []error{nil}, nil, 1, 1},
		{"gone meanwhile", fresh, true, []error{ErrAskAgain, nil}, nil, 1, 2},
		{"changed meanwhile", fresh, true, []error{wrong, nil}, nil, 1, 2},
		{"and the person's two", fresh, true, []error{wrong}, wrong, 2, 3},
		{"never settles", fresh, false, []error{ErrAskAgain}, ErrBusy, maxRounds, maxRounds},
	} {
		f := &fake{Info: c.info, tries: c.tries}
		l := f.login()
		l.Held = func() bool { return c.held }
		release, err := l.Run(t.Context(), f.pin)
		if !errors.Is(err, c.want) || c.want == nil && err != nil || len(f.asked) != c.asked || f.tried != c.tried {
			t.Errorf("%s: %v, asked %d, tried %d", c.name, err, len(f.asked), f.tried)
		}
		for n, r := range f.asked {
			if r.Wrong != (n > 0 && c.want == wrong) {
				t.Errorf("%s: question %d says wrong %v", c.name, n, r.Wrong)
			}
		}
		if err == nil {
			release()
		}
	}
}

// TestUniqueTokens merges a token seen through two modules, never two tokens of one module.
func TestUniqueTokens(t *testing.T) {
	own := []Info{{Serial: "1", Label: "Rutoken ECP"}, {Serial: "2", Label: "Rutoken ECP"}, {Label: "none"}}
	twins := []Info{{Serial: "7", Label: "twin"}, {Serial: "7", Label: "twin"}}
	general := []Info{{Serial: "1", Label: "Rutoken ECP (User PIN)"}, {Serial: "3", Label: "Rutoken ECP"}, {Label: "none"}}
	got := ""
	for _, i := range UniqueTokens([][]Info{own, twins, general}) {
		got += i.Serial + ":" + i.Label + "|"
	}
	if want := "1:Rutoken ECP|2:Rutoken ECP|:none|7:twin|7:twin|3:Rutoken ECP|:none|"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for label, want := range map[string]string{
		"Token (User PIN)": "Token", "Token": "Token", "(x)": "(x)", "a (b": "a (b",
		"A label that OpenSC made (User P": "A label that OpenSC made", "": "",
	} {
		if got := (Info{Label: label}).PlainLabel(); got != want {
			t.Errorf("PlainLabel(%q) = %q, want %q", label, got, want)
		}
	}
}

func TestModuleErrorKind(t *testing.T) {
	for reason, want := range map[string]string{
		ReasonCrashed: ReasonCrashed, ReasonDependency: ReasonDependency, "CKR_DEVICE_ERROR": ReasonVendor, "0x80000005": ReasonVendor,
	} {
		if got := (&ModuleError{Reason: reason}).Kind(); got != want {
			t.Errorf("%s: %s", reason, got)
		}
	}
}
