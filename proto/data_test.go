// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func entries(t *testing.T) []Entry {
	t.Helper()
	var all []Entry
	if err := json.Unmarshal(ErrorsJSON, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	places  = regexp.MustCompile(`\{(\w+)\}`)
	clauses = regexp.MustCompile(`\[\[.*?\]\]`)
)

// TestCatalogue holds the error catalogue to its rules.
func TestCatalogue(t *testing.T) {
	codes, numbers := map[Code]bool{}, map[int]Code{}
	for _, e := range entries(t) {
		if codes[e.Code] {
			t.Errorf("%s is given twice", e.Code)
		}
		codes[e.Code] = true
		if other, used := numbers[e.RPC]; used || e.RPC <= 0 {
			t.Errorf("%s: number %d is not positive or used by %s", e.Code, e.RPC, other)
		}
		numbers[e.RPC] = e.Code
		if !regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`).MatchString(string(e.Code)) {
			t.Errorf("%s is not lower_snake", e.Code)
		}
		if !slices.Contains([]string{"never", "after_user_action", "later"}, e.Retry) || e.Doc == "" || e.Since == "" || e.Args == nil {
			t.Errorf("%s: retry, doc, since or args are missing", e.Code)
		}
		checkSentences(t, e)
	}
	if len(codes) < 50 {
		t.Errorf("only %d codes", len(codes))
	}
}

func checkSentences(t *testing.T, e Entry) {
	for _, pair := range [][2]string{{e.RU.What, e.EN.What}, {e.RU.Next, e.EN.Next}} {
		ru, en := places.FindAllString(pair[0], -1), places.FindAllString(pair[1], -1)
		slices.Sort(ru)
		slices.Sort(en)
		if !slices.Equal(ru, en) {
			t.Errorf("%s: places %v in Russian, %v in English", e.Code, ru, en)
		}
		for _, p := range ru {
			if !slices.Contains(e.Args, strings.Trim(p, "{}")) {
				t.Errorf("%s: %s is not an argument", e.Code, p)
			}
		}
		for _, s := range pair {
			checkSentence(t, e.Code, s)
		}
	}
	if e.Client && places.MatchString(clauses.ReplaceAllString(e.RU.What+e.RU.Next+e.EN.What+e.EN.Next, "")) {
		t.Errorf("%s: the browser may not know an argument that stands outside a [[clause]]", e.Code)
	}
	if !regexp.MustCompile(`\p{Cyrillic}`).MatchString(e.RU.What) || regexp.MustCompile(`\p{Cyrillic}`).MatchString(e.EN.What+e.EN.Next) {
		t.Errorf("%s: a language is in the other's place", e.Code)
	}
}

// jargon is what a person who signs documents for a living need not know.
var jargon = regexp.MustCompile(`(?i)\b(JSON|RPC|PKCS|CMS|ASN|DER|API|errno|socket|handle|payload|origin|invalid|origin|null)\b|[a-z]+_[a-z]+`)

func checkSentence(t *testing.T, code Code, s string) {
	bare := places.ReplaceAllString(s, "")
	switch {
	case !strings.HasSuffix(Fill(s, nil), ".") || !strings.HasSuffix(strings.TrimSuffix(s, "]]"), "."):
		t.Errorf("%s: %q does not end with a full stop", code, s)
	case len([]rune(s)) < 15 || len([]rune(s)) > 200:
		t.Errorf("%s: %q is %d characters long", code, s, len([]rune(s)))
	case jargon.MatchString(bare):
		t.Errorf("%s: %q is not plain words: %q", code, s, jargon.FindString(bare))
	case strings.Count(s, "[[") != strings.Count(s, "]]"):
		t.Errorf("%s: %q has an open clause", code, s)
	}
}

// TestNumbersKept fails when a number or a code that was once published changes its meaning.
func TestNumbersKept(t *testing.T) {
	data, err := os.ReadFile("testdata/numbers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			t.Fatalf("bad line %q", line)
		}
		e, ok := Lookup(Code(fields[1]))
		number, err := json.Marshal(e.RPC)
		if err != nil || !ok || string(number) != fields[0] {
			t.Errorf("%s was %s and is %s", fields[1], fields[0], number)
		}
	}
}

// example is a file of examples/: a request and its response, or an error raised on the client's side.
type example struct {
	Raised  string `json:"raised"`
	Lang    string `json:"lang"`
	Request struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      int             `json:"id"`
		Method  string          `json:"method"`
		Params  json.RawMessage `json:"params"`
	} `json:"request"`
	Response struct {
		JSONRPC string          `json:"jsonrpc"`
		ID      int             `json:"id"`
		Result  json.RawMessage `json:"result"`
		Error   *struct {
			Code    int             `json:"code"`
			Message string          `json:"message"`
			Data    json.RawMessage `json:"data"`
		} `json:"error"`
	} `json:"response"`
	Error json.RawMessage `json:"error"`
}

func readExample(t *testing.T, name string) example {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("examples", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var e example
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if e.Raised == "" && (e.Request.JSONRPC != "2.0" || e.Response.JSONRPC != "2.0" || e.Request.ID != e.Response.ID) {
		t.Errorf("%s: not a pair", name)
	}
	return e
}

// TestExamples plays every example: the schema accepts it by an independent validator, Dispatch decodes it, and what
// comes back is the example's result to the byte.
func TestExamples(t *testing.T) {
	v := newValidator(t)
	for method, h := range handlers {
		e := readExample(t, method)
		if e.Request.Method != method || e.Response.Result == nil {
			t.Errorf("%s: the example is of %s", method, e.Request.Method)
			continue
		}
		v.check(t, h.params, e.Request.Params)
		v.check(t, strings.TrimSuffix(h.params, "Params")+"Result", e.Response.Result)
		play(t, method, e)
	}
}

func play(t *testing.T, method string, e example) {
	s := answers(func(params any) (any, error) {
		if err := params.(interface{ Validate() error }).Validate(); err != nil {
			t.Errorf("%s: Validate refuses what Dispatch accepted: %s", method, describe(err))
		}
		return resultOf(t, method, e.Response.Result), nil
	})
	r, err := Dispatch(context.Background(), s, method, e.Request.Params)
	if err != nil {
		t.Errorf("%s: %s", method, describe(err))
		return
	}
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !sameJSON(t, got, e.Response.Result) {
		t.Errorf("%s: result\n%s, want\n%s", method, got, e.Response.Result)
	}
	if err := r.(interface{ Validate() error }).Validate(); err != nil {
		t.Errorf("%s: result: %s", method, describe(err))
	}
}

// resultOf decodes an example's result into the method's result type, found on Server by name.
func resultOf(t *testing.T, method string, data []byte) any {
	name := strings.TrimSuffix(handlers[method].params, "Params")
	m, ok := reflect.TypeFor[Server]().MethodByName(name)
	if !ok {
		t.Fatalf("%s: no method %s", method, name)
	}
	r := reflect.New(m.Type.Out(0).Elem()).Interface()
	if err := decode(name+"Result", data, r); err != nil {
		t.Errorf("%s: %s", method, describe(err))
	}
	return r
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}

// TestErrorExamples holds every error's example to the catalogue; those Dispatch itself raises are played.
func TestErrorExamples(t *testing.T) {
	v := newValidator(t)
	for _, entry := range entries(t) {
		name := "error." + string(entry.Code)
		e := readExample(t, name)
		data := e.Error
		if e.Raised == "" {
			if e.Response.Error == nil || e.Response.Error.Code != entry.RPC {
				t.Errorf("%s: not an error with number %d", name, entry.RPC)
				continue
			}
			data = e.Response.Error.Data
		}
		v.check(t, "ErrorData", data)
		var d ErrorData
		if err := decode("ErrorData", data, &d); err != nil {
			t.Errorf("%s: %s", name, describe(err))
		}
		if want := (&Error{Code: entry.Code, Args: d.Args}).Data(e.Lang); !reflect.DeepEqual(d, want) {
			t.Errorf("%s: data\n%+v, want\n%+v", name, d, want)
		}
		if e.Raised == "" && e.Response.Error.Message != Text(entry.Code, "en", d.Args).What {
			t.Errorf("%s: message %q", name, e.Response.Error.Message)
		}
		for arg := range d.Args {
			if !slices.Contains(entry.Args, arg) {
				t.Errorf("%s: %s is not an argument", name, arg)
			}
		}
		if slices.Contains([]Code{CodeRequestInvalid, CodeRequestSecret, CodeRequestUnknownMethod}, entry.Code) {
			_, err := Dispatch(context.Background(), answers(nil), e.Request.Method, e.Request.Params)
			if got := AsError(err); got == nil || !reflect.DeepEqual(got.Data(e.Lang), d) {
				t.Errorf("%s: Dispatch answers %s", name, describe(err))
			}
		}
	}
}

// TestNoStrayExamples fails on an example of a method or an error that is no more.
func TestNoStrayExamples(t *testing.T) {
	files, err := filepath.Glob("examples/*.json")
	if err != nil || len(files) != len(handlers)+len(entries(t)) {
		t.Errorf("%d examples, want %d methods and %d errors (%v)", len(files), len(handlers), len(entries(t)), err)
	}
}

// validator is the independent reading of persten.openrpc.json.
type validator struct {
	compiler *jsonschema.Compiler
}

func newValidator(t *testing.T) validator {
	t.Helper()
	data, err := os.ReadFile("persten.openrpc.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	addMethodTypes(doc.(map[string]any))
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	c.AssertContent()
	if err := c.AddResource("mem:///persten.json", doc); err != nil {
		t.Fatal(err)
	}
	return validator{c}
}

// addMethodTypes makes components of the methods' parameters and results, as the generator does.
func addMethodTypes(doc map[string]any) {
	schemas := doc["components"].(map[string]any)["schemas"].(map[string]any)
	for _, m := range doc["methods"].([]any) {
		m := m.(map[string]any)
		h, ok := handlers[m["name"].(string)]
		if !ok {
			continue
		}
		properties, required := map[string]any{}, []any{}
		for _, p := range m["params"].([]any) {
			p := p.(map[string]any)
			properties[p["name"].(string)] = p["schema"]
			if p["required"] == true {
				required = append(required, p["name"])
			}
		}
		schemas[h.params] = map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
		schemas[strings.TrimSuffix(h.params, "Params")+"Result"] = m["result"].(map[string]any)["schema"]
	}
}

func (v validator) check(t *testing.T, schema string, data []byte) {
	t.Helper()
	s, err := v.compiler.Compile("mem:///persten.json#/components/schemas/" + schema)
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%s: %v", schema, err)
	}
}
