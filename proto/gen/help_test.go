// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// TestHelp holds the page to an anchor for every code, in both languages, and to nothing left unfilled.
func TestHelp(t *testing.T) {
	page := string(read(t, "../../browserext/help/index.html"))
	for _, name := range []string{"errors.json", "foreign.json", "known.json"} {
		var anchors []struct{ ID, Code string }
		if err := json.Unmarshal(read(t, "../"+name), &anchors); err != nil {
			t.Fatal(err)
		}
		for _, c := range anchors {
			anchor := cmp.Or(c.ID, c.Code)
			_, rest, found := strings.Cut(page, `<article id="`+anchor+`"`)
			entry, _, _ := strings.Cut(rest, "</article>")
			if !found || !strings.Contains(entry, `lang="ru"`) || !strings.Contains(entry, `lang="en"`) {
				t.Errorf("%s is not explained in both languages", anchor)
			}
		}
	}
	if left := regexp.MustCompile(`\[\[|\]\]|<p class="what">[^<]*[{}]`).FindString(page); left != "" {
		t.Errorf("the page has %q", left)
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, `id="`+link[1]+`"`) {
			t.Errorf("no anchor %s", link[1])
		}
	}
}

// TestHelpKnowsTokens holds the page to every name that the PKCS#11 binding can put into a message, and to what Persten makes of it.
func TestHelpKnowsTokens(t *testing.T) {
	codes := map[string]string{
		"nil": "module_failed", "errPINRefused": "pin_incorrect", "token.ErrLocked": "pin_locked", "token.ErrRemoved": "token_removed",
		"token.ErrBusy": "token_busy", "token.ErrClosed": "token_removed", "token.ErrUnsupported": "algorithm_unsupported",
		"token.ErrAbsent": "token_absent", "token.ErrUserCancelled": "user_rejected",
	}
	explained := foreignCodes(t)
	names := regexp.MustCompile(`"(CKR_[A-Z_]+)", (\S+)}`).FindAllSubmatch(read(t, "../../internal/token/pkcs11/rv.go"), -1)
	for _, m := range names {
		name, fault := string(m[1]), string(m[2])
		f, ok := explained[name]
		if !ok || codes[fault] == "" || f.Like != "" && f.Like != codes[fault] {
			t.Errorf("%s: Persten makes %s of it; the help page (%t) says %q", name, codes[fault], ok, f.Like)
		}
	}
	if len(names) < 40 {
		t.Errorf("%d names found in the binding", len(names))
	}
}

// TestHelpKnowsTheFace holds the page to every number that the face for CryptoPro's plug-in puts at the end of a message.
func TestHelpKnowsTheFace(t *testing.T) {
	explained := foreignCodes(t)
	numbers := regexp.MustCompile(`: 0x([0-9a-f]{8})`).FindAllSubmatch(read(t, "../../browserext/src/compat/cades/errors.ts"), -1)
	for _, m := range numbers {
		code := "0x" + strings.ToUpper(string(m[1]))
		if _, ok := explained[code]; !ok {
			t.Errorf("the face says %s, which the help page does not explain", code)
		}
	}
	if len(numbers) < 30 {
		t.Errorf("%d numbers found in the face", len(numbers))
	}
}

func foreignCodes(t *testing.T) map[string]foreign {
	t.Helper()
	var list []foreign
	if err := json.Unmarshal(read(t, "../foreign.json"), &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]foreign{}
	for _, f := range list {
		out[f.Code] = f
	}
	return out
}

// TestForeignRefuses holds the reader of foreign.json to what the page needs.
func TestForeignRefuses(t *testing.T) {
	const both = `"ru":{"what":"а","next":"б"},"en":{"what":"a","next":"b"}`
	for _, c := range []struct{ data, want string }{
		{`[{"family":"pkcs11","code":"CKR_A",` + both + `,"like":"known"}]`, ""},
		{`[{"family":"other","code":"CKR_A",` + both + `}]`, "known family"},
		{`[{"family":"cryptopro","code":"0x8009",` + both + `}]`, "known family"},
		{`[{"family":"pkcs11","code":"CKR_A",` + both + `},{"family":"pkcs11","code":"CKR_A",` + both + `}]`, "given twice"},
		{`[{"family":"pkcs11","code":"CKR_A","ru":{"what":"а","next":"б"},"en":{"what":"a","next":""}}]`, "lacks a sentence"},
		{`[{"family":"pkcs11","code":"CKR_A",` + both + `,"like":"missing"}]`, "not in errors.json"},
		{`[{"family":"pkcs11","code":"CKR_A",` + both + `,"colour":1}]`, "unknown field"},
	} {
		err := (&api{errors: []errorEntry{{Code: "known"}}}).readForeign([]byte(c.data))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.data, err, c.want)
		}
	}
}

// TestKnownRefuses holds the reader of known.json to what the page and the search need.
func TestKnownRefuses(t *testing.T) {
	const texts = `"words":["a b"],"ru":{"title":"а","check":["б","в"],"next":"г"},"en":{"title":"a","check":["b","c"],"next":"d"}`
	for _, c := range []struct{ data, want string }{
		{`[{"id":"a-b","fault":"desk","code":"known",` + texts + `}]`, ""},
		{`[{"id":"A","fault":"desk",` + texts + `}]`, "no name"},
		{`[{"id":"known","fault":"desk",` + texts + `}]`, "no name"},
		{`[{"id":"a","fault":"desk",` + texts + `},{"id":"a","fault":"desk",` + texts + `}]`, "given twice"},
		{`[{"id":"a","fault":"me",` + texts + `}]`, "nobody's fault"},
		{`[{"id":"a","fault":"desk","code":"missing",` + texts + `}]`, "not in errors.json"},
		{`[{"id":"a","fault":"desk",` + strings.Replace(texts, `"c"`, `""`, 1) + `}]`, "lacks"},
		{`[{"id":"a","fault":"desk",` + strings.Replace(texts, `,"c"`, ``, 1) + `}]`, "lacks"},
		{`[{"id":"a","fault":"desk","colour":1,` + texts + `}]`, "unknown field"},
	} {
		err := (&api{errors: []errorEntry{{Code: "known"}}}).readKnown([]byte(c.data))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.data, err, c.want)
		}
	}
}
