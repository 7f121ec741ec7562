// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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
	maxFile = 256 << 10
	maxList = 1024 // entries of a list
	maxText = 4096 // bytes of a value
)

// document is a file as written. A nil pointer or list is a key that is not there.
type document struct {
	Module     []moduleTable     `toml:"module"`
	Keyfiles   keyfilesTable     `toml:"keyfiles"`
	UI         uiTable           `toml:"ui"`
	Origins    originsTable      `toml:"origins"`
	Trust      trustTable        `toml:"trust"`
	Network    networkTable      `toml:"network"`
	Listen     listenTable       `toml:"listen"`
	Unattended []unattendedTable `toml:"unattended"`
	PIN        pinTable          `toml:"pin"`
	Content    contentTable      `toml:"content"`
	Compat     compatTable       `toml:"compat"`
	Forward    forwardTable      `toml:"forward"`
}

type moduleTable struct {
	Name *string `toml:"name"`
	Path *string `toml:"path"`
}

type keyfilesTable struct {
	Dirs   []string `toml:"dirs"`
	Forbid *bool    `toml:"forbid"`
}

type uiTable struct {
	Approver *string `toml:"approver"`
	Pinentry *string `toml:"pinentry"`
	Language *string `toml:"language"`

	Theme         *string `toml:"theme"`
	Notifications *bool   `toml:"notifications"`
}

type originsTable struct {
	Allow   []string `toml:"allow"`
	Visible *bool    `toml:"visible"`
}

type trustTable struct {
	Roots  []string `toml:"roots"`
	CRLs   []string `toml:"crls"`
	TSA    *string  `toml:"tsa"`
	OCSP   *bool    `toml:"ocsp"`
	System *bool    `toml:"system"`
}

type listenTable struct {
	WebSocket *string `toml:"websocket"`
}

type pinTable struct {
	Cache *int64 `toml:"cache_seconds"`
	Limit *int64 `toml:"limit_seconds"`
}

type contentTable struct {
	Max     *int64 `toml:"max_mib"`
	Channel *int64 `toml:"channel_mib"`
}

type compatTable struct {
	NCALayer *bool `toml:"ncalayer"`
	NexU     *bool `toml:"nexu"`
}

type unattendedTable struct {
	Origin      *string `toml:"origin"`
	User        *string `toml:"user"`
	Certificate *string `toml:"certificate"`
	PerHour     *int64  `toml:"per_hour"`
	PerDay      *int64  `toml:"per_day"`
	PINFile     *string `toml:"pin_file"`
}

// source is one file being read.
type source struct {
	file   string
	policy bool
	lines  map[string]int // line of every key by its path, such as module[1].path or origins.allow[0]
}

// fail is the error at a line; line 0 is the whole file.
func (s *source) fail(line int, cause error, detail string) error {
	if cause == nil {
		cause = fmt.Errorf("%s:%d: %s", s.file, line, detail)
	}
	n := ""
	if line > 0 {
		n = strconv.Itoa(line)
	}
	return proto.E(proto.CodeConfigInvalid, cause, "file", s.file, "line", n, "detail", detail)
}

// at is the error at the key of a path, or at the nearest table above it.
func (s *source) at(path, detail string) error {
	for p := path; p != ""; {
		if n, ok := s.lines[p]; ok {
			return s.fail(n, nil, detail)
		}
		p = p[:max(strings.LastIndexAny(p, ".["), 0)]
	}
	return s.fail(0, nil, detail)
}

func readAll(file string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, unreadable(file, err)
	}
	if len(data) > maxFile {
		s := source{file: file}
		return nil, s.fail(0, nil, fmt.Sprintf("larger than %d KiB", maxFile>>10))
	}
	return data, nil
}

// decode reads strictly and remembers the lines of all keys.
func (s *source) decode(data []byte) (*document, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors on Windows write one
	if !utf8.Valid(data) {
		return nil, s.fail(invalidLine(data), nil, "not UTF-8 text")
	}
	d := new(document)
	dec := toml.NewDecoder(bytes.NewReader(data))
	if err := dec.DisallowUnknownFields().Decode(d); err != nil {
		return nil, s.syntax(err)
	}
	s.lines = make(map[string]int)
	w := walker{data: data, lines: s.lines, tables: make(map[string]int)}
	w.walk()
	if w.wrong != "" {
		return nil, s.fail(w.wrongLine, nil, w.wrong)
	}
	return d, nil
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
	var unknown *toml.StrictMissingError
	var wrong *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		first := unknown.Errors[0]
		line, _ := first.Position()
		return s.fail(line, err, "unknown key "+keyName(first.Key()))
	case errors.As(err, &wrong):
		line, _ := wrong.Position()
		return s.fail(line, err, sentence(wrong))
	}
	return s.fail(0, err, "not TOML")
}

func sentence(err *toml.DecodeError) string {
	text := strings.TrimPrefix(err.Error(), "toml: ")
	key := keyName(err.Key())
	switch {
	case key != "" && strings.Contains(text, "into"): // names types of this package, which tell the person nothing
		return key + " has a value of the wrong kind"
	case key != "":
		return key + ": " + text
	}
	return text
}

func keyName(k toml.Key) string {
	parts := make([]string, len(k))
	for i, p := range k {
		parts[i] = p
		if p == "" || strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			parts[i] = strconv.Quote(p)
		}
	}
	name := []rune(strings.Join(parts, "."))
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

	wrong     string // the first thing the TOML reader lets pass and we do not
	wrongLine int
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
			line := w.lines[name]
			prefix = fmt.Sprintf("%s[%d]", name, w.tables[name])
			w.tables[name]++
			w.lines[prefix] = line
		case unstable.KeyValue:
			w.keyValue(prefix, e)
		}
	}
}

func (w *walker) keyValue(prefix string, e *unstable.Node) {
	path := w.keys(prefix, e.Key())
	if name, _, single := strings.Cut(path, "."); single && (name == "module" || name == "unattended") {
		w.refuse(w.lines[path], fmt.Sprintf("must stand under [[%s]]", name)) // the reader makes a list of one of it
	}
	w.value(path, w.lines[path], e.Value())
}

func (w *walker) value(path string, line int, v *unstable.Node) {
	if v.Raw.Length > 0 {
		line = w.line(v.Raw)
	}
	if _, known := w.lines[path]; !known {
		w.lines[path] = line
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

// keys joins a dotted key to prefix and notes its line.
func (w *walker) keys(prefix string, it unstable.Iterator) string {
	for it.Next() {
		n := it.Node()
		key, line := string(n.Data), w.line(n.Raw)
		if key != strings.ToLower(key) {
			w.refuse(line, fmt.Sprintf("unknown key %q: keys are written in lower case", key))
		}
		if prefix != "" {
			prefix += "."
		}
		prefix += key
		w.lines[prefix] = line
	}
	return prefix
}

func (w *walker) refuse(line int, detail string) {
	if w.wrong == "" {
		w.wrong, w.wrongLine = detail, line
	}
}

func (w *walker) line(r unstable.Range) int {
	return 1 + sort.SearchInts(w.newlines, int(r.Offset))
}
