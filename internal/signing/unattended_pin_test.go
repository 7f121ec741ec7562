// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing_test

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// TestUnattendedWrongPIN: however many ask, and however often the session starts, a wrong PIN is tried once.
func TestUnattendedWrongPIN(t *testing.T) {
	p := &person{decide: no}
	s := newServer(t, p, "000000")
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[proto.Code]int{}
	for range 16 {
		wg.Go(func() {
			var pe *proto.Error
			if err := s.signs(t, context.Background(), page); !errors.As(err, &pe) {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			codes[pe.Code]++
		})
	}
	wg.Wait()
	if codes[proto.CodePINIncorrect] != 1 || codes[proto.CodeUnattendedStopped] != 15 || s.attempts(t) != keyfile.DemoAttempts-1 {
		t.Errorf("%v, %d attempts left", codes, s.attempts(t))
	}
	if marks := s.marks(t); !slices.Contains(marks, "note pin policy pin_incorrect") || !slices.Contains(marks, "end sign  pin_incorrect") {
		t.Errorf("journal: %q", marks)
	}
	refused := func(what string) {
		t.Helper()
		if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeUnattendedStopped) || s.Unattended() != 0 {
			t.Errorf("%s: %v, %d rules", what, err, s.Unattended())
		}
		if n := s.attempts(t); n != keyfile.DemoAttempts-1 {
			t.Fatalf("%s: %d attempts left", what, n)
		}
	}
	for range 3 {
		s.restart(t)
		refused("restarted")
	}
	s.write(t, keyfile.DemoPIN+"\r\n")
	refused("file changed, not restarted")
	s.restart(t)
	if err := s.signs(t, context.Background(), page); err != nil || s.attempts(t) != keyfile.DemoAttempts || s.Unattended() != 1 {
		t.Errorf("file changed and restarted: %v, %d attempts left", err, s.attempts(t))
	}
	if left, _ := os.ReadDir(s.state); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
	// The same length, another time; and a file that is gone keeps what is known of it.
	s.write(t, "111111")
	s.restart(t)
	s.signs(t, context.Background(), page)
	if err := os.Remove(s.pin); err != nil {
		t.Fatal(err)
	}
	s.restart(t)
	refused("file gone")
	s.write(t, keyfile.DemoPIN)
	s.restart(t)
	if err := s.signs(t, context.Background(), page); err != nil || len(p.asked) > 0 {
		t.Errorf("another file: %v, %d questions", err, len(p.asked))
	}
}

