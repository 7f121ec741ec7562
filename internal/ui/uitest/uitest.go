// SPDX-License-Identifier: GPL-3.0-or-later

// Package uitest has what the tests of all bodies of the prompt share: strings that have broken out of dialogs, and the places of a
// question where a page, a file or a token can put them.
//
// # Contract
//
// [Hold] asks a body every [Field] with strings of [Strings] and with a plain word; it must draw the same number of lines for both, and
// [Check] must find nothing in them. PERSTEN_LONG tries every string in every field; otherwise the fields share them out.
package uitest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"persten/internal/signing"
	"persten/internal/token"
	"persten/proto"
)

// Strings are more than a thousand: the Big List of Naughty Strings, and what it lacks.
func Strings(t testing.TB) []string {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	data, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../../testdata/blns/blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	list = append(list, strings.Repeat("A", 1<<20), strings.Repeat("\u202e", 1<<18), strings.Repeat("Ж\n", 1<<19), strings.Repeat("\u0301", 500),
		"\xc3\x28\xed\xa0\x80", strings.Repeat("\xff", 3000), "%0A%s%n%%", "\r\nOK\r\nD secret", "</textarea><b>", "{owner}[[{label}]]")
	for _, r := range controls() {
		list = append(list, string(r), "a"+string(r)+"b", "invoice"+string(r)+"fdp.exe", strings.Repeat(string(r), 100))
	}
	for _, sequence := range []string{"[2J", "]0;title\x07", "[31m", "[?25l", "[1A", "c", "P+q\x1b\\", "[8;1;1t", "]8;;http://a.example\x1b\\x", "[6n"} {
		list = append(list, "\x1b"+sequence, "x\x1b"+sequence+"y", "\u009b"+strings.TrimPrefix(sequence, "["))
	}
	return append(list, homographs()...)
}

// controls are characters that draw nothing, move what is around them, or end lines.
func controls() (list []rune) {
	for r := rune(0); r < 0x20; r++ {
		list = append(list, r)
	}
	for r := rune(0x7f); r <= 0xa0; r++ {
		list = append(list, r)
	}
	for r := rune(0x2000); r <= 0x206f; r++ {
		if !unicode.IsPrint(r) {
			list = append(list, r)
		}
	}
	return append(list, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x180e, 0x2028, 0x2029, 0x2800, 0x3000, 0x3164, 0xfe0f, 0xfeff, 0xffa0, 0xfffc, 0xe0001, 0xe0041, 0x10ffff)
}

// homographs are words in letters that look like others.
func homographs() (list []string) {
	for _, word := range []string{"gosuslugi", "nalog", "sberbank", "apple", "paypal", "cryptopro"} {
		for i := range word {
			if r, ok := Lookalikes[rune(word[i])]; ok {
				list = append(list, word[:i]+string(r)+word[i+1:])
			}
		}
	}
	return list
}

// Lookalikes are letters of other scripts that are drawn like Latin ones.
var Lookalikes = map[rune]rune{
	'a': 'а', 'b': 'ƅ', 'c': 'с', 'd': 'ԁ', 'e': 'е', 'g': 'ɡ', 'h': 'һ', 'i': 'і', 'j': 'ј', 'k': 'κ', 'l': 'ӏ', 'm': 'м', 'n': 'ո', 'o': 'о', 'p': 'р', 's': 'ѕ',
	'u': 'υ', 'v': 'ν', 'w': 'ԝ', 'x': 'х', 'y': 'у', 'z': 'ᴢ',
}

// shares is how many fields go together to try all strings when the time is short.
const shares = 12

// Hold fails where a string in a field changes how many lines stand, or is drawn out of its place. shown gives all that a body draws of
// a question, and how many of its lines do not depend on who asks (the warning about the asker does).
func Hold(t *testing.T, shown func(signing.Question) (drawn []string, lines int)) {
	t.Helper()
	list, fields, tried := Strings(t), Fields(), 0
	if len(list) < 1000 {
		t.Fatalf("%d strings", len(list))
	}
	for i, f := range fields {
		lines := map[string]int{}
		for _, word := range []string{Plain(""), Plain("x")} {
			_, lines[word] = shown(f.Make(word))
		}
		for k, s := range list {
			if os.Getenv("PERSTEN_LONG") == "" && k%shares != i%shares {
				continue
			}
			tried++
			drawn, got := shown(f.Make(s))
			if want := lines[Plain(s)]; got != want {
				t.Fatalf("%s: %.40q makes %d lines of %d", f.Name, s, got, want)
			}
			for _, line := range drawn {
				if err := Check(line); err != nil {
					t.Fatalf("%s: %.40q is drawn as %.300q: %v", f.Name, s, line, err)
				}
			}
		}
	}
	t.Logf("%d strings in %d fields, %d questions", len(list), len(fields), tried)
}

