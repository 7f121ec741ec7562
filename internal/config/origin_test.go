// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"strings"
	"testing"

	"persten/proto"
)

// origins holds texts and their canonical form; "" is refused.
var origins = []struct{ in, want string }{
	// names
	{"https://portal.example", "https://portal.example"},
	{"HTTPS://PORTAL.Example", "https://portal.example"},
	{"https://portal", "https://portal"},
	{"https://a_b.example", "https://a_b.example"},
	{"https://r3---sn-apo.example", "https://r3---sn-apo.example"},
	{"https://xn--80ak6aa92e.com", "https://xn--80ak6aa92e.com"},
	{"https://1.2.3.example", "https://1.2.3.example"},
	{"https://" + strings.Repeat("a", 63) + ".example", "https://" + strings.Repeat("a", 63) + ".example"},
	{"https://" + strings.Repeat("a", 64) + ".example", ""},
	{"https://" + strings.Repeat("a.", 126) + "a", "https://" + strings.Repeat("a.", 126) + "a"},
	{"https://" + strings.Repeat("a.", 127) + "a", ""},
	// names in Unicode
	{"https://подпись.рф", "https://xn--d1aiqdcn1f.xn--p1ai"},
	{"https://ПОДПИСЬ.РФ", "https://xn--d1aiqdcn1f.xn--p1ai"},
	{"https://bücher.example:8443", "https://xn--bcher-kva.example:8443"},
	{"https://straße.example", "https://xn--strae-oqa.example"},
	{"https://ｐｏｒｔａｌ。example", "https://portal.example"},
	{"https://İ.example", "https://xn--i-9bb.example"},
	{"https://xn--a.example", ""},
	{"https://xn--.example", ""},
	{"https://a\u200db.example", ""},
	{"https://a\ufffdb.example", ""},
	{"https://\xff.example", ""},
	{"https://a\u2100b.example", ""}, // becomes a/cb
	// ports
	{"https://portal.example:443", "https://portal.example"},
	{"https://portal.example:8443", "https://portal.example:8443"},
	{"https://portal.example:80", "https://portal.example:80"},
	{"https://portal.example:65535", "https://portal.example:65535"},
	{"https://portal.example:65536", ""},
	{"https://portal.example:0", ""},
	{"https://portal.example:0443", ""},
	{"https://portal.example:+443", ""},
	{"https://portal.example:-1", ""},
	{"https://portal.example:", ""},
	{"https://portal.example:44a", ""},
	{"https://portal.example:1:2", ""},
	{"https://portal.example:８０", ""},
	{"https://:443", ""},
	// http
	{"http://localhost", "http://localhost"},
	{"http://LocalHost:80", "http://localhost"},
	{"http://localhost:443", "http://localhost:443"},
	{"http://127.0.0.1:3000", "http://127.0.0.1:3000"},
	{"http://127.8.9.10", "http://127.8.9.10"},
	{"http://[::1]:3000", "http://[::1]:3000"},
	{"http://portal.example", ""},
	{"http://10.0.0.1", ""},
	{"http://0.0.0.0", ""},
	{"http://[::2]", ""},
	{"http://localhost.example", ""},
	{"http://a.localhost", ""},
	{"http://localhost.", ""},
	{"http://127.0.0.1.nip.example", ""},
	// addresses
	{"https://192.0.2.1", "https://192.0.2.1"},
	{"https://192.0.2.1:8443", "https://192.0.2.1:8443"},
	{"https://192.0.2", ""},
	{"https://192.0.2.01", ""},
	{"https://192.0.2.256", ""},
	{"https://0x7f.1", ""},
	{"https://0x7f000001", ""},
	{"https://2130706433", ""},
	{"http://127.1", ""},
	{"http://0177.0.0.1", ""},
	{"https://[2001:DB8:0:0::1]", "https://[2001:db8::1]"},
	{"https://[2001:db8::1]:443", "https://[2001:db8::1]"},
	{"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"},
	{"https://[::ffff:192.0.2.1]", ""},
	{"http://[::ffff:127.0.0.1]", ""},
	{"https://[fe80::1%25eth0]", ""},
	{"https://[fe80::1%eth0]", ""},
	{"https://[::1", ""},
	{"https://::1", ""},
	{"https://[]", ""},
	{"https://[::1]a", ""},
	{"https://[192.0.2.1]", ""},
	// more than an origin
	{"https://portal.example/", ""},
	{"https://portal.example/sign", ""},
	{"https://portal.example\\sign", ""},
	{"https://portal.example?q", ""},
	{"https://portal.example#f", ""},
	{"https://user@portal.example", ""},
	{"https://user:secret@portal.example", ""},
	{"https://portal.example@evil.example", ""},
	// less than an origin, or none
	{"", ""},
	{"null", ""},
	{"portal.example", ""},
	{"//portal.example", ""},
	{"https:portal.example", ""},
	{"https:/portal.example", ""},
	{"https://", ""},
	{"https:///", ""},
	{"https://.", ""},
	{"https://portal.example.", ""},
	{"https://portal..example", ""},
	{"https://.portal.example", ""},
	{"ws://portal.example", ""},
	{"wss://portal.example", ""},
	{"file://", ""},
	{"data://portal.example", ""},
	{"chrome-extension://abcdefghijklmnopabcdefghijklmnop", ""},
	{"blob:https://portal.example", ""},
	{"https://*.portal.example", ""},
	{"https://*", ""},
	{"*", ""},
	// characters
	{" https://portal.example", ""},
	{"https://portal.example ", ""},
	{"https://portal.example\n", ""},
	{"https://por\ttal.example", ""},
	{"https://portal.example\x00", ""},
	{"https://portal%2eexample", ""},
	{"https://portal,example", ""},
	{"https://a.example,https://b.example", ""},
	{"https://a.example https://b.example", ""},
	{"https://a!b.example", ""},
	{"https://a<b.example", ""},
	{"https://" + strings.Repeat("a", 8192), ""},
}

