// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"persten/internal/algo/streebog"
	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/token"
	"persten/proto"
)

type validator interface{ Validate() error }

// results makes the result type of each method.
var results = map[string]func() validator{
	"agent.hello":         func() validator { return new(proto.AgentHelloResult) },
	"agent.status":        func() validator { return new(proto.AgentStatusResult) },
	"tokens.list":         func() validator { return new(proto.TokensListResult) },
	"certificates.list":   func() validator { return new(proto.CertificatesListResult) },
	"certificates.check":  func() validator { return new(proto.CertificatesCheckResult) },
	"certificates.select": func() validator { return new(proto.CertificatesSelectResult) },
	"auth.respond":        func() validator { return new(proto.AuthRespondResult) },
	"content.open":        func() validator { return new(proto.ContentOpenResult) },
	"content.append":      func() validator { return new(proto.ContentAppendResult) },
	"content.close":       func() validator { return new(proto.ContentCloseResult) },
	"content.read":        func() validator { return new(proto.ContentReadResult) },
	"content.drop":        func() validator { return new(proto.ContentDropResult) },
	"sign.cms":            func() validator { return new(proto.SignCMSResult) },
	"sign.batch":          func() validator { return new(proto.SignBatchResult) },
	"verify.cms":          func() validator { return new(proto.VerifyCMSResult) },
	"sign.raw":            func() validator { return new(proto.SignRawResult) },
	"sign.xml":            func() validator { return new(proto.SignXMLResult) },
	"verify.xml":          func() validator { return new(proto.VerifyXMLResult) },
	"origins.list":        func() validator { return new(proto.OriginsListResult) },
	"origins.allow":       func() validator { return new(proto.OriginsAllowResult) },
	"origins.deny":        func() validator { return new(proto.OriginsDenyResult) },
	"origins.forget":      func() validator { return new(proto.OriginsForgetResult) },
	"certificates.known":  func() validator { return new(proto.CertificatesKnownResult) },
	"certificates.forget": func() validator { return new(proto.CertificatesForgetResult) },
	"journal.list":        func() validator { return new(proto.JournalListResult) },
	"journal.verify":      func() validator { return new(proto.JournalVerifyResult) },
	"doctor.run":          func() validator { return new(proto.DoctorRunResult) },
	"doctor.fix":          func() validator { return new(proto.DoctorFixResult) },
	"requests.show":       func() validator { return new(proto.RequestsShowResult) },
	"window.show":         func() validator { return new(proto.WindowShowResult) },
	"window.serve":        func() validator { return new(proto.WindowServeResult) },
	"journal.export":      func() validator { return new(proto.JournalExportResult) },
	"settings.get":        func() validator { return new(proto.SettingsGetResult) },
	"settings.set":        func() validator { return new(proto.SettingsSetResult) },
	"keyfiles.list":       func() validator { return new(proto.KeyfilesListResult) },
	"keyfiles.add":        func() validator { return new(proto.KeyfilesAddResult) },
	"keyfiles.remove":     func() validator { return new(proto.KeyfilesRemoveResult) },
	"sign.test":           func() validator { return new(proto.SignTestResult) },
	"doctor.explain":      func() validator { return new(proto.DoctorExplainResult) },
	"doctor.bundle":       func() validator { return new(proto.DoctorBundleResult) },
	"agent.pause":         func() validator { return new(proto.AgentPauseResult) },
	"agent.stop":          func() validator { return new(proto.AgentStopResult) },
}

type example struct {
	name    string
	Request struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	} `json:"request"`
}

// examples are the protocol's own requests, those of methods and those that lead to errors.
func examples(t testing.TB) []example {
	t.Helper()
	files, err := filepath.Glob("../../proto/examples/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	var list []example
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		e := example{name: filepath.Base(f)}
		if err := json.Unmarshal(data, &e); err != nil {
			t.Fatal(f, err)
		}
		if e.Request.Method != "" && reaches(e.Request.Method, e.Request.Params) {
			list = append(list, e)
		}
	}
	return list
}

