// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/ui"
)

// patience is for a machine that draws in software while other tests run.
const patience = 30 * time.Second

const contract = "Договор № 17-а\n\n1. Поставщик передаёт, а Покупатель принимает товар.\n2. Цена товара: 120 000 рублей.\n3. Срок: до 1 декабря.\n"

// long reports whether the long forms of these tests are wanted; make soak runs them.
func long() bool { return os.Getenv("PERSTEN_LONG") != "" }

// languages are those in which a part of a test is done: both in the long form, otherwise the parts take turns.
func languages(part int) []string {
	both := []string{"ru", "en"}
	if long() {
		return both
	}
	return both[part%2 : part%2+1]
}

// opened is a document of that content.
func opened(t *testing.T, content []byte) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// question is a usual request, with one readable document.
func question(t *testing.T, lang string) signing.Question {
	t.Helper()
	f := opened(t, []byte(contract))
	sum := sha256.Sum256([]byte(contract))
	q := signing.Question{
		ID: "1", Kind: signing.KindSign, Lang: lang, Origin: "https://lk.portal.example", Via: signing.ViaNative,
		Note: "Договор поставки, заказ 4417", Profile: "CAdES-BES", Algorithm: "gost2012-256",
		Certificate: &signing.Certificate{
			Name: "Демонстрационный Подписант", Organization: "Демонстрационная организация", Title: "Главный бухгалтер",
			INN: "770912345678", SNILS: "11223344595", OGRN: "1027700132195", Issuer: "Удостоверяющий центр «Пример»",
			Serial: "4a3f00b1c2d3e4f5", Key: "GOST R 34.10-2012 256",
			NotBefore: time.Now().AddDate(0, -3, 0), NotAfter: time.Now().AddDate(0, 12, 0),
		},
		Token:     token.Info{Label: "Rutoken ECP", Serial: "1b2c3d", LoginRequired: true, Attempts: 10},
		Documents: []signing.Document{{Name: "Договор поставки.txt", MIME: "text/plain", Size: int64(len(contract)), Digest: hex.EncodeToString(sum[:]), Alg: "sha256", Content: f}},
	}
	if lang == "en" {
		q.Note, q.Documents[0].Name = "Supply contract, order 4417", "Supply contract.txt"
		q.Certificate.Name, q.Certificate.Organization, q.Certificate.Title = "Demonstration Signer", "Demonstration Company", "Chief accountant"
		q.Certificate.Issuer = "Example Certification Authority"
	}
	return q
}

// asked is a prompt on screen and the answer to come.
type asked struct {
	signing.Prompt
	answer chan signing.Decision
	fault  chan error
}

func (s *screen) ask(ctx context.Context, q signing.Question) asked {
	s.t.Helper()
	return s.askBy(ctx, ui.Remote(s.starter), q)
}

func (s *screen) askBy(ctx context.Context, by signing.Approver, q signing.Question) asked {
	s.t.Helper()
	p, err := by.Ask(ctx, q)
	if err != nil {
		s.t.Fatal(err)
	}
	a := asked{p, make(chan signing.Decision, 1), make(chan error, 1)}
	go func() {
		d, err := p.Decide(ctx)
		a.answer <- d
		a.fault <- err
	}()
	s.window()
	return a
}

// decision waits a little for the answer.
func (s *screen) decision(a asked) signing.Decision {
	s.t.Helper()
	select {
	case d := <-a.answer:
		if err := <-a.fault; err != nil {
			s.t.Fatalf("decide: %v", err)
		}
		return d
	case <-time.After(patience):
		s.shot("failed")
		s.t.Fatal("no answer")
		panic("unreachable")
	}
}

