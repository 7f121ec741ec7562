// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// compiled is an expression, made when it is first needed: most processes check nothing.
func compiled(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// MaxDepth is how deep parameters may nest.
const MaxDepth = 32

// kind is the JSON type a schema asks for.
type kind uint8

const (
	kindObject kind = iota
	kindMap
	kindArray
	kindString
	kindBase64
	kindTime
	kindCode
	kindInteger
	kindBoolean
	kindID // integer or string
)

// schema is one node of the generated tables: the JSON Schema subset the generator accepts.
type schema struct {
	ref      string // name of another schema, instead of all the rest
	kind     kind
	members  []member
	minProps int
	maxProps int // 0: no limit
	items    *schema
	maxItems int // 0: no limit
	minLen   int
	maxLen   int // characters; 0: no limit
	pattern  func() *regexp.Regexp
	enum     []string
	min, max *int64
}

type member struct {
	name     string
	schema   *schema
	required bool
}

func bound(n int64) *int64 { return &n }

// validate reports the first member of v that does not fit the named schema.
func validate(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return E(CodeRequestMalformed, err, "detail", "cannot be encoded")
	}
	return check(name, data)
}

// decode checks data against the named schema and reads it into v.
func decode(name string, data []byte, v any) error {
	if err := check(name, data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return E(CodeRequestMalformed, err, "detail", "cannot be decoded")
	}
	return nil
}

// checker walks the tokens of one document along a schema.
type checker struct {
	dec   *json.Decoder
	depth int
}

func check(name string, data []byte) error {
	if !utf8.Valid(data) {
		return malformed(errors.New("invalid UTF-8"), 0)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	c := &checker{dec: dec}
	if err := c.value(schemas()[name], ""); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return malformed(errors.New("trailing data"), dec.InputOffset())
	}
	return nil
}

func malformed(cause error, offset int64) *Error {
	return E(CodeRequestMalformed, cause, "detail", "not valid JSON near byte "+strconv.FormatInt(offset, 10))
}

func invalid(path, detail string) *Error {
	if path == "" {
		path = "params"
	}
	return E(CodeRequestInvalid, nil, "field", path, "detail", detail)
}

func (c *checker) token() (json.Token, error) {
	t, err := c.dec.Token()
	if err != nil {
		return nil, malformed(err, c.dec.InputOffset())
	}
	return t, nil
}

func (c *checker) value(s *schema, path string) error {
	for s.ref != "" {
		s = schemas()[s.ref]
	}
	t, err := c.token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return c.composite(s, path, t)
	case string:
		return s.text(path, t)
	case json.Number:
		return s.number(path, t)
	case bool:
		if s.kind == kindBoolean {
			return nil
		}
	}
	return invalid(path, s.expected())
}

func (c *checker) composite(s *schema, path string, open json.Delim) error {
	if c.depth++; c.depth > MaxDepth {
		return E(CodeRequestMalformed, nil, "detail", "nested deeper than "+strconv.Itoa(MaxDepth))
	}
	var err error
	switch {
	case open == '{' && s.kind == kindObject:
		err = c.object(s, path)
	case open == '{' && s.kind == kindMap:
		err = c.stringMap(s, path)
	case open == '[' && s.kind == kindArray:
		err = c.array(s, path)
	default:
		return invalid(path, s.expected())
	}
	c.depth--
	return err
}

func (c *checker) object(s *schema, path string) error {
	seen := make([]bool, len(s.members))
	count := 0
	for c.dec.More() {
		t, err := c.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		i := slices.IndexFunc(s.members, func(m member) bool { return m.name == name })
		if i < 0 {
			return invalid(join(path, clip(name)), "is not known")
		}
		if seen[i] {
			return invalid(join(path, name), "is given twice")
		}
		seen[i] = true
		count++
		if err := c.value(s.members[i].schema, join(path, name)); err != nil {
			return err
		}
	}
	if _, err := c.token(); err != nil {
		return err
	}
	for i, m := range s.members {
		if m.required && !seen[i] {
			return invalid(join(path, m.name), "is required")
		}
	}
	if count < s.minProps || s.maxProps > 0 && count > s.maxProps {
		return invalid(path, "must have "+span(s.minProps, s.maxProps)+" member of those known")
	}
	return nil
}

