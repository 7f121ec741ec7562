// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"encoding/asn1"
	"fmt"
	"math/big"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
)

// maxNamed bounds the certificates one signature names.
const maxNamed = 32

// signedProperties is what is read of SignedProperties (ETSI EN 319 132-1 section 4.3.4).
type signedProperties struct {
	time         time.Time
	certificates []certificateID
	named        bool // there is a SigningCertificate or SigningCertificateV2
	policy       *cms.Policy
}

// certificateID is a Cert of SigningCertificate or SigningCertificateV2.
type certificateID struct {
	digest algo.Digest
	value  []byte
	serial *big.Int // nil when not given
}

// checkProperties requires that XAdES properties are this signature's own and signed, and reads them from the octets that were
// digested.
func (c *check) checkProperties() error {
	p := c.sig.properties
	ref, err := c.propertiesReference()
	if err != nil {
		return err
	}
	if p == nil || p.signed == (span{}) {
		if ref != nil {
			return fmt.Errorf("%w: a reference of type SignedProperties, and there are none", cms.ErrAttributes)
		}
		return nil
	}
	c.report.Format = cms.FormatXAdESBES
	if c.sig.id == "" || p.target != "#"+c.sig.id {
		return fmt.Errorf("%w: the properties are for %q", cms.ErrAttributes, p.target)
	}
	if ref == nil {
		return fmt.Errorf("%w: SignedProperties are not signed", cms.ErrAttributes)
	}
	if ref.err != nil {
		return ref.err
	}
	if !c.leadsTo(ref, p.signed) || !ref.canonicalOnly() {
		return fmt.Errorf("%w: the reference of type SignedProperties leads elsewhere", cms.ErrAttributes)
	}
	if !bytes.Equal(ref.work.sum.Sum(nil), ref.value) {
		return cms.ErrDigest // what is not signed is not reported
	}
	return c.readProperties()
}

// propertiesReference returns the one reference of type SignedProperties, nil when there is none.
func (c *check) propertiesReference() (*resolved, error) {
	var found *resolved
	for _, r := range c.references {
		if r.kind != TypeSignedProperties {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%w: two references of type SignedProperties", cms.ErrAttributes)
		}
		found = r
	}
	return found, nil
}

// leadsTo reports whether a reference covers exactly this element, all of it.
func (c *check) leadsTo(r *resolved, s span) bool {
	if r.work == nil || !r.work.exact() {
		return false
	}
	tops := r.work.job.Apexes
	return len(tops) == 1 && tops[0].Begin == s.begin && tops[0].End == s.end && len(r.work.job.Holes) == 0
}

func (c *check) readProperties() error {
	if c.signed.over {
		return fmt.Errorf("%w: SignedProperties of more than %d bytes", ErrLimit, maxKept)
	}
	e, err := readElement(bytes.NewReader(c.signed.octets), c.v.o.Limits)
	if err != nil {
		return fmt.Errorf("%w: SignedProperties: %v", ErrFormat, err)
	}
	p, err := parseSignedProperties(e)
	c.report.SigningTime, c.report.Policy = p.time, p.policy
	if p.policy != nil {
		c.report.Format = cms.FormatXAdESEPES
	}
	c.hints.named, c.hints.names = p.named, p.certificates
	return err
}

func parseSignedProperties(e *element) (signedProperties, error) {
	var p signedProperties
	if !e.is(NamespaceXAdES, "SignedProperties") {
		return p, malformed(e, "SignedProperties expected")
	}
	s := e.child(NamespaceXAdES, "SignedSignatureProperties")
	if s == nil {
		return p, nil
	}
	seen := map[string]bool{}
	for _, one := range s.children {
		if one.uri == NamespaceXAdES && seen[one.local] {
			return p, malformed(one, "there is one already")
		}
		seen[one.local] = one.uri == NamespaceXAdES
		if err := p.property(one); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p *signedProperties) property(e *element) error {
	if e.uri != NamespaceXAdES {
		return nil
	}
	var err error
	switch e.local {
	case "SigningTime":
		if p.time, err = parseTime(strings.TrimSpace(e.text.String())); err != nil {
			return malformed(e, "not a time")
		}
	case "SigningCertificate", "SigningCertificateV2":
		p.named = true
		return p.signingCertificate(e)
	case "SignaturePolicyIdentifier":
		p.policy, err = parsePolicy(e)
	}
	return err
}

// parseTime reads xsd:dateTime. Without a zone it is taken as UTC.
func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", s)
	}
	return t.UTC(), err
}

// signingCertificate reads the Certs of both versions.
func (p *signedProperties) signingCertificate(e *element) error {
	for _, one := range e.children {
		if len(p.certificates) == maxNamed {
			return fmt.Errorf("%w: more than %d certificates named", ErrLimit, maxNamed)
		}
		if !one.is(NamespaceXAdES, "Cert") {
			return malformed(one, "Cert expected")
		}
		id, err := parseCertificateID(one)
		if err != nil {
			return err
		}
		p.certificates = append(p.certificates, id)
	}
	return nil
}

