// SPDX-License-Identifier: GPL-3.0-or-later

package pinentry

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/ui"
)

// TestMain also plays the pinentry program: PINENTRY_SCRIPT holds its answers to CONFIRM, GETPIN and MESSAGE in turn, one
// a line; PINENTRY_LOG is where it writes what it was told.
func TestMain(m *testing.M) {
	if script, ok := os.LookupEnv("PINENTRY_SCRIPT"); ok {
		play(strings.Split(script, "\n"))
		return
	}
	os.Exit(m.Run())
}

func play(answers []string) {
	log, err := os.OpenFile(os.Getenv("PINENTRY_LOG"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		os.Exit(1)
	}
	fmt.Println("OK Pleased to meet you")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Fprintln(log, in.Text())
		switch word, _, _ := strings.Cut(in.Text(), " "); word {
		case "CONFIRM", "GETPIN", "MESSAGE":
			if len(answers) == 0 {
				select {} // a person who does not answer
			}
			fmt.Println(strings.ReplaceAll(answers[0], "|", "\n"))
			answers = answers[1:]
		case "OPTION":
			fmt.Println("ERR 83886254 Unknown option")
		default:
			fmt.Println("OK")
		}
	}
}

func scripted(t *testing.T, answers ...string) (signing.Prompt, func() string) {
	t.Helper()
	log := t.TempDir() + "/log"
	t.Setenv("PINENTRY_SCRIPT", strings.Join(answers, "\n"))
	t.Setenv("PINENTRY_LOG", log)
	if len(answers) == 0 {
		t.Setenv("PINENTRY_SCRIPT", "")
	}
	p, err := ui.Local(func() ui.Body { return New(os.Args[0]) }).Ask(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	return p, func() string {
		b, _ := os.ReadFile(log)
		s, _ := url.PathUnescape(string(b))
		return s
	}
}

var question = signing.Question{
	Kind: signing.KindSign, Lang: "ru", Origin: "https://lk.portal.example", Via: signing.ViaNative,
	Certificate: &signing.Certificate{Name: "Демонстрационный Подписант", NotAfter: time.Now().AddDate(1, 0, 0)},
	Documents:   []signing.Document{{Name: "100% правда.txt", Size: 10, Digest: strings.Repeat("ab", 32), Alg: "sha256"}},
}

func TestSigning(t *testing.T) {
	p, log := scripted(t, "OK", "S PASSWORD|D 12%2534%0A|OK", "D 4321|OK", "OK")
	if d, err := p.Decide(t.Context()); err != nil || !d.Approved {
		t.Fatalf("%+v, %v", d, err)
	}
	for i, want := range []string{"12%34\n", "4321"} {
		pin, err := p.PIN(t.Context(), token.PINRequest{Wrong: i > 0, Attempts: 2, Token: token.Info{Label: "Rutoken"}})
		if err != nil {
			t.Fatal(err)
		}
		b, err := pin.Read()
		if err != nil || string(b.Bytes()) != want {
			t.Fatalf("PIN %d is not what was typed (%v)", i, err)
		}
		b.Wipe()
	}
	if err := p.Close(signing.Outcome{Signed: []string{"a.txt"}, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	got := log()
	for _, want := range []string{
		"https://lk.portal.example", "100% правда.txt", "SETOK Подписать", "SETCANCEL Отказаться", "Демонстрационный Подписант",
		"Rutoken", "SETERROR Неверный PIN-код. Осталось 2 попытки.", "SETDESC Подпись создана.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the program was not told %q:\n%s", want, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Run("card", func(t *testing.T) {
		p, _ := scripted(t, "ERR 83886179 Operation cancelled <Pinentry>")
		if d, err := p.Decide(t.Context()); err != nil || d.Approved {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("PIN", func(t *testing.T) {
		p, _ := scripted(t, "OK", "ERR 83886179 Operation cancelled")
		p.Decide(t.Context())
		if _, err := p.PIN(t.Context(), token.PINRequest{}); !errors.Is(err, signing.ErrRejected) {
			t.Error(err)
		}
	})
	t.Run("empty PIN", func(t *testing.T) {
		p, _ := scripted(t, "OK", "OK")
		p.Decide(t.Context())
		if _, err := p.PIN(t.Context(), token.PINRequest{}); !errors.Is(err, signing.ErrRejected) {
			t.Error(err)
		}
	})
	t.Run("last try typed differently", func(t *testing.T) {
		p, _ := scripted(t, "OK", "D 1111|OK", "D 1112|OK")
		p.Decide(t.Context())
		if _, err := p.PIN(t.Context(), token.PINRequest{Final: true}); !errors.Is(err, signing.ErrRejected) {
			t.Error(err)
		}
	})
	t.Run("no display", func(t *testing.T) {
		p, _ := scripted(t, "ERR 83918950 Inappropriate ioctl for device")
		if _, err := p.Decide(t.Context()); !errors.Is(err, signing.ErrNoPrompt) {
			t.Error(err)
		}
	})
	t.Run("no program", func(t *testing.T) {
		p, _ := ui.Local(func() ui.Body { return New("/nonexistent/pinentry") }).Ask(t.Context(), question)
		if _, err := p.Decide(t.Context()); !errors.Is(err, signing.ErrNoPrompt) {
			t.Error(err)
		}
	})
}

func TestCancelKillsTheProgram(t *testing.T) {
	p, _ := scripted(t, "OK")
	if d, err := p.Decide(t.Context()); err != nil || !d.Approved {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := p.PIN(ctx, token.PINRequest{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

func TestLongCardTakesPages(t *testing.T) {
	q := question
	for range 30 {
		q.Documents = append(q.Documents, signing.Document{Name: strings.Repeat("длинное имя ", 6), Digest: strings.Repeat("ab", 32), Alg: "sha256"})
	}
	list := pages(ui.NewCard(q, "ru").Brief())
	if len(list) < 3 {
		t.Fatalf("%d pages", len(list))
	}
	for _, p := range list {
		if n := len("SETDESC " + escape(p)); n > maxLine {
			t.Errorf("a page of %d bytes", n)
		}
	}
}

func FuzzAssuan(f *testing.F) {
	for _, s := range []string{"OK\n", "D 12%\nOK\n", "ERR x\n", "INQUIRE a\nOK\n", "# c\n\nS x\nD a%2\n", strings.Repeat("S\n", 100), strings.Repeat("x", 2000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		pin, err := secret.NewBuffer(64)
		if err != nil {
			t.Fatal(err)
		}
		defer pin.Wipe()
		var out bytes.Buffer
		a := &assuan{r: bytes.NewReader(in), w: &out}
		if a.answer(pin) == nil && !bytes.Contains(in, []byte("OK")) {
			t.Fatalf("%q was taken for a yes", in)
		}
	})
}
