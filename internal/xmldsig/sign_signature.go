// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"persten/internal/cert"
)

// target is one ds:Reference to be made.
type target struct {
	Ref
	uri, kind  string // kind is the Type attribute
	refID      string // Id of the Reference, for XAdES to name it
	transforms []string
}

// notSignatures is the expression of parallel signatures.
const notSignatures = "not(ancestor-or-self::ds:Signature)"

// expressed reports whether a reference has an XPath expression.
func (m *making) expressed() bool {
	return slices.ContainsFunc(m.targets, func(t target) bool { return slices.Contains(t.transforms, TransformXPath) })
}

// filling is what is known of a signature at one moment; the first texts are made with none of it.
type filling struct {
	digests  [][]byte // of the references, in order
	value    []byte
	unsigned []byte // unsigned signature properties
}

// signature writes ds:Signature in two parts. What an enveloping signature holds stands between them; other signatures are
// all in the first.
func (m *making) signature(f filling) (head, tail []byte) {
	w := &markup{columns: m.o.Columns}
	w.open("ds:Signature", "xmlns:ds", NamespaceDSig, "Id", m.id)
	m.signedInfo(w, f)
	w.base64("ds:SignatureValue", f.value)
	if m.cert != nil {
		m.keyInfo(w)
	}
	if m.o.Mode == Enveloping {
		attrs := []string{"Id", m.id + "-object"}
		if m.o.MIMEType != "" {
			attrs = append(attrs, "MimeType", m.o.MIMEType)
		}
		if m.o.Base64 {
			attrs = append(attrs, "Encoding", TransformBase64)
		}
		w.open("ds:Object", attrs...)
		head = append(head, w.Bytes()...)
		w.Reset()
		w.close("ds:Object")
	}
	if m.preset.xades {
		m.properties(w, f.unsigned)
	}
	w.close("ds:Signature")
	if head == nil {
		return w.Bytes(), nil
	}
	return head, w.Bytes()
}

func (m *making) signedInfo(w *markup, f filling) {
	w.open("ds:SignedInfo")
	w.empty("ds:CanonicalizationMethod", "Algorithm", m.o.C14N)
	w.empty("ds:SignatureMethod", "Algorithm", m.alg.XMLSignature)
	for i := range m.targets {
		var digest []byte
		if i < len(f.digests) {
			digest = f.digests[i]
		}
		m.targets[i].write(w, digest)
	}
	w.close("ds:SignedInfo")
}

func (t *target) write(w *markup, digest []byte) {
	var attrs []string
	if t.refID != "" {
		attrs = append(attrs, "Id", t.refID)
	}
	if t.kind != "" {
		attrs = append(attrs, "Type", t.kind)
	}
	w.open("ds:Reference", append(attrs, "URI", t.uri)...)
	if len(t.transforms) > 0 {
		w.open("ds:Transforms")
		for _, uri := range t.transforms {
			if uri != TransformXPath {
				w.empty("ds:Transform", "Algorithm", uri)
				continue
			}
			w.open("ds:Transform", "Algorithm", uri)
			w.text("ds:XPath", notSignatures)
			w.close("ds:Transform")
		}
		w.close("ds:Transforms")
	}
	w.empty("ds:DigestMethod", "Algorithm", t.Digest.XML())
	w.base64("ds:DigestValue", digest)
	w.close("ds:Reference")
}

// keyInfo writes ds:KeyInfo: for WS-Security a reference to the token, otherwise the certificates and what was asked for.
func (m *making) keyInfo(w *markup) {
	w.open("ds:KeyInfo")
	defer w.close("ds:KeyInfo")
	if m.preset.wss {
		m.tokenReference(w)
		return
	}
	if m.o.KeyValue {
		m.keyValue(w)
	}
	w.open("ds:X509Data")
	if m.o.IssuerSerial {
		w.open("ds:X509IssuerSerial")
		w.text("ds:X509IssuerName", distinguishedName(m.cert.X509.RawIssuer))
		w.text("ds:X509SerialNumber", m.cert.X509.SerialNumber.String())
		w.close("ds:X509IssuerSerial")
	}
	if m.o.SubjectName {
		w.text("ds:X509SubjectName", distinguishedName(m.cert.X509.RawSubject))
	}
	for _, c := range m.chain() {
		w.base64("ds:X509Certificate", c.Raw)
	}
	w.close("ds:X509Data")
}

// chain is the signer's certificate and the others, each once.
func (m *making) chain() []*cert.Certificate {
	list := []*cert.Certificate{m.cert}
next:
	for _, c := range m.o.Chain {
		for _, have := range list {
			if have.Equal(c) {
				continue next
			}
		}
		list = append(list, c)
	}
	return list
}

