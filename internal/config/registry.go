// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// registryRoot is where the policy of Windows lies. Only administrators may write there.
const registryRoot = `HKLM\Software\Policies\Persten`

// maxDigits keeps names of entries such as "12" within what a number holds.
const maxDigits = 6

// registryKey is a key of the registry with all that is in it. A value is a string (REG_SZ), a uint64 (REG_DWORD, REG_QWORD) or
// nil for every other type. Names are in lower case: the registry does not tell cases apart.
type registryKey struct {
	values map[string]any
	keys   map[string]*registryKey
}

// mergeRegistry reads a policy of the registry over what is there. A section is a key and a knob a value of it; a list is a key
// whose values 1, 2, 3 ... are its entries, and so is a section of many, each entry an inline table, { name = "...", ... }.
func (c *Config) mergeRegistry(root *registryKey) error {
	w := registryWriter{}
	w.root(root)
	s := source{file: registryRoot, policy: true, places: w.places}
	if w.wrong != "" {
		return s.fail(len(w.places), nil, w.wrong)
	}
	if w.text.Len() > maxFile {
		return s.fail(0, nil, fmt.Sprintf("larger than %d KiB", maxFile>>10))
	}
	tree, err := s.decode([]byte(w.text.String()))
	if err != nil {
		return err
	}
	return s.apply(c, tree)
}

// registryWriter writes the policy as a file, so that one reader judges both. Each line has the place it came from.
type registryWriter struct {
	text   strings.Builder
	places []string
	wrong  string // why the entry written last cannot stand in a file
}

func (w *registryWriter) line(text string, place ...string) {
	w.text.WriteString(text + "\n")
	w.places = append(w.places, strings.Join(append([]string{registryRoot}, place...), `\`))
}

// notAValue is of a kind that no knob has.
const notAValue = "0.5"

func (w *registryWriter) root(root *registryKey) {
	for _, name := range slices.Sorted(maps.Keys(root.values)) {
		w.line(quoted(name)+" = "+notAValue, name)
	}
	for _, name := range slices.Sorted(maps.Keys(root.keys)) {
		t, k := section(name), root.keys[name]
		switch {
		case w.wrong != "":
			return
		case t == nil:
			w.line(quoted(name)+" = "+notAValue, name)
		case t.Many:
			w.many(name, k)
		default:
			w.section(t, k)
		}
	}
}

func (w *registryWriter) section(t *Section, k *registryKey) {
	for _, name := range slices.Sorted(maps.Keys(k.values)) {
		w.line(t.Name+"."+quoted(name)+" = "+registryValue(t.knob(name), k.values[name]), t.Name, name)
	}
	for _, name := range slices.Sorted(maps.Keys(k.keys)) {
		if knob := t.knob(name); knob == nil || knob.Kind != List || len(k.keys[name].keys) > 0 {
			w.line(t.Name+"."+quoted(name)+" = "+notAValue, t.Name, name)
			continue
		}
		w.list([]string{t.Name, name}, k.keys[name], func(v any) string { return registryValue(&Knob{Kind: Text}, v) })
	}
}

// many writes the entries of a section. Each has to be one table by itself.
func (w *registryWriter) many(name string, k *registryKey) {
	if len(k.keys) > 0 {
		w.line(quoted(name)+" = "+notAValue, name)
		return
	}
	w.list([]string{name}, k, func(v any) string {
		text, _ := v.(string)
		var one map[string]any
		err := toml.Unmarshal([]byte("x = "+text), &one)
		if _, table := one["x"].(map[string]any); err != nil || !table || len(one) > 1 || strings.ContainsAny(text, "\r\n") {
			w.wrong = cmp.Or(w.wrong, `must be one table such as { name = "a" }`)
		}
		return text
	})
}

// list writes the values 1, 2, 3 ... of a key in this order.
func (w *registryWriter) list(place []string, k *registryKey, write func(any) string) {
	w.line(strings.Join(place, ".")+" = [", place...)
	names := slices.SortedFunc(maps.Keys(k.values), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	comma := "" // before an entry, so that a comment at the end of one takes nothing with it
	for _, name := range names {
		text := write(k.values[name])
		if !isNumber(name) {
			w.wrong = cmp.Or(w.wrong, "entries of a list are named 1, 2, 3 ...")
		}
		w.line(comma+text, append(slices.Clone(place), name)...)
		if w.wrong != "" {
			return
		}
		comma = ","
	}
	w.line("]", place...)
}

func isNumber(name string) bool {
	return name != "" && len(name) <= maxDigits && strings.Trim(name, "0123456789") == "" && name[0] != '0'
}

// registryValue writes a value as its knob wants it. One of another type becomes a value of no knob.
func registryValue(k *Knob, v any) string {
	switch v := v.(type) {
	case string:
		if k != nil && k.Kind == Text {
			return quoted(v)
		}
	case uint64:
		switch {
		case k == nil:
		case k.Kind == Number:
			return strconv.FormatUint(v, 10)
		case k.Kind == Bool && v <= 1:
			return strconv.FormatBool(v == 1)
		}
	}
	return notAValue
}

// quoted is a string of TOML.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, "\ufffd") {
		if r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