// reaches reports whether a request gets past package rpc, whose answers to the rest are its own tests' matter.
func reaches(method string, params []byte) bool {
	return ipc.CheckJSON(params, rpc.MaxDepth-1) == nil && bytes.HasPrefix(bytes.TrimSpace(params), []byte("{")) &&
		method != "" && len(method) <= 128 && !strings.HasPrefix(method, "$/")
}

// Every example gets the shape of its method's result, or an error of the catalogue, whoever asks and however.
func TestExamples(t *testing.T) {
	seen := map[string]bool{}
	for transport := range transports {
		for name, who := range map[string]ipc.Peer{"local": local, "native": native, "websocket": websocket} {
			b := newBench(t, &person{decide: no}, demo)
			c := b.dialOver(t, who, transport)
			for _, e := range examples(t) {
				raw, bad := call[json.RawMessage](t, c, e.Request.Method, e.Request.Params)
				if bad != nil {
					continue // wellFormed looked at it
				}
				seen[e.Request.Method] = true
				r := results[e.Request.Method]()
				d := json.NewDecoder(bytes.NewReader(*raw))
				d.DisallowUnknownFields()
				if err := d.Decode(r); err != nil {
					t.Errorf("%s over %s to %s: %v", e.name, transport, name, err)
				} else if err := r.Validate(); err != nil {
					t.Errorf("%s over %s to %s: %v", e.name, transport, name, err)
				}
			}
		}
	}
	for _, m := range proto.Methods() {
		_, known := results[m]
		if !known || !seen[m] && !slices.Contains(needHandle, m) {
			t.Errorf("%s never answered", m)
		}
	}
}

// needHandle are the methods whose examples ask for what no other example left behind, or for a person's yes.
var needHandle = []string{"certificates.forget", "content.append", "content.close", "content.read", "certificates.check", "certificates.select", "auth.respond", "sign.cms", "sign.raw", "sign.batch", "verify.cms", "sign.xml", "verify.xml", "sign.test", "keyfiles.add"}

// The whole way of an XML document: signed in pieces or inline, returned the same way, verified.
func TestSignAndVerifyXML(t *testing.T) {
	small := []byte(`<doc><sum Id="s">1000</sum><note>` + strings.Repeat("x", 100) + `</note></doc>`)
	large := bytes.Replace(small, []byte("x"), bytes.Repeat([]byte("y"), 400_000), 1)
	for name, who := range map[string]ipc.Peer{"local": local, "native": native, "websocket": websocket} {
		b := newBench(t, &person{decide: yes}, demo)
		c := b.dial(t, who)
		for _, document := range [][]byte{small, large} {
			content := proto.Content{Inline: document}
			if len(document) > len(small) {
				content = proto.Content{Handle: upload(t, c, "doc.xml", document)}
			}
			made, bad := call[proto.SignXMLResult](t, c, proto.MethodSignXML, proto.SignXMLParams{
				Certificate: certificate(t), Content: content, Profile: proto.XMLProfileXadesBes,
				References: []proto.XMLReference{{ID: "s"}}, Place: &proto.XMLPlace{Path: "/doc"}, Note: "the sum",
			})
			if bad != nil {
				t.Fatalf("%s: %+v", name, bad)
			}
			if err := made.Validate(); err != nil {
				t.Error(err)
			}
			signed := made.Document.Inline
			if made.Document.Handle != "" {
				signed = download(t, c, made.Document.Handle)
			}
			before, _, _ := bytes.Cut(document, []byte("</doc>"))
			if (made.Document.Handle != "") != (len(document) > len(small)) || !bytes.HasPrefix(signed, before) {
				t.Errorf("%s: %d bytes came by handle %q", name, len(signed), made.Document.Handle)
			}
			report, bad := call[proto.VerifyXMLResult](t, c, proto.MethodVerifyXML, proto.VerifyXMLParams{Content: made.Document})
			if bad != nil || !report.Valid || !report.Attached || report.Size != int64(len(signed)) || len(report.Signers) != 1 || !report.Signers[0].Trusted {
				t.Fatalf("%s: %+v %+v", name, report, bad)
			}
			if err := report.Validate(); err != nil {
				t.Error(err)
			}
			s := report.Signers[0]
			if s.Format != "xades-bes" || len(s.References) != 2 || !s.References[1].Own {
				t.Fatalf("%s: %+v", name, s)
			}
			if ref := s.References[0]; ref.Element != "sum" || ref.ID != "s" || ref.Whole || string(signed[ref.Begin:ref.End]) != `<sum Id="s">1000</sum>` {
				t.Errorf("%s: covers %+v", name, ref)
			}
		}
		q := b.person.questions()[0]
		if d := q.Documents[0]; q.Origin != who.Origin || q.Note != "the sum" || q.Profile != "xades-bes enveloped" || d.Whole || len(d.Covered) != 1 {
			t.Errorf("%s: asked %+v", name, q)
		}
	}
}

