// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"cmp"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"persten/internal/algo"
	"persten/internal/cert"
)

// signerInfo is SignerInfo (RFC 5652 section 5.3) as read. SID stays raw: it is one of two things.
type signerInfo struct {
	version   int
	sid       []byte
	digest    pkix.AlgorithmIdentifier
	attrs     []byte // signed attributes with the implicit tag, bit for bit; nil when absent
	algorithm pkix.AlgorithmIdentifier
	signature []byte
	unsigned  []byte // unsigned attributes with the implicit tag; nil when absent
}

// parseSigner takes a SignerInfo apart that keep returned.
func parseSigner(der []byte) (si signerInfo, err error) {
	tag, _, body, rest, err := split(der)
	if err != nil || tag != tagSequence || len(rest) != 0 {
		return si, malformed("signer information")
	}
	parts, err := children(body, 7)
	if err != nil {
		return si, err
	}
	next := func(optional bool, tag byte) []byte {
		if len(parts) == 0 || optional && parts[0][0] != tag {
			return nil
		}
		one := parts[0]
		parts = parts[1:]
		return one
	}
	err = errors.Join(decode(next(false, 0), &si.version))
	si.sid = next(false, 0)
	err = errors.Join(err, decode(next(false, 0), &si.digest))
	si.attrs = next(true, tagContext0)
	err = errors.Join(err, decode(next(false, 0), &si.algorithm), decode(next(false, 0), &si.signature))
	si.unsigned = next(true, tagContext1)
	if err != nil || len(parts) != 0 {
		return si, malformed("signer information")
	}
	if len(si.signature) > maxSignature {
		return si, fmt.Errorf("%w: signature value of %d bytes", ErrLimit, len(si.signature))
	}
	return si, nil
}

// signer checks one SignerInfo: mathematics and attributes, then what stands beside the signature.
func (v *verifier) signer(raw []byte) SignerReport {
	rep := SignerReport{Format: FormatCMS}
	si, err := parseSigner(raw)
	if err == nil {
		err = v.check(si, &rep)
	}
	rep.Problem, rep.Valid = err, err == nil
	if si.attrs != nil && !errors.Is(err, ErrUnreferenced) {
		rep.Format = FormatCAdESBES
		if rep.Policy != nil {
			rep.Format = FormatCAdESEPES
		}
	}
	v.beside(si, &rep)
	return rep
}

// check fills rep with what it finds on the way and returns the gravest problem. The order is that of EN 319 102-1 section
// 5.3: identification of the certificate comes before the mathematics.
func (v *verifier) check(si signerInfo, rep *SignerReport) error {
	byKey := si.byKeyID()
	if (si.version == 3) != byKey || !byKey && si.version != 1 {
		return malformed("signer information version %d", si.version)
	}
	attrs, bad := si.signed()
	var err error
	if rep.Certificate, err = v.find(si, attrs); err != nil {
		return err
	}
	alg, err := v.algorithm(si, rep.Certificate)
	if err != nil {
		return err
	}
	rep.Algorithm = alg.ID
	if si.attrs == nil {
		return v.checkBare(si, alg, rep)
	}
	if bad != nil {
		return bad
	}
	if rep.SigningTime, err = attrs.signingTime(); err != nil {
		return err
	}
	attrs.describe(rep)
	unknown := v.checkContent(attrs, alg.Digest)
	if unknown != nil && !errors.Is(unknown, ErrOtherDigest) {
		return unknown
	}
	referenced := attrs.checkReference(rep.Certificate)
	value := checkSignature(rep.Certificate.Key, alg, attrs, si.signature)
	rep.Intact = value == nil && unknown == nil
	return cmp.Or(referenced, value, unknown)
}

// checkBare checks a signature without signed attributes: its value is over the content itself (RFC 5652 section 5.4).
func (v *verifier) checkBare(si signerInfo, alg algo.Algorithm, rep *SignerReport) error {
	if alg.Pure || v.differs {
		return ErrNoAttributes // Ed25519 would want the content in one piece
	}
	sum, err := v.sum(alg.Digest)
	if err != nil {
		return err
	}
	err = matches(alg.Verify(rep.Certificate.Key, algo.Input{Digest: sum}, si.signature))
	if err == nil {
		rep.Intact = true
		return ErrNoAttributes
	}
	if errors.Is(err, ErrSignature) {
		return fmt.Errorf("%w: %w", ErrNoAttributes, err)
	}
	return err
}

// matches gives an error of algo its name here.
func matches(err error) error {
	switch {
	case errors.Is(err, algo.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrAlgorithm, err)
	case err != nil:
		return ErrSignature
	}
	return nil
}

// signed parses the signed attributes; nil when there are none.
func (si signerInfo) signed() (*attributes, error) {
	if si.attrs == nil {
		return nil, nil
	}
	return parseAttributes(si.attrs)
}

