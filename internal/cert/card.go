// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what a card holds. RFC 9215 section 5 and X.520 allow 64 to 200 characters; real certificates go beyond.
const (
	maxText = 512 // characters of one value
	maxList = 64  // purposes and policies
)

// Card is all a certificate says, for people. Strings are at most 512 characters, a longer one ends with an ellipsis; they
// are valid UTF-8 but otherwise as in the certificate, controls and direction marks included: whoever shows them escapes
// them. Key, Usage and the like are stable names whose texts are found under cert.algorithm, cert.usage, cert.eku,
// cert.class and cert.identification.
//
// Where the key lives is not a matter of the certificate and not here; neither is trust, see Trust.Explain.
type Card struct {
	Owner, Issuer Person
	Serial        string
	SHA1, SHA256  string // of the DER, lower hex
	KeyID         string // subjectKeyIdentifier, lower hex, or ""

	NotBefore, NotAfter time.Time
	KeyFrom, KeyTo      time.Time // private key usage period; zero for a bound not stated
	SignUntil           time.Time // the last moment the key may sign: the earlier of NotAfter and KeyTo

	Algorithm   Algorithm
	Usage       []string // keyUsage, in the order of its bits; none when the extension is absent
	Purposes    []Purpose
	CA          bool
	SelfIssued  bool
	Class       Class    // of the owner's means: the highest of the classes stated
	IssuerClass Class    // of the issuer's means, likewise
	Policies    []string // other policies, dotted

	Identification Identification
	SignTool       string // what makes the owner's signatures
	IssuerTool     IssuerTool

	Unreadable []string // OIDs of extensions that belong on the card and are malformed
	Malformed  bool     // see Certificate.Fault
}

// IssuerTool is the extension issuerSignTool.
type IssuerTool struct {
	SignTool, CATool                 string
	SignToolDocument, CAToolDocument string // their certificates of conformity
}

// Identification is how the owner was identified (RFC 9215 appendix B): a stable name, "" when the certificate does not
// say, "other" for a way not known here.
type Identification string

var identifications = []Identification{"personal", "certificate", "passport", "system"}

var (
	oidSubjectSignTool = asn1.ObjectIdentifier{1, 2, 643, 100, 111}
	oidIssuerSignTool  = asn1.ObjectIdentifier{1, 2, 643, 100, 112}
	oidIdentification  = asn1.ObjectIdentifier{1, 2, 643, 100, 114}
)

// Card makes the card. It costs two hashes and a few small parses.
func (c *Certificate) Card() Card {
	x := c.X509
	sum := sha256.Sum256(c.Raw)
	d := Card{
		Owner: c.subject.cut(), Issuer: c.issuer.cut(), Serial: cut(c.Serial()),
		SHA1: c.Thumbprint(), SHA256: hex.EncodeToString(sum[:]), KeyID: cut(hex.EncodeToString(x.SubjectKeyId)),
		NotBefore: x.NotBefore, NotAfter: x.NotAfter, KeyFrom: c.pku.from, KeyTo: c.pku.to, SignUntil: x.NotAfter,
		Algorithm: c.Algorithm(), Usage: usages(x.KeyUsage), CA: c.Usage().CA, SelfIssued: c.SelfIssued(), Malformed: c.fault != nil,
	}
	if !d.KeyTo.IsZero() && d.KeyTo.Before(d.SignUntil) {
		d.SignUntil = d.KeyTo
	}
	d.policies(x.PolicyIdentifiers)
	d.extensions(x)
	return d
}

// policies sorts certificatePolicies into classes and the rest.
func (d *Card) policies(oids []asn1.ObjectIdentifier) {
	for _, oid := range oids {
		own, ca := class(oid, oidSignClass), class(oid, oidCAClass)
		d.Class, d.IssuerClass = max(d.Class, own), max(d.IssuerClass, ca)
		if own == 0 && ca == 0 && len(d.Policies) < maxList {
			d.Policies = append(d.Policies, cut(oid.String()))
		}
	}
}

func (d *Card) extensions(x *x509.Certificate) {
	note := func(oid asn1.ObjectIdentifier, err error) {
		if err != nil {
			d.Unreadable = append(d.Unreadable, oid.String())
		}
	}
	var err error
	_, err = readPeriod(x)
	note(oidPrivateKeyUsage, err)
	d.Purposes, err = purposes(x)
	note(oidExtKeyUsage, err)

	note(oidSubjectSignTool, read(x, oidSubjectSignTool, &d.SignTool))
	d.SignTool = cut(strings.TrimSpace(d.SignTool))
	var tool struct{ SignTool, CATool, SignToolDocument, CAToolDocument string }
	note(oidIssuerSignTool, read(x, oidIssuerSignTool, &tool))
	d.IssuerTool = IssuerTool{
		cut(strings.TrimSpace(tool.SignTool)), cut(strings.TrimSpace(tool.CATool)),
		cut(strings.TrimSpace(tool.SignToolDocument)), cut(strings.TrimSpace(tool.CAToolDocument)),
	}
	d.Identification, err = identification(x)
	note(oidIdentification, err)
}

func identification(x *x509.Certificate) (Identification, error) {
	if _, ok := extension(x, oidIdentification); !ok {
		return "", nil
	}
	var n int
	if err := read(x, oidIdentification, &n); err != nil {
		return "", err
	}
	if n < 0 || n >= len(identifications) {
		return "other", nil
	}
	return identifications[n], nil
}

// extension returns the value of an extension; crypto/x509 has seen to it that there is one of each kind.
func extension(x *x509.Certificate, oid asn1.ObjectIdentifier) ([]byte, bool) {
	for _, e := range x.Extensions {
		if e.Id.Equal(oid) {
			return e.Value, true
		}
	}
	return nil, false
}

var errExtension = errors.New("malformed extension")

// read decodes an extension into v, which it leaves alone when there is none.
func read(x *x509.Certificate, oid asn1.ObjectIdentifier, v any) error {
	value, ok := extension(x, oid)
	if !ok {
		return nil
	}
	if rest, err := asn1.Unmarshal(value, v); err != nil || len(rest) != 0 {
		return errExtension
	}
	return nil
}

// cut bounds a string from outside and makes it valid UTF-8.
func cut(s string) string {
	const most = (maxText + 1) * utf8.UTFMax
	long := len(s) > most
	s = strings.ToValidUTF8(s[:min(len(s), most)], "\uFFFD")
	if !long && utf8.RuneCountInString(s) <= maxText {
		return s
	}
	r := []rune(s)
	return string(r[:min(len(r), maxText-1)]) + "…"
}

// cut bounds every field.
func (p Person) cut() Person {
	for _, a := range attributes {
		f := a.field(&p)
		*f = cut(*f)
	}
	return p
}
