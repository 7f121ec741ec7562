// SPDX-License-Identifier: GPL-3.0-or-later

package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/ui"
)

// fake is a terminal on which keys were typed in advance.
type fake struct {
	keys  io.Reader
	shown bytes.Buffer
	quiet bool
}

func (f *fake) Read(b []byte) (int, error)  { return f.keys.Read(b) }
func (f *fake) Write(b []byte) (int, error) { return f.shown.Write(b) }
func (f *fake) Close() error                { return nil }
func (f *fake) Quiet() (func(), error) {
	f.quiet = true
	return func() { f.quiet = false }, nil
}

func ask(t *testing.T, keys string) (*fake, signing.Prompt) {
	f := &fake{keys: strings.NewReader(keys)}
	q := signing.Question{Kind: signing.KindSign, Lang: "en", Origin: "https://a.example", Documents: []signing.Document{{Name: "a.txt"}}}
	p, err := ui.Local(func() ui.Body { return On(f) }).Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

func TestAnswers(t *testing.T) {
	for keys, want := range map[string]bool{"yes\n": true, "YES\r": true, "y\n": false, "\n": false, "": false, "yes": false, "no\n": false, "yes please\n": false} {
		_, p := ask(t, keys)
		if d, err := p.Decide(t.Context()); err != nil || d.Approved != want {
			t.Errorf("%q: %+v, %v", keys, d, err)
		}
	}
}

func TestPIN(t *testing.T) {
	for _, c := range []struct {
		keys  string
		final bool
		want  string
		err   error
	}{
		{"1234\r", false, "1234", nil},
		{"12x\x7f34\n", false, "1234", nil},
		{"99\x151234\n", false, "1234", nil},
		{"\n", false, "", signing.ErrRejected},
		{"12\x03", false, "", signing.ErrRejected},
		{"12\x1b", false, "", signing.ErrRejected},
		{"12", false, "", signing.ErrRejected},
		{"1234\n1234\n", true, "1234", nil},
		{"1234\n1235\n", true, "", signing.ErrRejected},
	} {
		f, p := ask(t, "yes\n"+c.keys)
		p.Decide(t.Context())
		pin, err := p.PIN(t.Context(), token.PINRequest{Final: c.final, Attempts: -1})
		if !errors.Is(err, c.err) {
			t.Errorf("%q: %v", c.keys, err)
			continue
		}
		if f.quiet {
			t.Errorf("%q: the terminal stays without echo", c.keys)
		}
		if strings.Contains(f.shown.String(), "1234") {
			t.Errorf("%q: the PIN was shown", c.keys)
		}
		if c.err != nil {
			continue
		}
		b, err := pin.Read()
		if err != nil || string(b.Bytes()) != c.want {
			t.Errorf("%q: not the PIN typed (%v)", c.keys, err)
		}
		b.Wipe()
	}
}

func TestTooLongPINIsCut(t *testing.T) {
	_, p := ask(t, "yes\n"+strings.Repeat("7", 1000)+"\n")
	p.Decide(t.Context())
	pin, err := p.PIN(t.Context(), token.PINRequest{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := pin.Read()
	if err != nil || b.Len() > secret.MaxLen {
		t.Errorf("%v", err)
	}
	b.Wipe()
}

func TestClosingSentence(t *testing.T) {
	f, p := ask(t, "yes\n")
	p.Decide(t.Context())
	p.Close(signing.Outcome{Signed: []string{"a.txt"}, Owner: "Maria", Time: time.Now()})
	if s := f.shown.String(); !strings.Contains(s, "Who asks: https://a.example") || !strings.Contains(s, "Signature created.") {
		t.Errorf("shown: %s", s)
	}
}

// wakened is a terminal nobody types on; Close wakes its reader.
type wakened struct {
	fake
	r *io.PipeReader
}

func (w wakened) Read(b []byte) (int, error) { return w.r.Read(b) }
func (w wakened) Close() error               { return w.r.Close() }

func TestCancel(t *testing.T) {
	r, _ := io.Pipe()
	p, _ := ui.Local(func() ui.Body { return On(&wakened{r: r}) }).Ask(t.Context(), signing.Question{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Decide(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestNoTerminal(t *testing.T) {
	p, _ := ui.Local(func() ui.Body { return &Body{open: func() (TTY, error) { return nil, errors.New("none") }} }).Ask(t.Context(), signing.Question{})
	if _, err := p.Decide(t.Context()); !errors.Is(err, signing.ErrNoPrompt) {
		t.Error(err)
	}
}