// TestPINFile: what is no safe PIN file is not used and no attempt is spent.
func TestPINFile(t *testing.T) {
	p := &person{decide: no}
	s := newServer(t, p, "")
	mode := func(text string, mode os.FileMode) func() error {
		return func() error { return errors.Join(os.WriteFile(s.pin, []byte(text), 0o600), os.Chmod(s.pin, mode)) }
	}
	file := func(text string) func() error { return mode(text, 0o600) }
	long := strings.Repeat("1", secret.MaxLen)
	for name, c := range map[string]struct {
		make func() error
		want error
	}{
		"plain":           {file(keyfile.DemoPIN), nil},
		"line end":        {file(keyfile.DemoPIN + "\n"), nil},
		"line end of DOS": {file(keyfile.DemoPIN + "\r\n"), nil},
		"read-only":       {mode(keyfile.DemoPIN, 0o400), nil},
		"group reads":     {mode(keyfile.DemoPIN, 0o640), proto.CodeUnattendedPINFile},
		"group writes":    {mode(keyfile.DemoPIN, 0o620), proto.CodeUnattendedPINFile},
		"others read":     {mode(keyfile.DemoPIN, 0o604), proto.CodeUnattendedPINFile},
		"others execute":  {mode(keyfile.DemoPIN, 0o601), proto.CodeUnattendedPINFile},
		"empty":           {file(""), proto.CodeUnattendedPINFile},
		"only a line end": {file("\n"), proto.CodeUnattendedPINFile},
		"only one of DOS": {file("\r\n"), proto.CodeUnattendedPINFile},
		"two line ends":   {file(keyfile.DemoPIN + "\n\n"), proto.CodeUnattendedPINFile},
		"two lines":       {file(keyfile.DemoPIN + "\n" + keyfile.DemoPIN + "\n"), proto.CodeUnattendedPINFile},
		"carriage return": {file(keyfile.DemoPIN + "\r"), proto.CodeUnattendedPINFile},
		"zero byte":       {file(keyfile.DemoPIN + "\x00"), proto.CodeUnattendedPINFile},
		"too long":        {file(long + "1"), proto.CodeUnattendedPINFile},
		"huge":            {func() error { return errors.Join(file("1")(), os.Truncate(s.pin, 1<<40)) }, proto.CodeUnattendedPINFile},
		"absent":          {func() error { return nil }, proto.CodeUnattendedPINFile},
		"folder":          {func() error { return os.Mkdir(s.pin, 0o700) }, proto.CodeUnattendedPINFile},
		"pipe":            {func() error { return syscall.Mkfifo(s.pin, 0o600) }, proto.CodeUnattendedPINFile},
		"device":          {func() error { return os.Symlink("/dev/zero", s.pin) }, proto.CodeUnattendedPINFile},
		"dangling link":   {func() error { return os.Symlink(s.pin+"2", s.pin) }, proto.CodeUnattendedPINFile},
		"link to good file": {func() error {
			return errors.Join(os.WriteFile(s.pin+"3", []byte(keyfile.DemoPIN), 0o600), os.Symlink(s.pin+"3", s.pin))
		}, proto.CodeUnattendedPINFile},
		"of another user": {func() error {
			err := file(keyfile.DemoPIN)()
			if os.Geteuid() == 0 {
				return errors.Join(err, os.Chown(s.pin, 12345, 0))
			}
			t.Log("not run: a file of another user, which takes root")
			return os.Chmod(s.pin, 0o640)
		}, proto.CodeUnattendedPINFile},
	} {
		if err := errors.Join(os.RemoveAll(s.pin), c.make()); err != nil {
			t.Fatal(name, err)
		}
		if err := s.signs(t, context.Background(), page); !errors.Is(err, c.want) || s.attempts(t) != keyfile.DemoAttempts {
			t.Errorf("%s: %v, %d attempts left", name, err, s.attempts(t))
		}
	}
	s.grant.PINFile = ""
	s.restart(t)
	if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeUnattendedPINFile) || s.Unattended() != 1 || len(p.asked) > 0 {
		t.Errorf("no file named: %v", err)
	}
}

// steered is a demo key behind a login that a test steers.
type steered struct {
	token.Inventory
	info  func(token.Info) token.Info // the token's state when it is opened
	tries *int
	fail  error // how a try ends
	wrap  func(token.PINFunc) token.PINFunc
}

type steeredKey struct {
	token.Key
	s steered
}

func (s steered) Keys(ctx context.Context) ([]token.Key, error) {
	keys, err := s.Inventory.Keys(ctx)
	for i, k := range keys {
		keys[i] = steeredKey{k, s}
	}
	return keys, err
}

func (k steeredKey) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	if k.s.wrap != nil {
		return k.Key.Open(ctx, k.s.wrap(pin))
	}
	login := token.Login{
		Lease: token.NewLease(),
		State: func(context.Context) (token.Info, error) { return k.s.info(k.Token()), nil },
		Try:   func(context.Context, secret.PIN) error { *k.s.tries++; return k.s.fail },
	}
	_, err := login.Run(ctx, pin)
	return nil, err
}

// TestUnattendedLeavesTheTokenAlone: no last try, no keypad, no locked token, and no second try after a login that nobody
// saw the end of.
func TestUnattendedLeavesTheTokenAlone(t *testing.T) {
	crashed := &token.ModuleError{Module: "m", Reason: token.ReasonCrashed}
	for name, c := range map[string]struct {
		info        func(token.Info) token.Info
		fail        error
		first, then error
		tries       int
	}{
		"last try":         {func(i token.Info) token.Info { i.Final = true; return i }, nil, proto.CodeUnattendedStopped, proto.CodeUnattendedStopped, 0},
		"locked":           {func(i token.Info) token.Info { i.Locked = true; return i }, nil, proto.CodePINLocked, proto.CodeUnattendedStopped, 0},
		"locks itself":     {func(i token.Info) token.Info { return i }, token.ErrLocked, proto.CodePINLocked, proto.CodeUnattendedStopped, 1},
		"keypad":           {func(i token.Info) token.Info { i.PINPad = true; return i }, nil, proto.CodeUnattendedKeypad, proto.CodeUnattendedKeypad, 0},
		"crash, wrong PIN": {func(i token.Info) token.Info { i.Low = true; return i }, crashed, proto.CodeModuleFailed, proto.CodeUnattendedStopped, 1},
		"crash, right PIN": {func(i token.Info) token.Info { return i }, crashed, proto.CodeModuleFailed, proto.CodeModuleFailed, 2},
		"busy":             {func(i token.Info) token.Info { return i }, token.ErrBusy, proto.CodeTokenBusy, proto.CodeTokenBusy, 2},
	} {
		p, tries := &person{decide: no}, 0
		s := newServer(t, p, keyfile.DemoPIN)
		s.keys = steered{s.demo, c.info, &tries, c.fail, nil}
		s.restart(t)
		for i, want := range []error{c.first, c.then} {
			if err := s.signs(t, context.Background(), page); !errors.Is(err, want) {
				t.Errorf("%s: request %d: %v, want %v", name, i+1, err, want)
			}
		}
		if tries != c.tries || len(p.asked) > 0 {
			t.Errorf("%s: %d tries, want %d; %d questions", name, tries, c.tries, len(p.asked))
		}
	}
	// The reader has a keypad from the start.
	s := newServer(t, &person{decide: no}, keyfile.DemoPIN)
	s.keys = padded{s.demo}
	s.restart(t)
	if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeUnattendedKeypad) {
		t.Error(err)
	}
	if marks := s.marks(t); len(marks) != 1 || marks[0] != "note refused policy unattended_keypad" {
		t.Errorf("journal: %q", marks)
	}
}

