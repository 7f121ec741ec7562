// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// answers is a Server that calls itself with the decoded parameters; a nil one answers nothing at all.
type answers func(params any) (any, error)

func answer[R any](a answers, params any) (*R, error) {
	if a == nil {
		return new(R), nil
	}
	r, err := a(params)
	if err != nil {
		return nil, err
	}
	return r.(*R), nil
}

func TestError(t *testing.T) {
	cause := io.ErrUnexpectedEOF
	err := fmt.Errorf("outer: %w", E(CodePINIncorrect, cause, "attempts", "3"))
	if !errors.Is(err, CodePINIncorrect) || !errors.Is(err, cause) || !errors.Is(err, E(CodePINIncorrect, nil)) {
		t.Error("errors.Is does not find the code, the cause or an equal error")
	}
	if errors.Is(err, CodePINLocked) {
		t.Error("errors.Is finds another code")
	}
	if e := AsError(err); e.Args["attempts"] != "3" || e.Code != CodePINIncorrect {
		t.Errorf("AsError = %v %v", e.Code, e.Args)
	}
	if e := AsError(cause); e.Code != CodeInternal || !errors.Is(e, cause) {
		t.Errorf("AsError(foreign) = %v", e)
	}
	if AsError(nil) != nil {
		t.Error("AsError(nil) is an error")
	}
	if e := E(CodeUsage, nil, "detail"); e.Args["detail"] != "" || len(e.Args) != 1 {
		t.Errorf("odd args: %v", e.Args)
	}
	if strings.Contains(E(CodePINIncorrect, nil, "attempts", "3").Error(), "3") {
		t.Error("Error() prints arguments")
	}
}

func TestNumber(t *testing.T) {
	if Number(CodeRequestMalformed) != 1001 || Number("no_such_code") != Number(CodeInternal) {
		t.Error("wrong numbers")
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		lang string
		args map[string]string
		want string
	}{
		{"ru", map[string]string{"attempts": "3"}, "Неверный PIN-код. Осталось попыток: 3."},
		{"ru", map[string]string{"attempts": "-1"}, "Неверный PIN-код."},
		{"en", nil, "The PIN is wrong."},
		{"fr", map[string]string{"attempts": "1"}, "The PIN is wrong. Attempts left: 1."},
		{"en", map[string]string{"attempts": "{attempts}[[x]]"}, "The PIN is wrong. Attempts left: {attempts}[[x]]."},
	} {
		if got := Text(CodePINIncorrect, c.lang, c.args).What; got != c.want {
			t.Errorf("%s %v: %q, want %q", c.lang, c.args, got, c.want)
		}
	}
	if Text("no_such_code", "en", nil) != Text(CodeInternal, "en", nil) {
		t.Error("an unknown code does not read as internal")
	}
}

// TestFill plays testdata/fill.json, which the SDK's own fill is held to as well.
func TestFill(t *testing.T) {
	var cases []struct {
		Template, Text string
		Args           map[string]string
	}
	data, err := os.ReadFile("testdata/fill.json")
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil || len(cases) < 10 {
		t.Fatalf("%d cases: %v", len(cases), err)
	}
	for _, c := range cases {
		if got := Fill(c.Template, c.Args); got != c.Text {
			t.Errorf("Fill(%q, %v) = %q, want %q", c.Template, c.Args, got, c.Text)
		}
	}
}

