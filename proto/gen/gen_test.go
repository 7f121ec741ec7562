// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCheck is `gen -check` on the tree: what is committed follows from the sources.
func TestCheck(t *testing.T) {
	if err := run("", "", true); err != nil {
		t.Error(err)
	}
}

// TestCheckFinds makes sure that -check sees a stale and a missing file and repairs nothing.
func TestCheckFinds(t *testing.T) {
	dir, ext := copyProto(t), t.TempDir()
	if err := run(dir, ext, true); err == nil {
		t.Error("-check is content with missing files")
	}
	if err := run(dir, ext, false); err != nil {
		t.Fatal(err)
	}
	if err := run(dir, ext, true); err != nil {
		t.Errorf("-check after writing: %v", err)
	}
	for _, name := range []string{"src/proto.gen.ts", "sdk/texts.gen.ts", "_locales/ru/messages.json", "help/index.html", "demo/methods.gen.ts"} {
		path := filepath.Join(ext, name)
		good := read(t, path)
		write(t, path, []byte("edited"))
		if err := run(dir, ext, true); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("-check on an edited %s: %v", name, err)
		}
		if string(read(t, path)) != "edited" {
			t.Error("-check wrote " + name)
		}
		write(t, path, good)
	}
}

// TestAddMethod adds a method the way the package comment says: one schema entry, one example, one Go method. Before the
// Go method is there the compiler refuses the server; after it the example is answered.
func TestAddMethod(t *testing.T) {
	proto, ext := copyProto(t), t.TempDir()
	addToSchema(t, filepath.Join(proto, "persten.openrpc.json"), read(t, "testdata/method/schema.json"))
	write(t, filepath.Join(proto, "examples", "clock.read.json"), read(t, "testdata/method/example.json"))
	if err := run(proto, ext, false); err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(proto)
	write(t, filepath.Join(root, "go.mod"), []byte("module example\n\ngo 1.26\n"))
	write(t, filepath.Join(root, "yesterday.go"), yesterday(t, filepath.Join(proto, "proto.gen.go")))
	program := string(read(t, "testdata/method/method.go.txt"))
	write(t, filepath.Join(root, "main.go"), []byte(program))
	if out, err := goRun(root); err == nil || !strings.Contains(out, "missing method ClockRead") {
		t.Errorf("without the Go method: %v\n%s", err, out)
	}
	added := string(read(t, "testdata/method/added.go.txt"))
	write(t, filepath.Join(root, "main.go"), []byte(strings.Replace(program, "//METHOD", added, 1)))
	var example struct {
		Request  struct{ Params json.RawMessage }
		Response struct{ Result struct{ Time string } }
	}
	if err := json.Unmarshal(read(t, "testdata/method/example.json"), &example); err != nil {
		t.Fatal(err)
	}
	out, err := goRun(root, string(example.Request.Params))
	if err != nil || strings.TrimSpace(out) != example.Response.Result.Time {
		t.Errorf("with the Go method: %v\n%s", err, out)
	}
	if ts := read(t, filepath.Join(ext, "src", "proto.gen.ts")); !bytes.Contains(ts, []byte("'clock.read': { params: ClockReadParams; result: ClockReadResult };")) {
		t.Error("the TypeScript map lacks the method")
	}
}