// Plain is a harmless string that takes its place like s does.
func Plain(s string) string {
	if s == "" {
		return ""
	}
	return "plain"
}

// Check says what is wrong with a line that is drawn: characters that are not drawn in their place, or more than a line.
func Check(line string) error {
	marks := 0
	for _, r := range line {
		if r >= ' ' && r <= '~' || r >= 'А' && r <= 'я' {
			marks = 0
			continue
		}
		if !unicode.Is(unicode.M, r) {
			marks = 0
		} else if marks++; marks > 2 {
			return fmt.Errorf("marks in a row")
		}
		if !unicode.IsPrint(r) || unicode.In(r, unicode.Cf, unicode.Bidi_Control, unicode.Variation_Selector, unicode.Co, unicode.Zl, unicode.Zp,
			unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Samaritan, unicode.Mandaic) {
			return fmt.Errorf("%U", r)
		}
	}
	if n := len([]rune(line)); n > 1300 {
		return fmt.Errorf("%d characters", n)
	}
	return nil
}

// Field is a place of a question that somebody else fills.
type Field struct {
	Name string
	Make func(s string) signing.Question
}

// Fields are all of them.
func Fields() (list []Field) {
	add := func(name string, base func() signing.Question, put func(q *signing.Question, s string)) {
		list = append(list, Field{name, func(s string) signing.Question {
			q := base()
			put(&q, s)
			return q
		}})
	}
	for _, f := range common {
		add(f.name, signed, f.put)
	}
	for _, f := range formed {
		add(f.name, signed, f.put)
	}
	for _, f := range certified {
		add("certificate "+f.name, signed, func(q *signing.Question, s string) { *f.at(q.Certificate) = s })
		add("choice "+f.name, choosing, func(q *signing.Question, s string) { *f.at(&q.Choices[0].Certificate) = s })
		add("refused "+f.name, choosing, func(q *signing.Question, s string) { *f.at(&q.Choices[1].Certificate) = s })
	}
	for _, rule := range []string{signing.RuleHolder, signing.RuleINN, signing.RuleINNLE, signing.RuleOGRN, signing.RuleSNILS, signing.RuleIssuer, signing.RuleEKU, "token_absent", "certificate_expired", "unheard_of"} {
		add(rule, choosing, func(q *signing.Question, s string) {
			q.Choices[1].Refusal = &signing.Refusal{Code: rule, Args: map[string]string{"has": s, "wanted": "x" + s, "label": s, "serial": s, "date": s, "algorithm": s}}
		})
	}
	add("note of a choice", choosing, func(q *signing.Question, s string) { q.Note = s })
	add("note of a login", loggingIn, func(q *signing.Question, s string) { q.Note = s })
	add("signing of a login", loggingIn, func(q *signing.Question, s string) { q.Signing = s })
	add("name in a batch", signed, func(q *signing.Question, s string) {
		q.Batch, q.Documents = true, append(q.Documents, q.Documents[0], q.Documents[0])
		q.Documents[1].Name = s
	})
	add("token to plug in", signed, func(q *signing.Question, s string) {
		q.Absent, q.Token = true, token.Info{Label: "x" + s, Serial: "x" + s, Model: "m"}
		q.Certificate.Name = "x" + s
	})
	return list
}

var common = []struct {
	name string
	put  func(q *signing.Question, s string)
}{
	{"origin", func(q *signing.Question, s string) { q.Origin = "https://" + s }},
	{"origin alone", func(q *signing.Question, s string) { q.Origin = "x" + s }},
	{"top", func(q *signing.Question, s string) { q.Top = "https://x" + s }},
	{"program", func(q *signing.Question, s string) {
		q.Origin, q.Via, q.Program = "", signing.ViaSocket, "/x"+s
	}},
	{"note", func(q *signing.Question, s string) { q.Note = s }},
	{"profile", func(q *signing.Question, s string) { q.Profile = s }},
	{"token label", func(q *signing.Question, s string) { q.Token.Label = s }},
	{"token model", func(q *signing.Question, s string) { q.Token.Model = s }},
	{"document name", func(q *signing.Question, s string) { q.Documents[0].Name = s }},
	{"document type", func(q *signing.Question, s string) { q.Documents[0].MIME = s }},
	{"document digest", func(q *signing.Question, s string) { q.Documents[0].Digest = s }},
	{"digest algorithm", func(q *signing.Question, s string) { q.Documents[0].Alg = s }},
	{"element", func(q *signing.Question, s string) { q.Documents[0].Covered = []signing.Span{{Element: s, ID: "x"}} }},
	{"element id", func(q *signing.Question, s string) { q.Documents[0].Covered = []signing.Span{{Element: "x", ID: s}} }},
}