// find looks for the signer's certificate by issuer and serial or by key identifier. Of several that fit, as after a renewal
// with the same key, or when somebody put another one into the file, the one that the signer names by its digest counts.
func (v *verifier) find(si signerInfo, attrs *attributes) (*cert.Certificate, error) {
	match, err := si.matcher()
	if err != nil {
		return nil, err
	}
	var first *cert.Certificate
	alike := 0
	for _, c := range slices.Concat(v.pools...) {
		if !match(c) {
			continue
		}
		if attrs == nil || attrs.checkReference(c) == nil {
			return c, nil
		}
		if first == nil {
			first = c
		}
		if alike++; alike == maxAlike {
			break
		}
	}
	if first != nil {
		return first, nil
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
func (si signerInfo) byKeyID() bool { return si.sid[0] == tagContext0&^0x20 }

func (si signerInfo) matcher() (func(*cert.Certificate) bool, error) {
	if si.byKeyID() {
		_, _, id, _, err := split(si.sid)
		return func(c *cert.Certificate) bool { return bytes.Equal(c.X509.SubjectKeyId, id) }, err
	}
	var id signerID
	if err := decode(si.sid, &id); err != nil || id.Serial == nil {
		return nil, malformed("signer identifier")
	}
	return func(c *cert.Certificate) bool {
		return c.X509.SerialNumber.Cmp(id.Serial) == 0 && bytes.Equal(c.X509.RawIssuer, id.Issuer.FullBytes)
	}, nil
}

// algorithm finds the row the two identifiers mean together.
func (v *verifier) algorithm(si signerInfo, c *cert.Certificate) (algo.Algorithm, error) {
	d, ok := digestOf(si.digest)
	if !ok {
		return algo.Algorithm{}, fmt.Errorf("%w: digest %v", ErrAlgorithm, si.digest.Algorithm)
	}
	a, ok := algo.SignerAlgorithm(si.algorithm, d)
	if !ok || !a.PSS && !bare(si.algorithm) && !ofKey(si.algorithm, c) {
		return algo.Algorithm{}, fmt.Errorf("%w: %v with %s", ErrAlgorithm, si.algorithm.Algorithm, d)
	}
	if v.level > 0 {
		v.sums = map[algo.Digest][]byte{d: d.Sum(v.over)}
	} else if !slices.Contains(v.message.sums.names, d) {
		return algo.Algorithm{}, fmt.Errorf("%w: %s is not among the message's digest algorithms", ErrAlgorithm, d)
	}
	return a, nil
}

// ofKey reports whether id is, parameters included, the one of c's key, as some programs write for GOST keys.
func ofKey(id pkix.AlgorithmIdentifier, c *cert.Certificate) bool {
	var key struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	_, err := asn1.Unmarshal(c.Key.SPKI(), &key)
	return err == nil && id.Algorithm.Equal(key.Algorithm.Algorithm) &&
		bytes.Equal(id.Parameters.FullBytes, key.Algorithm.Parameters.FullBytes)
}

// checkContent compares content type and message digest. A countersignature has no content type (RFC 5652 section 11.4).
func (v *verifier) checkContent(attrs *attributes, d algo.Digest) error {
	var oid asn1.ObjectIdentifier
	switch err := attrs.single(oidContentType, &oid); {
	case v.level > 0 && errors.Is(err, errAbsent):
	case err != nil:
		return err
	case v.level > 0:
		return fmt.Errorf("%w: a countersignature has no content type", ErrAttributes)
	case !oid.Equal(v.message.contentType):
		return fmt.Errorf("%w: content type %v, signed as %v", ErrAttributes, v.message.contentType, oid)
	}
	var sum []byte
	if err := attrs.single(oidMessageDigest, &sum); err != nil {
		return err
	}
	known, err := v.sum(d)
	switch {
	case err != nil:
		return err
	case !bytes.Equal(sum, known):
		return ErrDigest
	}
	if v.differs {
		return fmt.Errorf("%w: the signature holds another content than the one given", ErrDigest)
	}
	return nil
}

// sum is the content's digest.
func (v *verifier) sum(d algo.Digest) ([]byte, error) {
	if sum, ok := v.sums[d]; ok {
		return sum, nil
	}
	return nil, &OtherDigestError{d}
}

// checkSignature hashes the attributes as received and, failing that, in the order and with the lengths DER asks for: programs
// exist that sort before signing and not before writing.
func checkSignature(key algo.PublicKey, alg algo.Algorithm, attrs *attributes, sig []byte) error {
	received := slices.Clone(attrs.raw)
	received[0] = tagSet
	err := alg.Verify(key, algo.Input{Message: received}, sig)
	if sorted := set(attrs.elements); errors.Is(err, algo.ErrSignature) && !bytes.Equal(sorted, received) {
		err = alg.Verify(key, algo.Input{Message: sorted}, sig)
	}
	return matches(err)
}
