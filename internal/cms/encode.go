// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"

	"persten/internal/algo"
	"persten/internal/cert"
)

var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

	oidContentType          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidContentHints         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 4}
	oidSigningCertificate   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidMIMEType             = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 1}
)

// Tags this file writes by hand, because their lengths are known before their contents are.
const (
	tagOctets   = 0x04
	tagSequence = 0x30
	tagSet      = 0x31
	tagContext0 = 0xa0
)

// attribute is one signed attribute (RFC 5652 section 5.3).
type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// issuerSerial names a certificate inside ESSCertIDv2; the issuer is GeneralNames with one directoryName.
type issuerSerial struct {
	Issuer []asn1.RawValue
	Serial *big.Int
}

// essCertID is ESSCertIDv2 (RFC 5035 section 4). Hash is left out when it is SHA-256, as DER asks of defaults.
type essCertID struct {
	Hash         pkix.AlgorithmIdentifier `asn1:"optional"`
	Digest       []byte
	IssuerSerial issuerSerial `asn1:"optional"`
}

// attributes returns the encoded attributes in DER SET order.
func (m *maker) attributes(sum []byte) ([][]byte, error) {
	type pair struct {
		oid   asn1.ObjectIdentifier
		value any
	}
	list := []pair{
		{oidContentType, oidData},
		{oidSigningTime, m.o.SigningTime.UTC()},
		{oidMessageDigest, sum},
		{oidSigningCertificateV2, m.reference()},
	}
	if m.o.FileName != "" {
		list = append(list, pair{oidContentHints, struct {
			Description string `asn1:"utf8"`
			Type        asn1.ObjectIdentifier
		}{m.o.FileName, oidData}})
	}
	if m.o.MIMEType != "" {
		list = append(list, pair{oidMIMEType, asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(m.o.MIMEType)}})
	}
	var out [][]byte
	for _, p := range list {
		value, err := asn1.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		der, err := asn1.Marshal(attribute{p.oid, []asn1.RawValue{{FullBytes: value}}})
		if err != nil {
			return nil, err
		}
		out = append(out, der)
	}
	slices.SortFunc(out, bytes.Compare)
	return out, nil
}

// reference is the signing-certificate-v2 attribute: the signer's certificate by digest, issuer and serial.
func (m *maker) reference() any {
	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: m.cert.X509.RawIssuer}
	id := essCertID{
		Digest:       m.alg.Digest.Sum(m.cert.Raw),
		IssuerSerial: issuerSerial{[]asn1.RawValue{name}, m.cert.X509.SerialNumber},
	}
	if m.alg.Digest != algo.SHA256 {
		id.Hash = m.alg.Digest.Identifier()
	}
	return struct{ Certificates []essCertID }{[]essCertID{id}}
}

// signerInfo encodes SignerInfo version 1 (RFC 5652 section 5.3).
func (m *maker) signerInfo(attrs [][]byte, sig []byte) ([]byte, error) {
	signed := set(attrs)
	signed[0] = tagContext0 // implicit tag; the SET tag was for the signature (section 5.4)
	return asn1.Marshal(struct {
		Version            int
		SID                signerID
		DigestAlgorithm    pkix.AlgorithmIdentifier
		SignedAttrs        asn1.RawValue
		SignatureAlgorithm pkix.AlgorithmIdentifier
		Signature          []byte
	}{
		1, signerID{asn1.RawValue{FullBytes: m.cert.X509.RawIssuer}, m.cert.X509.SerialNumber},
		m.alg.Digest.Identifier(), asn1.RawValue{FullBytes: signed}, m.alg.SignerIdentifier(), sig,
	})
}

// signerID is IssuerAndSerialNumber.
type signerID struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

// framing is everything before and after the content.
type framing struct{ head, tail []byte }

// frame wraps one SignerInfo and room for size bytes of content into ContentInfo and SignedData. SignedData is version 1:
// plain data, certificates of X.509 only, the signer named by issuer and serial (RFC 5652 section 5.1).
func (m *maker) frame(info []byte, size int64) (framing, error) {
	digest, err := asn1.Marshal(m.alg.Digest.Identifier())
	if err != nil {
		return framing{}, err
	}
	data, err := asn1.Marshal(oidData)
	if err != nil {
		return framing{}, err
	}
	signed, err := asn1.Marshal(oidSignedData)
	if err != nil {
		return framing{}, err
	}
	if !m.o.Attached {
		size = -1
	}
	certs := set(m.certificates())
	certs[0] = tagContext0
	f := framing{tail: append(certs, set([][]byte{info})...)}

	// From the inside out: each layer puts its header before what is there and grows by the header's length.
	length := int64(0)
	wrap := func(tag byte, before ...[]byte) {
		lead := bytes.Join(before, nil)
		h := head(tag, length+int64(len(lead)))
		f.head = slices.Concat(h, lead, f.head)
		length += int64(len(h) + len(lead))
	}
	if size >= 0 {
		length = size
		wrap(tagOctets)
		wrap(tagContext0)
	}
	wrap(tagSequence, data)
	length += int64(len(f.tail))
	wrap(tagSequence, []byte{asn1.TagInteger, 1, 1}, set([][]byte{digest}))
	wrap(tagContext0)
	wrap(tagSequence, signed)
	return f, nil
}

// certificates is the signer's and the chain's, each once.
func (m *maker) certificates() [][]byte {
	seen := map[string]bool{}
	var out [][]byte
	for _, c := range append([]*cert.Certificate{m.cert}, m.o.Chain...) {
		if !seen[string(c.Raw)] {
			seen[string(c.Raw)] = true
			out = append(out, c.Raw)
		}
	}
	return out
}

// set encodes a SET OF in DER order.
func set(elements [][]byte) []byte {
	sorted := slices.Clone(elements)
	slices.SortFunc(sorted, bytes.Compare)
	body := bytes.Join(sorted, nil)
	return append(head(tagSet, int64(len(body))), body...)
}

// head is a DER tag and length.
func head(tag byte, length int64) []byte {
	if length < 0x80 {
		return []byte{tag, byte(length)}
	}
	n := big.NewInt(length).Bytes()
	return append([]byte{tag, 0x80 | byte(len(n))}, n...)
}
