// SPDX-License-Identifier: GPL-3.0-or-later

package text

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"persten/proto"
)

var places = regexp.MustCompile(`\{\w+\}`)

// TestSameKeys holds both languages to the same keys and places.
func TestSameKeys(t *testing.T) {
	for key, ru := range russian() {
		en, ok := english()[key]
		if !ok {
			t.Errorf("%s is missing in English", key)
			continue
		}
		a, b := places.FindAllString(ru, -1), places.FindAllString(en, -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: places %v in Russian, %v in English", key, a, b)
		}
		if strings.TrimSpace(ru) == "" || strings.TrimSpace(en) == "" {
			t.Errorf("%s is empty", key)
		}
		if !regexp.MustCompile(`^[a-z]+(\.[a-zA-Z0-9]+)+$`).MatchString(key) {
			t.Errorf("%s is not a dotted key", key)
		}
		if regexp.MustCompile(`\p{Cyrillic}`).MatchString(en) {
			t.Errorf("%s: Cyrillic in English", key)
		}
	}
	for key := range english() {
		if _, ok := russian()[key]; !ok {
			t.Errorf("%s is missing in Russian", key)
		}
	}
}

// TestNoDuplicates finds a key given twice, which decoding would hide, and one in the file of another area.
func TestNoDuplicates(t *testing.T) {
	for _, lang := range []Lang{Russian, English} {
		seen := map[string]bool{}
		areas, err := fs.Glob(files, string(lang)+"/*.json")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range areas {
			area := strings.TrimSuffix(filepath.Base(name), ".json")
			for _, key := range keysOf(t, name) {
				if seen[key] || !strings.HasPrefix(key, area+".") {
					t.Errorf("%s: %s is given twice, or is not of this area", name, key)
				}
				seen[key] = true
			}
		}
		if len(seen) != len(english()) {
			t.Errorf("%s: %d keys, want %d", lang, len(seen), len(english()))
		}
	}
}

// keysOf reads the keys of a flat object in the order they stand.
func keysOf(t *testing.T, name string) (keys []string) {
	t.Helper()
	data, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	for i := 0; ; i++ {
		token, err := dec.Token()
		if err != nil {
			return keys
		}
		if key, ok := token.(string); ok && i%2 == 1 {
			keys = append(keys, key)
		}
	}
}

// TestForms holds counted keys to all four forms.
func TestForms(t *testing.T) {
	for key := range english() {
		base, found := strings.CutSuffix(key, ".many")
		if !found {
			continue
		}
		for _, f := range []string{".one", ".few", ".other"} {
			if !Has(base + f) {
				t.Errorf("%s%s is missing", base, f)
			}
		}
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int][2]string{
		0: {"0 документов", "0 documents"}, 1: {"1 документ", "1 document"}, 2: {"2 документа", "2 documents"},
		4: {"4 документа", "4 documents"}, 5: {"5 документов", "5 documents"}, 11: {"11 документов", "11 documents"},
		12: {"12 документов", "12 documents"}, 21: {"21 документ", "21 documents"}, 22: {"22 документа", "22 documents"},
		101: {"101 документ", "101 documents"}, 111: {"111 документов", "111 documents"}, 1001: {"1001 документ", "1001 documents"},
		1000000: {"1000000 документов", "1000000 documents"}, 2000001: {"2000001 документ", "2000001 documents"},
		-1: {"-1 документ", "-1 document"},
	} {
		if got := Plural(Russian, "count.documents", n); got != want[0] {
			t.Errorf("%q, want %q", got, want[0])
		}
		if got := Plural(English, "count.documents", n); got != want[1] {
			t.Errorf("%q, want %q", got, want[1])
		}
	}
}

func TestGet(t *testing.T) {
	args := map[string]string{"site": "https://portal.example {label}"}
	if got := Get(Russian, "notify.request", args); got != "https://portal.example {label} просит подпись. Ответьте в окне Persten." {
		t.Error(got)
	}
	if got := Get("fr", "common.yes", nil); got != "yes" {
		t.Error(got)
	}
	if got := Get(Russian, "no.such.key", nil); got != "no.such.key" || Has("no.such.key") {
		t.Error(got)
	}
}

func TestError(t *testing.T) {
	what, next := Error(Russian, proto.CodePINIncorrect, map[string]string{"attempts": "2"})
	if what != "Неверный PIN-код. Осталось попыток: 2." || next == "" {
		t.Error(what, next)
	}
	if what, _ := Error(English, "token_absent", nil); what != "The token was not found." {
		t.Error(what)
	}
}

func TestFromEnv(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang string
		want                Lang
	}{
		{"", "", "ru_RU.UTF-8", Russian},
		{"", "", "RU", Russian},
		{"", "", "ru-RU", Russian},
		{"", "", "en_US.UTF-8", English},
		{"", "ru_RU", "en_US", Russian},
		{"C", "ru_RU", "ru_RU", English},
		{"C.UTF-8", "", "ru_RU.UTF-8", English},
		{"ru", "en_US", "en_US", Russian},
		{"", "", "run", English},
		{"", "", "rw_RW", English},
		{"", "", "r", English},
	} {
		t.Setenv("LC_ALL", c.all)
		t.Setenv("LC_MESSAGES", c.messages)
		t.Setenv("LANG", c.lang)
		if got := FromEnv(); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// used finds keys written in the product's sources.
var used = regexp.MustCompile(`"((?:cli|common|count|doctor|home|prompt|tray|notify|service|journal\.kind|journal\.result)\.[a-zA-Z0-9.]+)"`)

// TestUsedKeys looks every key up that the programs and windows name. A key that ends with a dot is completed at run time.
func TestUsedKeys(t *testing.T) {
	n := 0
	for _, dir := range []string{"../../agent", "../ui"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			for _, m := range used.FindAllSubmatch(data, -1) {
				n++
				if key := string(m[1]); !known(key) {
					t.Errorf("%s: no text for %s", path, key)
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if n == 0 {
		t.Error("no keys found: the pattern or the directories are wrong")
	}
}

func known(key string) bool {
	if Has(key) || Has(key+".other") {
		return true
	}
	if !strings.HasSuffix(key, ".") {
		return false
	}
	for k := range english() {
		if strings.HasPrefix(k, key) {
			return true
		}
	}
	return false
}
