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
	tagContext4 = 0xa4
)

// What every signature repeats, encoded once.
var (
	derData                 = mustDER(oidData)
	derSignedData           = mustDER(oidSignedData)
	derContentType          = mustDER(oidContentType)
	derMessageDigest        = mustDER(oidMessageDigest)
	derSigningTime          = mustDER(oidSigningTime)
	derContentHints         = mustDER(oidContentHints)
	derSigningCertificateV2 = mustDER(oidSigningCertificateV2)
	derMIMEType             = mustDER(oidMIMEType)
	derOne                  = mustDER(1)
)

func mustDER(v any) []byte {
	der, err := asn1.Marshal(v)
	if err != nil {
		panic(err)
	}
	return der
}

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
	at, err := asn1.Marshal(m.o.SigningTime.UTC())
	if err != nil {
		return nil, err
	}
	reference, err := m.reference()
	if err != nil {
		return nil, err
	}
	out := [][]byte{
		encodedAttribute(derContentType, derData),
		encodedAttribute(derSigningTime, at),
		encodedAttribute(derMessageDigest, tlv(tagOctets, sum)),
		encodedAttribute(derSigningCertificateV2, reference),
	}
	if m.o.FileName != "" {
		name, err := asn1.MarshalWithParams(m.o.FileName, "utf8") // refuses what is not UTF-8
		if err != nil {
			return nil, err
		}
		out = append(out, encodedAttribute(derContentHints, tlv(tagSequence, name, derData)))
	}
	if m.o.MIMEType != "" {
		out = append(out, encodedAttribute(derMIMEType, tlv(asn1.TagUTF8String, []byte(m.o.MIMEType))))
	}
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
		if hash, err = identifier(m.alg.Digest.Identifier()); err != nil {
			return nil, err
		}
	}
	issuer := tlv(tagSequence, tlv(tagSequence, tlv(tagContext4, m.cert.X509.RawIssuer)), serial)
	id := tlv(tagSequence, hash, tlv(tagOctets, m.alg.Digest.Sum(m.cert.Raw)), issuer)
	return tlv(tagSequence, tlv(tagSequence, id)), nil
}

// signerInfo encodes SignerInfo version 1 (RFC 5652 section 5.3).
func (m *maker) signerInfo(attrs [][]byte, sig []byte) ([]byte, error) {
	signed := set(attrs)
	signed[0] = tagContext0 // implicit tag; the SET tag was for the signature (section 5.4)
	serial, err := asn1.Marshal(m.cert.X509.SerialNumber)
	if err != nil {
		return nil, err
	}
	digest, err := identifier(m.alg.Digest.Identifier())
	if err != nil {
		return nil, err
	}
	signature, err := identifier(m.alg.SignerIdentifier())
	if err != nil {
		return nil, err
	}
	return tlv(tagSequence, derOne, tlv(tagSequence, m.cert.X509.RawIssuer, serial), digest, signed, signature, tlv(tagOctets, sig)), nil
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

// framing is everything before and after the content.
type framing struct{ head, tail []byte }

// frame wraps one SignerInfo and room for size bytes of content into ContentInfo and SignedData. SignedData is version 1:
// plain data, certificates of X.509 only, the signer named by issuer and serial (RFC 5652 section 5.1).
func (m *maker) frame(info []byte, size int64) (framing, error) {
	digest, err := identifier(m.alg.Digest.Identifier())
	if err != nil {
		return framing{}, err
	}
	if !m.o.Attached {
		size = -1
	}
	certs := set(m.certificates())
	certs[0] = tagContext0
	f := framing{tail: slices.Concat(certs, set([][]byte{info}))}

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
	wrap(tagSequence, derData)
	length += int64(len(f.tail))
	wrap(tagSequence, derOne, tlv(tagSet, digest))
	wrap(tagContext0)
	wrap(tagSequence, derSignedData)
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
