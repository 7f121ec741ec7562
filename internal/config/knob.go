// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind is what a value of a knob is.
type Kind string

// The kinds of values.
const (
	Bool   Kind = "bool"
	Number Kind = "number"
	Text   Kind = "text"
	List   Kind = "list" // of texts
)

// Knob is one thing that can be set. All that reads, checks or documents settings goes by the table of knobs, see [Sections].
type Knob struct {
	Name     string   // in its section
	Kind     Kind     // of the value
	Words    []string // the only values of a text, or of the entries of a list; nil: any
	Min, Max int64    // of a number
	Policy   bool     // the machine policy alone may set it
	Lowest   bool     // of both files the lower number counts, in place of the policy's
	Example  string   // a value as TOML writes it
	Windows  string   // the example there, where it is another: a path
	En, Ru   string   // a paragraph for administrators

	to    func(place) any                                 // the variable it sets
	unit  int64                                           // of a number: what 1 stands for; 0 is 1
	empty bool                                            // a text may be empty
	spell func(s *source, text string) (v, reason string) // the one spelling of a text, or why it cannot be used
}

// Section is a table of the file, or of many a list of tables, [[name]].
type Section struct {
	Name   string
	Many   bool
	Policy bool   // the machine policy alone may set it
	En, Ru string // what it is about
	Knobs  []Knob

	entry func() any                                     // of many: a new entry
	done  func(s *source, c *Config, entries []numbered) // checks what its knobs owe each other and, of many, keeps the entries
}

// numbered is an entry of a section of many and its path, such as module[1].
type numbered struct {
	at string
	v  any
}

// place is where values go.
type place struct {
	c      *Config
	entry  any // of a section of many
	policy bool
}

// Sections is the table of all knobs, in the order of the documentation.
func Sections() []Section { return sections }

func section(name string) *Section {
	i := slices.IndexFunc(sections, func(s Section) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &sections[i]
}

func (s *Section) knob(name string) *Knob {
	i := slices.IndexFunc(s.Knobs, func(k Knob) bool { return k.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Knobs[i]
}

// apply checks a file by the table and puts it over what c holds. c is not used when it fails.
func (s *source) apply(c *Config, tree map[string]any) error {
	entries := map[string][]numbered{}
	for name, v := range tree {
		switch t := section(name); {
		case t == nil:
			s.unknown(name, name)
		case t.Policy && !s.policy:
			s.wrong(name+"[0]", "only the machine policy may set "+name)
		case t.Many:
			entries[name] = s.list(c, t, v)
		default:
			s.table(t, name, v, place{c: c, policy: s.policy})
		}
	}
	if err := s.first(); err != nil {
		return err
	}
	for _, t := range sections {
		if t.done != nil {
			t.done(s, c, entries[t.Name])
		}
	}
	return s.first()
}

func (s *source) unknown(path string, parts ...string) {
	detail := "unknown key " + printableKey(parts...)
	if last := parts[len(parts)-1]; last != strings.ToLower(last) {
		detail += ": keys are written in lower case"
	}
	s.wrong(path, detail)
}

// list reads the entries of a section of many.
func (s *source) list(c *Config, t *Section, v any) (out []numbered) {
	if _, one := v.(map[string]any); one {
		s.wrong(t.Name, fmt.Sprintf("must stand under [[%s]]", t.Name))
		return nil
	}
	all, ok := v.([]any)
	if !ok {
		s.wrong(t.Name, t.Name+" has a value of the wrong kind")
		return nil
	}
	if len(all) > maxList {
		s.wrong(t.Name, "too many entries")
		return nil
	}
	for i, v := range all {
		n := numbered{fmt.Sprintf("%s[%d]", t.Name, i), t.entry()}
		s.table(t, n.at, v, place{c: c, entry: n.v, policy: s.policy})
		out = append(out, n)
	}
	return out
}

// table reads the knobs of a section at a path.
func (s *source) table(t *Section, at string, v any, to place) {
	values, ok := v.(map[string]any)
	if !ok {
		s.wrong(at, t.Name+" has a value of the wrong kind")
		return
	}
	for name, v := range values {
		path := at + "." + name
		switch k := t.knob(name); {
		case k == nil:
			s.unknown(path, t.Name, name)
		case k.Policy && !s.policy:
			s.wrong(path, "only the machine policy may set "+t.Name+"."+name)
		default:
			s.set(k, t.Name+"."+name, path, v, k.to(to))
		}
	}
}

// set puts a value that fits its knob where the knob says.
func (s *source) set(k *Knob, key, path string, v, to any) {
	switch got := v.(type) {
	case bool:
		if k.Kind == Bool {
			setBool(to, got)
			return
		}
	case int64:
		if k.Kind == Number {
			s.number(k, path, got, to)
			return
		}
	case string:
		if k.Kind == Text {
			if text, ok := s.text(k, path, got); ok {
				*to.(*string) = text
			}
			return
		}
	case []any:
		if k.Kind == List {
			s.texts(k, key, path, got, to.(*[]string))
			return
		}
	}
	s.wrong(path, key+" has a value of the wrong kind")
}

func setBool(to any, v bool) {
	switch to := to.(type) {
	case *bool:
		*to = v
	case **bool: // that it was said counts, too
		*to = &v
	}
}

func (s *source) number(k *Knob, path string, n int64, to any) {
	if n < k.Min || n > k.Max {
		s.wrong(path, fmt.Sprintf("must be from %d to %d", k.Min, k.Max))
		return
	}
	n *= max(1, k.unit)
	switch to := to.(type) {
	case *int:
		*to = int(n)
	case *int64:
		if !k.Lowest || *to == 0 || n < *to {
			*to = n
		}
	case *time.Duration:
		*to = time.Duration(n)
	}
}

// text is a text as it counts, and whether it can be used.
func (s *source) text(k *Knob, path, v string) (string, bool) {
	reason := ""
	switch {
	case v == "" && !k.empty && k.Words == nil && k.spell == nil:
		reason = k.Name + " is empty"
	case len(v) > maxText || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		reason = k.Name + " is too long or has control characters"
	case k.Words != nil && !slices.Contains(k.Words, v):
		reason = `must be "` + strings.Join(k.Words, `", "`) + `"`
	case k.spell != nil:
		v, reason = k.spell(s, v)
	}
	if reason != "" {
		s.wrong(path, reason)
	}
	return v, reason == ""
}

// texts replaces a list, each entry once.
func (s *source) texts(k *Knob, key, path string, list []any, to *[]string) {
	if len(list) > maxList {
		s.wrong(path, "too many entries")
		return
	}
	out := make([]string, 0, len(list))
	for i, v := range list {
		at := path + "[" + strconv.Itoa(i) + "]"
		text, ok := v.(string)
		if !ok {
			s.wrong(at, key+" has a value of the wrong kind")
			continue
		}
		if text, ok = s.text(k, at, text); ok && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	*to = out
}
