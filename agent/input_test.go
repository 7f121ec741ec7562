// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"persten/proto"
)

// badMessages are what a broken or hostile page may send, and the code that answers each.
var badMessages = []struct {
	what, message string
	code          proto.Code
}{
	{"not JSON", `{"jsonrpc":`, proto.CodeRequestMalformed},
	{"not an object", `7`, proto.CodeRequestMalformed},
	{"a batch", `[{"jsonrpc":"2.0","id":"x","method":"agent.status","params":{}}]`, proto.CodeRequestMalformed},
	{"no version", `{"id":"x","method":"agent.status","params":{}}`, proto.CodeRequestMalformed},
	{"a member twice", `{"jsonrpc":"2.0","id":"x","method":"agent.status","method":"agent.stop","params":{}}`, proto.CodeRequestMalformed},
	{"trailing data", `{"jsonrpc":"2.0","id":"x","method":"agent.status","params":{}} {}`, proto.CodeRequestMalformed},
	{"too deep", `{"jsonrpc":"2.0","id":"x","method":"agent.status","params":` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat(`}`, 41), proto.CodeRequestMalformed},
	{"an unknown method", `{"jsonrpc":"2.0","id":"x","method":"keys.steal","params":{}}`, proto.CodeRequestUnknownMethod},
	{"a method in another case", `{"jsonrpc":"2.0","id":"x","method":"Agent.Status","params":{}}`, proto.CodeRequestUnknownMethod},
	{"an unknown member", `{"jsonrpc":"2.0","id":"x","method":"agent.status","params":{"colour":1}}`, proto.CodeRequestInvalid},
	{"a wrong type", `{"jsonrpc":"2.0","id":"x","method":"certificates.list","params":{"all":"yes"}}`, proto.CodeRequestInvalid},
	{"positions", `{"jsonrpc":"2.0","id":"x","method":"agent.status","params":[]}`, proto.CodeRequestMalformed},
	{"a bad certificate", `{"jsonrpc":"2.0","id":"x","method":"sign.cms","params":{"certificate":"../../etc","content":{"inline":"YQ=="}}}`, proto.CodeRequestInvalid},
	{"no content", `{"jsonrpc":"2.0","id":"x","method":"sign.cms","params":{"certificate":"` + strings.Repeat("0", 64) + `"}}`, proto.CodeRequestInvalid},
	{"two contents", `{"jsonrpc":"2.0","id":"x","method":"verify.cms","params":{"signature":{"inline":"YQ==","handle":"` + strings.Repeat("0", 32) + `"}}}`, proto.CodeRequestInvalid},
	{"no document", `{"jsonrpc":"2.0","id":"x","method":"sign.xml","params":{"certificate":"` + strings.Repeat("0", 64) + `"}}`, proto.CodeRequestInvalid},
	{"a mode that is none", signXML(`"mode":"sideways"`), proto.CodeRequestInvalid},
	{"a profile that is none", signXML(`"profile":"pades"`), proto.CodeRequestInvalid},
	{"65 references", signXML(`"references":[` + strings.Repeat(`{"id":"x"},`, 64) + `{"id":"x"}]`), proto.CodeRequestInvalid},
	{"a reference by an address", signXML(`"references":[{"uri":"https://evil.example/"}]`), proto.CodeRequestInvalid},
	{"odd columns", signXML(`"columns":65`), proto.CodeRequestInvalid},
	{"many columns", signXML(`"columns":1000`), proto.CodeRequestInvalid},
	{"an Id with a quote", signXML(`"signatureId":"a\"b"`), proto.CodeRequestInvalid},
	{"an Id attribute with a space", signXML(`"idAttributes":["a b"]`), proto.CodeRequestInvalid},
	{"a place that is none", signXML(`"place":{"path":"/a","position":"inside"}`), proto.CodeRequestInvalid},
	{"a path that is none", signXML(`"place":{"path":"//a[@b='c']"}`), proto.CodeXMLPlaceAbsent},
	{"a policy without a digest", signXML(`"policy":{"id":"1.2.3"}`), proto.CodeRequestInvalid},
	{"a policy with another digest", signXML(`"profile":"xades-epes","policy":{"id":"1.2.3","digest":"AA==","digestAlg":"sha256"}`), proto.CodeRequestInvalid},
	{"an unknown canonicalization", signXML(`"c14n":"urn:x"`), proto.CodeAlgorithmUnsupported},
	{"not XML", `{"jsonrpc":"2.0","id":"x","method":"verify.xml","params":{"content":{"inline":"MIA="}}}`, proto.CodeFormatXML},
	{"a document type", `{"jsonrpc":"2.0","id":"x","method":"verify.xml","params":{"content":{"inline":"PCFET0NUWVBFIGE+PGEvPg=="}}}`, proto.CodeXMLDoctype},
	{"no signature", `{"jsonrpc":"2.0","id":"x","method":"verify.xml","params":{"content":{"inline":"PGEvPg=="}}}`, proto.CodeXMLSignatureAbsent},
	{"a PIN among the references", signXML(`"references":[{"id":"x","pin":"1234"}]`), proto.CodeRequestSecret},
	{"an absent certificate", `{"jsonrpc":"2.0","id":"x","method":"sign.cms","params":{"certificate":"` + strings.Repeat("0", 64) + `","content":{"inline":"YQ=="}}}`, proto.CodeCertificateAbsent},
	{"a handle of nobody", `{"jsonrpc":"2.0","id":"x","method":"content.read","params":{"handle":"` + strings.Repeat("0", 32) + `","offset":0,"length":1}}`, proto.CodeContentAbsent},
	{"a PIN", `{"jsonrpc":"2.0","id":"x","method":"sign.cms","params":{"certificate":"00","pin":"1234"}}`, proto.CodeRequestSecret},
	{"a PIN by another name", `{"jsonrpc":"2.0","id":"x","method":"agent.status","params":{"userPin":"1234"}}`, proto.CodeRequestSecret},
	{"a PIN deep inside", `{"jsonrpc":"2.0","id":"x","method":"agent.hello","params":{"protocol":"persten.v1","options":[{"PIN_CODE":1}]}}`, proto.CodeRequestSecret},
	{"a password in Russian", `{"jsonrpc":"2.0","id":"x","method":"agent.status","params":{"Пароль":""}}`, proto.CodeRequestSecret},
	{"origins.list", `{"jsonrpc":"2.0","id":"x","method":"origins.list","params":{}}`, proto.CodeMethodLocalOnly},
	{"origins.allow", `{"jsonrpc":"2.0","id":"x","method":"origins.allow","params":{"origin":"https://evil.example"}}`, proto.CodeMethodLocalOnly},
	{"journal.list", `{"jsonrpc":"2.0","id":"x","method":"journal.list","params":{}}`, proto.CodeMethodLocalOnly},
	{"agent.pause", `{"jsonrpc":"2.0","id":"x","method":"agent.pause","params":{"paused":true}}`, proto.CodeMethodLocalOnly},
	{"agent.stop", `{"jsonrpc":"2.0","id":"x","method":"agent.stop","params":{}}`, proto.CodeMethodLocalOnly},
}

