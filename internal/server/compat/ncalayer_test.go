// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/proto"
)

// common is a request to commonUtils.
func common(method string, args ...any) string {
	b, err := json.Marshal(map[string]any{"module": moduleCommon, "method": method, "args": args})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// basics is a request to basics.
func basics(format string, data any, params, signer map[string]any) string {
	b, err := json.Marshal(map[string]any{"module": moduleBasics, "method": "sign", "args": map[string]any{
		"allowedStorages": nil, "format": format, "data": data, "signingParams": params, "signerParams": signer, "locale": "en",
	}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

type commonReply struct {
	Code, Message  string
	ResponseObject json.RawMessage
	UUID           json.RawMessage
}

func (r commonReply) text(t *testing.T) string {
	t.Helper()
	if r.Code != "200" {
		t.Fatalf("answered %s: %s", r.Code, r.Message)
	}
	return decoded[string](t, string(r.ResponseObject))
}

func (r commonReply) bytes(t *testing.T) []byte {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(r.text(t))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// keys are the kinds of keys every form is made with.
var keys = []string{"RSA", "2012 256", "2012 512", "P-256"}

func TestCommonSignatures(t *testing.T) {
	for _, key := range keys {
		b := newBench(t, &person{choose: key})
		n := b.nca(t, visitor)
		ask := func(method string, args ...any) commonReply {
			return decoded[commonReply](t, n.ask(t, common(method, args...)))
		}
		b.signed(t, ask("createCAdESFromBase64", "PKCS12", "SIGNATURE", b64("act 7"), false).bytes(t), []byte("act 7"))
		attached := ask("createCAdESFromBase64", "PKCS12", "SIGNATURE", b64("act 7"), "true").bytes(t)
		if !bytes.Contains(attached, []byte("act 7")) {
			t.Errorf("%s: the document is not in the signature", key)
		}
		b.signed(t, attached, nil)
		raw := n.ask(t, common("signXml", "PKCS12", "SIGNATURE", "<order><sum>1</sum></order>", "", ""))
		if strings.Contains(raw, `\u003c`) {
			t.Errorf("%s: an answer six times as long as its XML", key)
		}
		one := decoded[commonReply](t, raw).text(t)
		b.signedXML(t, one)
		if !strings.HasPrefix(one, "<order><sum>1</sum>") || !strings.Contains(one, `CanonicalizationMethod Algorithm="`+canonical+`"`) {
			t.Errorf("%s: signed XML %s", key, one)
		}
		many := decoded[[]string](t, string(ask("signXmls", "PKCS12", "SIGNATURE", []string{"<a/>", "<b>2</b>"}, nil, "").ResponseObject))
		if len(many) != 2 {
			t.Fatalf("%s: %d documents", key, len(many))
		}
		b.signedXML(t, many[0])
		b.signedXML(t, many[1])
	}
}

// TestOneQuestionForMany: an array is one question, also of XML.
func TestOneQuestionForMany(t *testing.T) {
	p := &person{choose: "RSA"}
	n := newBench(t, p).nca(t, visitor)
	n.ask(t, common("signXmls", "PKCS12", "SIGNATURE", []string{"<a/>", "<b/>", "<c/>"}))
	n.ask(t, basics("cms", []string{b64("1"), b64("2")}, map[string]any{"decode": true}, nil))
	if got := p.kinds(); got != "select sign select sign" {
		t.Errorf("asked %s", got)
	}
	if q := p.asked[1]; !q.Batch || len(q.Documents) != 3 || q.XML == nil || !q.Documents[2].Whole || q.Documents[2].Name != "document 3" || q.Origin != portal {
		t.Errorf("question %+v", q)
	}
}

// TestLateSignature: a signature of a batch that was stopped is not taken for one of the next batch.
func TestLateSignature(t *testing.T) {
	p := open(t.Context(), newBench(t, &person{choose: "RSA"}).Server, visitor, "en")
	defer p.Close()
	certificate, err := p.choose(t.Context(), wanted{})
	if err != nil {
		t.Fatal(err)
	}
	o := order{certificate: certificate.ID, documents: [][]byte{[]byte("1"), []byte("2")}}
	if _, err := p.many(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	late := p.items[0]
	p.batch, p.items = p.batch+1, map[int]proto.BatchItemParams{}
	params, err := json.Marshal(late)
	if err != nil {
		t.Fatal(err)
	}
	if p.hear(proto.NotifyBatchItem, params); late.Signature == nil || len(p.items) != 0 {
		t.Errorf("took %+v", p.items)
	}
}

func TestCommonHash(t *testing.T) {
	p := &person{choose: "2012 256"}
	b := newBench(t, p)
	n := b.nca(t, visitor)
	sum := algo.Streebog256.Sum([]byte("act 7"))
	reply := decoded[commonReply](t, n.ask(t, common("createCAdESFromBase64Hash", "PKCS12", "", b64(string(sum)))))
	b.signed(t, reply.bytes(t), []byte("act 7"))
	if got := p.kinds(); got != "select hidden sign" {
		t.Errorf("asked %s", got)
	}
	for _, d := range p.asked[0].Choices {
		if strings.Contains(d.Certificate.Key, "512") {
			t.Errorf("offered %s for a digest of 32 bytes", d.Certificate.Key)
		}
	}
	p.no = map[signing.Kind]bool{signing.KindHidden: true}
	other := newBench(t, p).nca(t, visitor)
	reply = decoded[commonReply](t, other.ask(t, common("createCAdESFromBase64Hash", "PKCS12", "", b64(string(sum)))))
	if want := proto.Text(proto.CodeContentHidden, "en", nil); reply.Code != "500" || reply.Message != want.What+" "+want.Next {
		t.Errorf("without the right: %+v", reply)
	}
}

func TestCommonOther(t *testing.T) {
	p := &person{choose: "RSA"}
	n := newBench(t, p).nca(t, visitor)
	if got := n.ask(t, ncaHeartbeat); got != ncaHeartbeat {
		t.Errorf("heartbeat %s", got)
	}
	if got := n.ask(t, common("getActiveTokens")); got != `{"code":"200","responseObject":[]}` {
		t.Errorf("tokens %s", got) // the demo token is none
	}
	info := decoded[struct{ ResponseObject keyInfo }](t, n.ask(t, common("getKeyInfo", "PKCS12"))).ResponseObject
	block, _ := pem.Decode([]byte(info.PEM))
	if block == nil || !strings.Contains(info.SubjectDn, "CN=Демонстрационный Подписант (RSA 2048)") || info.IssuerCn != "Persten demo CA" ||
		len(info.CertNotAfter) != 13 || info.Algorithm != "RSA" || info.SerialNumber == "" || info.Alias == "" || info.KeyID == "" {
		t.Errorf("key %+v", info)
	}
	if got := n.ask(t, common("changeLocale", "kz")); got != `{"code":"200"}` {
		t.Errorf("locale %s", got)
	}
	for _, method := range []string{"showFileChooser", "createCMSSignatureFromFile", "createCAdESFromFile", "applyCAdEST", "browseKeyStore"} {
		if got := n.ask(t, common(method, "a", "b", "c", true)); got != `{"code":"500","message":"method not implemented"}` {
			t.Errorf("%s: %s", method, got)
		}
	}
	for _, msg := range []string{`{"module":"kz.digiflow.mobile.extensions","method":"getVersion"}`, `{"method":"signXml","args":[]}`, `{"module":""}`, "null"} {
		if got := n.ask(t, msg); got != ncaNoModule {
			t.Errorf("%s: %s", msg, got)
		}
	}
	if got := n.ask(t, `{"module":"kz.gov.pki.knca.commonUtils","method":"getActiveTokens","uuid":"17"}`); !strings.Contains(got, `"uuid":"17"`) {
		t.Errorf("uuid: %s", got)
	}
	if p.kinds() != "select" {
		t.Errorf("asked %s", p.kinds())
	}
}

type basicsReply struct {
	Status                 bool
	Code, Message, Details string
	Body                   map[string]json.RawMessage
}

func (r basicsReply) list(t *testing.T) []string {
	t.Helper()
	if !r.Status {
		t.Fatalf("answered %+v", r)
	}
	return decoded[[]string](t, string(r.Body["result"]))
}

func unarmored(t *testing.T, s string) []byte {
	t.Helper()
	block, rest := pem.Decode([]byte(s))
	if block == nil || block.Type != "CMS" || len(rest) > 0 {
		t.Fatalf("not PEM: %s", s)
	}
	return block.Bytes
}

func TestBasicsSign(t *testing.T) {
	for _, key := range keys {
		b := newBench(t, &person{choose: key})
		n := b.nca(t, visitor)
		ask := func(format string, data any, params map[string]any) basicsReply {
			return decoded[basicsReply](t, n.ask(t, basics(format, data, params, map[string]any{"extKeyUsageOids": []string{}, "chain": []string{}})))
		}
		decode := map[string]any{"decode": true}
		b.signed(t, unarmored(t, ask("cms", b64("act 7"), decode).list(t)[0]), []byte("act 7"))
		b.signed(t, unarmored(t, ask("cms", "act 7", map[string]any{}).list(t)[0]), []byte("act 7")) // not decoded: the text itself
		b.signed(t, unarmored(t, ask("cms", b64("act 7"), map[string]any{"decode": true, "encapsulate": true}).list(t)[0]), nil)
		many := ask("cms", []string{b64("1"), b64("2"), b64("3")}, decode).list(t)
		for i, one := range many {
			b.signed(t, unarmored(t, one), []byte(fmt.Sprint(i+1)))
		}
		xml := ask("xml", "<a>1</a>", map[string]any{}).list(t)
		if len(many) != 3 || len(xml) != 1 || strings.ContainsAny(xml[0], "\r\n") {
			t.Errorf("%s: %d signatures, XML %q", key, len(many), xml)
		}
		b.signedXML(t, xml[0])
		for _, doc := range ask("xml", []string{b64("<a/>"), b64("<b/>")}, decode).list(t) {
			b.signedXML(t, doc)
		}
		r := decoded[struct {
			Body struct{ Result outputWithCertificate }
		}](t, n.ask(t, basics("xml", "<a/>", map[string]any{"outputCert": true}, nil)))
		if len(r.Body.Result.Signatures) != 1 || !strings.HasPrefix(r.Body.Result.Certificate, "-----BEGIN CERTIFICATE-----") {
			t.Errorf("%s: %+v", key, r)
		}
	}
}

func TestBasicsDigest(t *testing.T) {
	p := &person{choose: "RSA"}
	b := newBench(t, p)
	n := b.nca(t, visitor)
	sum := sha256.Sum256([]byte("act 7"))
	r := decoded[basicsReply](t, n.ask(t, basics("cms", b64(string(sum[:])), map[string]any{"decode": true, "digested": true}, nil)))
	b.signed(t, unarmored(t, r.list(t)[0]), []byte("act 7"))
	if p.kinds() != "select hidden sign" {
		t.Errorf("asked %s", p.kinds())
	}
}

// TestLargeDocument goes in pieces, and its attached signature comes back in pieces.
func TestLargeDocument(t *testing.T) {
	b := newBench(t, &person{choose: "RSA"})
	n := b.nca(t, visitor)
	document := strings.Repeat("0123456789abcde\n", 160_000) // 2.4 MiB: an end of the pipe carries 4 MiB
	r := decoded[basicsReply](t, n.ask(t, basics("cms", document, map[string]any{}, nil)))
	b.signed(t, unarmored(t, r.list(t)[0]), []byte(document))
	short := document[:1_500_000]
	r = decoded[basicsReply](t, n.ask(t, basics("cms", short, map[string]any{"encapsulate": true}, nil)))
	b.signed(t, unarmored(t, r.list(t)[0]), nil)
	many := []string{document[:300_000], document[:200_000], document[:260_000]}
	for i, one := range decoded[basicsReply](t, n.ask(t, basics("cms", many, map[string]any{}, nil))).list(t) {
		b.signed(t, unarmored(t, one), []byte(many[i]))
	}
}

func TestCancel(t *testing.T) {
	for kind, asked := range map[signing.Kind]string{signing.KindSelect: "select", signing.KindSign: "select sign"} {
		p := &person{choose: "RSA", no: map[signing.Kind]bool{kind: true}}
		n := newBench(t, p).nca(t, visitor)
		if got := n.ask(t, common("createCAdESFromBase64", "PKCS12", "SIGNATURE", b64("x"), false)); got != `{"code":"500","message":"action.canceled"}` {
			t.Errorf("%s: commonUtils %s", kind, got)
		}
		if p.kinds() != asked {
			t.Errorf("%s: asked %s", kind, p.kinds())
		}
		for _, data := range []any{b64("x"), []string{b64("x"), b64("y")}} {
			if got := n.ask(t, basics("cms", data, map[string]any{}, nil)); got != `{"status":true,"body":{}}` {
				t.Errorf("%s: basics %s", kind, got)
			}
		}
	}
}

// TestTimeStamp: a page that wants a time-stamp gets none where no authority is configured, and no signature without.
func TestTimeStamp(t *testing.T) {
	p := &person{choose: "RSA"}
	n := newBench(t, p).nca(t, visitor)
	r := decoded[basicsReply](t, n.ask(t, basics("cms", b64("x"), map[string]any{"tsaProfile": map[string]any{}}, nil)))
	want := proto.Text(proto.CodeTimestampAbsent, "en", nil)
	if r.Status || r.Code != "SIGNING_FAILURE" || r.Message != want.What || r.Details != want.Next {
		t.Errorf("basics %+v", r)
	}
	c := decoded[commonReply](t, n.ask(t, common("createCMSSignatureFromBase64", "PKCS12", "SIGNATURE", b64("x"), false)))
	if c.Code != "500" || c.Message != want.What+" "+want.Next {
		t.Errorf("commonUtils %+v", c)
	}
	if strings.Contains(p.kinds(), "sign") {
		t.Errorf("asked %s", p.kinds())
	}
}

// TestWantedCertificate: what a page says of the certificate narrows the choice, never widens it.
func TestWantedCertificate(t *testing.T) {
	n := newBench(t, &person{choose: "RSA"}).nca(t, visitor)
	absent := proto.Text(proto.CodeCertificateNone, "en", nil).What
	for name, signer := range map[string]map[string]any{
		"iin": {"iin": "123456789012"}, "bin": {"bin": "123456789012"}, "serial": {"serialNumber": "01"},
		"policy": {"extKeyUsageOids": []string{"1.2.398.3.3.4.1.1"}}, "issuer": {"chain": []string{b64(string(demoLeaf(t)))}},
	} {
		if r := decoded[basicsReply](t, n.ask(t, basics("cms", "x", nil, signer))); r.Status || r.Message != absent {
			if name == "policy" && r.Status { // certificates without purposes are for all
				continue
			}
			t.Errorf("%s: %+v", name, r)
		}
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: demo.CA().Raw})
	if r := decoded[basicsReply](t, n.ask(t, basics("cms", "x", nil, map[string]any{"chain": []string{string(ca)}}))); !r.Status {
		t.Errorf("the right issuer: %+v", r)
	}
}

func demoLeaf(t *testing.T) []byte {
	t.Helper()
	list, err := demo.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list[0].Certificate().Raw
}

// TestHostileMessages: each gets one answer in the module's form, nobody is asked anything, and the connection goes on.
func TestHostileMessages(t *testing.T) {
	p := &person{choose: "RSA"}
	n := newBench(t, p).nca(t, visitor)
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for name, msg := range map[string]string{
		"empty": "", "text": "hello", "array": "[]", "number": "1", "cut": `{"module":"`, "two": `{} {}`, "bad UTF-8": "{\"module\":\"\xff\"}",
		"deep":           `{"module":"kz.gov.pki.knca.commonUtils","method":"getKeyInfo","args":` + deep + `}`,
		"member twice":   `{"module":"kz.gov.pki.knca.basics","module":"kz.gov.pki.knca.commonUtils"}`,
		"module number":  `{"module":1,"method":"x"}`,
		"args object":    `{"module":"kz.gov.pki.knca.commonUtils","method":"signXml","args":{}}`,
		"args null":      common("getKeyInfo", nil),
		"args number":    common("getKeyInfo", 1),
		"no args":        common("signXml"),
		"not base64":     common("createCAdESFromBase64", "PKCS12", "SIGNATURE", "***", false),
		"empty base64":   common("createCAdESFromBase64", "PKCS12", "SIGNATURE", "", false),
		"flag object":    common("createCAdESFromBase64", "PKCS12", "SIGNATURE", b64("x"), map[string]int{}),
		"xmls string":    common("signXmls", "PKCS12", "SIGNATURE", "<a/>"),
		"xmls empty":     common("signXmls", "PKCS12", "SIGNATURE", []string{}),
		"xpath":          common("signXml", "PKCS12", "SIGNATURE", "<a/>", "/a", "/a"),
		"xpath number":   common("signXml", "PKCS12", "SIGNATURE", "<a/>", 1),
		"locale number":  common("changeLocale", 2),
		"PIN":            `{"module":"kz.gov.pki.knca.commonUtils","method":"signXml","args":[{"pin":"1234"}]}`,
		"password":       `{"module":"kz.gov.pki.knca.basics","method":"sign","args":{"format":"cms","data":"x","keyPassword":"1234"}}`,
		"long uuid":      `{"module":"kz.gov.pki.knca.commonUtils","method":"getActiveTokens","uuid":"` + strings.Repeat("x", 200) + `"}`,
		"no data":        basics("cms", []string{}, nil, nil),
		"data number":    basics("cms", 1, nil, nil),
		"no format":      basics("pdf", "x", nil, nil),
		"params number":  `{"module":"kz.gov.pki.knca.basics","method":"sign","args":{"format":"cms","data":"x","signingParams":555}}`,
		"bad chain":      basics("cms", "x", nil, map[string]any{"chain": []string{"?"}}),
		"long chain":     basics("cms", "x", nil, map[string]any{"chain": make([]string, 40)}),
		"too many":       basics("cms", make([]string, maxDocs+1), nil, nil),
		"digest not b64": basics("cms", "x", map[string]any{"digested": true}, nil),
		"csr":            `{"module":"kz.gov.pki.knca.basics","method":"generateCsr","args":{}}`,
	} {
		got := n.ask(t, msg)
		c, b := decoded[commonReply](t, got), decoded[basicsReply](t, got)
		switch {
		case strings.Contains(msg, moduleBasics) && name != "member twice":
			if b.Status || b.Code == "" || b.Message == "" {
				t.Errorf("%s: %s", name, got)
			}
		case c.Code != "500" || c.Message == "":
			t.Errorf("%s: %s", name, got)
		}
	}
	if p.kinds() != "" {
		t.Errorf("asked %s", p.kinds())
	}
	if got := n.ask(t, common("getActiveTokens")); !strings.Contains(got, `"200"`) {
		t.Errorf("afterwards: %s", got)
	}
}

// TestBadXML is refused before the signature is asked for.
func TestBadXML(t *testing.T) {
	p := &person{choose: "RSA"}
	n := newBench(t, p).nca(t, visitor)
	for _, doc := range []string{"<a>", "x", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a/><b/>", `<a x="1" x="2"/>`} {
		for _, msg := range []string{common("signXml", "PKCS12", "SIGNATURE", doc), common("signXmls", "PKCS12", "SIGNATURE", []string{"<a/>", doc})} {
			if c := decoded[commonReply](t, n.ask(t, msg)); c.Code != "500" || c.Message == "" {
				t.Errorf("%s: %+v", msg, c)
			}
		}
	}
	if strings.Contains(p.kinds(), "sign") {
		t.Errorf("asked %s", p.kinds())
	}
}

// TestForeignSites: without an allowed origin nothing is told and nothing is signed.
func TestForeignSites(t *testing.T) {
	for name, peer := range map[string]ipc.Peer{
		"unknown": {Via: ipc.ViaWebSocket, Origin: "https://other.example"}, "none": {Via: ipc.ViaWebSocket},
		"extension": {Via: ipc.ViaWebSocket, Origin: "chrome-extension://abcdefghijklmnopabcdefghijklmnop"},
	} {
		n := newBench(t, &person{choose: "RSA", no: map[signing.Kind]bool{signing.KindOrigin: true}}).nca(t, peer)
		for _, msg := range []string{common("getActiveTokens"), common("getKeyInfo", "PKCS12"), common("signXml", "PKCS12", "SIGNATURE", "<a/>")} {
			if c := decoded[commonReply](t, n.ask(t, msg)); c.Code != "500" || c.ResponseObject != nil {
				t.Errorf("%s: %+v", name, c)
			}
		}
	}
}

// TestPageGoesAway: when the page closes, the question it waited for closes, too.
func TestPageGoesAway(t *testing.T) {
	p := &person{choose: "RSA", never: true}
	b := newBench(t, p)
	n := b.nca(t, visitor)
	if err := n.Send([]byte(common("signXml", "PKCS12", "SIGNATURE", "<a/>"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return p.kinds() == "select" && b.engine.Prompts() == 1 })
	if got := n.ask(t, ncaHeartbeat); got != ncaHeartbeat {
		t.Errorf("a waiting page's heartbeat: %s", got)
	}
	n.Close()
	eventually(t, func() bool { return b.engine.Prompts() == 0 })
}

// TestAnswersInTurn: these answers have no ids, so none comes before its turn, and a page that never waits loses the connection.
func TestAnswersInTurn(t *testing.T) {
	p := &person{choose: "RSA", never: true}
	b := newBench(t, p)
	n := b.nca(t, visitor)
	send := func(msg string) {
		if err := n.Send([]byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	send(common("signXml", "PKCS12", "SIGNATURE", "<a/>"))
	eventually(t, func() bool { return p.kinds() == "select" })
	for range 4 {
		send(common("getActiveTokens"))
	}
	if got := n.ask(t, ncaHeartbeat); got != ncaHeartbeat {
		t.Fatalf("instead of the first answer: %s", got)
	}
	for range 2 * maxQueue {
		if n.Send([]byte(common("getActiveTokens"))) != nil {
			break
		}
	}
	if c := decoded[commonReply](t, n.recv(t)); c.Code != "500" { // the first: its question is over
		t.Errorf("a page that does not wait got %+v", c)
	}
	if got, err := n.Recv(); err == nil {
		t.Errorf("and then %s", got)
	}
	eventually(t, func() bool { return b.engine.Prompts() == 0 && held.Load() == 0 })
}

// TestHeldRequests: however many pages wait, what they sent stays within bounds in memory.
func TestHeldRequests(t *testing.T) {
	p := &person{choose: "RSA", never: true}
	b := newBench(t, p)
	large := common("signXml", "PKCS12", "SIGNATURE", "<a>"+strings.Repeat("x", 3<<20)+"</a>")
	held.Add(maxHeld - 2*int64(len(large)))
	defer held.Add(2*int64(len(large)) - maxHeld)
	for range 2 {
		if err := b.nca(t, visitor).Send([]byte(large)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool { return held.Load() == maxHeld })
	n := b.nca(t, visitor)
	for range 2 {
		got := n.ask(t, large)
		c, s := decoded[commonReply](t, got), decoded[basicsReply](t, got)
		if want := proto.Text(proto.CodeRequestLimit, "en", nil); c.Code != "500" || s.Status || s.Message != want.What || s.Details != want.Next {
			t.Errorf("%s", got)
		}
	}
}

// TestAnswerTooLarge: an answer that cannot be sent ends the connection; the page does not wait for it for ever.
func TestAnswerTooLarge(t *testing.T) {
	b := newBench(t, &person{choose: "RSA"})
	n := b.nca(t, visitor)
	document := strings.Repeat("0123456789abcde\n", 3<<20/16) // an end of the pipe carries 4 MiB
	if err := n.Send([]byte(basics("cms", document, map[string]any{"encapsulate": true}, nil))); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := n.Recv()
		got <- err
	}()
	select {
	case err := <-got:
		if err == nil {
			t.Error("an answer over the limit came")
		}
	case <-time.After(20 * time.Second):
		t.Error("the page waits for ever")
	}
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("it did not come to that")
}

// FuzzNCALayer: whatever comes is read within the rules, and what is read makes an order within the limits.
func FuzzNCALayer(f *testing.F) {
	f.Add([]byte(common("signXml", "PKCS12", "SIGNATURE", "<a/>", "", "")))
	f.Add([]byte(common("createCAdESFromBase64", "PKCS12", "SIGNATURE", b64("x"), "true")))
	f.Add([]byte(basics("cms", []string{b64("x")}, map[string]any{"decode": true, "digested": true, "tsaProfile": map[string]any{}}, map[string]any{"chain": []string{"MA=="}})))
	f.Add([]byte(`{"module":"kz.gov.pki.knca.basics","method":"sign","args":{"data":{}}}`))
	f.Fuzz(func(t *testing.T, msg []byte) {
		r, err := parseNCALayer(msg)
		if err != nil {
			return
		}
		if _, secret := proto.SecretMember(msg); secret || !json.Valid(msg) {
			t.Fatalf("read %q", msg)
		}
		var args arguments
		if json.Unmarshal(r.Args, &args) == nil {
			_, _ = args.key()
			_, _ = args.bytes(2)
			_, _ = args.flag(3)
			_, _ = args.optional(4)
		}
		var s signRequest
		if json.Unmarshal(r.Args, &s) != nil {
			return
		}
		if _, o, err := s.order(); err == nil && (len(o.documents) == 0 || len(o.documents) > maxDocs || o.digests && o.attached) {
			t.Fatalf("order %+v", o)
		}
	})
}
