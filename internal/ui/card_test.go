// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
)

func TestSafe(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Договор.pdf", "Договор.pdf"},
		{"", ""},
		{"a\nb", "a‹U+000A›b"},
		{"a\x1b[31mb", "a‹U+001B›[31mb"},
		{"invoice\u202Etxt.exe", "invoice‹U+202E›txt.exe"},
		{"a\u200Bb\uFEFFc", "a‹U+200B›b‹U+FEFF›c"},
		{"a\u00A0b", "a‹U+00A0›b"},
		{"a   b", "a ··b"},
		{" a ", "·a·"},
		{"\xff\xfe", "‹xFF›‹xFE›"},
		{"\uFFFD", "\uFFFD"},
		{"שלום.exe", "‹U+05E9›‹U+05DC›‹U+05D5›‹U+05DD›.exe"},
		{"e\u0301\u0301\u0301", "e\u0301\u0301‹U+0301›"},
		{"\U000E0041", "‹U+E0041›"},
		{"a\u3164b", "a‹U+3164›b"},
	} {
		if got := Safe(c.in, 80); got != c.want {
			t.Errorf("Safe(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := Safe(strings.Repeat("x", 1<<20)+".exe", 20); got != strings.Repeat("x", 13)+"…xx.exe" {
		t.Errorf("long name: %q", got)
	}
}

// checkSafe is what Safe promises of any string.
func checkSafe(t *testing.T, in string, max int) {
	t.Helper()
	got := Safe(in, max)
	if !utf8.ValidString(got) {
		t.Fatalf("Safe(%q) is not UTF-8", in)
	}
	if n := width(strings.Split(got, "")); n > max {
		t.Fatalf("Safe(%q, %d) takes %d columns: %q", in, max, n, got)
	}
	for _, r := range got {
		if !unicode.IsPrint(r) || unicode.Is(unicode.Cf, r) || rightToLeft(r) || blanks[r] {
			t.Fatalf("Safe(%q) has %U", in, r)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, s := range []string{"", "a\u202Eb", "\xff", strings.Repeat("\U0001F600\u0301", 50), "\u200f \u3000  ", "‹U+000A›"} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, max int) { checkSafe(t, s, 3+(max&0x7f)) })
}

func TestSite(t *testing.T) {
	for _, c := range []struct {
		origin, before, domain, after string
		secure, native                bool
	}{
		{"https://login.bank.example", "login.", "bank.example", "", true, false},
		{"https://www.gosuslugi.ru:8443", "www.", "gosuslugi.ru", ":8443", true, false},
		{"https://bank.example.evil.co.uk", "bank.example.", "evil.co.uk", "", true, false},
		{"https://user.github.io", "", "user.github.io", "", true, false},
		{"http://shop.example", "", "shop.example", "", false, false},
		{"http://127.0.0.1:8080", "", "127.0.0.1", ":8080", true, false},
		{"http://[::1]:8080", "", "::1", ":8080", true, false},
		{"http://localhost:3000", "", "localhost", ":3000", true, false},
		{"https://xn--80ak6aa92e.com", "", "xn--80ak6aa92e.com", "", true, true},
		{"https://аррӏе.com", "", "xn--80ak6aa92e.com", "", true, true},
		{"https://кто.рф", "", "xn--j1ail.xn--p1ai", "", true, true},
		{"not an origin", "", "not an origin", "", false, false},
		{"https://good.example@evil.example", "", "https://good.example@evil.example", "", false, false},
	} {
		s := NewSite(c.origin)
		if s.Before != c.before || s.Domain != c.domain || s.After != c.after || s.Secure != c.secure || (s.Native != "") != c.native {
			t.Errorf("%s: %+v", c.origin, s)
		}
	}
	long := NewSite("https://" + strings.Repeat("paypal.com.", 25) + "evil.example")
	if long.Domain != "evil.example" || !strings.HasPrefix(long.Before, "…") || utf8.RuneCountInString(long.Before+long.Domain) > maxHost {
		t.Errorf("long host: %+v", long)
	}
}

func FuzzSite(f *testing.F) {
	f.Add("https://a.b.example:1")
	f.Add("https://\u202e.example")
	f.Add("https://xn--a.xn--p1ai")
	f.Fuzz(func(t *testing.T, origin string) {
		s := NewSite(origin)
		for _, r := range s.String() + s.Native {
			if !unicode.IsPrint(r) || rightToLeft(r) {
				t.Fatalf("%q gives %+q", origin, s)
			}
		}
	})
}

// hostile are strings that have broken out of dialogs somewhere.
var hostile = []string{
	"\u202e\u2066", "\x1b]0;title\x07\x1b[2J", "line\nline\r\nline\x0b\x0c\u2028\u2029", "<b>bold</b>&amp;<script>", "%0A%s%n",
	strings.Repeat("A", 1<<20), strings.Repeat("\u0301", 500), "\x00\x01\x7f\u0080\u009f", "\xc3\x28\xed\xa0\x80", "\U000e0001tag",
}

// TestHostileStringsKeepTheLayout is P0-3 of the threat model: whatever a page sends, the card has the same lines, and no
// character but printable ones.
func TestHostileStringsKeepTheLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	full := func(s string) signing.Question {
		return signing.Question{
			Kind: signing.KindSign, Origin: "https://a.example", Note: s, Profile: s, Token: token.Info{Label: s, Model: s},
			Certificate: &signing.Certificate{Name: s, Organization: s, Title: s, INN: s, INNLE: s, SNILS: s, OGRN: s, OGRNIP: s, Issuer: s, Serial: s, Key: s, ParameterSet: s, Class: s, NotAfter: time.Now().AddDate(1, 0, 0)},
			Documents:   []signing.Document{{Name: s, Digest: s, Alg: s}},
		}
	}
	want := len(NewCard(full("x"), "ru").Lines())
	for i := range 1000 {
		s := hostile[i%len(hostile)] + string(rune(r.IntN(0x110000)))
		c := NewCard(full(s), "ru")
		c.Banner = ""
		lines := c.Lines()
		if len(lines) != want {
			t.Fatalf("%.40q changes %d lines to %d", s, want, len(lines))
		}
		for _, l := range lines {
			if strings.ContainsFunc(l, func(r rune) bool { return !unicode.IsPrint(r) || rightToLeft(r) }) || len([]rune(l)) > 260 {
				t.Fatalf("%.40q gives the line %.300q", s, l)
			}
		}
	}
}

