// SPDX-License-Identifier: GPL-3.0-or-later

package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// canary is a PIN that must not show up anywhere.
const canary = "73914026"

func filled(t *testing.T, s string) *Buffer {
	t.Helper()
	b, err := NewBuffer(MaxLen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Wipe)
	for i := range len(s) {
		if !b.Append(s[i]) {
			t.Fatalf("no room for byte %d", i)
		}
	}
	return b
}

func TestPipe(t *testing.T) {
	for _, n := range []int{0, 1, 8, MaxLen, MaxLen + 1, 5000} {
		p, w, err := Pipe()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("7", n)
		go func() {
			for i := 0; i < n; i += 3 { // the window writes in pieces
				w.WriteString(want[i:min(i+3, n)])
			}
			w.Close()
		}()
		b, err := p.Read()
		if n > MaxLen {
			if !errors.Is(err, ErrTooLong) {
				t.Errorf("%d bytes: %v", n, err)
			}
			continue
		}
		if err != nil || string(b.Bytes()) != want {
			t.Errorf("%d bytes: got %d, %v", n, b.Len(), err)
		}
		b.Wipe()
		if _, err := p.Read(); err == nil {
			t.Error("a PIN was read twice")
		}
		if err := p.Close(); err != nil {
			t.Errorf("Close after Read: %v", err)
		}
	}
}

func TestZeroPIN(t *testing.T) {
	var p PIN
	if _, err := p.Read(); !errors.Is(err, ErrConsumed) {
		t.Errorf("Read: %v", err)
	}
	if err := p.Close(); err != nil || p.File() != nil {
		t.Errorf("Close: %v, File: %v", err, p.File())
	}
}

func TestBuffer(t *testing.T) {
	b, err := NewBuffer(4)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []byte("1Я4") {
		if !b.Append(c) {
			t.Fatal("no room")
		}
	}
	if b.Append('5') {
		t.Error("longer than max")
	}
	b.Backspace()
	b.Backspace() // one character of two bytes
	if got := string(b.Bytes()); got != "1" {
		t.Errorf("after two backspaces %q", got)
	}
	if tail := b.mem[1:4]; !bytes.Equal(tail, make([]byte, 3)) {
		t.Errorf("erased bytes are still there: %q", tail)
	}
	b.Append(0xff)
	b.Backspace()
	b.Backspace()
	b.Backspace()
	if b.Len() != 0 {
		t.Errorf("%d bytes left", b.Len())
	}
	b.Wipe()
	b.Wipe()
	if b.Append('1') || b.Len() != 0 || len(b.Bytes()) != 0 {
		t.Error("usable after Wipe")
	}
	(*Buffer)(nil).Wipe()
	for _, max := range []int{-1, 0, MaxLen + 1} {
		if _, err := NewBuffer(max); err == nil {
			t.Errorf("NewBuffer(%d)", max)
		}
	}
}

func TestWriteTo(t *testing.T) {
	p, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := filled(t, canary).WriteTo(w); err != nil {
		t.Fatal(err)
	}
	w.Close()
	b, err := p.Read()
	if err != nil || string(b.Bytes()) != canary {
		t.Errorf("got %v", err)
	}
	b.Wipe()
}

// TestNeverPrinted tries the verbs and the encoders.
func TestNeverPrinted(t *testing.T) {
	b := filled(t, canary)
	p, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer p.Close()
	for _, v := range []any{b, p, &p, struct{ B *Buffer }{b}, []any{p, b}, map[string]any{"x": b}, fmt.Errorf("x: %v", b)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
	}
	for _, v := range []any{b, p, struct{ B *Buffer }{b}, struct{ P PIN }{p}} {
		if out, err := json.Marshal(v); err == nil {
			t.Errorf("%T marshals to %s", v, out)
		}
	}
}

func TestHandler(t *testing.T) {
	b := filled(t, canary)
	p, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer p.Close()
	for name, make := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(o *bytes.Buffer) slog.Handler { return slog.NewTextHandler(o, nil) },
		"json": func(o *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(o, nil) },
	} {
		var out bytes.Buffer
		log := slog.New(Handler(make(&out)))
		log.Info("a", "buffer", b, "handle", p, "pointer", &p, "pin", canary, "Password", []byte(canary), "kept", "visible")
		log.With("secret", canary).WithGroup("g").Info("b", slog.Group("h", "passphrase", canary, "x", b))
		log.Info("c", "lazy", lazy{b}, "n", 1)
		got := out.String()
		if strings.Contains(got, canary) || strings.Contains(got, "NzM5MTQwMjY") {
			t.Errorf("%s: %s", name, got)
		}
		if strings.Count(got, redacted) < 9 || !strings.Contains(got, "visible") {
			t.Errorf("%s: %s", name, got)
		}
	}
}

type lazy struct{ b *Buffer }

func (l lazy) LogValue() slog.Value { return slog.GroupValue(slog.Any("inner", l.b)) }

func TestFromFile(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.WriteString(canary)
	w.Close()
	b, err := FromFile(r).Read()
	if err != nil || b.Len() != len(canary) {
		t.Fatalf("%v", err)
	}
	b.Wipe()
}
