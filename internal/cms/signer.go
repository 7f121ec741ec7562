// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// signerInfo is SignerInfo (RFC 5652 section 5.3) as read. SID stays raw: it is one of two things.
type signerInfo struct {
	Version            int
	SID                asn1.RawValue
	DigestAlgorithm    pkix.AlgorithmIdentifier
	SignedAttrs        asn1.RawValue `asn1:"optional,tag:0"`
	SignatureAlgorithm pkix.AlgorithmIdentifier
	Signature          []byte
	Unsigned           asn1.RawValue `asn1:"optional,tag:1"`
}

// signer checks one SignerInfo, mathematics first, then the path.
func (v *verifier) signer(raw []byte) SignerReport {
	rep := SignerReport{Format: FormatCAdESBES}
	rep.Problem = v.check(raw, &rep)
	rep.Valid = rep.Problem == nil
	rep.CheckTrust(v.trust)
	return rep
}

// check fills rep with what it finds on the way and returns the first problem.
func (v *verifier) check(raw []byte, rep *SignerReport) error {
	var si signerInfo
	if rest, err := asn1.Unmarshal(raw, &si); err != nil || len(rest) != 0 {
		return fmt.Errorf("%w: signer information", ErrFormat)
	}
	if byKey := si.Version == 3; byKey != si.byKeyID() || !byKey && si.Version != 1 {
		return fmt.Errorf("%w: signer information version %d", ErrFormat, si.Version)
	}
	var err error
	if rep.Certificate, err = v.find(si); err != nil {
		return err
	}
	alg, err := v.algorithm(si)
	if err != nil {
		return err
	}
	rep.Algorithm = alg.ID
	attrs, err := parseAttributes(si.SignedAttrs)
	if err != nil {
		return err
	}
	if rep.SigningTime, err = attrs.signingTime(); err != nil {
		return err
	}
	if err := v.checkContent(attrs, alg.Digest); err != nil {
		return err
	}
	if err := attrs.checkReference(rep.Certificate); err != nil {
		return err
	}
	return checkSignature(rep.Certificate.Key, alg.ID, attrs, si.Signature)
}

// find looks for the signer's certificate by issuer and serial or by key identifier.
func (v *verifier) find(si signerInfo) (*cert.Certificate, error) {
	match, err := si.matcher()
	if err != nil {
		return nil, err
	}
	for _, pool := range [][]*cert.Certificate{v.trust.Intermediates, v.trust.Roots} {
		for _, c := range pool {
			if match(c) {
				return c, nil
			}
		}
	}
	if n := v.message.unreadable; n > 0 {
		return nil, fmt.Errorf("%w; %d embedded certificates could not be read", ErrNoCertificate, n)
	}
	return nil, ErrNoCertificate
}

// signerID is IssuerAndSerialNumber.
type signerID struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

// byKeyID tells how the signer is named; the version must say the same.
func (si signerInfo) byKeyID() bool {
	return si.SID.Class == asn1.ClassContextSpecific && si.SID.Tag == 0
}

func (si signerInfo) matcher() (func(*cert.Certificate) bool, error) {
	sid := si.SID
	if si.byKeyID() {
		return func(c *cert.Certificate) bool { return bytes.Equal(c.X509.SubjectKeyId, sid.Bytes) }, nil
	}
	var id signerID
	if rest, err := asn1.Unmarshal(sid.FullBytes, &id); err != nil || len(rest) != 0 || id.Serial == nil {
		return nil, fmt.Errorf("%w: signer identifier", ErrFormat)
	}
	return func(c *cert.Certificate) bool {
		return c.X509.SerialNumber.Cmp(id.Serial) == 0 && bytes.Equal(c.X509.RawIssuer, id.Issuer.FullBytes)
	}, nil
}

// algorithm finds the row the two identifiers mean together.
func (v *verifier) algorithm(si signerInfo) (algo.Algorithm, error) {
	d, ok := algo.DigestByOID(si.DigestAlgorithm.Algorithm)
	if !ok {
		return algo.Algorithm{}, fmt.Errorf("%w: digest %v", ErrAlgorithm, si.DigestAlgorithm.Algorithm)
	}
	a, ok := algo.SignerAlgorithm(si.SignatureAlgorithm, d)
	if !ok {
		return algo.Algorithm{}, fmt.Errorf("%w: %v with %s", ErrAlgorithm, si.SignatureAlgorithm.Algorithm, d)
	}
	if !slices.Contains(v.sums.names, d) {
		return algo.Algorithm{}, fmt.Errorf("%w: %s is not among the message's digest algorithms", ErrAlgorithm, d)
	}
	return a, nil
}

// checkContent compares content type and message digest.
func (v *verifier) checkContent(attrs *attributes, d algo.Digest) error {
	var oid asn1.ObjectIdentifier
	if err := attrs.single(oidContentType, &oid); err != nil {
		return err
	}
	if !oid.Equal(v.message.contentType) {
		return fmt.Errorf("%w: content type %v, signed as %v", ErrAttributes, v.message.contentType, oid)
	}
	var sum []byte
	if err := attrs.single(oidMessageDigest, &sum); err != nil {
		return err
	}
	if !bytes.Equal(sum, v.sums.values()[d]) {
		return ErrDigest
	}
	if v.differs {
		return fmt.Errorf("%w: the signature holds another content than the one given", ErrDigest)
	}
	return nil
}