type padded struct{ token.Inventory }

type paddedKey struct{ token.Key }

func (p padded) Keys(ctx context.Context) ([]token.Key, error) {
	keys, err := p.Inventory.Keys(ctx)
	for i, k := range keys {
		keys[i] = paddedKey{k}
	}
	return keys, err
}

func (k paddedKey) Token() token.Info {
	i := k.Key.Token()
	i.PINPad = true
	return i
}

func (paddedKey) Open(context.Context, token.PINFunc) (token.Session, error) {
	return nil, errors.New("must not be opened")
}

// A caller who goes away just when the PIN is on its way cannot hide that it was wrong, and one who went before spends none.
func TestUnattendedCallerGoesAway(t *testing.T) {
	s := newServer(t, &person{decide: no}, "000000")
	ctx, cancel := context.WithCancel(context.Background())
	s.keys = steered{Inventory: s.demo, wrap: func(pin token.PINFunc) token.PINFunc {
		return func(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
			p, err := pin(ctx, r)
			cancel()
			return p, err
		}
	}}
	s.restart(t)
	for range 5 {
		s.signs(t, ctx, page)
		ctx, cancel = context.WithCancel(context.Background())
	}
	if n := s.attempts(t); n != keyfile.DemoAttempts-1 || s.Unattended() != 0 {
		t.Errorf("%d attempts left, %d rules", n, s.Unattended())
	}
	cancel()

	s = newServer(t, &person{decide: no}, "000000")
	ctx, cancel = context.WithCancel(context.Background())
	s.keys = steered{Inventory: s.demo, wrap: func(pin token.PINFunc) token.PINFunc {
		cancel()
		return pin
	}}
	s.restart(t)
	if err := s.signs(t, ctx, page); !errors.Is(err, context.Canceled) || s.attempts(t) != keyfile.DemoAttempts {
		t.Errorf("%v, %d attempts left", err, s.attempts(t))
	}
}

// With a right PIN a caller who goes away ends the request, and the place and the turn are free again.
func TestUnattendedCancelled(t *testing.T) {
	s := newServer(t, &person{decide: no}, keyfile.DemoPIN)
	cancel := func() {}
	s.keys = steered{Inventory: s.demo, wrap: func(pin token.PINFunc) token.PINFunc {
		return func(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
			defer cancel()
			return pin(ctx, r)
		}
	}}
	s.restart(t)
	for range 70 { // more than there are places
		var ctx context.Context
		ctx, cancel = context.WithCancel(context.Background())
		if err := s.signs(t, ctx, page); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled request: %v", err)
		}
	}
	cancel = func() {}
	if err := s.signs(t, context.Background(), page); err != nil {
		t.Error(err)
	}
	if !s.journalUnwritable(t) {
		t.Error("signed without a journal")
	}
}

// journalUnwritable reports whether a journal that cannot be written refuses, also here.
func (s *server) journalUnwritable(t *testing.T) bool {
	u := signing.NewUnattended(s.person, []signing.Grant{s.grant}, s.journal, s.state)
	e := signing.New(s.demo, u, broken{}, signing.Options{Store: s.Store()})
	_, err := e.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: s.id, Content: s.content(t, "x")}, io.Discard)
	return errors.Is(err, proto.CodeJournalUnwritable)
}
