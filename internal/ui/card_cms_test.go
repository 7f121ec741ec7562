// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"strings"
	"testing"

	"persten/internal/cms"
	"persten/internal/signing"
	"persten/internal/text"
)

// TestEverythingSignedIsSaid: what a page puts into the signature stands in the card, not cut, and ahead of the certificate.
func TestEverythingSignedIsSaid(t *testing.T) {
	long := strings.Repeat("очень длинное имя ", 14) + "конец" // 255 characters at most, by the protocol
	q := signing.Question{Kind: signing.KindSign, Certificate: &signing.Certificate{Name: "n"}, Documents: []signing.Document{{Name: "a.txt"}}}
	q.CMS = &signing.CMSForm{
		FileName: "file " + long, DocumentName: "document " + long, MIMEType: "text/x-odd", Commitment: "1.2.3.4",
		Location: &cms.Location{Country: "RU", Locality: "Тверь", Postal: []string{strings.Repeat("улица ", 30) + "дом"}},
		Policy:   &signing.XMLPolicy{ID: "1.2.643.7", URI: "https://policy.example/" + strings.Repeat("p", 400)},
	}
	c := NewCard(q, "ru")
	lines := strings.Join(c.Lines(), "\n")
	f := q.CMS
	for _, s := range []string{f.FileName, f.DocumentName, f.MIMEType, "1.2.3.4", "Тверь", f.Location.Postal[0], f.Policy.ID, f.Policy.URI} {
		at := strings.Index(lines, s)
		if at < 0 {
			t.Errorf("not said whole: %s", s)
		}
		if at > strings.Index(lines, c.Say("prompt.cert.name")) {
			t.Errorf("said after the certificate: %s", s)
		}
	}
	q.CMS.FileName = "a\u202etxt.exe\nПодписали: Директор"
	for _, f := range NewCard(q, "ru").Meaning {
		if strings.ContainsAny(f.Value, "\u202e\n") {
			t.Errorf("not safe to draw: %q", f.Value)
		}
	}
}

// TestJoinedSigners: names come from a file that anybody can make.
func TestJoinedSigners(t *testing.T) {
	q := signing.Question{Kind: signing.KindSign, Documents: []signing.Document{{Name: "a.txt"}}}
	q.CMS = &signing.CMSForm{AddTo: "ab", Signers: []signing.Joined{{Name: "Первый"}, {Name: "Второй, Третий", Doubt: true}, {Doubt: true}, {Name: "4"}, {Name: "5"}, {Name: "6"}, {Name: "7"}}}
	c := NewCard(q, "ru")
	if len(c.Meaning) != maxJoined+1 || c.Meaning[0].Value != "Первый" || c.Meaning[0].Warn || c.Meaning[5].Value != "и ещё 2" {
		t.Errorf("%+v", c.Meaning)
	}
	if f := c.Meaning[1]; !f.Warn || !strings.Contains(f.Value, "не подтверждена") {
		t.Errorf("passes for genuine: %+v", f)
	}
	if f := c.Meaning[2]; !f.Warn || f.Value != "неизвестный подписант" {
		t.Errorf("passes for genuine: %+v", f)
	}
	q.CMS.Countersign = 2
	c = NewCard(q, "ru")
	if len(c.Meaning) != 1 || !c.Meaning[0].Warn || !strings.HasPrefix(c.Meaning[0].Value, "Второй") || c.Title == NewCard(signing.Question{Kind: signing.KindSign}, "ru").Title {
		t.Errorf("%q: %+v", c.Title, c.Meaning)
	}
}

// TestRawIsNotADocument: the question about a bare digest is another one, at its top.
func TestRawIsNotADocument(t *testing.T) {
	q := signing.Question{Kind: signing.KindSign, Raw: true, Profile: "raw", Documents: []signing.Document{{Name: "a.txt", Hidden: true, Digest: "00", Alg: "sha256"}}}
	c := NewCard(q, "ru")
	if c.Title != "Подписать хеш, не видя документа?" || c.Unseen == "" || !strings.Contains(strings.Join(c.Brief(), "\n"), c.Unseen) {
		t.Errorf("%+v", c)
	}
}

// TestBareValueOfADocument: a document that can be shown is asked about as one; one that says nothing to people is warned of.
func TestBareValueOfADocument(t *testing.T) {
	q := signing.Question{Kind: signing.KindSign, Raw: true, Profile: "raw", Documents: []signing.Document{{Name: "a.txt", Digest: "00", Alg: "sha256"}}}
	c := NewCard(q, "en")
	if form, _ := fact(c, "prompt.form.label"); form.Warn || strings.Contains(form.Value, "visible") || form.Value == "" {
		t.Errorf("%+v", form)
	}
	if c.Title != NewCard(signing.Question{Kind: signing.KindSign}, "en").Title || len(c.Warnings()) != 0 {
		t.Errorf("%q %q", c.Title, c.Warnings())
	}
	q.Documents[0].Opaque = true
	if c := NewCard(q, "en"); len(c.Warnings()) != 1 || !strings.Contains(strings.Join(c.Brief(), "\n"), c.Unseen) {
		t.Errorf("%q", c.Warnings())
	}
}

// TestLoginIsNamed: every body says so, with the site's name, of one document and of one among many.
func TestLoginIsNamed(t *testing.T) {
	q := signing.Question{Kind: signing.KindSign, Origin: "https://lk.portal.example", Documents: []signing.Document{{Name: "a.txt"}, {Name: "b.txt", Login: true}}}
	for _, batch := range []bool{false, true} {
		q.Batch = batch
		for lang, want := range map[text.Lang]string{"ru": "! Похоже на вход на сайт: https://lk.portal.example. ", "en": "! Looks like a login: https://lk.portal.example. "} {
			if c := NewCard(q, lang); !strings.Contains(strings.Join(c.Brief(), "\n"), want) || !strings.Contains(strings.Join(c.Lines(), "\n"), want) {
				t.Errorf("%s, batch %v: %q", lang, batch, c.Lines())
			}
		}
	}
	q.Origin = ""
	if c := NewCard(q, "en"); !strings.HasPrefix(c.Login, "Looks like a login. ") {
		t.Errorf("%q", c.Login)
	}
}