var formed = []struct {
	name string
	put  func(q *signing.Question, s string)
}{
	{"policy", func(q *signing.Question, s string) { q.CMS.Policy.ID = s }},
	{"policy address", func(q *signing.Question, s string) { q.CMS.Policy.URI = s }},
	{"policy of XML", func(q *signing.Question, s string) {
		q.CMS, q.XML = nil, &signing.XMLForm{Mode: "enveloped", Profile: "xades-epes", Policy: &signing.XMLPolicy{ID: s, URI: "x"}}
	}},
	{"profile of XML", func(q *signing.Question, s string) {
		q.CMS, q.XML = nil, &signing.XMLForm{Mode: "enveloped", Profile: s}
	}},
	{"mode of XML", func(q *signing.Question, s string) {
		q.CMS, q.XML, q.Profile = nil, &signing.XMLForm{Mode: s, Profile: "dsig"}, "x"
	}},
	{"commitment", func(q *signing.Question, s string) { q.CMS = form(s) }},
	{"locality", func(q *signing.Question, s string) { q.CMS.Location.Locality = s }},
	{"postal address", func(q *signing.Question, s string) { q.CMS.Location.Postal = []string{"x", s} }},
	{"file name in the signature", func(q *signing.Question, s string) { q.CMS.FileName = s }},
	{"document name in the signature", func(q *signing.Question, s string) { q.CMS.DocumentName = s }},
	{"type in the signature", func(q *signing.Question, s string) { q.CMS.MIMEType = s }},
	{"authority", func(q *signing.Question, s string) { q.CMS.TSA = s }},
	{"other signer", func(q *signing.Question, s string) { q.CMS.Signers = []signing.Joined{{Name: s, Doubt: true}} }},
	{"countersigned", func(q *signing.Question, s string) {
		q.CMS.Signers, q.CMS.Countersign = []signing.Joined{{Name: s}}, 1
	}},
}

var certified = []struct {
	name string
	at   func(c *signing.Certificate) *string
}{
	{"name", func(c *signing.Certificate) *string { return &c.Name }},
	{"organization", func(c *signing.Certificate) *string { return &c.Organization }},
	{"title", func(c *signing.Certificate) *string { return &c.Title }},
	{"INN", func(c *signing.Certificate) *string { return &c.INN }},
	{"INNLE", func(c *signing.Certificate) *string { return &c.INNLE }},
	{"SNILS", func(c *signing.Certificate) *string { return &c.SNILS }},
	{"OGRN", func(c *signing.Certificate) *string { return &c.OGRN }},
	{"issuer", func(c *signing.Certificate) *string { return &c.Issuer }},
	{"serial", func(c *signing.Certificate) *string { return &c.Serial }},
	{"key", func(c *signing.Certificate) *string { return &c.Key }},
	{"curve", func(c *signing.Certificate) *string { return &c.ParameterSet }},
	{"class", func(c *signing.Certificate) *string { return &c.Class }},
}

func certificate() signing.Certificate {
	return signing.Certificate{
		Name: "Демонстрационный Подписант", Organization: "Организация", Title: "x", INN: "x", INNLE: "x", SNILS: "x", OGRN: "x", Issuer: "x", Serial: "x", Key: "x",
		NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}
}

func signed() signing.Question {
	c := certificate()
	return signing.Question{
		Kind: signing.KindSign, Lang: "ru", Origin: "https://a.example", Via: signing.ViaNative, Note: "x", Profile: "cades-bes", Certificate: &c,
		Token:     token.Info{Label: "x", Model: "x", Attempts: -1},
		Documents: []signing.Document{{Name: "x", Digest: "aa", Alg: "sha256"}},
		CMS:       form("x"),
	}
}

// form is one with everything in it.
func form(commitment string) *signing.CMSForm {
	f := signing.CMSFormOf(proto.SignCMSParams{
		Profile: proto.CMSProfileCadesT, Tsa: "x", Policy: &proto.XMLPolicy{ID: "1.2.3", URI: "x"},
		Attributes: &proto.CMSAttributes{
			FileName: "x", MIME: "x", DocumentName: "x", Commitment: commitment, Location: &proto.SignerLocation{Country: "RU", Locality: "x"},
		},
	})
	return &f
}

func loggingIn() signing.Question {
	q := signed()
	q.Kind, q.CMS, q.Signing = signing.KindLogin, nil, "x"
	return q
}

func choosing() signing.Question {
	t := token.Info{Label: "x", Model: "x", Attempts: -1}
	return signing.Question{Kind: signing.KindSelect, For: signing.KindSign, Lang: "ru", Origin: "https://a.example", Via: signing.ViaNative, Choices: []signing.Choice{
		{Certificate: certificate(), Token: t, Last: true},
		{Certificate: certificate(), Token: t, Attorney: true, Refusal: &signing.Refusal{Code: signing.RuleINNLE, Args: map[string]string{"wanted": "1"}}},
	}}
}