// pin asks the prompt for a PIN; type fills the window meanwhile.
func (s *screen) pin(a asked, r token.PINRequest, fill func()) (string, error) {
	s.t.Helper()
	done := make(chan struct{})
	go func() {
		if fill != nil {
			s.listening()
			fill()
		}
		close(done)
	}()
	pin, err := a.PIN(context.Background(), r)
	<-done
	if err != nil {
		return "", err
	}
	b, err := pin.Read()
	if err != nil {
		s.t.Fatal(err)
	}
	defer b.Wipe()
	return string(b.Bytes()), nil
}

func (s *screen) closes() {
	s.t.Helper()
	for range 300 {
		if s.windows() == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Error("the window is still there")
}

func TestSigningInTheWindow(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(0) {
		t.Run(lang, func(t *testing.T) {
			q := question(t, lang)
			a := s.ask(t.Context(), q)
			s.shot("asking-" + lang)
			s.typed("4321")
			s.shot("typed-" + lang)
			s.keys("Return")
			if d := s.decision(a); !d.Approved || d.Viewed[0] {
				t.Fatalf("decision %+v", d)
			}
			if pin, err := s.pin(a, q.Token.Request("", false), nil); err != nil || pin != "4321" {
				t.Fatalf("PIN %q, %v", pin, err)
			}
			wrong := q.Token.Request("", true)
			wrong.Attempts, wrong.Low = 3, true
			pin, err := s.pin(a, wrong, func() { s.shot("wrong-pin-" + lang); s.typed("567x"); s.keys("BackSpace", "8", "Return") })
			if err != nil || pin != "5678" {
				t.Fatalf("second PIN %q, %v", pin, err)
			}
			a.Progress(signing.StepSigning)
			time.Sleep(300 * time.Millisecond)
			s.shot("signing-" + lang)
			a.Close(signing.Outcome{Signed: []string{q.Documents[0].Name}, Owner: q.Certificate.Name, Time: time.Now()})
			s.listening()
			s.shot("created-" + lang)
			s.keys("Return")
			s.closes()
		})
	}
}

func TestLastTryIsTypedTwice(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(1) {
		q := question(t, lang)
		q.Token.Attempts, q.Token.Low, q.Token.Final = 1, true, true
		a := s.ask(t.Context(), q)
		s.shot("final-" + lang)
		s.typed("1111")
		s.keys("Return") // goes to the second field
		s.typed("1112")
		s.keys("Return")
		s.listening()
		s.shot("final-differ-" + lang)
		s.typed("1111")
		s.keys("Tab")
		s.typed("1111")
		s.keys("Return")
		if d := s.decision(a); !d.Approved {
			t.Fatal("not approved")
		}
		if pin, err := s.pin(a, q.Token.Request("", false), nil); err != nil || pin != "1111" {
			t.Fatalf("PIN %q, %v", pin, err)
		}
		a.Close(signing.Outcome{Code: "pin_locked", Time: time.Now()})
		s.listening()
		s.shot("not-created-" + lang)
		s.keys("Escape")
		s.closes()
	}
}

func TestFewAttempts(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(2) {
		q := question(t, lang)
		q.Token.Attempts, q.Token.Low = 2, true
		a := s.ask(t.Context(), q)
		s.shot("few-" + lang)
		s.keys("Escape")
		if s.decision(a).Approved {
			t.Fatal("Escape approved")
		}
		a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
		s.listening()
		s.shot("rejected-" + lang)
		s.keys("Return")
		s.closes()
	}
}

func TestEnterAloneRejectsNothingAndSignsNothing(t *testing.T) {
	s := newScreen(t)
	a := s.ask(t.Context(), question(t, "ru"))
	s.keys("Return") // the field is empty: the focus goes to "Reject"
	time.Sleep(300 * time.Millisecond)
	select {
	case d := <-a.answer:
		t.Fatalf("answered %+v", d)
	default:
	}
	s.shot("reject-focus-ru")
	s.keys("Return")
	if s.decision(a).Approved {
		t.Fatal("approved")
	}
	a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
}

func TestDeafWhileSomebodyTypesElsewhere(t *testing.T) {
	s := newScreen(t)
	p, err := ui.Remote(s.starter).Ask(t.Context(), question(t, "ru"))
	if err != nil {
		t.Fatal(err)
	}
	a := asked{p, make(chan signing.Decision, 1), make(chan error, 1)}
	go func() {
		d, err := p.Decide(t.Context())
		a.answer <- d
		a.fault <- err
	}()
	s.visible()
	s.xdotool("type", "--delay", "100", "this sentence was meant for a mail\n")
	s.keys("Return", "Return", "space")
	select {
	case d := <-a.answer:
		t.Fatalf("typing elsewhere answered %+v", d)
	case <-time.After(300 * time.Millisecond):
	}
	s.shot("deaf-ru")
	s.listening()
	s.typed("42")
	s.keys("Return")
	if d := s.decision(a); !d.Approved {
		t.Fatal("not approved")
	}
	if pin, err := s.pin(a, token.PINRequest{Attempts: -1}, nil); err != nil || pin != "42" {
		t.Fatalf("PIN %q, %v", pin, err)
	}
}

func TestViewing(t *testing.T) {
	s := newScreen(t)
	a := s.ask(t.Context(), question(t, "ru"))
	s.keys("shift+Tab", "Return")
	time.Sleep(800 * time.Millisecond)
	s.shot("viewing-ru")
	s.keys("Tab")
	s.typed("9876")
	s.listening() // the document has moved the buttons
	s.keys("Return")
	if d := s.decision(a); !d.Approved || !d.Viewed[0] {
		t.Fatalf("decision %+v", d)
	}
}

func TestOriginQuestion(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(3) {
		for _, allow := range []bool{true, false} {
			q := signing.Question{Kind: signing.KindOrigin, Lang: lang, Origin: "https://lk.portal.example", Via: signing.ViaNative}
			a := s.ask(t.Context(), q)
			s.shot("origin-" + lang)
			if allow {
				s.keys("Tab")
			}
			s.keys("Return")
			if d := s.decision(a); d.Approved != allow {
				t.Fatalf("allow %v: decision %+v", allow, d)
			}
			o := signing.Outcome{Time: time.Now()}
			if !allow {
				o.Code = "user_rejected"
			}
			a.Close(o)
			s.closes()
		}
	}
}

func TestHostileStrings(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(4) {
		q := question(t, lang)
		q.Origin, q.Via, q.Program = "https://"+strings.Repeat("login-bank.", 20)+"xn--e1afmkfd.example", signing.ViaWebSocket, "/tmp/.x/\x1b[31mchromium\u202e"
		q.Note = "\u202eтакой текст\n\n\x1b[2J<b>ПОДПИШИТЕ</b> " + strings.Repeat("очень важно ", 200)
		q.Certificate.Name = strings.Repeat("Длинное Имя ", 60) + "\u202e"
		q.Certificate.Organization = strings.Repeat("W", 5000)
		q.Documents[0].Name = "invoice\u202etxt.exe" + strings.Repeat("x", 100000) + ".txt"
		a := s.ask(t.Context(), q)
		s.shot("hostile-" + lang)
		s.keys("Escape")
		if s.decision(a).Approved {
			t.Fatal("approved")
		}
		a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
		s.listening()
		s.keys("Escape")
		s.closes()
	}
}

func TestPromptDiesWithItsQuestion(t *testing.T) {
	s := newScreen(t)
	ctx, cancel := context.WithCancel(t.Context())
	a := s.ask(ctx, question(t, "ru"))
	cancel()
	if <-a.answer; !errors.Is(<-a.fault, context.Canceled) {
		t.Error("the cancel did not come back")
	}
	s.closes()
}

func TestClosingTheWindowRejects(t *testing.T) {
	s := newScreen(t)
	a := s.ask(t.Context(), question(t, "ru"))
	for range 20 { // the window manager may not have its keys yet
		if s.keys("alt+F4"); s.windows() == 0 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if s.decision(a).Approved {
		t.Fatal("approved")
	}
	s.closes()
}
