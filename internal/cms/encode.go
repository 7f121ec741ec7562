// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
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
	tagContext4 = 0xa4
)

// What every signature repeats, encoded once.
var (
	derData                 = mustDER(oidData)
	derSignedData           = mustDER(oidSignedData)
	derContentType          = mustDER(oidContentType)
	derMessageDigest        = mustDER(oidMessageDigest)
	derSigningTime          = mustDER(oidSigningTime)
	derSigningCertificateV2 = mustDER(oidSigningCertificateV2)
	derOne                  = mustDER(1)
)

func mustDER(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}

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
	at, err := asn1.Marshal(m.o.SigningTime.UTC())
	if err != nil {
		return nil, err
	}
	reference, err := m.reference()
	if err != nil {
		return nil, err
	}
	out, err := m.optional()
	if err != nil {
		return nil, err
	}
	if !m.counter { // a countersignature has no content type (RFC 5652 section 11.4)
		out = append(out, encodedAttribute(derContentType, derData))
	}
	out = append(out,
		encodedAttribute(derSigningTime, at),
		encodedAttribute(derMessageDigest, tlv(tagOctets, sum)),
		encodedAttribute(derSigningCertificateV2, reference),
	)
	slices.SortFunc(out, bytes.Compare)
	return out, nil
}

func encodedAttribute(oid, value []byte) []byte { return tlv(tagSequence, oid, tlv(tagSet, value)) }

// reference is the signing-certificate-v2 attribute: the signer's certificate by digest, issuer and serial. The digest's name
// is left out when it is SHA-256, as DER asks of defaults.
func (m *maker) reference() ([]byte, error) {
	serial, err := asn1.Marshal(m.cert.X509.SerialNumber)
	if err != nil {
		return nil, err
	}
	var hash []byte
	if m.alg.Digest != algo.SHA256 {
		if hash, err = identifier(m.digestID()); err != nil {
			return nil, err
		}
	}
	issuer := tlv(tagSequence, tlv(tagSequence, tlv(tagContext4, m.cert.X509.RawIssuer)), serial)
	id := tlv(tagSequence, hash, tlv(tagOctets, m.alg.Digest.Sum(m.cert.Raw)), issuer)
	return tlv(tagSequence, tlv(tagSequence, id)), nil
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
	serial, err := asn1.Marshal(m.cert.X509.SerialNumber)
	if err != nil {
		return nil, err
	}
	digest, err := identifier(m.digestID())
	if err != nil {
		return nil, err
	}
	signature, err := identifier(m.algorithmID())
	if err != nil {
		return nil, err
	}
	issuer := tlv(tagSequence, m.cert.X509.RawIssuer, serial)
	info := [][]byte{derOne, issuer, digest, implicit(tagContext0, set(attrs)), signature, tlv(tagOctets, sig)}
	if len(unsigned) > 0 {
		info = append(info, implicit(tagContext1, set(unsigned)))
	}
	return tlv(tagSequence, info...), nil
}

// identifier encodes an AlgorithmIdentifier, without reflection where it has no parameters or NULL: a batch needs thousands.
func identifier(id pkix.AlgorithmIdentifier) ([]byte, error) {
	var params []byte
	switch p := id.Parameters; {
	case len(p.FullBytes) > 0 || len(p.Bytes) > 0 || p.Class != asn1.ClassUniversal:
		return asn1.Marshal(id)
	case p.Tag == asn1.TagNull:
		params = asn1.NullBytes
	}
	oid, err := asn1.Marshal(id.Algorithm)
	return tlv(tagSequence, oid, params), err
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
	if !slices.IsSortedFunc(elements, bytes.Compare) {
		elements = slices.SortedFunc(slices.Values(elements), bytes.Compare)
	}
	return tlv(tagSet, elements...)
}

// tlv is one DER element with the given content.
func tlv(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := appendHead(make([]byte, 0, n+5), tag, int64(n))
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// head is a DER tag and length.
func head(tag byte, length int64) []byte { return appendHead(nil, tag, length) }

func appendHead(b []byte, tag byte, length int64) []byte {
	if length < 0x80 {
		return append(b, tag, byte(length))
	}
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(length))
	short := bytes.TrimLeft(n[:], "\x00")
	return append(append(b, tag, 0x80|byte(len(short))), short...)
}
