// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// api is everything the generator knows: what the writers turn into files.
type api struct {
	title, version, doc string
	methods             []method
	notifications       []method
	types               []typ // components, in order
	errors              []errorEntry
	strings             []message
	foreign             []foreign                  // see help.go
	known               []known                    // see help.go
	examples            map[string]json.RawMessage // parameters by method
}

type method struct {
	name, summary, doc string
	audience, since    string
	direction          string // notifications: to_client, to_agent
	params, result     typ
	errors             []string
	goName             string
}

// typ is a named type: an object, or a string with an enumeration or a pattern.
type typ struct {
	name, doc string
	schema    schema
}

// schema is the subset of JSON Schema 2020-12 the generator accepts.
type schema struct {
	doc                string
	ref                string
	kind               string // object map array string base64 time code integer int64 boolean id
	members            []member
	minProps, maxProps int
	items              *schema
	maxItems           int
	minLen, maxLen     int
	pattern            string
	enum               []string
	min, max           *int64
}

type member struct {
	name, doc string
	required  bool
	schema    schema
}

type errorEntry struct {
	Code   string    `json:"code"`
	RPC    int       `json:"rpc"`
	Args   []string  `json:"args"`
	Retry  string    `json:"retry"`
	Client bool      `json:"client"`
	Doc    string    `json:"doc"`
	RU     sentences `json:"ru"`
	EN     sentences `json:"en"`
	Since  string    `json:"since"`
}

type sentences struct {
	What string `json:"what"`
	Next string `json:"next"`
}

type message struct {
	Key  string   `json:"key"`
	Doc  string   `json:"doc"`
	Args []string `json:"args"`
	RU   string   `json:"ru"`
	EN   string   `json:"en"`
}

func readAPI(openrpc, errorsJSON, extension []byte) (*api, error) {
	doc, err := parse(openrpc)
	if err != nil {
		return nil, fmt.Errorf("persten.openrpc.json: %w", err)
	}
	if err := doc.only("persten.openrpc.json", "openrpc", "info", "methods", "components"); err != nil {
		return nil, err
	}
	info, _ := doc.get("info")
	a := &api{title: info.str("title"), version: info.str("version"), doc: info.str("description")}
	if err := strict(errorsJSON, &a.errors); err != nil {
		return nil, fmt.Errorf("errors.json: %w", err)
	}
	if err := strict(extension, &a.strings); err != nil {
		return nil, fmt.Errorf("extension.json: %w", err)
	}
	if err := a.readTypes(doc); err != nil {
		return nil, err
	}
	if err := a.readMethods(doc); err != nil {
		return nil, err
	}
	return a, a.checkRefs()
}