func TestAskerBanner(t *testing.T) {
	q := signing.Question{Kind: signing.KindSign, Origin: "https://a.example", Via: signing.ViaWebSocket, Program: "/usr/bin/curl"}
	for _, c := range []struct {
		change func(*signing.Question)
		want   string
	}{
		{func(q *signing.Question) {}, "/usr/bin/curl"},
		{func(q *signing.Question) { q.Program = "/usr/lib/chromium/chromium" }, ""},
		{func(q *signing.Question) { q.Program = `C:\Program Files\Mozilla Firefox\firefox.exe` }, ""},
		{func(q *signing.Question) { q.Via = signing.ViaNative }, ""},
		{func(q *signing.Question) { q.Via, q.Origin = signing.ViaNative, "http://a.example" }, "not protected"},
		{func(q *signing.Question) { q.Via, q.Origin = signing.ViaNative, "https://xn--p1ai.example" }, "non-Latin"},
		{func(q *signing.Question) { q.Via, q.Origin, q.PID = signing.ViaSocket, "", 17 }, "process 17"},
		{func(q *signing.Question) { q.Via, q.Origin = signing.ViaCommand, "" }, ""},
	} {
		one := q
		c.change(&one)
		got := NewCard(one, "en").Banner
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%+v: banner %q, want %q", one, got, c.want)
		}
	}
}

// fact finds a fact by the key of its label.
func fact(c Card, key string) (Fact, bool) {
	for _, f := range slices.Concat(c.Owner, c.Meaning, c.Facts) {
		if f.Label == c.Say(key) {
			return f, true
		}
	}
	return Fact{}, false
}

func TestCertificateFacts(t *testing.T) {
	now := time.Now()
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	base := signing.Certificate{Name: "n", Issuer: "i", Serial: "01", Key: "GOST R 34.10-2012 256", NotBefore: day(-400), NotAfter: day(400)}
	for _, c := range []struct {
		name, key string
		change    func(*signing.Certificate)
		want      string
		warn      bool
	}{
		{"no number", "prompt.cert.innle", func(c *signing.Certificate) {}, "", false},
		{"both numbers", "prompt.cert.innle", func(c *signing.Certificate) { c.INN, c.INNLE = "770900000000", "7709000000" }, "7709000000", false},
		{"entrepreneur", "prompt.cert.ogrnip", func(c *signing.Certificate) { c.OGRNIP = "304500116000157" }, "304500116000157", false},
		{"key as long", "prompt.cert.signUntil", func(c *signing.Certificate) { c.SignUntil = c.NotAfter }, "", false},
		{"key not stated", "prompt.cert.signUntil", func(c *signing.Certificate) {}, "", false},
		{"key ends earlier", "prompt.cert.signUntil", func(c *signing.Certificate) { c.SignUntil = day(40) }, Date("ru", day(40)), false},
		{"key ends soon", "prompt.cert.signUntil", func(c *signing.Certificate) { c.SignUntil = day(20) }, Date("ru", day(20)), true},
		{"the certificate does not", "prompt.cert.validity", func(c *signing.Certificate) { c.SignUntil = day(20) }, "с " + Date("ru", day(-400)) + " по " + Date("ru", day(400)), false},
		{"curve", "prompt.cert.key", func(c *signing.Certificate) { c.ParameterSet = "CryptoPro-A" }, "GOST R 34.10-2012 256, CryptoPro-A", false},
		{"curve said already", "prompt.cert.key", func(c *signing.Certificate) { c.Key, c.ParameterSet = "ECDSA P-256", "P-256" }, "ECDSA P-256", false},
		{"class", "prompt.cert.class", func(c *signing.Certificate) { c.Class = "KC1" }, "КС1", false},
		{"no class", "prompt.cert.class", func(c *signing.Certificate) { c.Class = "KX9" }, "", false},
	} {
		one := base
		c.change(&one)
		f, ok := fact(NewCard(signing.Question{Kind: signing.KindSign, Certificate: &one}, "ru"), c.key)
		if ok != (c.want != "") || f.Value != c.want || f.Warn != c.warn {
			t.Errorf("%s: %+v, want %q, warning %v", c.name, f, c.want, c.warn)
		}
	}
	base.SignUntil, base.INNLE = day(20), "7709000000"
	brief := strings.Join(NewCard(signing.Question{Kind: signing.KindSign, Certificate: &base, Token: token.Info{Demo: true}}, "ru").Brief(), "\n")
	for _, want := range []string{"Ключ действует до: " + Date("ru", day(20)), "ИНН ЮЛ: 7709000000", "Где ключ: в Persten — не сертифицированное средство"} {
		if !strings.Contains(brief, want) {
			t.Errorf("the short card lacks %q:\n%s", want, brief)
		}
	}
}

