// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"persten/internal/algo"
)

var (
	oidDocumentName = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 88, 2, 1}
	oidPolicy       = aa(15)
	oidCommitment   = aa(16)
	oidLocation     = aa(17)
	oidPolicyURI    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, 1}
)

// aa is an attribute of the S/MIME arc (RFC 5126 appendix A).
func aa(n int) asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, n}
}

// maxText bounds one text of an attribute.
const maxText = 4096

// commitments are named by the last number of their identifiers (RFC 5126 section 5.11.1), from 1.
var commitments = []Commitment{CommitOrigin, CommitReceipt, CommitDelivery, CommitSender, CommitApproval, CommitCreation}

var oidCommitments = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 6}

func (c Commitment) oid() (asn1.ObjectIdentifier, error) {
	for i, name := range commitments {
		if c == name {
			return append(oidCommitments[:len(oidCommitments):len(oidCommitments)], i+1), nil
		}
	}
	return dotted(string(c))
}

func commitmentOf(oid asn1.ObjectIdentifier) Commitment {
	for i, name := range commitments {
		if own, _ := name.oid(); own.Equal(oid) {
			return commitments[i]
		}
	}
	return Commitment(oid.String())
}

// dotted reads an object identifier in dotted form, also as urn:oid:.
func dotted(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(strings.TrimPrefix(s, "urn:oid:"), ".") {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || len(oid) == 32 || len(part) > 1 && part[0] == '0' {
			return nil, fmt.Errorf("%w: %q is not an object identifier", ErrProfile, s)
		}
		oid = append(oid, int(n))
	}
	if len(oid) < 2 || oid[0] > 2 || oid[0] < 2 && oid[1] > 39 {
		return nil, fmt.Errorf("%w: %q is not an object identifier", ErrProfile, s)
	}
	return oid, nil
}

func utf8String(s string) (asn1.RawValue, error) {
	if !utf8.ValidString(s) || len(s) > maxText {
		return asn1.RawValue{}, fmt.Errorf("%w: a text that is not UTF-8 or too long", ErrProfile)
	}
	return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)}, nil
}

// documentName is an OCTET STRING with UTF-16, low byte first, and a zero at the end: the form of CAPICOM and .NET.
func documentName(s string) ([]byte, error) {
	if _, err := utf8String(s); err != nil {
		return nil, err
	}
	var raw []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		raw = binary.LittleEndian.AppendUint16(raw, u)
	}
	return raw, nil
}

const maxPostal = 6

// encode makes SignerLocation (RFC 5126 section 5.11.2): country, locality and postal address under explicit tags.
func (l *Location) encode() (any, error) {
	if len(l.Postal) > maxPostal || l.Country == "" && l.Locality == "" && len(l.Postal) == 0 {
		return nil, fmt.Errorf("%w: signer location", ErrProfile)
	}
	var out []asn1.RawValue
	var errs error
	under := func(tag int, v any, err error) {
		der, bad := asn1.Marshal(v)
		errs = errors.Join(errs, err, bad)
		out = append(out, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: der})
	}
	for tag, s := range []string{l.Country, l.Locality} {
		if s != "" {
			v, err := utf8String(s)
			under(tag, v, err)
		}
	}
	if len(l.Postal) > 0 {
		var lines []asn1.RawValue
		for _, line := range l.Postal {
			v, err := utf8String(line)
			lines, errs = append(lines, v), errors.Join(errs, err)
		}
		under(2, lines, nil)
	}
	return out, errs
}

// readLocation returns nil for what is not SignerLocation.
func readLocation(der []byte) *Location {
	var parts []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) != 0 || len(parts) > 3 {
		return nil
	}
	l := &Location{}
	for _, p := range parts {
		var inner asn1.RawValue
		var lines []asn1.RawValue
		_, err := asn1.Unmarshal(p.Bytes, &inner)
		switch {
		case err != nil:
			return nil
		case p.Tag == 0:
			l.Country = text(inner)
		case p.Tag == 1:
			l.Locality = text(inner)
		case p.Tag == 2:
			if _, err := asn1.Unmarshal(p.Bytes, &lines); err != nil || len(lines) > maxPostal {
				return nil
			}
			for _, line := range lines {
				l.Postal = append(l.Postal, text(line))
			}
		}
	}
	return l
}

// policyID is SignaturePolicyId (RFC 5126 section 5.8.1).
type policyID struct {
	ID         asn1.ObjectIdentifier
	Hash       policyHash
	Qualifiers []policyQualifier `asn1:"optional,omitempty"`
}

type policyHash struct {
	Algorithm pkix.AlgorithmIdentifier
	Value     []byte
}

type policyQualifier struct {
	ID    asn1.ObjectIdentifier
	Value asn1.RawValue
}

