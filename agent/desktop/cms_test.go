// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"persten/internal/cms"
	"persten/internal/signing"
)

// forms are questions about CMS signatures that are more than a new one over a document.
var forms = []struct {
	name   string
	change func(q *signing.Question)
}{
	{"stamped", func(q *signing.Question) {
		q.CMS = &signing.CMSForm{
			Profile: cms.ProfileT, Commitment: cms.CommitApproval, DocumentName: "Договор поставки № 4417 от 22 ноября 2026 года.txt",
			Location: &cms.Location{Country: "RU", Locality: "Тверь", Postal: []string{"ул. Примерная, д. 1"}},
			Policy:   &signing.XMLPolicy{ID: "1.2.643.1.2.3", URI: "https://policy.example/documents/signature-policy-of-the-portal-2026.pdf"},
		}
	}},
	{"added", func(q *signing.Question) {
		q.CMS = &signing.CMSForm{AddTo: strings.Repeat("ab", 32), Signers: []signing.Joined{
			{Name: "Демонстрационный Директор"}, {Name: "Неизвестный Поручитель", Doubt: true}, {Doubt: true},
		}}
	}},
	{"countersigned", func(q *signing.Question) {
		q.CMS = &signing.CMSForm{AddTo: strings.Repeat("ab", 32), Countersign: 2, Signers: []signing.Joined{
			{Name: "Демонстрационный Директор"}, {Name: "Демонстрационный Контролёр"},
		}}
	}},
	{"raw", func(q *signing.Question) {
		q.Raw, q.Profile = true, "raw"
		d := &q.Documents[0]
		d.Hidden, d.Content, d.Size = true, nil, 0
	}},
}

func TestFormsInTheWindow(t *testing.T) {
	s := newScreen(t)
	for i, f := range forms {
		for _, lang := range languages(i) {
			q := question(t, lang)
			q.Profile = "cades-bes"
			if f.change(&q); q.CMS != nil && q.CMS.Profile != "" {
				q.Profile = string(q.CMS.Profile)
			}
			a := s.ask(t.Context(), q)
			s.shot("cms-" + f.name + "-asking-" + lang)
			s.listening() // a slow machine may have shown the window without the keyboard
			s.typed("4321")
			s.keys("Return")
			if d := s.decision(a); !d.Approved || d.Viewed[0] {
				t.Fatalf("%s %s: decision %+v", f.name, lang, d)
			}
			a.Progress(signing.StepStamp)
			s.listening()
			s.shot("cms-" + f.name + "-busy-" + lang)
			a.Close(signing.Outcome{Signed: []string{q.Documents[0].Name}, Owner: q.Certificate.Name, Time: time.Now()})
			s.listening()
			s.shot("cms-" + f.name + "-created-" + lang)
			s.keys("Return")
			s.closes()
		}
	}
}

// TestHiddenRightInTheWindow: Return refuses the right to sign what cannot be seen.
func TestHiddenRightInTheWindow(t *testing.T) {
	s := newScreen(t)
	for _, lang := range languages(0) {
		q := question(t, lang)
		q.Kind, q.Documents, q.Certificate = signing.KindHidden, nil, nil
		a := s.ask(t.Context(), q)
		s.shot("cms-hidden-right-" + lang)
		s.keys("Return") // refuses: allowing wants one key more
		if d := s.decision(a); d.Approved {
			t.Fatalf("%s: the right was given", lang)
		}
		a.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
		s.closes()
	}
}
