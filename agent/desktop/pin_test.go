// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"image"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/token"
)

// keyboard sets the layout of the display.
func (s *screen) keyboard(layout string) {
	s.t.Helper()
	if out, err := s.command("setxkbmap", layout).CombinedOutput(); err != nil {
		s.t.Fatalf("setxkbmap: %v %s", err, out)
	}
	time.Sleep(500 * time.Millisecond)
}

// A PIN typed with the Russian layout is not sent until the person has said that it is meant so.
func TestForeignLettersAreAskedAbout(t *testing.T) {
	s := newScreen(t)
	h := s.hand()
	s.keyboard("ru")
	a := s.ask(t.Context(), question(t, "ru"))
	s.shot("pin-layout-ru")
	for i := range byte(3) {
		h.key(24 + i) // q, w, e: й, ц, у
		time.Sleep(100 * time.Millisecond)
	}
	h.key(keyReturn)
	if !s.unapproved(a) {
		t.Fatal("answered")
	}
	s.listening()
	s.shot("pin-foreign-ru")
	h.key(keyReturn)
	if d := s.decision(a); !d.Approved {
		t.Fatal("not approved though it was confirmed")
	}
	if pin, err := s.pin(a, token.PINRequest{Attempts: -1}, nil); err != nil || pin != "йцу" {
		t.Fatalf("PIN %q, %v", pin, err)
	}
}

// A character that comes while the window is deaf empties the field: what is left would cost an attempt.
func TestPINIsNeverPartial(t *testing.T) {
	s := newScreen(t)
	h := s.hand()
	other := h.otherWindow()
	a := s.ask(t.Context(), question(t, "ru"))
	id, _ := h.appears()
	s.typed("12")
	time.Sleep(300 * time.Millisecond)
	h.focus(other)
	time.Sleep(300 * time.Millisecond)
	h.focus(id)
	time.Sleep(50 * time.Millisecond)
	s.typed("34")
	s.listening()
	s.shot("pin-lost-ru")
	s.typed("5678")
	s.keys("Return")
	if d := s.decision(a); !d.Approved {
		t.Fatal("not approved")
	}
	if pin, err := s.pin(a, token.PINRequest{Attempts: -1}, nil); err != nil || pin != "5678" {
		t.Fatalf("PIN %q, %v", pin, err)
	}
}

// The eye shows the PIN while it is held, by the mouse and by Space, and not after.
func TestEye(t *testing.T) {
	s := newScreen(t)
	h := s.hand()
	a := s.ask(t.Context(), question(t, "ru"))
	_, place := h.appears()
	s.typed("4Ы1")
	s.typed("9")
	field := image.Rect(place.Min.X+30, place.Max.Y-130, place.Max.X-150, place.Max.Y-98)
	until := func(what string, is func(string) bool) (ink string) {
		for range 50 {
			if ink = h.ink(field); is(ink) {
				return ink
			}
			time.Sleep(200 * time.Millisecond)
		}
		s.shot("failed")
		t.Fatalf("%s: %s", what, ink)
		panic("unreachable")
	}
	time.Sleep(time.Second)
	hidden := h.ink(field)
	isHidden := func(ink string) bool { return ink == hidden }
	h.move(image.Pt(place.Max.X-46, place.Max.Y-114))
	h.press()
	shown := until("shown by the mouse", func(ink string) bool { return ink != hidden })
	s.shot("pin-eye-ru")
	h.release()
	until("hidden again", isHidden)
	for _, k := range []string{"Tab", "shift+Tab"} {
		s.keys(k)
		s.listening()
	}
	h.down(keySpace)
	until("shown by Space", func(ink string) bool { return ink == shown })
	s.shot("pin-eye-keyboard-ru")
	h.up(keySpace)
	until("hidden after Space", isHidden)
	s.keys("Escape")
	if s.decision(a).Approved {
		t.Fatal("approved")
	}
}

// The windows differ by their colour at first glance.
func TestKindsDiffer(t *testing.T) {
	s := newScreen(t)
	h := s.hand()
	seen := map[uint32]signing.Kind{}
	for _, kind := range []signing.Kind{signing.KindSign, signing.KindLogin, signing.KindDecrypt, signing.KindKey, signing.KindOrigin} {
		q := question(t, "en")
		q.Kind = kind
		ctx, end := context.WithCancel(t.Context())
		a := s.ask(ctx, q)
		_, place := h.appears()
		c, err := h.colour(place.Min.Add(image.Pt(4, 4)))
		if err != nil {
			t.Fatal(err)
		}
		if same, ok := seen[c]; ok {
			t.Errorf("%s looks like %s", kind, same)
		}
		seen[c] = kind
		s.keys("Escape")
		if s.decision(a).Approved {
			t.Fatal("approved")
		}
		end()
		s.prompt.Process.Kill() // the window stays to say that nothing was signed
		s.closes()
	}
}