// checkSignature hashes the attributes as received and, failing that, in the order DER asks for: programs exist that
// sort before signing and not before writing.
func checkSignature(key algo.PublicKey, id algo.ID, attrs *attributes, sig []byte) error {
	received := slices.Clone(attrs.raw)
	received[0] = tagSet
	err := key.Verify(id, algo.Input{Message: received}, sig)
	if sorted := set(attrs.elements); errors.Is(err, algo.ErrSignature) && !bytes.Equal(sorted, received) {
		err = key.Verify(id, algo.Input{Message: sorted}, sig)
	}
	switch {
	case errors.Is(err, algo.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrAlgorithm, err)
	case err != nil:
		return ErrSignature
	}
	return nil
}

// attributes are the signed attributes of one signer.
type attributes struct {
	raw      []byte // with the implicit tag
	elements [][]byte
	list     []attribute
}

func parseAttributes(v asn1.RawValue) (*attributes, error) {
	if len(v.FullBytes) == 0 || !v.IsCompound {
		return nil, fmt.Errorf("%w: there are none", ErrAttributes)
	}
	a := &attributes{raw: v.FullBytes}
	for rest := v.Bytes; len(rest) > 0; {
		var one attribute
		next, err := asn1.Unmarshal(rest, &one)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrAttributes, err)
		}
		if len(a.list) == maxAttributes {
			return nil, fmt.Errorf("%w: more than %d attributes", ErrLimit, maxAttributes)
		}
		a.elements = append(a.elements, rest[:len(rest)-len(next)])
		a.list = append(a.list, one)
		rest = next
	}
	return a, nil
}

// errAbsent is returned by value alone.
var errAbsent = fmt.Errorf("%w: attribute is missing", ErrAttributes)

// value returns the one value of an attribute. Attributes that matter occur once and have one value (RFC 5652 section 11).
func (a *attributes) value(oid asn1.ObjectIdentifier) ([]byte, error) {
	var found []byte
	for _, one := range a.list {
		if !one.Type.Equal(oid) {
			continue
		}
		if found != nil || len(one.Values) != 1 {
			return nil, fmt.Errorf("%w: %v is not single", ErrAttributes, oid)
		}
		found = one.Values[0].FullBytes
	}
	if found == nil {
		return nil, errAbsent
	}
	return found, nil
}

// single decodes the one value of an attribute.
func (a *attributes) single(oid asn1.ObjectIdentifier, v any) error {
	der, err := a.value(oid)
	if err != nil {
		return err
	}
	if rest, err := asn1.Unmarshal(der, v); err != nil || len(rest) != 0 {
		return fmt.Errorf("%w: malformed %v", ErrAttributes, oid)
	}
	return nil
}

func (a *attributes) signingTime() (time.Time, error) {
	var t time.Time
	err := a.single(oidSigningTime, &t)
	if errors.Is(err, errAbsent) {
		return time.Time{}, nil
	}
	return t.UTC(), err
}

// reference is one certificate named by a signing-certificate attribute.
type reference struct {
	digest algo.Digest
	id     essCertID
}

// checkReference requires a signing-certificate attribute, of the first or the second version, and that each one present
// names c first. The digest decides; of issuer and serial only the serial is compared, since names are re-encoded on the way.
func (a *attributes) checkReference(c *cert.Certificate) error {
	found := false
	for _, read := range []func() (reference, error){a.referenceV1, a.referenceV2} {
		ref, err := read()
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSigningCertificate, err)
		}
		found = true
		if !bytes.Equal(ref.id.Digest, ref.digest.Sum(c.Raw)) {
			return ErrSigningCertificate
		}
		if s := ref.id.IssuerSerial.Serial; s != nil && s.Cmp(c.X509.SerialNumber) != 0 {
			return ErrSigningCertificate
		}
	}
	if !found {
		return fmt.Errorf("%w: it is missing", ErrSigningCertificate)
	}
	return nil
}

// referenceV1 reads ESSCertID (RFC 2634 section 5.4), whose digest is SHA-1.
func (a *attributes) referenceV1() (reference, error) {
	var v struct {
		Certificates []struct {
			Digest       []byte
			IssuerSerial issuerSerial `asn1:"optional"`
		}
		Policies asn1.RawValue `asn1:"optional"`
	}
	if err := a.single(oidSigningCertificate, &v); err != nil {
		return reference{}, err
	}
	if len(v.Certificates) == 0 {
		return reference{}, errors.New("it names no certificate")
	}
	first := v.Certificates[0]
	return reference{algo.SHA1, essCertID{Digest: first.Digest, IssuerSerial: first.IssuerSerial}}, nil
}

func (a *attributes) referenceV2() (reference, error) {
	var v struct {
		Certificates []asn1.RawValue
		Policies     asn1.RawValue `asn1:"optional"`
	}
	if err := a.single(oidSigningCertificateV2, &v); err != nil {
		return reference{}, err
	}
	if len(v.Certificates) == 0 {
		return reference{}, errors.New("it names no certificate")
	}
	ref := reference{digest: algo.SHA256}
	if rest, err := asn1.Unmarshal(v.Certificates[0].FullBytes, &ref.id); err != nil || len(rest) != 0 {
		return reference{}, errors.New("malformed")
	}
	if oid := ref.id.Hash.Algorithm; oid != nil {
		var ok bool
		if ref.digest, ok = algo.DigestByOID(oid); !ok {
			return reference{}, fmt.Errorf("digest %v", oid)
		}
	}
	return ref, nil
}
