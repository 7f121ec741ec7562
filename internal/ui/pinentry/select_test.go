// SPDX-License-Identifier: GPL-3.0-or-later

package pinentry

import (
	"strings"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/internal/ui"
)

// What a login means is said in whole, and no line is longer than the protocol's.
func TestExplanationIsWhole(t *testing.T) {
	for _, lang := range []text.Lang{"ru", "en"} {
		for _, kind := range []signing.Kind{signing.KindLogin, signing.KindHidden} {
			card := ui.NewCard(signing.Question{Kind: kind, Origin: "https://a.example"}, lang)
			if all := strings.Join(pages(card.Brief()), "\n"); !strings.Contains(all, card.Body) {
				t.Error(all)
			}
		}
	}
	for _, p := range pages([]string{strings.Repeat("界", 1000), strings.Repeat("%", 1000), strings.Repeat("x", 1000)}) {
		if len(escape(p)) > pageSize {
			t.Errorf("%d bytes", len(escape(p)))
		}
	}
}

// Certificates are offered one after the other; declining the last declines all.
func TestChoosing(t *testing.T) {
	usual := question
	defer func() { question = usual }()
	question = signing.Question{Kind: signing.KindSelect, Lang: "en", Origin: "https://a.example", Choices: []signing.Choice{
		{Certificate: signing.Certificate{Name: "Maria"}}, {Certificate: signing.Certificate{Name: "Ivan"}},
	}}
	const no = "ERR 83886179 Operation cancelled"
	for answers, want := range map[string]int{"OK": 0, no + ";OK": 1, no + ";" + no: -1} {
		p, log := scripted(t, strings.Split(answers, ";")...)
		d, err := p.Decide(t.Context())
		if err != nil || d.Approved != (want >= 0) || d.Approved && d.Chosen != want {
			t.Errorf("%q: %+v, %v", answers, d, err)
		}
		if !strings.Contains(log(), "1. Maria") || !strings.Contains(log(), "https://a.example") {
			t.Error(log())
		}
		p.Close(signing.Outcome{})
	}
}

// Two certificates of one person in one office differ in their dates and tokens alone: those are never left out, and it is said what
// the certificate is for.
func TestChoosingByTheLastFact(t *testing.T) {
	usual := question
	defer func() { question = usual }()
	long := strings.Repeat("Департамент ", 40)
	question = signing.Question{Kind: signing.KindSelect, For: signing.KindLogin, Lang: "ru", Origin: "https://a.example", Note: long}
	for _, year := range []int{2031, 2032} {
		one := signing.Certificate{Name: long, Organization: long, Title: long, INN: "500100732259", INNLE: "7707083893", Issuer: long, NotAfter: time.Date(year, 5, 6, 0, 0, 0, 0, time.UTC), Key: "ГОСТ"}
		question.Choices = append(question.Choices, signing.Choice{Certificate: one, Token: token.Info{Label: "Rutoken", Model: "Rutoken ECP"}})
	}
	p, log := scripted(t, "ERR 83886179 Operation cancelled", "OK")
	if d, err := p.Decide(t.Context()); err != nil || d.Chosen != 1 {
		t.Fatal(d, err)
	}
	if strings.Contains(log(), "··") {
		t.Error(log())
	}
	for _, want := range []string{"Сайту нужен сертификат для входа", "2031", "2032", "Rutoken ECP"} {
		if !strings.Contains(log(), want) {
			t.Errorf("%s is not in %s", want, log())
		}
	}
	p.Close(signing.Outcome{})
}

// What cannot be chosen is shown after the rest, with one button; pressing it chooses nothing.
func TestRefused(t *testing.T) {
	usual := question
	defer func() { question = usual }()
	refused := signing.Choice{Certificate: signing.Certificate{Name: "Ivan"}, Refusal: &signing.Refusal{Code: "token_absent", Args: map[string]string{"label": "Rutoken", "serial": "0a1b"}}}
	question = signing.Question{Kind: signing.KindSelect, Lang: "en", Origin: "https://a.example", Choices: []signing.Choice{
		{Certificate: signing.Certificate{Name: "Maria"}}, refused, refused,
	}}
	for _, from := range []int{0, 1} { // with one that can be chosen, and without
		question.Choices = question.Choices[from:]
		answers := []string{"ERR 83886179 Operation cancelled", "OK", "OK"}[from:]
		p, log := scripted(t, answers...)
		if d, err := p.Decide(t.Context()); err != nil || d.Approved {
			t.Errorf("%+v, %v", d, err)
		}
		if got := log(); strings.Count(got, "\nMESSAGE") != 2 || strings.Count(got, "\nCONFIRM") != 1-from ||
			!strings.Contains(got, "The token is not plugged in: Rutoken, serial number 0a1b.") || strings.Contains(got, ". Ivan") {
			t.Error(got)
		}
		p.Close(signing.Outcome{Code: "user_rejected"})
	}
}

// The token to plug in is named before the yes.
func TestInsert(t *testing.T) {
	usual := question
	defer func() { question = usual }()
	question.Absent, question.Token = true, token.Info{Label: "Rutoken", Serial: "0a1b"}
	p, log := scripted(t, "OK")
	if d, err := p.Decide(t.Context()); err != nil || !d.Approved {
		t.Fatal(d, err)
	}
	if !strings.Contains(log(), "Вставьте токен Rutoken, серийный номер 0a1b, владелец Демонстрационный Подписант.") {
		t.Error(log())
	}
}