func parseCertificateID(e *element) (certificateID, error) {
	var id certificateID
	d := e.child(NamespaceXAdES, "CertDigest")
	if d == nil {
		return id, malformed(e, "no CertDigest")
	}
	var err error
	if id.digest, id.value, err = parseDigest(d); err != nil {
		return id, err
	}
	if s := e.child(NamespaceXAdES, "IssuerSerial"); s != nil {
		if id.serial, err = parseSerial(s.child(NamespaceDSig, "X509SerialNumber")); err != nil {
			return id, err
		}
	}
	if s := e.child(NamespaceXAdES, "IssuerSerialV2"); s != nil {
		var v struct {
			Issuer asn1.RawValue
			Serial *big.Int
		}
		der, err := s.octets()
		if err != nil {
			return id, err
		}
		if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) != 0 {
			return id, malformed(s, "not an IssuerSerial")
		}
		id.serial = v.Serial
	}
	return id, nil
}

// parseDigest reads a DigestAlgAndValueType. An algorithm that is not known is no error: nothing will match it.
func parseDigest(e *element) (algo.Digest, []byte, error) {
	c := &cursor{of: e}
	method, err := c.must(NamespaceDSig, "DigestMethod")
	if err != nil {
		return "", nil, err
	}
	value, err := c.must(NamespaceDSig, "DigestValue")
	if err != nil {
		return "", nil, err
	}
	octets, err := value.octets()
	if err != nil {
		return "", nil, err
	}
	d, _ := algo.DigestByXML(method.attr("Algorithm"))
	return d, octets, c.done()
}

// parseSerial reads the decimal of X509SerialNumber.
func parseSerial(e *element) (*big.Int, error) {
	if e == nil {
		return nil, fmt.Errorf("%w: X509SerialNumber expected", ErrFormat)
	}
	s := strings.TrimSpace(e.text.String())
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || len(s) > 64 {
		return nil, malformed(e, "not a number")
	}
	return n, nil
}

func parsePolicy(e *element) (*cms.Policy, error) {
	if e.child(NamespaceXAdES, "SignaturePolicyImplied") != nil {
		return &cms.Policy{}, nil
	}
	id := e.child(NamespaceXAdES, "SignaturePolicyId")
	if id == nil {
		return nil, malformed(e, "SignaturePolicyId expected")
	}
	sig, hash := id.child(NamespaceXAdES, "SigPolicyId"), id.child(NamespaceXAdES, "SigPolicyHash")
	if sig == nil || hash == nil || sig.child(NamespaceXAdES, "Identifier") == nil {
		return nil, malformed(id, "an identifier and a digest expected")
	}
	p := &cms.Policy{ID: strings.TrimSpace(sig.child(NamespaceXAdES, "Identifier").text.String())}
	var err error
	if p.Digest, p.Value, err = parseDigest(hash); err != nil {
		return nil, err
	}
	if q := id.child(NamespaceXAdES, "SigPolicyQualifiers"); q != nil {
		for _, one := range q.children {
			if u := one.child(NamespaceXAdES, "SPURI"); u != nil {
				p.URI = strings.TrimSpace(u.text.String())
			}
		}
	}
	return p, nil
}

// names reports whether the identifier is c's. The digest decides; of issuer and serial only the serial is compared, since
// names are spelled in many ways.
func (id certificateID) names(c *cert.Certificate) bool {
	return id.digest.Known() && bytes.Equal(id.value, id.digest.Sum(c.Raw)) &&
		(id.serial == nil || id.serial.Cmp(c.X509.SerialNumber) == 0)
}

// checkNamed requires that a XAdES signature names its certificate: in SigningCertificate, or by signing a KeyInfo that
// holds it (ETSI EN 319 132-1 section 5.2.2).
func (c *check) checkNamed(used *cert.Certificate) error {
	if c.report.Format == cms.FormatXMLDSig {
		return nil
	}
	if c.hints.named {
		for _, id := range c.hints.names {
			if id.names(used) {
				return nil
			}
		}
		return cms.ErrSigningCertificate
	}
	if c.sig.keyInfo != nil && c.holds(used) {
		for _, r := range c.references {
			if c.leadsTo(r, span{c.sig.keyInfo.begin, c.sig.keyInfo.end}) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: it is missing", cms.ErrSigningCertificate)
}

// holds reports whether the signature's own X509Data has the certificate.
func (c *check) holds(used *cert.Certificate) bool {
	for _, one := range c.hints.certificates {
		if one.Equal(used) {
			return true
		}
	}
	return false
}