// keyValue writes the bare key: RSA and named curves as XMLDSig 1.1 sections 4.5.2.2 and 4.5.2.3 have them, others as
// dsig11:DEREncodedKeyValue (section 4.5.9), since the drafts for GOST keys differ.
func (m *making) keyValue(w *markup) {
	switch key := m.cert.X509.PublicKey.(type) {
	case *rsa.PublicKey:
		w.open("ds:KeyValue")
		w.open("ds:RSAKeyValue")
		w.base64("ds:Modulus", key.N.Bytes())
		w.base64("ds:Exponent", big.NewInt(int64(key.E)).Bytes())
		w.close("ds:RSAKeyValue")
		w.close("ds:KeyValue")
		return
	case *ecdsa.PublicKey:
		if m.ecKeyValue(w, key) {
			return
		}
	}
	w.base64("dsig11:DEREncodedKeyValue", m.cert.Key.SPKI(), "xmlns:dsig11", NamespaceDSig11)
}

func (m *making) ecKeyValue(w *markup, key *ecdsa.PublicKey) bool {
	point, err := key.Bytes()
	curve := map[string]string{"P-256": "1.2.840.10045.3.1.7", "P-384": "1.3.132.0.34", "P-521": "1.3.132.0.35"}[key.Params().Name]
	if err != nil || curve == "" {
		return false
	}
	w.open("ds:KeyValue")
	w.open("dsig11:ECKeyValue", "xmlns:dsig11", NamespaceDSig11)
	w.empty("dsig11:NamedCurve", "URI", "urn:oid:"+curve)
	w.base64("dsig11:PublicKey", point)
	w.close("dsig11:ECKeyValue")
	w.close("ds:KeyValue")
	return true
}

// distinguishedName is the RFC 2253 form, which RFC 4514 and XMLDSig 1.1 section 4.5.4.1 build on.
func distinguishedName(raw []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) != 0 {
		return ""
	}
	return name.String()
}

// references makes the targets: what the caller names, or the whole document, or the object of an enveloping signature, and
// the signed properties.
func (m *making) references() error {
	if m.o.Mode == Enveloping {
		m.targets = append(m.targets, m.object())
	}
	list := m.o.References
	if len(list) == 0 && m.o.Mode != Enveloping {
		list = []Ref{{}}
	}
	for _, r := range list {
		t, err := m.target(r)
		if err != nil {
			return err
		}
		m.targets = append(m.targets, t)
	}
	if m.preset.xades {
		m.qualify()
	}
	if len(m.targets) > maxReferences {
		return fmt.Errorf("%w: more than %d references", ErrOptions, maxReferences)
	}
	for i := range m.targets {
		m.targets[i].Digest = cmp.Or(m.targets[i].Digest, m.alg.Digest)
	}
	return nil
}

// object is the reference to what an enveloping signature holds.
func (m *making) object() target {
	t := target{uri: "#" + m.id + "-object", kind: TypeObject, transforms: []string{m.o.C14N}}
	if m.o.Base64 {
		t.transforms = []string{TransformBase64}
	}
	t.MIMEType = m.o.MIMEType
	return t
}

// qualify gives the references what XAdES needs and adds the one to the signed properties.
func (m *making) qualify() {
	for i := range m.targets {
		m.targets[i].MIMEType = cmp.Or(m.targets[i].MIMEType, m.defaultType())
		m.targets[i].refID = m.id + "-ref-" + strconv.Itoa(i+1)
	}
	m.targets = append(m.targets, target{
		uri: "#" + m.id + "-properties", kind: TypeSignedProperties, transforms: []string{m.o.C14N},
	})
}

// defaultType is the MIME type of what nobody has described; a XAdES baseline signature has one for each reference (section 6.3).
func (m *making) defaultType() string {
	if m.o.Base64 {
		return "application/octet-stream"
	}
	return "text/xml"
}

// target settles the transforms of one reference.
func (m *making) target(r Ref) (target, error) {
	t := target{Ref: r, transforms: r.Transforms}
	if r.ID != "" {
		t.uri = "#" + r.ID
	}
	if t.MIMEType == "" {
		t.MIMEType = m.o.MIMEType
	}
	if r.Digest != "" && (r.Digest.XML() == "" || weak(r.Digest)) {
		return t, fmt.Errorf("%w: digest %q", ErrOptions, r.Digest)
	}
	if t.transforms == nil {
		t.transforms = m.defaults(r)
	}
	if len(t.transforms) > maxTransforms {
		return t, fmt.Errorf("%w: more than %d transforms", ErrOptions, maxTransforms)
	}
	return t, nil
}

// defaults are the transforms of a reference that names none. The whole document leaves out the signature, or with Parallel
// every signature.
func (m *making) defaults(r Ref) []string {
	switch {
	case r.ID != "" && m.preset.byID != nil:
		return m.preset.byID
	case r.ID != "" && !m.inside[r.ID]:
		return []string{m.o.C14N}
	case m.o.Parallel:
		return []string{TransformXPath, m.o.C14N}
	}
	return []string{TransformEnveloped, m.o.C14N}
}
