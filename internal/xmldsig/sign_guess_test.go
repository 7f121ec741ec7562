// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/xmldsig/xml"
)

// TestGuess signs documents for which the place is guessed, rightly or wrongly, and others.
func TestGuess(t *testing.T) {
	const none, right, wrong = "not guessed", "right", "wrong"
	s := signerOf(t, algo.ECDSASHA256)
	utf16, err := xml.UTF16LE.Encode([]byte(`<r>ж</r>`))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat(" ", guessTail)
	for doc, want := range map[string]string{
		`<r></r>`:    right,
		"<r>ж</r>\n": right,
		`<?xml version="1.0" encoding="utf-8"?><z:r xmlns:z="u"><a/></z:r >` + "\r\n": right,
		"\xEF\xBB\xBF<r>ж</r>":     right,
		`<r><![CDATA[</r>]]></r>`:  right,
		`<r>` + long + `</r>`:      right,
		`<r/>`:                     none,
		`<r></r>` + long + ` `:     none,
		`<r></r><!-- -->`:          none,
		"\xFF\xFE" + string(utf16): none,
		`<?xml version="1.0" encoding="windows-1251"?><r>` + "\xe6</r>": none,
		`<r><a></a></r><!--</r>-->`:                                     wrong,
		`<r></r><?p </r>?>`:                                             wrong,
		`<r/><!--` + "\n" + `</r>-->` + "\n":                            wrong,
	} {
		m, err := newMaking(context.Background(), strings.NewReader(doc), Options{}, signatureAlgorithm(t, s), s.cert, true)
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		got := none
		if m.guess != nil {
			if _, err = m.rehearse(context.Background(), nil); err != nil {
				got = wrong
			} else {
				got = right
			}
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", doc, got, err, want)
		}
		out := signDocument(t, s, doc, Options{})
		if rep := verify(t, out, s.trust()); !rep.Valid() || !rep.Signers[0].References[0].Whole {
			t.Errorf("%q: %+v", doc, rep.Signers[0])
		}
		if enc := m.survey.encoding; enc == xml.UTF8 {
			if back := signatureElement.ReplaceAllString(out, ""); back != doc && strings.Replace(back, "<r></r>", "<r/>", 1) != doc {
				t.Errorf("%q became %q", doc, back)
			}
		}
	}
}

var signatureElement = regexp.MustCompile(`(?s)<ds:Signature .*</ds:Signature>`)

func signatureAlgorithm(t *testing.T, s *signer) algo.Algorithm {
	t.Helper()
	a, ok := algo.Lookup(s.Algorithm())
	if !ok {
		t.Fatal("no algorithm")
	}
	return a
}

// TestGuessSecond: a document that has a signature is not what was guessed, and the refusal says what it really is.
func TestGuessSecond(t *testing.T) {
	s := signerOf(t, algo.ECDSASHA256)
	once := signDocument(t, s, `<r>1</r>`, Options{Parallel: true})
	twice := signDocument(t, s, once, Options{Parallel: true})
	if rep := verify(t, twice, s.trust()); len(rep.Signers) != 2 || !rep.Valid() {
		t.Errorf("%+v", rep)
	}
	if !strings.HasPrefix(twice, strings.TrimSuffix(once, "</r>")) {
		t.Error("the first signature was touched")
	}
}