func (p *Policy) encode() (out policyID, err error) {
	if out.ID, err = dotted(p.ID); err != nil {
		return out, err
	}
	if !p.Digest.Known() || len(p.Value) != p.Digest.Size() {
		return out, fmt.Errorf("%w: the digest of the signature policy", ErrProfile)
	}
	out.Hash = policyHash{p.Digest.Identifier(), p.Value}
	if p.URI != "" {
		if strings.ContainsFunc(p.URI, func(r rune) bool { return r <= ' ' || r > '~' }) || len(p.URI) > maxText {
			return out, fmt.Errorf("%w: the address of the signature policy", ErrProfile)
		}
		uri := asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(p.URI)}
		out.Qualifiers = []policyQualifier{{oidPolicyURI, uri}}
	}
	return out, nil
}

// Check tells what of the attributes that o asks for cannot be made, so that nobody is asked to sign it. The error is ErrProfile.
func (o Options) Check(countersignature bool) error {
	_, err := (&maker{o: o, counter: countersignature}).optional()
	return err
}

// optional is the signed attributes that Options ask for. What describes the content has no place in a countersignature
// (ETSI EN 319 122-1 section 5.2.4).
func (m *maker) optional() (list [][]byte, err error) {
	if m.counter && (m.o.FileName != "" || m.o.MIMEType != "") {
		return nil, fmt.Errorf("%w: a countersignature does not describe the document", ErrProfile)
	}
	add := func(oid asn1.ObjectIdentifier, v any, bad error) {
		der, wrong := newAttribute(oid, v)
		list = append(list, der)
		err = errors.Join(err, bad, wrong)
	}
	if m.o.FileName != "" {
		name, bad := utf8String(m.o.FileName)
		add(oidContentHints, contentHints{name, oidData}, bad)
	}
	if m.o.MIMEType != "" {
		v, bad := utf8String(m.o.MIMEType)
		add(oidMIMEType, v, bad)
	}
	if m.o.DocumentName != "" {
		v, bad := documentName(m.o.DocumentName)
		add(oidDocumentName, v, bad)
	}
	if m.o.Policy != nil {
		v, bad := m.o.Policy.encode()
		add(oidPolicy, v, bad)
	}
	if m.o.Location != nil {
		v, bad := m.o.Location.encode()
		add(oidLocation, v, bad)
	}
	if m.o.Commitment != "" {
		oid, bad := m.o.Commitment.oid()
		add(oidCommitment, struct{ ID asn1.ObjectIdentifier }{oid}, bad)
	}
	return list, err
}

// contentHints is ContentHints (RFC 2634 section 2.9).
type contentHints struct {
	Description asn1.RawValue `asn1:"optional"`
	Type        asn1.ObjectIdentifier
}

// describe puts what else the signer signed into rep. What cannot be read stays empty: it is covered by the signature all the
// same.
func (a *attributes) describe(rep *SignerReport) {
	var hints contentHints
	if a.single(oidContentHints, &hints) == nil {
		rep.FileName = text(hints.Description)
	}
	rep.MIMEType = a.text(oidMIMEType)
	rep.DocumentName = a.text(oidDocumentName)
	rep.Policy = a.policy()
	if der, err := a.value(oidLocation); err == nil {
		rep.Location = readLocation(der)
	}
	var c struct {
		ID         asn1.ObjectIdentifier
		Qualifiers asn1.RawValue `asn1:"optional"`
	}
	if a.single(oidCommitment, &c) == nil {
		rep.Commitment = commitmentOf(c.ID)
	}
}

func (a *attributes) policy() *Policy {
	der, err := a.value(oidPolicy)
	if err != nil {
		return nil
	}
	var id policyID
	if rest, err := asn1.Unmarshal(der, &id); err != nil || len(rest) != 0 {
		return &Policy{} // implied, or not to be read
	}
	p := &Policy{ID: id.ID.String(), Value: id.Hash.Value}
	p.Digest, _ = algo.DigestByOID(id.Hash.Algorithm.Algorithm)
	for _, q := range id.Qualifiers {
		if q.ID.Equal(oidPolicyURI) {
			p.URI = text(q.Value)
		}
	}
	return p
}

func (a *attributes) text(oid asn1.ObjectIdentifier) string {
	var v asn1.RawValue
	if a.single(oid, &v) != nil {
		return ""
	}
	return text(v)
}

// text reads a string of any usual type; octets are UTF-16, low byte first. It is empty when it is none or too long.
func text(v asn1.RawValue) string {
	var s string
	switch {
	case v.Class != asn1.ClassUniversal || len(v.Bytes) > 2*maxText:
	case v.Tag == asn1.TagUTF8String, v.Tag == asn1.TagPrintableString, v.Tag == asn1.TagIA5String:
		s = string(v.Bytes)
	case v.Tag == asn1.TagBMPString:
		s = utf16String(v.Bytes, binary.BigEndian)
	case v.Tag == asn1.TagOctetString:
		s = strings.TrimRight(utf16String(v.Bytes, binary.LittleEndian), "\x00")
	}
	if !utf8.ValidString(s) {
		return ""
	}
	return s
}

func utf16String(b []byte, order binary.ByteOrder) string {
	var units []uint16
	for ; len(b) > 1; b = b[2:] {
		units = append(units, order.Uint16(b))
	}
	return string(utf16.Decode(units))
}
