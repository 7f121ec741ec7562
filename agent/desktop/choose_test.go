// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"strconv"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/token"
)

// choosing is a question with three certificates to choose and two that cannot be.
func choosing(t *testing.T, lang string) signing.Question {
	base := *question(t, lang).Certificate
	q := signing.Question{Kind: signing.KindSelect, For: signing.KindSign, Lang: lang, Origin: "https://lk.portal.example", Via: signing.ViaNative}
	add := func(c signing.Choice, change func(*signing.Certificate)) {
		c.Certificate, c.Token = base, token.Info{Label: "Rutoken", Model: "Rutoken ECP", Serial: "1b2c3d"}
		c.Certificate.INNLE = "7707083893"
		change(&c.Certificate)
		q.Choices = append(q.Choices, c)
	}
	add(signing.Choice{}, func(*signing.Certificate) {})
	add(signing.Choice{}, func(c *signing.Certificate) {
		c.Name, c.INN = "Демонстрационный Предприниматель", "500100732259"
	})
	add(signing.Choice{Attorney: true}, func(c *signing.Certificate) {
		c.Name, c.INN, c.Organization, c.INNLE, c.Title = "Демонстрационный Гражданин", "772201234500", "", "", ""
	})
	add(signing.Choice{Refusal: &signing.Refusal{Code: signing.RuleINNLE, Args: map[string]string{"wanted": "7707083893", "has": "5001007322"}}},
		func(c *signing.Certificate) { c.INNLE = "5001007322" })
	add(signing.Choice{Refusal: &signing.Refusal{Code: "certificate_expired", Args: map[string]string{"date": "2026-03-01"}}},
		func(c *signing.Certificate) { c.NotAfter = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) })
	return q
}

// undecided fails when the prompt has answered.
func (s *screen) undecided(a asked) {
	s.t.Helper()
	select {
	case d := <-a.answer:
		s.t.Fatalf("answered %+v", d)
	case <-time.After(400 * time.Millisecond):
	}
}

// confirmed presses Enter until there is an answer: a slow machine may take two presses for one and the same button.
func (s *screen) confirmed(a asked) signing.Decision {
	s.t.Helper()
	for range 20 {
		s.keys("Return")
		select {
		case d := <-a.answer:
			return d
		case <-time.After(time.Second):
		}
	}
	s.shot("failed")
	s.t.Fatal("no answer")
	panic("unreachable")
}

// The arrow keys walk over the certificates that can be chosen and stop at the last of them; Enter marks, Enter again confirms.
func TestChooserKeys(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(0) {
		a := s.ask(t.Context(), choosing(t, lang))
		s.shot("chooser-" + lang)
		s.keys("Down", "Down", "Down", "Down", "Down", "Up", "Down")
		time.Sleep(time.Second)
		s.shot("chooser-walked-" + lang)
		s.keys("Return")
		s.undecided(a)
		if d := s.confirmed(a); !d.Approved || d.Chosen != 2 {
			t.Fatalf("decision %+v", d)
		}
		a.Close(signing.Outcome{Time: time.Now()})
		s.closes()
	}
}

// The last choice is marked and waits for the person; a long list is searched by name and number.
func TestChooserRemembersAndSearches(t *testing.T) {
	s := newScreen(t)
	q := choosing(t, "ru")
	q.Choices[1].Last = true
	a := s.ask(t.Context(), q)
	s.shot("chooser-last-ru")
	s.keys("Return")
	s.undecided(a)
	if d := s.confirmed(a); !d.Approved || d.Chosen != 1 {
		t.Fatalf("decision %+v", d)
	}
	a.Close(signing.Outcome{Time: time.Now()})
	s.closes()

	a = s.ask(t.Context(), q)
	s.calmly("shift+Tab", "shift+Tab")
	s.typed("772201")
	time.Sleep(300 * time.Millisecond)
	s.shot("chooser-search-ru")
	s.keys("Return")
	s.undecided(a) // what was chosen is out of sight
	s.keys("Down")
	if d := s.confirmed(a); !d.Approved || d.Chosen != 2 {
		t.Fatalf("decision %+v", d)
	}
}

// A certificate that cannot be chosen takes neither clicks nor the keyboard: Enter goes to the one that can.
func TestChooserRefused(t *testing.T) {
	s := newScreen(t)
	q := choosing(t, "ru")
	q.Choices = q.Choices[2:]
	a := s.ask(t.Context(), q)
	for y := 100; y < 800; y += 40 { // all over the window, but for the card that can be chosen
		if y < 330 || y > 500 {
			s.xdotool("mousemove", "550", strconv.Itoa(y), "click", "1")
		}
	}
	s.shot("chooser-clicked-ru")
	if d := s.confirmed(a); !d.Approved || d.Chosen != 0 {
		t.Fatalf("decision %+v", d)
	}
}

// Where none fits there is nothing to say yes to.
func TestNoneFits(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(1) {
		q := choosing(t, lang)
		q.Choices = q.Choices[3:]
		q.Choices = append(q.Choices, signing.Choice{Certificate: q.Choices[0].Certificate, Token: q.Choices[0].Token, Refusal: &signing.Refusal{
			Code: "token_absent", Args: map[string]string{"label": "Рутокен директора", "serial": "0a1b2c3d"},
		}})
		a := s.ask(t.Context(), q)
		s.shot("chooser-none-" + lang)
		s.keys("Return")
		if d := s.decision(a); d.Approved {
			t.Fatalf("decision %+v", d)
		}
		a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
		s.closes()
	}
}

// Before the yes and after it the window says which token to plug in; then it asks for the PIN.
func TestInsertInTheWindow(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(2) {
		q := question(t, lang)
		q.Absent, q.Token = true, token.Info{Label: "Rutoken ECP", Model: "Rutoken ECP", Serial: "0a1b2c3d", Attempts: -1}
		a := s.ask(t.Context(), q)
		s.shot("insert-asking-" + lang)
		s.keys("Tab", "Return")
		if d := s.decision(a); !d.Approved {
			t.Fatalf("decision %+v", d)
		}
		a.Progress(signing.StepInsert)
		s.listening()
		s.shot("insert-waiting-" + lang)
		pin, err := s.pin(a, token.PINRequest{Token: q.Token, Attempts: -1}, func() { s.shot("insert-pin-" + lang); s.typed("4321"); s.keys("Return") })
		if err != nil || pin != "4321" {
			t.Fatalf("PIN %q, %v", pin, err)
		}
		a.Close(signing.Outcome{Signed: []string{"x"}, Time: time.Now()})
		s.listening()
		s.keys("Return")
		s.closes()
	}
}

// Who cannot find the token gives up in the same window.
func TestInsertCancelled(t *testing.T) {
	s := newScreen(t)
	q := question(t, "ru")
	q.Absent, q.Token = true, token.Info{Label: "Rutoken ECP", Serial: "0a1b2c3d", Attempts: -1}
	a := s.ask(t.Context(), q)
	s.keys("Tab", "Return")
	if d := s.decision(a); !d.Approved {
		t.Fatalf("decision %+v", d)
	}
	a.Progress(signing.StepInsert)
	s.listening()
	s.keys("Escape")
	select {
	case <-a.Prompt.(signing.Stopper).Stopped():
	case <-time.After(patience):
		t.Fatal("Escape does not end the waiting")
	}
}
