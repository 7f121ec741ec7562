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
	oidContentHints         = aa(4)
	oidSigningCertificate   = aa(12)
	oidSigningCertificateV2 = aa(47)
	oidMIMEType             = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 1}
)

// Tags that are written and compared by hand.
const (
	tagOctets   = 0x04
	tagSequence = 0x30
	tagSet      = 0x31
	tagContext0 = 0xa0
	tagContext1 = 0xa1
)

// attribute is one attribute (RFC 5652 section 5.3).
type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

// newAttribute encodes an attribute with one value.
func newAttribute(oid asn1.ObjectIdentifier, v any) ([]byte, error) {
	value, err := asn1.Marshal(v)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(attribute{oid, []asn1.RawValue{{FullBytes: value}}})
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

// attributes returns the encoded signed attributes in DER SET order.
func (m *maker) attributes(sum []byte) ([][]byte, error) {
	list, err := m.optional()
	if err != nil {
		return nil, err
	}
	if !m.counter { // a countersignature has no content type (RFC 5652 section 11.4)
		list = append(list, pair{oidContentType, oidData})
	}
	list = append(list,
		pair{oidSigningTime, m.o.SigningTime.UTC()},
		pair{oidMessageDigest, sum},
		pair{oidSigningCertificateV2, m.reference()},
	)
	var out [][]byte
	for _, p := range list {
		der, err := newAttribute(p.oid, p.value)
		if err != nil {
			return nil, err
		}
		out = append(out, der)
	}
	slices.SortFunc(out, bytes.Compare)
	return out, nil
}

// pair is an attribute before it is encoded.
type pair struct {
	oid   asn1.ObjectIdentifier
	value any
}

// reference is the signing-certificate-v2 attribute: the signer's certificate by digest, issuer and serial.
func (m *maker) reference() any {
	name := asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: m.cert.X509.RawIssuer}
	id := essCertID{
		Digest:       m.alg.Digest.Sum(m.cert.Raw),
		IssuerSerial: issuerSerial{[]asn1.RawValue{name}, m.cert.X509.SerialNumber},
	}
	if m.alg.Digest != algo.SHA256 {
		id.Hash = m.digestID()
	}
	return struct{ Certificates []essCertID }{[]essCertID{id}}
}

// digestID and signerID are the identifiers in the form Options ask for. NULL is left out of GOST's alone: RSA has to have it.
func (m *maker) digestID() pkix.AlgorithmIdentifier {
	id := m.alg.Digest.Identifier()
	if m.o.NoNull {
		id.Parameters = asn1.RawValue{}
	}
	return id
}

func (m *maker) algorithmID() pkix.AlgorithmIdentifier {
	id := m.alg.SignerIdentifier()
	if m.o.NoNull && isGOST(m.alg.ID) {
		id.Parameters = asn1.RawValue{}
	}
	return id
}

func isGOST(id algo.ID) bool { return id == algo.GOST256 || id == algo.GOST512 }

// signerInfo encodes SignerInfo version 1 (RFC 5652 section 5.3).
func (m *maker) signerInfo(attrs [][]byte, sig []byte, unsigned [][]byte) ([]byte, error) {
	info := struct {
		Version            int
		SID                signerID
		DigestAlgorithm    pkix.AlgorithmIdentifier
		SignedAttrs        asn1.RawValue
		SignatureAlgorithm pkix.AlgorithmIdentifier
		Signature          []byte
		Unsigned           asn1.RawValue `asn1:"optional"`
	}{
		Version: 1, SID: signerID{asn1.RawValue{FullBytes: m.cert.X509.RawIssuer}, m.cert.X509.SerialNumber},
		DigestAlgorithm: m.digestID(), SignedAttrs: asn1.RawValue{FullBytes: implicit(tagContext0, set(attrs))},
		SignatureAlgorithm: m.algorithmID(), Signature: sig,
	}
	if len(unsigned) > 0 {
		info.Unsigned.FullBytes = implicit(tagContext1, set(unsigned))
	}
	return asn1.Marshal(info)
}

// signerID is IssuerAndSerialNumber.
type signerID struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

// implicit gives a set an implicit tag.
func implicit(tag byte, set []byte) []byte {
	set[0] = tag
	return set
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
