// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"os/exec"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/ui"
	"persten/internal/ui/pinentry"
)

// TestRealPinentry signs through GnuPG's dialog.
func TestRealPinentry(t *testing.T) {
	const program = "pinentry-gtk-2"
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed: the real dialog was not run", program)
	}
	s := newScreen(t)
	q := question(t, "ru")
	p, err := ui.Local(func() ui.Body { return pinentry.New(program, "--display", s.display, "--no-global-grab") }).Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	a := asked{p, make(chan signing.Decision, 1), make(chan error, 1)}
	go func() {
		d, err := p.Decide(t.Context())
		a.answer <- d
		a.fault <- err
	}()
	s.window()
	s.shot("pinentry-card-ru")
	s.keys("Tab", "Return")
	if d := s.decision(a); !d.Approved {
		t.Fatal("not approved")
	}
	got, err := s.pin(a, token.PINRequest{Wrong: true, Attempts: 2, Token: q.Token}, func() {
		s.shot("pinentry-pin-ru")
		s.typed("1234")
		s.keys("Return")
	})
	if err != nil || got != "1234" {
		t.Fatalf("PIN %q, %v", got, err)
	}
	closed := make(chan error, 1)
	go func() {
		closed <- p.Close(signing.Outcome{Signed: []string{"Договор.txt"}, Owner: "Подписант", Time: time.Now()})
	}()
	s.window()
	s.shot("pinentry-created-ru")
	s.keys("Return")
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("the outcome was not closed")
	}
}