// yesterday is a type with every method of Server but the new one.
func yesterday(t *testing.T, generated string) []byte {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n\t\"context\"\n\n\t\"example/proto\"\n)\n\ntype yesterday struct{}\n")
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+)\(ctx context\.Context, p `).FindAllSubmatch(read(t, generated), -1) {
		if name := string(m[1]); name != "ClockRead" {
			fmt.Fprintf(&b, "\nfunc (yesterday) %s(context.Context, proto.%sParams) (*proto.%sResult, error) { panic(%q) }\n", name, name, name, name)
		}
	}
	return []byte(b.String())
}

func goRun(dir string, args ...string) (string, error) {
	cmd := exec.Command("go", append([]string{"run", "."}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off", "GOTOOLCHAIN=local")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func addToSchema(t *testing.T, path string, method []byte) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(read(t, path), &doc); err != nil {
		t.Fatal(err)
	}
	var methods []json.RawMessage
	if err := json.Unmarshal(doc["methods"], &methods); err != nil {
		t.Fatal(err)
	}
	all, err := json.Marshal(append(methods, method))
	if err != nil {
		t.Fatal(err)
	}
	doc["methods"] = all
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, out)
}

// copyProto copies the sources of the protocol, without what is generated, into a directory named proto.
func copyProto(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "proto")
	files, err := filepath.Glob("../*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		if strings.Contains(name, "gen") || strings.HasSuffix(name, "_test.go") || filepath.Ext(name) != ".go" && filepath.Ext(name) != ".json" {
			continue
		}
		write(t, filepath.Join(dir, name), read(t, f))
	}
	return dir
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := (file{path, data}).write(); err != nil {
		t.Fatal(err)
	}
}

// document wraps a params list and a result schema into a document of one method.
func document(params, result string) []byte {
	return []byte(`{"openrpc":"1.3.2","info":{"title":"T","version":"1"},"components":{"schemas":{"S":{"type":"string"}}},"methods":[` +
		`{"name":"a.b","summary":"S.","x-audience":"page","x-since":"1","paramStructure":"by-name","params":` + params +
		`,"result":{"name":"r","schema":` + result + `}}]}`)
}

// TestRefuses holds the generator to failing on what it would not enforce.
func TestRefuses(t *testing.T) {
	const object = `{"type":"object","properties":{},"additionalProperties":false}`
	param := func(schema string) string { return `[{"name":"p","schema":` + schema + `}]` }
	if _, err := readAPI(document(param(`{"$ref":"#/components/schemas/S"}`), object), []byte(`[]`), []byte(`[]`)); err != nil {
		t.Fatalf("a good document: %v", err)
	}
	for _, c := range []struct{ params, result, want string }{
		{param(`{"type":"string","format":"email"}`), object, `unknown keyword "format"`},
		{param(`{"type":"string","minLenght":1}`), object, `unknown keyword "minLenght"`},
		{param(`{"type":"integer","multipleOf":2}`), object, `unknown keyword "multipleOf"`},
		{param(`{"type":"number"}`), object, "unknown type"},
		{param(`{"oneOf":[]}`), object, "unknown type"},
		{param(`{"type":"string","pattern":"("}`), object, "missing closing"},
		{param(`{"type":"string","maxLength":-1}`), object, "must be a number"},
		{param(`{"type":"integer","minimum":0.5}`), object, "must be an integer"},
		{param(`{"type":"array"}`), object, "items is required"},
		{param(`{"type":"array","items":{"type":"array","items":{"type":"string"}}}`), object, "must be a component"},
		{param(object), object, "must be a component"},
		{param(`{"$ref":"#/components/schemas/Missing"}`), object, "no component Missing"},
		{param(`{"$ref":"other.json"}`), object, "must name a component"},
		{param(`{"type":"object","additionalProperties":{"type":"integer"}}`), object, "map must be of strings"},
		{`[{"name":"p","schema":{"type":"string"}},{"name":"p","schema":{"type":"string"}}]`, object, "given twice"},
		{`[{"name":"p"}]`, object, "schema is required"},
		{`[]`, `{"type":"object","properties":{}}`, "additionalProperties must be false"},
		{`[]`, `{"type":"string"}`, "must be an object"},
		{`[]`, `{"$ref":"#/components/schemas/S"}`, "must be an object"},
		{`[]`, `{"$ref":"#/components/schemas/Missing"}`, "no component Missing"},
		{`[]`, `{"type":"object","properties":{},"required":["x"],"additionalProperties":false}`, "not a property"},
		{`[]`, `{"type":"object","type":"object"}`, "given twice"},
	} {
		_, err := readAPI(document(c.params, c.result), []byte(`[]`), []byte(`[]`))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.params, c.result, err, c.want)
		}
	}
	for _, bad := range []string{`[{"code":"x","colour":1}]`, `[{"code":"x","code":"y"}]`, `{}`} {
		if _, err := readAPI(document(`[]`, object), []byte(bad), []byte(`[]`)); err == nil {
			t.Errorf("errors.json %s is accepted", bad)
		}
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]string{"sign.cms": "SignCMS", "certificates.list": "CertificatesList", "notBefore": "NotBefore",
		"$/cancel": "Cancel", "format_p12": "FormatP12", "pin_incorrect": "PINIncorrect", "inn": "INN", "certificateID": "CertificateID"} {
		if got := goName(in); got != want {
			t.Errorf("goName(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestNoAny keeps the escape hatch of TypeScript out of what is generated.
func TestNoAny(t *testing.T) {
	if ts := read(t, "../../browserext/src/proto.gen.ts"); regexp.MustCompile(`:\s*any\b|<any>|any\[\]`).Match(ts) {
		t.Error("proto.gen.ts has any")
	}
}

// TestLocales holds the browser's texts to one set of keys and to the browser's rules of names and placeholders.
func TestLocales(t *testing.T) {
	var all [2]map[string]locale
	for i, lang := range []string{"ru", "en"} {
		if err := json.Unmarshal(read(t, "../../browserext/_locales/"+lang+"/messages.json"), &all[i]); err != nil {
			t.Fatal(err)
		}
		for key, m := range all[i] {
			if !regexp.MustCompile(`^[A-Za-z0-9_]+$`).MatchString(key) || m.Message == "" || strings.ContainsAny(m.Message, "{}[]") {
				t.Errorf("%s %s: %q", lang, key, m.Message)
			}
			for _, p := range regexp.MustCompile(`\$([A-Z]+)\$`).FindAllStringSubmatch(m.Message, -1) {
				if m.Placeholders[strings.ToLower(p[1])].Content == "" {
					t.Errorf("%s %s: no placeholder %s", lang, key, p[1])
				}
			}
		}
	}
	for key, ru := range all[0] {
		if en, ok := all[1][key]; !ok || fmt.Sprint(en.Placeholders) != fmt.Sprint(ru.Placeholders) {
			t.Errorf("%s differs between the languages", key)
		}
	}
	if len(all[0]) != len(all[1]) || all[0]["extName"].Message == "" || len([]rune(all[0]["extDescription"].Message)) > 132 || len([]rune(all[1]["extDescription"].Message)) > 132 {
		t.Error("the sets differ, or extName and extDescription are not fit for a store")
	}
}