// What is wrong with a document or with what is asked of it has a code of its own, and nobody is asked.
func TestXMLErrors(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dial(t, native)
	sign := func(doc string, p proto.SignXMLParams) proto.Code {
		p.Certificate, p.Content = certificate(t), proto.Content{Inline: []byte(doc)}
		return code(t, c, proto.MethodSignXML, p)
	}
	for name, got := range map[string][2]proto.Code{
		"broken":      {sign("<a>", proto.SignXMLParams{}), proto.CodeFormatXML},
		"doctype":     {sign("<!DOCTYPE a><a/>", proto.SignXMLParams{}), proto.CodeXMLDoctype},
		"reference":   {sign("<a/>", proto.SignXMLParams{References: []proto.XMLReference{{ID: "x"}}}), proto.CodeXMLReferenceAbsent},
		"place":       {sign("<a/>", proto.SignXMLParams{Place: &proto.XMLPlace{Path: "/b"}}), proto.CodeXMLPlaceAbsent},
		"template":    {sign("<a/>", proto.SignXMLParams{Mode: proto.XMLModeTemplate}), proto.CodeXMLTemplateAbsent},
		"algorithm":   {sign("<a/>", proto.SignXMLParams{Algorithm: "md5"}), proto.CodeAlgorithmUnsupported},
		"columns":     {sign("<a/>", proto.SignXMLParams{Columns: 7}), proto.CodeRequestInvalid},
		"no such id":  {sign("<a/>", proto.SignXMLParams{SignatureID: "a b"}), proto.CodeRequestInvalid},
		"unsigned":    {code(t, c, proto.MethodVerifyXML, proto.VerifyXMLParams{Content: proto.Content{Inline: []byte("<a/>")}}), proto.CodeXMLSignatureAbsent},
		"not a thing": {code(t, c, proto.MethodVerifyXML, proto.VerifyXMLParams{Content: proto.Content{Inline: []byte("\x30\x80")}}), proto.CodeFormatXML},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, want %q", name, got[0], got[1])
		}
	}
	if n := len(b.person.questions()); n != 0 {
		t.Errorf("%d questions", n)
	}
}

// The whole way: a document in pieces, a signature, its verification. A large one comes back by handle.
func TestSignAndVerify(t *testing.T) {
	for name, who := range map[string]ipc.Peer{"local": local, "native": native, "websocket": websocket} {
		b := newBench(t, &person{decide: yes}, demo)
		c := b.dial(t, who)
		document := bytes.Repeat([]byte("pay 1 rouble\n"), 40_000)
		handle := upload(t, c, "letter.txt", document)
		for _, attached := range []bool{false, true} {
			made, bad := call[proto.SignCMSResult](t, c, proto.MethodSignCMS, proto.SignCMSParams{
				Certificate: certificate(t), Content: &proto.Content{Handle: handle}, Attached: attached, Note: "two of two",
			})
			if bad != nil {
				t.Fatalf("%s: %+v", name, bad)
			}
			if err := made.Validate(); err != nil {
				t.Error(err)
			}
			sum := streebog.New256()
			sum.Write(document)
			if made.Digest != hex.EncodeToString(sum.Sum(nil)) || made.DigestAlg != "streebog256" || made.Size != int64(len(document)) {
				t.Errorf("%s: digest %s %s of %d bytes", name, made.DigestAlg, made.Digest, made.Size)
			}
			if (made.Signature.Handle != "") != attached {
				t.Fatalf("%s: attached=%v came by handle %q", name, attached, made.Signature.Handle)
			}
			p := proto.VerifyCMSParams{Signature: made.Signature}
			if attached {
				if !bytes.Contains(download(t, c, made.Signature.Handle), document) {
					t.Error("the document is not in the signature")
				}
			} else {
				p.Content = &proto.Content{Handle: handle}
			}
			report, bad := call[proto.VerifyCMSResult](t, c, proto.MethodVerifyCMS, p)
			if bad != nil || !report.Valid || len(report.Signers) != 1 || !report.Signers[0].Trusted || report.Size != int64(len(document)) {
				t.Errorf("%s attached=%v: %+v %+v", name, attached, report, bad)
			}
		}
		q := b.person.questions()[0]
		if q.Origin != who.Origin || q.Note != "two of two" || q.Documents[0].Name != "letter.txt" {
			t.Errorf("%s: asked %+v", name, q)
		}
	}
}

