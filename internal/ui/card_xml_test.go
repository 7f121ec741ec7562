// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"fmt"
	"strings"
	"testing"

	"persten/internal/signing"
)

// A prompt without a window says in words what of an XML document will be signed, and where the signature will stand.
func TestCardOfXML(t *testing.T) {
	many := make([]signing.Span, 8)
	for i := range many {
		many[i] = signing.Span{Begin: int64(i), End: int64(i + 1), Element: "row", ID: fmt.Sprint("r", i)}
	}
	split := []signing.Span{{Begin: 0, End: 5, Element: "doc"}, {Begin: 9, End: 20, Element: "doc"}}
	for name, c := range map[string]struct {
		mode    string
		covered []signing.Span
		whole   bool
		ru, en  []string
	}{
		"whole": {"enveloped", split, true,
			[]string{"Будет подписан весь документ.", "XAdES-BES, внутри документа"}, []string{"The whole document will be signed.", "XAdES-BES, inside the document"}},
		"holes": {"template", split, false,
			[]string{"Будет подписана только часть документа: doc."}, []string{"Only a part of the document will be signed: doc.", "in the place prepared"}},
		"one": {"detached", []signing.Span{{End: 3, Element: "Сумма", ID: "s\u202e1"}}, false,
			[]string{"только часть документа: Сумма (s", "рядом с подписанным"}, []string{"beside what is signed"}},
		"many": {"enveloped", many, false,
			[]string{"row (r0), row (r1), row (r2), row (r3), row (r4) и ещё 3."}, []string{"row (r4) and 3 more."}},
		"around": {"enveloping", split[:1], true, []string{"документ внутри подписи"}, []string{"document inside the signature"}},
	} {
		q := signing.Question{
			Kind: signing.KindSign, Origin: "https://portal.example", Attached: true, Profile: "xades-bes " + c.mode,
			XML:       &signing.XMLForm{Mode: c.mode, Profile: "xades-bes", Policy: &signing.XMLPolicy{ID: "1.2.643.0.0"}},
			Documents: []signing.Document{{Name: "doc.xml", Whole: c.whole, Covered: c.covered}},
		}
		for lang, want := range map[string][]string{"ru": c.ru, "en": c.en} {
			q.Lang = lang
			card := NewCard(q, "")
			if lang == "ru" {
				card = NewCard(q, "ru")
			}
			for _, lines := range [][]string{card.Lines(), card.Brief()} {
				text := strings.Join(lines, "\n")
				for _, w := range append(want, "1.2.643.0.0") {
					if !strings.Contains(text, w) {
						t.Errorf("%s %s: no %q in\n%s", name, lang, w, text)
					}
				}
				if strings.Contains(text, "\u202e") {
					t.Errorf("%s: an Id turns the text around", name)
				}
			}
		}
	}
	for profile, want := range map[string]string{"smev3": "XMLDSig для СМЭВ 3, ", "smev2": "СМЭВ 2", "mchd": "МЧД", "fns": "налоговой", "xmldsig": "XMLDSig, "} {
		card := NewCard(signing.Question{Kind: signing.KindSign, Attached: true, XML: &signing.XMLForm{Mode: "enveloped", Profile: profile}}, "ru")
		if text := strings.Join(card.Lines(), "\n"); !strings.Contains(text, want) {
			t.Errorf("%s is shown as\n%s", profile, text)
		}
	}
	plain := NewCard(signing.Question{Kind: signing.KindSign, Profile: "cades-bes", Documents: []signing.Document{{Name: "a"}}}, "en")
	if text := strings.Join(plain.Lines(), "\n"); strings.Contains(text, "will be signed") || !strings.Contains(text, "CAdES-BES, separate signature file") {
		t.Errorf("CMS: %s", text)
	}
}
