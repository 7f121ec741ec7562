// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"persten/proto"
)

const xmlDocument = `<?xml version="1.0" encoding="UTF-8"?>
<Договор><Сумма Id="sum">1000</Сумма><Примечание>нет</Примечание></Договор>
`

// TestSessionSignsXML: pages on both transports have XML documents signed, whole and in part, by the keys of SoftHSM and of the
// practice token. The person is told what is signed, and the signature covers that and nothing else.
func TestSessionSignsXML(t *testing.T) {
	d := newDaemon(t, setting{start: true, demo: true})
	d.answers(yesDemo, yesSoftHSM)
	content := []byte(xmlDocument)
	made := 0
	for name, p := range d.transports() {
		for key, c := range p.certificates() {
			for _, form := range []object{
				{"profile": "xades-bes"},
				{"mode": "detached", "references": []object{{"id": "sum"}}},
				{"mode": "enveloping", "columns": 64},
			} {
				what := fmt.Sprintf("%s, %s, %v", name, key, form)
				form["certificate"], form["content"], form["name"] = c.ID, object{"inline": content}, "doc.xml"
				var r proto.SignXMLResult
				p.ask("sign.xml", form, &r)
				made++
				p.verifiedXML(what, r.Document.Inline, form["references"] != nil)
			}
		}
	}
	if begun, good := d.signed(); begun != made || good != made || made != 36 {
		t.Errorf("%d signatures made, %d begun in the journal, %d ended well; want 36 of each", made, begun, good)
	}
	whole, part := d.count("CONFIRM", "The whole document will be signed"), d.count("CONFIRM", "Only a part of the document will be signed: Сумма (sum)")
	if whole != 24 || part != 12 {
		t.Errorf("the person was told %d times of the whole document and %d times of a part, want 24 and 12", whole, part)
	}
	d.eventually(3*time.Second, "every prompt ends with the good news", func() bool {
		return d.count("MESSAGE", "Signature created") == made
	})
}

// verifiedXML asks the agent itself, and makes sure it notices a change of what was signed and no other.
func (p *page) verifiedXML(what string, doc []byte, part bool) {
	p.t.Helper()
	report := func(doc []byte) proto.Report {
		var r proto.Report
		p.ask("verify.xml", object{"content": object{"inline": doc}}, &r)
		return r
	}
	r := report(doc)
	if !r.Valid || len(r.Signers) != 1 || len(r.Signers[0].References) == 0 {
		p.t.Errorf("%s: verify.xml says %+v", what, r)
		return
	}
	if ref := r.Signers[0].References[0]; ref.Whole == part && !ref.Own || part && ref.ID != "sum" {
		p.t.Errorf("%s: covers %+v", what, ref)
	}
	if report(bytes.Replace(doc, []byte("1000"), []byte("9000"), 1)).Valid {
		p.t.Errorf("%s: verify.xml accepts another sum", what)
	}
	if r := report(bytes.Replace(doc, []byte("нет"), []byte("да"), 1)); r.Valid != part {
		p.t.Errorf("%s: valid %v with another note", what, r.Valid)
	}
}

// TestSessionSignsLargeXML: a document that fits in no message goes there and back in pieces, and the command line gets its
// signature the same way.
func TestSessionSignsLargeXML(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers(yesSoftHSM)
	content := []byte(strings.Replace(xmlDocument, "нет", strings.Repeat("строка\n", 300_000), 1))
	for name, p := range d.transports() {
		c := p.certificates()["ecdsa-sha256"]
		handle := p.upload("large.xml", content)
		var r proto.SignXMLResult
		p.ask("sign.xml", object{"certificate": c.Thumbprint, "content": object{"handle": handle}, "references": []object{{"id": "sum"}}, "place": object{"path": "/*"}}, &r)
		signed := p.download(r.Document)
		head, tail, _ := bytes.Cut(content, []byte("</Договор>"))
		if !bytes.HasPrefix(signed, head) || !bytes.HasSuffix(signed, append([]byte("</Договор>"), tail...)) {
			t.Errorf("%s: bytes outside the signature were touched", name)
		}
		var report proto.Report
		p.ask("verify.xml", object{"content": object{"handle": r.Document.Handle}}, &report)
		if !report.Valid || report.Size != int64(len(signed)) {
			t.Errorf("%s: %+v", name, report)
		}
	}
	d.write("doc.xml", xmlDocument)
	out := d.path("doc.signed.xml")
	if stdout, stderr, code := d.run("sign", "xml", "--cert", d.token.IDs[0], "--in", d.path("doc.xml"), "--profile", "xades-bes"); code != 0 {
		t.Fatalf("%s%s", stdout, stderr)
	}
	if stdout, stderr, code := d.run("verify", out); code != exitUnsure || !strings.Contains(stdout, "The whole document: unchanged") {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
	d.answers("| reject |")
	refused := d.path("refused.xml")
	_, stderr, code := d.run("sign", "xml", "--cert", d.token.IDs[0], "--in", d.path("doc.xml"), "--out", refused)
	if _, err := os.Stat(refused); code != exitRefused || err == nil {
		t.Errorf("rejected: exit code %d, want %d; %s", code, exitRefused, stderr)
	}
}