// Inline content that is no signature, a detached one without its document: each says what is wrong.
func TestVerifyErrors(t *testing.T) {
	c := newBench(t, &person{decide: yes}, demo).dial(t, native)
	made, bad := call[proto.SignCMSResult](t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}})
	if bad != nil {
		t.Fatal(bad)
	}
	if got := code(t, c, proto.MethodVerifyCMS, proto.VerifyCMSParams{Signature: made.Signature}); got != proto.CodeContentRequired {
		t.Errorf("no document: %q", got)
	}
	if got := code(t, c, proto.MethodVerifyCMS, proto.VerifyCMSParams{Signature: proto.Content{Inline: []byte("x")}}); got != proto.CodeFormatCMS {
		t.Errorf("no signature: %q", got)
	}
	report, bad := call[proto.VerifyCMSResult](t, c, proto.MethodVerifyCMS, proto.VerifyCMSParams{Signature: made.Signature, Content: &proto.Content{Inline: []byte("y")}})
	if bad != nil || report.Valid || report.Signers[0].Code != proto.CodeContentMismatch || report.Signers[0].Text == "" || report.Signers[0].Next == "" {
		t.Errorf("another document: %+v %+v", report, bad)
	}
}

// A certificate on a token is checked; that nobody tells about its revocation is said, not passed over.
func TestCheckCertificate(t *testing.T) {
	for name, who := range map[string]ipc.Peer{"local": local, "native": native, "websocket": websocket} {
		c := newBench(t, &person{decide: yes}, demo).dial(t, who)
		for _, offline := range []bool{false, true} {
			p := proto.CertificatesCheckParams{Certificate: certificate(t), Offline: offline}
			s, bad := call[proto.CertificatesCheckResult](t, c, proto.MethodCertificatesCheck, p)
			if bad != nil || s.Certificate.ID != p.Certificate || len(s.Chain) == 0 || s.Validate() != nil {
				t.Fatalf("%s: %+v %v", name, s, bad)
			}
			if s.Indication != proto.IndicationINDETERMINATE || s.SubIndication == "" || s.Text == "" || s.Next == "" {
				t.Errorf("%s: %+v", name, s)
			}
		}
		p := proto.CertificatesCheckParams{Certificate: strings.Repeat("0", 64)}
		if got := code(t, c, proto.MethodCertificatesCheck, p); got != proto.CodeCertificateAbsent {
			t.Errorf("%s: a certificate of nobody: %q", name, got)
		}
	}
}

// A page for people comes with the report when it is asked for.
func TestReportPage(t *testing.T) {
	c := newBench(t, &person{decide: yes}, demo).dial(t, native)
	content := &proto.Content{Inline: []byte("x")}
	made, bad := call[proto.SignCMSResult](t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: content})
	if bad != nil {
		t.Fatal(bad)
	}
	for form, want := range map[proto.PageForm]string{"": "", proto.PageFormHtml: "html en", proto.PageFormPdf: "pdf en"} {
		r, bad := call[proto.VerifyCMSResult](t, c, proto.MethodVerifyCMS, proto.VerifyCMSParams{Signature: made.Signature, Content: content, Page: form})
		got := ""
		if bad == nil && r.Page != nil {
			got = string(r.Page.Inline)
		}
		if got != want {
			t.Errorf("%q: %q, want %q; %v", form, got, want, bad)
		}
	}
}