// signXML asks for a signature of <a/> in a form.
func signXML(form string) string {
	return `{"jsonrpc":"2.0","id":"x","method":"sign.xml","params":{"certificate":"` + strings.Repeat("0", 64) + `","content":{"inline":"PGEvPg=="},` + form + `}}`
}

// TestBadInput: every bad message gets a typed error over every way in, and the same connection goes on afterwards.
func TestBadInput(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	for name, p := range d.transports() {
		for _, b := range badMessages {
			err := p.raw(b.message)
			wantCode(t, name+": "+b.what, err, b.code)
			if err := p.alive(); err != nil {
				t.Fatalf("%s: after %s: %v", name, b.what, err)
			}
		}
	}
	if n := d.count("start", ""); n != 0 {
		t.Errorf("bad messages raised %d prompts", n)
	}
	if text := d.log.String(); strings.Contains(text, "1234") {
		t.Error("the value of a PIN-like member is in the log")
	}
	d.alive()
}

func (p *page) alive() error {
	_, err := p.call("agent.status", object{})
	return err
}

// TestOversized: a message over the limit ends at most its own page; the host, its other pages and the session go on. A
// value over the limit of its own is a typed error.
func TestOversized(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	b := d.chromium()
	other := b.page(nativeSite)
	huge := `{"jsonrpc":"2.0","id":"x","method":"agent.status","params":{"x":"` + strings.Repeat("a", 5<<20) + `"}}`
	for name, p := range map[string]*page{"native": b.page(nativeSite), "websocket": d.webPage(webSite)} {
		err := p.raw(huge)
		t.Logf("%s: 5 MiB: %s", name, codeOf(err))
		if err == nil {
			t.Errorf("%s: 5 MiB accepted", name)
		}
		if tab, ok := p.conn.(*tab); ok && codeOf(err) == errPageClosed.Error() && tab.reason == "" {
			t.Errorf("%s: the channel closed without a reason", name)
		}
		if s, ok := p.conn.(*socketConn); ok && !websocket.IsCloseError(s.ended, websocket.CloseMessageTooBig) {
			t.Errorf("%s: closed with %v, want 1009 message too big", name, s.ended)
		}
		if err := other.alive(); err != nil {
			t.Errorf("%s: another page suffers: %v", name, err)
		}
	}
	for name, p := range d.transports() {
		_, err := p.call("sign.cms", object{"certificate": d.token.IDs[0], "content": object{"inline": make([]byte, 300<<10)}})
		wantCode(t, name+": inline over 256 KiB", err, proto.CodeRequestInvalid, proto.CodeRequestTooLarge)
		_, err = p.call("content.open", object{"name": strings.Repeat("n", 300)})
		wantCode(t, name+": a long name", err, proto.CodeRequestInvalid, proto.CodeRequestTooLarge)
		_, err = p.call("content.open", object{"name": "x", "size": 1 << 50})
		wantCode(t, name+": a petabyte", err, proto.CodeContentTooLarge, proto.CodeContentQuota, proto.CodeRequestInvalid)
		if err := p.alive(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.alive()
}

// TestBadEnvelopes: what a broken extension sends. The session and the host's other pages go on.
func TestBadEnvelopes(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	b := d.chromium()
	other := b.page(nativeSite)
	if err := other.alive(); err != nil {
		t.Fatal(err)
	}
	for what, from := range map[string]object{
		"no origin":     {},
		"null origin":   {"origin": "null"},
		"a path":        {"origin": nativeSite + "/x"},
		"an own member": {"origin": nativeSite, "via": "socket"},
	} {
		tab, err := b.open(nativeSite, "")
		if err != nil {
			t.Fatal(err)
		}
		tab.Close()
		odd := strings.Replace(tab.ch, tab.ch[:4], "0000", 1)
		b.send(frame{Ch: odd, Kind: "open", From: from})
		b.send(frame{Ch: odd, Kind: "rpc", Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"agent.status","params":{}}`)})
		if err := other.alive(); err != nil {
			t.Fatalf("%s: another page suffers: %v", what, err)
		}
	}
	for what, f := range map[string]frame{
		"a channel never opened": {Ch: strings.Repeat("a", 32), Kind: "rpc", Body: []byte(`{}`)},
		"an unknown kind":        {Ch: strings.Repeat("b", 32), Kind: "bang"},
		"a close of nothing":     {Ch: strings.Repeat("c", 32), Kind: "close"},
	} {
		b.send(f)
		if err := other.alive(); err != nil {
			t.Fatalf("%s: another page suffers: %v", what, err)
		}
	}
	d.alive()
}