func strict(data []byte, v any) error {
	if _, err := parse(data); err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

func (a *api) readTypes(doc node) error {
	components, _ := doc.get("components")
	if err := components.only("components", "schemas"); err != nil {
		return err
	}
	schemas, _ := components.get("schemas")
	for _, f := range schemas.object {
		s, err := readSchema("components.schemas."+f.name, f.value)
		if err != nil {
			return err
		}
		a.types = append(a.types, typ{f.name, s.doc, s})
	}
	return nil
}

func (a *api) readMethods(doc node) error {
	methods, _ := doc.get("methods")
	seen := map[string]bool{}
	for _, n := range methods.array {
		m, err := readMethod(n)
		if err != nil {
			return err
		}
		if seen[m.name] {
			return fmt.Errorf("method %s is given twice", m.name)
		}
		seen[m.name] = true
		if m.direction != "" {
			a.notifications = append(a.notifications, m)
		} else {
			a.methods = append(a.methods, m)
		}
	}
	return nil
}

func readMethod(n node) (method, error) {
	m := method{name: n.str("name"), summary: n.str("summary"), doc: n.str("description"), audience: n.str("x-audience"),
		since: n.str("x-since"), direction: n.str("x-direction")}
	m.goName = goName(m.name)
	where := "method " + m.name
	err := n.only(where, "name", "summary", "description", "x-audience", "x-since", "x-direction", "x-errors",
		"paramStructure", "params", "result")
	if err != nil {
		return m, err
	}
	switch {
	case m.name == "" || m.summary == "" || m.since == "":
		return m, fmt.Errorf("%s: name, summary and x-since are required", where)
	case m.audience != "page" && m.audience != "local":
		return m, fmt.Errorf("%s: x-audience must be page or local", where)
	case n.str("paramStructure") != "by-name":
		return m, fmt.Errorf("%s: paramStructure must be by-name", where)
	case !slices.Contains([]string{"", "to_client", "to_agent"}, m.direction):
		return m, fmt.Errorf("%s: x-direction must be to_client or to_agent", where)
	}
	if errs, ok := n.get("x-errors"); ok {
		m.errors = errs.strings()
	}
	if m.params, err = readParams(where, m.goName, n); err != nil {
		return m, err
	}
	return m, m.readResult(where, n)
}

// readParams turns the list of content descriptors into one object type.
func readParams(where, name string, n node) (typ, error) {
	t := typ{name: name + "Params", schema: schema{kind: "object"}}
	params, ok := n.get("params")
	if !ok {
		return t, fmt.Errorf("%s: params are required", where)
	}
	for _, p := range params.array {
		at := where + ", parameter " + p.str("name")
		if err := p.only(at, "name", "required", "schema", "description"); err != nil {
			return t, err
		}
		sn, ok := p.get("schema")
		if !ok {
			return t, fmt.Errorf("%s: schema is required", at)
		}
		s, err := readSchema(at, sn)
		if err != nil {
			return t, err
		}
		required, _ := p.get("required")
		is, _ := required.value.(bool)
		t.schema.members = append(t.schema.members, member{p.str("name"), p.str("description"), is, s})
	}
	return t, checkMembers(where, t.schema.members)
}

func (m *method) readResult(where string, n node) error {
	r, ok := n.get("result")
	if ok != (m.direction == "") {
		return fmt.Errorf("%s: a request has a result, a notification has none", where)
	}
	if !ok {
		return nil
	}
	if err := r.only(where+", result", "name", "schema", "description"); err != nil {
		return err
	}
	sn, _ := r.get("schema")
	s, err := readSchema(where+", result", sn)
	if err != nil {
		return err
	}
	if s.kind != "object" && s.ref == "" {
		return fmt.Errorf("%s: the result must be an object", where)
	}
	m.result = typ{name: m.goName + "Result", schema: s}
	return nil
}

var keywords = map[string][]string{
	"object":  {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
	"map":     {"additionalProperties"},
	"array":   {"items", "maxItems"},
	"string":  {"minLength", "maxLength", "pattern", "enum", "const"},
	"base64":  {"contentEncoding", "maxLength"},
	"time":    {"format"},
	"code":    {"x-codes"},
	"integer": {"minimum", "maximum"},
	"int64":   {"format", "minimum", "maximum"},
	"boolean": nil,
	"id":      nil,
}

func readSchema(where string, n node) (schema, error) {
	s := schema{doc: n.str("description")}
	if ref, ok := n.get("$ref"); ok {
		name, _ := ref.value.(string)
		var found bool
		if s.ref, found = strings.CutPrefix(name, "#/components/schemas/"); !found {
			return s, fmt.Errorf("%s: $ref must name a component", where)
		}
		return s, n.only(where, "$ref", "description")
	}
	s.kind = schemaKind(n)
	known, ok := keywords[s.kind]
	if !ok {
		return s, fmt.Errorf("%s: unknown type", where)
	}
	if err := n.only(where, append([]string{"type", "description"}, known...)...); err != nil {
		return s, err
	}
	if err := s.readLimits(where, n); err != nil {
		return s, err
	}
	return s, s.readParts(where, n)
}

func schemaKind(n node) string {
	t, _ := n.get("type")
	if slices.Equal(t.strings(), []string{"integer", "string"}) {
		return "id"
	}
	kind, _ := t.value.(string)
	_, properties := n.get("properties")
	switch {
	case kind == "object" && !properties:
		return "map"
	case kind == "string" && n.str("contentEncoding") == "base64":
		return "base64"
	case kind == "string" && n.str("format") == "date-time":
		return "time"
	case kind == "integer" && n.str("format") == "int64":
		return "int64"
	}
	if _, codes := n.get("x-codes"); codes {
		return "code"
	}
	return kind
}

func (s *schema) readLimits(where string, n node) error {
	for name, to := range map[string]*int{"minProperties": &s.minProps, "maxProperties": &s.maxProps,
		"maxItems": &s.maxItems, "minLength": &s.minLen, "maxLength": &s.maxLen} {
		if v, ok := n.get(name); ok {
			i, err := strconv.Atoi(fmt.Sprint(v.value))
			if err != nil || i < 0 {
				return fmt.Errorf("%s: %s must be a number", where, name)
			}
			*to = i
		}
	}
	for name, to := range map[string]**int64{"minimum": &s.min, "maximum": &s.max} {
		if v, ok := n.get(name); ok {
			i, err := strconv.ParseInt(fmt.Sprint(v.value), 10, 64)
			if err != nil {
				return fmt.Errorf("%s: %s must be an integer", where, name)
			}
			*to = &i
		}
	}
	s.pattern = n.str("pattern")
	if _, err := regexp.Compile(s.pattern); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if c := n.str("const"); c != "" {
		s.enum = []string{c}
	}
	if e, ok := n.get("enum"); ok {
		s.enum = e.strings()
	}
	return nil
}

func (s *schema) readParts(where string, n node) error {
	switch s.kind {
	case "array", "map":
		name := map[string]string{"array": "items", "map": "additionalProperties"}[s.kind]
		in, ok := n.get(name)
		if !ok {
			return fmt.Errorf("%s: %s is required", where, name)
		}
		items, err := readSchema(where+"."+name, in)
		s.items = &items
		if err == nil && s.kind == "map" && items.kind != "string" {
			err = fmt.Errorf("%s: a map must be of strings", where)
		}
		return err
	case "object":
		return s.readMembers(where, n)
	}
	return nil
}

func (s *schema) readMembers(where string, n node) error {
	more, _ := n.get("additionalProperties")
	if more.value != false {
		return fmt.Errorf("%s: additionalProperties must be false", where)
	}
	required, _ := n.get("required")
	properties, _ := n.get("properties")
	for _, f := range properties.object {
		ms, err := readSchema(where+"."+f.name, f.value)
		if err != nil {
			return err
		}
		s.members = append(s.members, member{f.name, ms.doc, slices.Contains(required.strings(), f.name), ms})
	}
	for _, r := range required.strings() {
		if _, ok := properties.get(r); !ok {
			return fmt.Errorf("%s: required %q is not a property", where, r)
		}
	}
	return checkMembers(where, s.members)
}

// checkMembers keeps objects flat: one inside another is a component with a name, so that every language has a type for it.
func checkMembers(where string, members []member) error {
	seen := map[string]bool{}
	for _, m := range members {
		inner := m.schema
		if inner.kind == "array" {
			inner = *inner.items
		}
		if inner.kind == "object" || inner.kind == "array" {
			return fmt.Errorf("%s.%s: a nested object must be a component", where, m.name)
		}
		if seen[m.name] || m.name == "" {
			return fmt.Errorf("%s: member %q is given twice or has no name", where, m.name)
		}
		seen[m.name] = true
	}
	return nil
}

// checkRefs fails on a $ref to nothing and on an x-errors code that is not in the catalogue.
func (a *api) checkRefs() error {
	known := map[string]bool{}
	for _, t := range a.types {
		known[t.name] = true
	}
	codes := map[string]bool{}
	for _, e := range a.errors {
		codes[e.Code] = true
	}
	for _, t := range a.allTypes() {
		for _, m := range append(t.schema.members, member{schema: t.schema}) {
			for s := &m.schema; s != nil; s = s.items {
				if s.ref != "" && !known[s.ref] {
					return fmt.Errorf("%s.%s: no component %s", t.name, m.name, s.ref)
				}
			}
		}
	}
	for _, m := range a.methods {
		if ref := m.result.schema.ref; ref != "" && a.component(ref).kind != "object" {
			return fmt.Errorf("method %s: the result must be an object", m.name)
		}
		for _, c := range m.errors {
			if !codes[c] {
				return fmt.Errorf("method %s: no error %s", m.name, c)
			}
		}
	}
	return nil
}

// allTypes returns the components and the types of every method's parameters and result.
func (a *api) allTypes() []typ {
	out := slices.Clone(a.types)
	for _, m := range a.methods {
		out = append(out, m.params, m.result)
	}
	for _, m := range a.notifications {
		out = append(out, m.params)
	}
	return out
}

func (a *api) component(name string) *schema {
	for i := range a.types {
		if a.types[i].name == name {
			return &a.types[i].schema
		}
	}
	return nil
}