func TestNameOfInlineContent(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dial(t, native)
	if got := code(t, c, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol, Lang: "ru"}); got != "" {
		t.Fatal(got)
	}
	inline := proto.Content{Inline: []byte("x")}
	handle := proto.Content{Handle: upload(t, c, "given.txt", []byte("x"))}
	for _, p := range []struct {
		content     proto.Content
		name, wants string
	}{{inline, "", "документ"}, {inline, "a.txt", "a.txt"}, {handle, "", "given.txt"}, {handle, "b.txt", "b.txt"}} {
		code(t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &p.content, Name: p.name})
		asked := b.person.questions()
		if got := asked[len(asked)-1].Documents[0].Name; got != p.wants {
			t.Errorf("asked about %q, want %q", got, p.wants)
		}
	}
}

// A cause never leaves, in no language; a panic is an internal error of one request.
func TestCausesStayInside(t *testing.T) {
	for _, lang := range []string{"ru", "en"} {
		for name, keys := range map[string]token.Inventory{"failing": broken{}, "panicking": broken{panics: true}} {
			c := newBench(t, &person{decide: yes}, keys).dial(t, native)
			hello := map[string]any{"protocol": proto.Protocol, "lang": lang}
			if got := code(t, c, proto.MethodAgentHello, hello); got != "" {
				t.Fatal(got)
			}
			_, bad := call[any](t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Inline: []byte("x")}})
			if bad == nil || bad.Code != proto.CodeInternal || bad.Args["ref"] == "" {
				t.Fatalf("%s: %+v", name, bad)
			}
			want := proto.Text(proto.CodeInternal, lang, bad.Args)
			if bad.Text != want.What || bad.Next != want.Next || strings.Contains(fmt.Sprint(bad), "canary") {
				t.Errorf("%s %s: %+v", name, lang, bad)
			}
			if got := code(t, c, proto.MethodContentOpen, proto.ContentOpenParams{Name: "n"}); got != "" {
				t.Errorf("%s: the connection answers %q afterwards", name, got)
			}
		}
	}
}

// A module that fails is a problem beside the list.
func TestProblemsBesideLists(t *testing.T) {
	c := newBench(t, &person{decide: yes}, broken{}).dial(t, native)
	list, bad := call[proto.CertificatesListResult](t, c, proto.MethodCertificatesList, proto.CertificatesListParams{})
	if bad != nil || len(list.Problems) != 1 || strings.Contains(fmt.Sprint(list.Problems), "canary") {
		t.Errorf("%+v %+v", list, bad)
	}
}

// broken is an inventory that fails, or worse.
type broken struct{ panics bool }

func (b broken) Keys(context.Context) ([]token.Key, error) {
	if b.panics {
		panic("canary: broken inventory")
	}
	return nil, errBroken
}
func (b broken) Tokens(context.Context) ([]token.Info, error) { return nil, errBroken }
func (b broken) Events(context.Context) <-chan token.Event    { return nil }

func upload(t testing.TB, c *peer, name string, data []byte) string {
	t.Helper()
	opened, bad := call[proto.ContentOpenResult](t, c, proto.MethodContentOpen, proto.ContentOpenParams{Name: name})
	if bad != nil {
		t.Fatal(bad)
	}
	for len(data) > 0 {
		n := min(len(data), 300_000)
		if got := code(t, c, proto.MethodContentAppend, proto.ContentAppendParams{Handle: opened.Handle, Data: data[:n]}); got != "" {
			t.Fatal(got)
		}
		data = data[n:]
	}
	if got := code(t, c, proto.MethodContentClose, proto.ContentCloseParams{Handle: opened.Handle}); got != "" {
		t.Fatal(got)
	}
	return opened.Handle
}

func download(t testing.TB, c *peer, handle string) []byte {
	t.Helper()
	var out []byte
	for {
		piece, bad := call[proto.ContentReadResult](t, c, proto.MethodContentRead, proto.ContentReadParams{Handle: handle, Offset: int64(len(out)), Length: 300_000})
		if bad != nil {
			t.Fatal(bad)
		}
		if out = append(out, piece.Data...); piece.EOF {
			return out
		}
	}
}
