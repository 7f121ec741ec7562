// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// attributes are the signed or unsigned attributes of one signer.
type attributes struct {
	raw      []byte   // with the implicit tag, as received
	received [][]byte // each one
	elements [][]byte // the same with minimal lengths
	list     []attribute
}

// parseAttributes reads a SET OF Attribute under any tag.
func parseAttributes(raw []byte) (*attributes, error) {
	tag, _, body, _, err := split(raw)
	if err != nil || tag&0x20 == 0 {
		return nil, fmt.Errorf("%w: malformed", ErrAttributes)
	}
	if len(body) == 0 {
		return nil, ErrNoAttributes
	}
	parts, err := children(body, maxAttributes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAttributes, err)
	}
	a := &attributes{raw: raw, received: parts}
	for _, one := range parts {
		var read attribute
		if one, err = minimal(one, 0); err == nil {
			err = decode(one, &read)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrAttributes, err)
		}
		a.elements = append(a.elements, one)
		a.list = append(a.list, read)
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
		return ErrUnreferenced
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