func TestKeyPlace(t *testing.T) {
	for _, c := range []struct {
		token  token.Info
		ru, en string
		warn   bool
	}{
		{token.Info{Module: "rutoken", Model: "Rutoken ECP"}, "на токене (Rutoken ECP)", "on the token (Rutoken ECP)", false},
		{token.Info{Module: "rutoken", Model: "a\nb\u202e"}, "на токене (a‹U+000A›b‹U+202E›)", "on the token (a‹U+000A›b‹U+202E›)", false},
		{token.Info{Module: "rutoken", Model: " "}, "на токене", "on the token", false},
		{token.Info{Module: "cryptopro", Model: "CSP"}, "в криптопровайдере (CSP)", "in the cryptographic provider (CSP)", false},
		{token.Info{Module: "demo", Demo: true, Model: "software"}, "в Persten — не сертифицированное средство", "in Persten, not a certified means", true},
		{token.Info{Module: "keyfile", Model: "PKCS#12"}, "в Persten — не сертифицированное средство", "in Persten, not a certified means", true},
		{token.Info{Module: token.WindowsStore, Model: "Microsoft Software Key Storage Provider"}, "в Windows — не сертифицированное средство", "in Windows, not a certified means", true},
		{token.Info{Module: token.WindowsStore, Model: "Crypto-Pro CSP"}, "в криптопровайдере (CSP)", "in the cryptographic provider (CSP)", false},
		{token.Info{}, "", "", false},
	} {
		for lang, want := range map[text.Lang]string{"ru": c.ru, "en": c.en} {
			f, _ := fact(NewCard(signing.Question{Kind: signing.KindSign, Certificate: &signing.Certificate{Name: "n"}, Token: c.token}, lang), "prompt.place.label")
			if f.Value != want || f.Warn != c.warn {
				t.Errorf("%+v: %+v, want %q", c.token, f, want)
			}
		}
	}
}

func TestClosing(t *testing.T) {
	o := signing.Outcome{Signed: []string{"a.txt", "b.txt"}, Owner: "Подписант", Time: time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC)}
	for _, c := range []struct {
		lang text.Lang
		o    signing.Outcome
		kind signing.Kind
		want []string
	}{
		{"ru", o, signing.KindSign, []string{"Подпись создана.", "Документы: a.txt", "b.txt", "Владелец: Подписант", "22.11.2026"}},
		{"en", o, signing.KindSign, []string{"Signature created.", "Documents: a.txt", "Owner: Подписант", "22 Nov 2026"}},
		{"ru", signing.Outcome{Code: "user_rejected"}, signing.KindSign, []string{"Подпись не создана: ", "Что делать: "}},
		{"en", signing.Outcome{Code: "token_removed"}, signing.KindSign, []string{"No signature was created: ", "What to do: "}},
		{"en", signing.Outcome{Code: "user_timeout"}, signing.KindOrigin, []string{"Access was not allowed: "}},
	} {
		got := NewClosing(c.kind, c.o, c.lang).String()
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s %+v: %q lacks %q", c.lang, c.o, got, w)
			}
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 Б", 1023: "1023 Б", 1024: "1,0 КБ", 1536: "1,5 КБ", 1 << 20: "1,0 МБ", 1<<20 - 1: "1,0 МБ", 5 << 30: "5,0 ГБ", 3 << 50: "3072,0 ТБ"} {
		if got := Size("ru", n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
