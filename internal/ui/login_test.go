// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
)

var loginQuestion = signing.Question{
	Kind: signing.KindLogin, Origin: "https://lk.portal.example:8443", Signing: "Мария Иванова",
	Token:       token.Info{Label: "Rutoken", LoginRequired: true},
	Certificate: &signing.Certificate{Name: "Демонстрационный Подписант", NotAfter: time.Now().AddDate(1, 0, 0)},
	Documents:   []signing.Document{{Name: "https://lk.portal.example:8443", Digest: strings.Repeat("ab", 32), Alg: "sha256"}},
}

// A login looks like nothing else: its title names the site, it says that no document is signed, and it lists none.
func TestLoginCard(t *testing.T) {
	for lang, want := range map[text.Lang][]string{
		"ru": {"Вход на сайт lk.portal.example:8443", "это не подпись документа", "Войти", "Вход подтверждён"},
		"en": {"Log in to lk.portal.example:8443", "no signature of a document", "Log in", "Login confirmed"},
	} {
		c := NewCard(loginQuestion, lang)
		if c.Title != want[0] || !strings.Contains(c.Body, want[1]) || c.Accept != want[2] || len(c.Documents) != 0 || c.Unseen != "" {
			t.Errorf("%+v", c)
		}
		lines := strings.Join(c.Lines(), "\n")
		if strings.Contains(lines, "abab") || !strings.Contains(lines, "Мария Иванова") || !strings.Contains(lines, "https://lk.portal.example:8443") {
			t.Error(lines)
		}
		if end := NewClosing(signing.KindLogin, signing.Outcome{Time: time.Now()}, lang); end.Title != want[3] {
			t.Error(end.Title)
		}
		if end := NewClosing(signing.KindLogin, signing.Outcome{Code: "user_rejected"}, lang); !end.Declined || strings.Contains(end.String(), "одпис") || strings.Contains(end.String(), "igna") {
			t.Error(end)
		}
	}
}

// The names of sites and certificates in these windows are hostile too.
func TestHostileLogin(t *testing.T) {
	for _, s := range hostile {
		q := loginQuestion
		q.Origin, q.Note, q.Signing, q.Token.Label = "https://"+s, s, s, s
		q.Certificate = &signing.Certificate{Name: s, Organization: s, Issuer: s}
		one := NewCard(q, "ru")
		q.Kind, q.For, q.Choices = signing.KindSelect, signing.KindLogin, []signing.Choice{{Certificate: *q.Certificate, Token: q.Token}}
		lines := append(one.Lines(), NewCard(q, "ru").Choices[0].Lines("ru", 0)...)
		for _, l := range append(lines, one.Title) {
			if strings.ContainsFunc(l, func(r rune) bool { return !unicode.IsPrint(r) || rightToLeft(r) }) {
				t.Errorf("%.40q gives the line %.300q", s, l)
			}
		}
	}
}

func TestSelectCard(t *testing.T) {
	q := signing.Question{Kind: signing.KindSelect, For: signing.KindSign, Origin: "https://portal.example", Choices: []signing.Choice{
		{Certificate: signing.Certificate{Name: "Мария", Organization: "Ромашка", INN: "123456789012"}, Token: token.Info{Label: "a", Model: "Rutoken ECP"}},
		{Certificate: signing.Certificate{Name: "Иван", INN: "210987654321"}},
	}}
	c := NewCard(q, "en")
	if len(c.Choices) != 2 || c.Choices[0].Name != "Мария" || !strings.Contains(c.Body, "signing documents") {
		t.Errorf("%+v", c)
	}
	lines := c.Choices[0].Lines("en", 0)
	if lines[0] != "1. Мария" || !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, "Rutoken ECP") }) {
		t.Errorf("%q", lines)
	}
	if q.For = signing.KindLogin; !strings.Contains(NewCard(q, "en").Body, "logging in") {
		t.Error(NewCard(q, "en").Body)
	}
}