func TestFillBroken(t *testing.T) {
	for in, want := range map[string]string{"a {b": "a {b", "[[x": "x", "{}": "", "a]]": "a]]"} {
		if got := Fill(in, nil); got != want {
			t.Errorf("Fill(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSecretMember(t *testing.T) {
	found := map[string]string{
		`{"pin":1}`:                         "pin",
		`{"PIN":""}`:                        "PIN",
		`{"a":[{"b":1},{"user_Pin":null}]}`: "a[1].user_Pin",
		`{"userPIN":1}`:                     "userPIN",
		`{"PINCode":1}`:                     "PINCode",
		`{"PINValue":1}`:                    "PINValue",
		`{"pin-code":1}`:                    "pin-code",
		`{"p.i.n":1}`:                       "p.i.n",
		`{"pin2":1}`:                        "pin2",
		`{"SO_PIN":1}`:                      "SO_PIN",
		`{"Password":1}`:                    "Password",
		`{"pass_phrase":1}`:                 "pass_phrase",
		`{"keyPasswordHash":1}`:             "keyPasswordHash",
		`{"пин":1}`:                         "пин",
		`{"ПИН-код":1}`:                     "ПИН-код",
		`{"парольКлюча":1}`:                 "парольКлюча",
		`{"puk":1}`:                         "puk",
		`{"\u0070in":1}`:                    "pin",
		`{"ok":1,"pin":"12`:                 "pin",
		`[[[{"pwd":1}]]]`:                   "[0][0][0].pwd",
		`{"a":{"b":{"c":{}}},"d":[1,2],"passwd":1}`: "passwd",
		strings.Repeat(`{"a":`, 31) + `{"pin":1`:    strings.Repeat("a.", 31) + "pin",
	}
	for in, want := range found {
		if got, ok := SecretMember([]byte(in)); !ok || got != want {
			t.Errorf("%s: %q %t, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{``, `null`, `"pin"`, `{"a":"pin"}`, `["pin","password"]`, `{"shipping":1,"pinned":2,"spin":3,"passport":4}`,
		`{"a":{"b":1},"c":"pin"}`, `{"опинка":1}`, strings.Repeat(`{"a":`, 40) + `{"pin":1}`} {
		if got, ok := SecretMember([]byte(in)); ok {
			t.Errorf("%s: found %q", in, got)
		}
	}
}

func TestDispatchRefuses(t *testing.T) {
	const id = `"4b1f0c4e6d3a52a1c07d5e9f8b2a7730916e4cf25d88b3e10a9f7c64d2b5e813"`
	sign := func(rest string) string { return `{"certificate":` + id + `,` + rest + `}` }
	deep := `{"content":` + strings.Repeat(`{"handle":`, 40) + `1` + strings.Repeat(`}`, 41)
	for _, c := range []struct{ method, params, code, field string }{
		{"sign.cms", `{`, "request_malformed", ""},
		{"sign.cms", `[]`, "request_invalid", "params"},
		{"sign.cms", `null`, "request_invalid", "params"},
		{"sign.cms", `"x"`, "request_invalid", "params"},
		{"sign.cms", `{} {}`, "request_invalid", "certificate"},
		{"agent.status", `{} {}`, "request_malformed", ""},
		{"agent.status", `{},`, "request_malformed", ""},
		{"agent.status", "{\"\xff\":1}", "request_malformed", ""},
		{"agent.status", `{"x":1}`, "request_invalid", "x"},
		{"sign.cms", sign(`"content":{"inline":""},"extra":1`), "request_invalid", "extra"},
		{"sign.cms", sign(`"Content":{"inline":""}`), "request_invalid", "Content"},
		{"sign.cms", sign(`"content":{"inline":""},"content":{"inline":""}`), "request_invalid", "content"},
		{"sign.cms", sign(`"content":{"inline":"","inline":""}`), "request_invalid", "content.inline"},
		{"sign.xml", sign(`"keyValue":true`), "request_invalid", "content"},
		{"sign.cms", sign(`"content":null`), "request_invalid", "content"},
		{"sign.cms", sign(`"content":{}`), "request_invalid", "content"},
		{"sign.cms", sign(`"content":{"inline":"","handle":"0f1e2d3c4b5a69788796a5b4c3d2e1f0"}`), "request_invalid", "content"},
		{"sign.cms", sign(`"content":{"handle":"0F1E2D3C4B5A69788796A5B4C3D2E1F0"}`), "request_invalid", "content.handle"},
		{"sign.cms", sign(`"content":{"handle":""}`), "request_invalid", "content.handle"},
		{"sign.cms", sign(`"content":{"inline":"A"}`), "request_invalid", "content.inline"},
		{"sign.cms", sign(`"content":{"inline":"QQ==\n"}`), "request_invalid", "content.inline"},
		{"sign.cms", sign(`"content":{"inline":"QR=="}`), "request_invalid", "content.inline"},
		{"sign.cms", sign(`"content":{"inline":"` + strings.Repeat("AAAA", 90000) + `"}`), "request_too_large", ""},
		{"sign.cms", sign(`"content":{"inline":""},"attached":"true"`), "request_invalid", "attached"},
		{"sign.cms", sign(`"content":{"inline":""},"attached":null`), "request_invalid", "attached"},
		{"sign.cms", sign(`"content":{"inline":""},"name":""`), "request_invalid", "name"},
		{"sign.cms", sign(`"content":{"inline":""},"name":"a\u202egpj.exe"`), "request_invalid", "name"},
		{"sign.cms", sign(`"content":{"inline":""},"name":"a\nb"`), "request_invalid", "name"},
		{"sign.cms", sign(`"content":{"inline":""},"note":"` + strings.Repeat("я", 201) + `"`), "request_invalid", "note"},
		{"sign.cms", `{"certificate":"01","content":{"inline":""}}`, "request_invalid", "certificate"},
		{"sign.cms", sign(`"content":{"inline":""},"options":{"userPin":"1"}`), "request_secret", "options.userPin"},
		{"sign.cms", deep, "request_invalid", "content.handle"},
		{"nothing.known", `{"PIN":1}`, "request_secret", "PIN"},
		{"nothing.known", `{}`, "request_unknown_method", ""},
		{"Sign.cms", `{}`, "request_unknown_method", ""},
		{"$/cancel", `{"id":1}`, "request_unknown_method", ""},
		{"content.read", `{"handle":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","offset":-1,"length":1}`, "request_invalid", "offset"},
		{"content.read", `{"handle":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","offset":0,"length":524289}`, "request_invalid", "length"},
		{"content.read", `{"handle":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","offset":1e3,"length":1}`, "request_invalid", "offset"},
		{"content.read", `{"handle":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","offset":9999999999999999999,"length":1}`, "request_invalid", "offset"},
		{"agent.hello", `{"protocol":"persten.v9"}`, "request_invalid", "protocol"},
		{"agent.hello", `{"protocol":"persten.v1","lang":"de"}`, "request_invalid", "lang"},
	} {
		called := false
		s := answers(func(any) (any, error) { called = true; return nil, io.EOF })
		_, err := Dispatch(context.Background(), s, c.method, []byte(c.params))
		var e *Error
		if !errors.As(err, &e) || string(e.Code) != c.code || c.field != "" && e.Args["field"] != c.field {
			t.Errorf("%s %.80s: %v, want %s at %q", c.method, c.params, describe(err), c.code, c.field)
		}
		if called {
			t.Errorf("%s %.80s: the server was called", c.method, c.params)
		}
	}
}

func describe(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return fmt.Sprintf("%s %v", e.Code, e.Args)
	}
	return fmt.Sprint(err)
}

func TestDispatchPasses(t *testing.T) {
	s := answers(func(any) (any, error) { return &CertificatesListResult{Problems: []Problem{{}}}, nil })
	for _, params := range []string{"", " ", "{}", " {\"all\" : true}\n"} {
		r, err := Dispatch(context.Background(), s, MethodCertificatesList, []byte(params))
		if err != nil {
			t.Fatalf("%q: %v", params, err)
		}
		list := r.(*CertificatesListResult)
		if list.Certificates == nil || list.Problems[0].Args == nil {
			t.Error("a nil list would reach the client as null")
		}
	}
	want := E(CodeTokenBusy, nil)
	s = func(any) (any, error) { return nil, want }
	if _, err := Dispatch(context.Background(), s, MethodCertificatesList, nil); err != want {
		t.Errorf("the server's error came back as %v", err)
	}
}

func TestAudience(t *testing.T) {
	for method, want := range map[string]string{MethodSignCMS: AudiencePage, MethodJournalList: AudienceLocal, "x": "", NotifyProgress: ""} {
		if got, ok := Audience(method); got != want || ok != (want != "") {
			t.Errorf("%s: %q %t", method, got, ok)
		}
	}
}

func TestValidate(t *testing.T) {
	err := SignCMSParams{Certificate: strings.Repeat("0", 40), Content: &Content{Inline: []byte{}}}.Validate()
	if err != nil {
		t.Errorf("an empty document: %v", describe(err))
	}
	err = SignXMLParams{Certificate: strings.Repeat("0", 40)}.Validate()
	if e := AsError(err); e == nil || e.Code != CodeRequestInvalid || e.Args["field"] != "content" {
		t.Errorf("no content: %v", describe(err))
	}
	err = Problem{Code: "no_such_code", Args: map[string]string{}}.Validate()
	if e := AsError(err); e == nil || e.Args["field"] != "code" {
		t.Errorf("unknown code: %v", describe(err))
	}
}

// FuzzDispatch looks for a panic, an untyped error, or a secret that reaches the server.
func FuzzDispatch(f *testing.F) {
	f.Add("sign.cms", []byte(`{"certificate":"0000000000000000000000000000000000000000","content":{"inline":"QQ=="}}`))
	f.Add("agent.hello", []byte(`{"protocol":"persten.v1","lang":"ru"}`))
	f.Add("content.read", []byte(`{"handle":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","offset":0,"length":1}`))
	f.Add("journal.list", []byte(`{"limit":1000}`))
	f.Add("agent.status", []byte(`{"a":{"pin":1}}`))
	f.Fuzz(func(t *testing.T, method string, params []byte) {
		r, err := Dispatch(context.Background(), answers(nil), method, params)
		var e *Error
		switch {
		case err == nil && r == nil:
			t.Error("neither result nor error")
		case err != nil && !errors.As(err, &e):
			t.Errorf("untyped error %v", err)
		case err != nil:
			if _, ok := Lookup(e.Code); !ok {
				t.Errorf("unknown code %s", e.Code)
			}
			if len(e.Data("ru").Text) > 4096 {
				t.Error("the request fills the error")
			}
		}
	})
}

// TestPatterns: each expression of the schemas can be compiled, which a process does when it needs one.
func TestPatterns(t *testing.T) {
	seen := 0
	var walk func(s *schema)
	walk = func(s *schema) {
		if s == nil {
			return
		}
		if s.pattern != nil && s.pattern().String() != "" {
			seen++
		}
		walk(s.items)
		for _, m := range s.members {
			walk(m.schema)
		}
	}
	for _, s := range schemas() {
		walk(s)
	}
	if seen < 20 {
		t.Errorf("only %d expressions", seen)
	}
}