func (c *checker) stringMap(s *schema, path string) error {
	seen := map[string]bool{}
	for c.dec.More() {
		t, err := c.token()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return invalid(join(path, clip(name)), "is given twice")
		}
		seen[name] = true
		if err := c.value(s.items, join(path, clip(name))); err != nil {
			return err
		}
	}
	_, err := c.token()
	return err
}

func (c *checker) array(s *schema, path string) error {
	for i := 0; c.dec.More(); i++ {
		if s.maxItems > 0 && i >= s.maxItems {
			return invalid(path, "must have at most "+strconv.Itoa(s.maxItems)+" items")
		}
		if err := c.value(s.items, path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	_, err := c.token()
	return err
}

func (s *schema) text(path, v string) error {
	switch s.kind {
	case kindBase64:
		return s.base64(path, v)
	case kindTime:
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			return invalid(path, s.expected())
		}
		return nil
	case kindCode:
		if _, ok := Lookup(Code(v)); !ok {
			return invalid(path, s.expected())
		}
		return nil
	case kindString, kindID:
	default:
		return invalid(path, s.expected())
	}
	n := utf8.RuneCountInString(v)
	switch {
	case n < s.minLen || s.maxLen > 0 && n > s.maxLen:
		return invalid(path, "must have "+span(s.minLen, s.maxLen)+" characters")
	case s.enum != nil && !slices.Contains(s.enum, v):
		return invalid(path, "must be one of "+strings.Join(s.enum, ", "))
	case s.pattern != nil && !s.pattern().MatchString(v):
		return invalid(path, "must match "+strconv.QuoteToASCII(s.pattern().String()))
	}
	return nil
}

func (s *schema) base64(path, v string) error {
	limit := s.maxLen / 4 * 3 / 1024 * 1024 // the schema counts characters, people count KiB
	if s.maxLen > 0 && len(v) > s.maxLen {
		return E(CodeRequestTooLarge, nil, "limit", strconv.Itoa(limit))
	}
	// The decoder passes over line ends; the wire has none.
	if strings.ContainsAny(v, "\r\n") {
		return invalid(path, s.expected())
	}
	data, err := base64.StdEncoding.Strict().DecodeString(v)
	if err != nil {
		return invalid(path, s.expected())
	}
	if limit > 0 && len(data) > limit {
		return E(CodeRequestTooLarge, nil, "limit", strconv.Itoa(limit))
	}
	return nil
}

func (s *schema) number(path string, v json.Number) error {
	if s.kind != kindInteger && s.kind != kindID {
		return invalid(path, s.expected())
	}
	n, err := strconv.ParseInt(v.String(), 10, 64)
	if err != nil {
		return invalid(path, s.expected())
	}
	if s.min != nil && n < *s.min {
		return invalid(path, "must be at least "+strconv.FormatInt(*s.min, 10))
	}
	if s.max != nil && n > *s.max {
		return invalid(path, "must be at most "+strconv.FormatInt(*s.max, 10))
	}
	return nil
}

func (s *schema) expected() string {
	return [...]string{
		kindObject: "must be an object", kindMap: "must be an object", kindArray: "must be an array",
		kindString: "must be a string", kindBase64: "must be base64", kindTime: "must be an RFC 3339 time",
		kindCode: "must be an error code", kindInteger: "must be an integer", kindBoolean: "must be a boolean",
		kindID: "must be an integer or a string",
	}[s.kind]
}

func span(low, high int) string {
	switch {
	case high == 0:
		return "at least " + strconv.Itoa(low)
	case low == high:
		return "exactly " + strconv.Itoa(low)
	case low == 0:
		return "at most " + strconv.Itoa(high)
	}
	return strconv.Itoa(low) + " to " + strconv.Itoa(high)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// clip makes a name chosen by the caller fit for an error: short, and on one line.
func clip(name string) string {
	const limit = 40
	var b strings.Builder
	for i, r := range []rune(name) {
		if i == limit {
			b.WriteRune('…')
			break
		}
		if !strconv.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
