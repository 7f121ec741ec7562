// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"persten/proto"
)

// Limits of one file.
const (
	maxFile  = 256 << 10
	maxList  = 1024 // entries of a list
	maxText  = 4096 // bytes of a value
	maxDepth = 4    // of names whose lines are remembered: no knob lies deeper
	maxPath  = 200  // of the names of one, together, below which lines are remembered: no knob's is longer
)

// source is one file being read.
type source struct {
	file   string
	policy bool
	lines  map[string]int // line of every key by its path, such as module[1].path or origins.allow[0]
	faults []fault        // what is wrong with it, in no order
	places []string       // of each line, where it came from, if that is no file
}

// fault is one thing that is wrong.
type fault struct {
	line   int
	detail string
}

// fail is the error at a line; line 0 is the whole file.
func (s *source) fail(line int, cause error, detail string) error {
	if cause == nil {
		cause = fmt.Errorf("%s:%d: %s", s.file, line, detail)
	}
	file, n := s.file, ""
	switch {
	case line > 0 && line <= len(s.places):
		file = s.places[line-1]
	case line > 0:
		n = strconv.Itoa(line)
	}
	code := proto.CodeConfigInvalid
	if s.policy {
		code = proto.CodePolicyInvalid
	}
	return proto.E(code, cause, "file", file, "line", n, "detail", detail)
}

// wrong notes a fault at the key of a path, or at the nearest table above it.
func (s *source) wrong(path, detail string) {
	line := s.lines[path]
	for p := path; p != "" && line == 0; p = p[:max(strings.LastIndexAny(p, ".["), 0)] {
		line = s.lines[p]
	}
	s.faults = append(s.faults, fault{line, detail})
}

// has reports whether a key stands in the file.
func (s *source) has(path string) bool { return s.lines[path] > 0 }

// first is the error of the fault that stands first in the file, or nil.
func (s *source) first() error {
	if len(s.faults) == 0 {
		return nil
	}
	f := slices.MinFunc(s.faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.detail, b.detail))
	})
	return s.fail(f.line, nil, f.detail)
}

func (s *source) readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, unreadable(s.file, err)
	}
	if len(data) > maxFile {
		return nil, s.fail(0, nil, fmt.Sprintf("larger than %d KiB", maxFile>>10))
	}
	return data, nil
}

// decode reads TOML and remembers the lines of all keys. What the keys are, it does not know.
func (s *source) decode(data []byte) (map[string]any, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows write one
	if !utf8.Valid(data) {
		return nil, s.fail(invalidLine(data), nil, "not UTF-8 text")
	}
	tree := map[string]any{}
	if err := toml.Unmarshal(data, &tree); err != nil {
		return nil, s.syntax(err)
	}
	s.lines = make(map[string]int)
	w := walker{data: data, lines: s.lines, tables: make(map[string]int)}
	w.walk()
	return tree, nil
}

func invalidLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			return line
		}
		if r == '\n' {
			line++
		}
		data = data[n:]
	}
	return 0
}

// syntax turns what the TOML reader says into a line and a short sentence.
func (s *source) syntax(err error) error {
	var wrong *toml.DecodeError
	if !errors.As(err, &wrong) {
		return s.fail(0, err, "not TOML")
	}
	line, _ := wrong.Position()
	text := strings.TrimPrefix(wrong.Error(), "toml: ")
	if key := wrong.Key(); len(key) > 0 {
		text = printableKey(key...) + ": " + text
	}
	return s.fail(line, err, text)
}

// printableKey writes a dotted key as it may be shown.
func printableKey(parts ...string) string {
	shown := make([]string, len(parts))
	for i, p := range parts {
		shown[i] = p
		if p == "" || strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			shown[i] = strconv.Quote(p)
		}
	}
	name := []rune(strings.Join(shown, "."))
	if len(name) > 80 {
		return string(name[:80]) + "..."
	}
	return string(name)
}

// walker notes on which line each key of a valid document stands.
type walker struct {
	data     []byte
	newlines []int
	lines    map[string]int
	tables   map[string]int // how many of an array of tables were seen
	at       int            // line of the key read last
}

func (w *walker) walk() {
	for i, b := range w.data {
		if b == '\n' {
			w.newlines = append(w.newlines, i)
		}
	}
	var p unstable.Parser
	p.Reset(w.data)
	prefix := ""
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			prefix = w.keys("", e.Key())
		case unstable.ArrayTable:
			name := w.keys("", e.Key())
			prefix = fmt.Sprintf("%s[%d]", name, w.tables[name])
			w.tables[name]++
			w.lines[prefix] = w.at
		case unstable.KeyValue:
			w.keyValue(prefix, e)
		}
	}
}

func (w *walker) keyValue(prefix string, e *unstable.Node) {
	path := w.keys(prefix, e.Key())
	w.value(path, w.at, e.Value())
}

func (w *walker) value(path string, line int, v *unstable.Node) {
	if v.Raw.Length > 0 {
		line = w.line(v.Raw)
	}
	if _, known := w.lines[path]; !known {
		w.lines[path] = line
	}
	if deep(path) {
		return
	}
	switch v.Kind {
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			w.value(fmt.Sprintf("%s[%d]", path, i), line, it.Node())
		}
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			w.keyValue(path, it.Node())
		}
	}
}

// keys joins a dotted key to prefix and notes its line, the first one of a table that is written in pieces.
func (w *walker) keys(prefix string, it unstable.Iterator) string {
	for it.Next() {
		if deep(prefix) {
			continue
		}
		n := it.Node()
		if prefix != "" {
			prefix += "."
		}
		prefix += string(n.Data)
		w.at = w.line(n.Raw)
		if _, known := w.lines[prefix]; !known {
			w.lines[prefix] = w.at
		}
	}
	return prefix
}

// deep bounds the work: nesting costs one byte a level in the file and a path a level here, an entry two bytes and a path.
func deep(path string) bool {
	return len(path) > maxPath || strings.Count(path, ".")+strings.Count(path, "[") >= maxDepth
}

func (w *walker) line(r unstable.Range) int {
	return 1 + sort.SearchInts(w.newlines, int(r.Offset))
}
