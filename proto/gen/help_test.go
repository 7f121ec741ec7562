// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHelp holds the page to an anchor for every code, in both languages, and to nothing left unfilled.
func TestHelp(t *testing.T) {
	page := string(read(t, "../../browserext/help/index.html"))
	var codes []struct{ Code string }
	for _, name := range []string{"errors.json", "foreign.json"} {
		if err := json.Unmarshal(read(t, "../"+name), &codes); err != nil {
			t.Fatal(err)
		}
		for _, c := range codes {
			_, rest, found := strings.Cut(page, `<article id="`+c.Code+`">`)
			entry, _, _ := strings.Cut(rest, "</article>")
			if !found || !strings.Contains(entry, `lang="ru"`) || !strings.Contains(entry, `lang="en"`) {
				t.Errorf("%s is not explained in both languages", c.Code)
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

// TestHelpKnowsTokens holds the page to every name that the PKCS#11 binding can put into a message.
func TestHelpKnowsTokens(t *testing.T) {
	files, err := filepath.Glob("../../internal/token/pkcs11/*.go")
	if err != nil {
		t.Fatal(err)
	}
	page := string(read(t, "../../browserext/help/index.html"))
	names := 0
	for _, f := range files {
		for _, m := range regexp.MustCompile(`"(CKR_[A-Z_]+)"`).FindAllSubmatch(read(t, f), -1) {
			names++
			if !strings.Contains(page, `id="`+string(m[1])+`"`) {
				t.Errorf("%s names %s, which the help page does not explain", filepath.Base(f), m[1])
			}
		}
	}
	if names < 40 {
		t.Errorf("%d names found in the binding", names)
	}
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
