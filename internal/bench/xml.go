// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
)

const xmlAbout = `The documents are registers of invoices in Cyrillic, made with a fixed seed. Persten reads from the file and writes the
canonical form to nowhere; libxml2 is called from C in the two ways its API offers and as xmllint, which writes to /dev/null. Outputs
are compared first. Signatures are enveloped, RSA 2048 with SHA-256, exclusive C14N; both programs read the key and write the
signed document to a file, and both check the certificate's path (the certificate itself is trusted). Persten verifies every
signature completely before writing it; xmlsec1 fills the template it is given and does not. Each verifies its own and the
other's signatures first.`

func xmlPlan(ctx context.Context, bench *workbench) (*plan, error) {
	t := &tools{workbench: bench}
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	p := &plan{about: xmlAbout, versions: []string{ourVersion(), "libxml2 " + says(ctx, t.driver, "version"), says(ctx, t.xmlsec1, "--version")}}
	for _, size := range bench.sizes {
		w := newXMLWork(t, size)
		if err := w.write(); err != nil {
			return nil, err
		}
		p.experiments = append(p.experiments, w.canonical().experiment(), w.sign().experiment(), w.verify().experiment())
	}
	return p, nil
}

// xmlWork is one document with all that is made of it.
type xmlWork struct {
	*tools
	size           int
	document       string
	template       string // the document with a signature for xmlsec1 to fill
	signed, theirs string // signed by us, by xmlsec1
}

func newXMLWork(t *tools, size int) xmlWork {
	name := func(what string) string { return t.path(fmt.Sprintf("%d-%s.xml", size, what)) }
	return xmlWork{t, size, name("document"), name("template"), name("signed"), name("theirs")}
}

// signatureTemplate is what our own signature contains, in the same order.
const signatureTemplate = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>` +
	`<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` +
	`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI=""><ds:Transforms>` +
	`<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>` +
	`<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>` +
	`<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>` +
	`<ds:SignatureValue/><ds:KeyInfo><ds:X509Data><ds:X509Certificate/></ds:X509Data></ds:KeyInfo></ds:Signature>`

func (w xmlWork) write() error {
	if err := writeDocument(w.document, w.size, ""); err != nil {
		return err
	}
	return writeDocument(w.template, w.size, signatureTemplate)
}

func (w xmlWork) title(what string) string {
	return fmt.Sprintf("%s, %g MB", what, float64(w.size)/1e6)
}

func (w xmlWork) canonical() race {
	return race{
		name: w.title("Parse and exclusive C14N"), size: w.size, faster: 1.5, memory: 1.0 / 3,
		check: func(ctx context.Context) error {
			ours, err := digest(ctx, w.self, "child", "canonical", w.document)
			if err != nil {
				return err
			}
			theirs, err := digest(ctx, w.xmllint, "--huge", "--exc-c14n", w.document)
			if err == nil && ours != theirs {
				err = fmt.Errorf("canonical forms differ: ours %s, libxml2's %s", ours, theirs)
			}
			return err
		},
		contestants: []contestant{
			w.command("Persten, c14n.Run", true, w.self, "child", "c14n", w.document),
			w.command("libxml2, xmlReadFile + xmlC14NDocSaveTo", true, w.driver, "stream", w.document),
			w.command("libxml2, xmlReadMemory + xmlC14NDocDumpMemory", true, w.driver, "memory", w.document),
			w.command("xmllint --exc-c14n", false, w.xmllint, "--huge", "--exc-c14n", w.document),
		},
	}
}

func (w xmlWork) sign() race {
	return race{
		name: w.title("Enveloped signature"), size: w.size, faster: 2, memory: 1.0 / 3,
		check: w.agree,
		contestants: []contestant{
			w.command("Persten, xmldsig.Sign", true, w.self, "child", "sign", w.key(), w.certificate(), w.document, w.signed),
			w.command("xmlsec1 --sign", false, w.xmlsec1, w.xmlsecSign()...),
		},
	}
}

func (w xmlWork) verify() race {
	return race{
		name: w.title("Verification"), size: w.size, faster: 2, memory: 1.0 / 3,
		// No check of its own: signing, which comes first, has both verify.
		contestants: []contestant{
			w.command("Persten, xmldsig.Verify", true, w.self, "child", "verify", w.certificate(), w.signed),
			w.command("xmlsec1 --verify", false, w.xmlsec1, "--verify", "--trusted-pem", w.certificate(), w.signed),
		},
	}
}

func (w xmlWork) xmlsecSign() []string {
	return []string{"--sign", "--privkey-pem", w.key() + "," + w.certificate(), "--output", w.theirs, w.template}
}

// agree has either program sign, and both verify both results.
func (w xmlWork) agree(ctx context.Context) error {
	if err := succeeds(ctx, w.self, "child", "sign", w.key(), w.certificate(), w.document, w.signed); err != nil {
		return err
	}
	if err := succeeds(ctx, w.xmlsec1, w.xmlsecSign()...); err != nil {
		return err
	}
	for _, file := range []string{w.signed, w.theirs} {
		if err := succeeds(ctx, w.self, "child", "verify", w.certificate(), file); err != nil {
			return err
		}
		if err := succeeds(ctx, w.xmlsec1, "--verify", "--trusted-pem", w.certificate(), file); err != nil {
			return err
		}
	}
	return nil
}