func TestParseOrigin(t *testing.T) {
	for _, o := range origins {
		got, err := ParseOrigin(o.in)
		if got != o.want || (err == nil) != (o.want != "") {
			t.Errorf("%.80q: %q, %v; want %q", o.in, got, err, o.want)
		}
		var e *proto.Error
		if err != nil && (!errors.As(err, &e) || e.Code != proto.CodeOriginInvalid || e.Args["detail"] == "" || len(e.Args["origin"]) > 1000) {
			t.Errorf("%.80q: error %v is not origin_invalid with a detail", o.in, err)
		}
		if got == "" {
			continue
		}
		if again, err := ParseOrigin(got); again != got || err != nil {
			t.Errorf("%q: not stable: %q, %v", got, again, err)
		}
	}
}

func TestWildcards(t *testing.T) {
	const rule = "https://*.corp.example"
	for origin, want := range map[string]bool{
		"https://a.corp.example":      true,
		"https://a.b.corp.example":    true,
		"https://corp.example":        false,
		"https://acorp.example":       false,
		"https://.corp.example":       false,
		"https://a.corp.example:8443": false,
		"http://a.corp.example":       false,
		"https://a.corp.example.evil": false,
		"https://a.corp.examples":     false,
		"https://evil.example":        false,
	} {
		if covers(rule, origin) != want {
			t.Errorf("%s: covered %v, want %v", origin, !want, want)
		}
	}
	for in, want := range map[string]string{
		"https://*.Corp.Example":     "https://*.corp.example",
		"https://*.sub.corp.example": "https://*.sub.corp.example",
		"https://*.подпись.рф":       "https://*.xn--d1aiqdcn1f.xn--p1ai",
		"https://*.portal.co.uk":     "https://*.portal.co.uk",
		"https://*.рф":               "",
		"https://*.ru":               "",
		"https://*.localhost":        "",
		"https://*.":                 "",
		"https://*.[::1]":            "",
		"https://*.u@corp.example":   "",
		"https://*.com.ru":           "",
		"https://*.msk.ru":           "",
		"https://*.xn--p1ai":         "",
		"https://*.РФ":               "",
		"https://*.github.io":        "",
		"https://*.corp":             "",
		"https://**.corp.example":    "",
		"https://a*.corp.example":    "",
		"https://*.*.example":        "",
		"https://*corp.example":      "",
		"https://*.corp.example:443": "",
		"https://*.corp.example.":    "",
		"https://*.corp.example/":    "",
		"http://*.corp.example":      "",
		"*.corp.example":             "",
		"https://*":                  "",
		"*":                          "",
		"https://*.10.0.0.1":         "",
		"https://*.0x7f.1":           "",
		"https://*.corp．example":     "https://*.corp.example", // a full-width dot is a dot
		"https://*.соrр.example":     "https://*.xn--r-0tbhb.example",
	} {
		if got, reason := parseWildcard(in); got != want || (reason == "") != (want != "") {
			t.Errorf("%s: %q, %q; want %q", in, got, reason, want)
		}
	}
}

// TestRestricts: a rule that takes something away holds on every port, unless it names one.
func TestRestricts(t *testing.T) {
	for _, c := range []struct {
		rule, origin string
		want         bool
	}{
		{"https://bad.example", "https://bad.example", true},
		{"https://bad.example", "https://bad.example:8443", true},
		{"https://bad.example", "https://not-bad.example:8443", false},
		{"https://bad.example", "https://a.bad.example", false},
		{"https://bad.example:8443", "https://bad.example:8443", true},
		{"https://bad.example:8443", "https://bad.example", false},
		{"https://bad.example:8443", "https://bad.example:9443", false},
		{"https://*.bad.example", "https://a.bad.example:8443", true},
		{"https://*.bad.example", "https://bad.example:8443", false},
		{"https://*.bad.example", "https://abad.example:8443", false},
		{"http://[::1]", "http://[::1]:8080", true},
		{"http://127.0.0.1", "http://127.0.0.1:8080", true},
		{"https://bad.example", "http://bad.example", false}, // no site
		{"https://bad.example", "", false},
	} {
		if got := restricts(c.rule, c.origin); got != c.want {
			t.Errorf("%s, %s: %v", c.rule, c.origin, got)
		}
	}
}

// FuzzParseOrigin: what is accepted is canonical, in ASCII, and only local without TLS.
func FuzzParseOrigin(f *testing.F) {
	for _, o := range origins {
		f.Add(o.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseOrigin(s)
		if err != nil {
			if !errors.Is(err, proto.CodeOriginInvalid) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if again, err := ParseOrigin(got); again != got || err != nil {
			t.Errorf("%q gives %q, which gives %q, %v", s, got, again, err)
		}
		scheme, rest, _ := strings.Cut(got, "://")
		if len(got) > maxOrigin || strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-_.:[]") != "" {
			t.Errorf("%q gives %q", s, got)
		}
		if scheme != "https" && !strings.HasPrefix(rest, "127.") && !strings.HasPrefix(rest, "localhost") && !strings.HasPrefix(rest, "[::1]") {
			t.Errorf("%q gives %q without TLS", s, got)
		}
	})
}
