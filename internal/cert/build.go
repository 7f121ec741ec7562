// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"time"

	"persten/internal/algo"
)

// Template describes a certificate to issue. Zero values give a sensible leaf for signing documents.
type Template struct {
	Subject             Person
	Key                 algo.PublicKey
	Serial              *big.Int  // nil: 127 random bits
	NotBefore, NotAfter time.Time // zero: from an hour ago, for one year
	CA                  bool
	MaxPath             int                     // for a CA: CA certificates that may follow below it; negative: any number
	KeyUsage            x509.KeyUsage           // 0: digitalSignature and contentCommitment, or certSign and cRLSign for a CA
	ExtKeyUsage         []asn1.ObjectIdentifier // none: no extension
	Policies            []asn1.ObjectIdentifier // none: no extension
	PrivateKeyUsageTo   time.Time               // end of the private key usage period; zero: no extension
	Extensions          []pkix.Extension        // further ones, as they are
}

// tbs is TBSCertificate (RFC 5280 section 4.1), version 3.
type tbs struct {
	Version    int `asn1:"explicit,tag:0"`
	Serial     *big.Int
	Algorithm  pkix.AlgorithmIdentifier
	Issuer     asn1.RawValue
	Validity   struct{ NotBefore, NotAfter time.Time }
	Subject    asn1.RawValue
	SPKI       asn1.RawValue
	Extensions []pkix.Extension `asn1:"explicit,tag:3"`
}

// Build issues t, signed with key under the name of issuer; a nil issuer makes it self-signed. It serves the demo CA and
// tests: nothing checks that a request deserves its certificate.
func Build(t Template, issuer *Certificate, key algo.PrivateKey) (*Certificate, error) {
	ids := algo.Signing(key.Public())
	if t.Key == nil || len(ids) == 0 {
		return nil, errors.New("build certificate: no usable key")
	}
	a, _ := algo.Lookup(ids[0])
	body, err := t.body(a, issuer, key.Public())
	if err != nil {
		return nil, fmt.Errorf("build certificate: %w", err)
	}
	sig, err := key.Sign(rand.Reader, a.ID, algo.Input{Message: body})
	if err != nil {
		return nil, fmt.Errorf("build certificate: %w", err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: body}, a.CertificateIdentifier(), asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)}})
	if err != nil {
		return nil, fmt.Errorf("build certificate: %w", err)
	}
	return Parse(der)
}

// body encodes the part that is signed.
func (t Template) body(a algo.Algorithm, issuer *Certificate, signer algo.PublicKey) ([]byte, error) {
	subject, err := t.Subject.encode()
	if err != nil {
		return nil, err
	}
	b := tbs{Version: 2, Serial: t.Serial, Algorithm: a.CertificateIdentifier()}
	b.Subject, b.Issuer = asn1.RawValue{FullBytes: subject}, asn1.RawValue{FullBytes: subject}
	if issuer != nil {
		b.Issuer.FullBytes = issuer.X509.RawSubject
	}
	b.SPKI.FullBytes = t.Key.SPKI()
	if b.Serial == nil {
		if b.Serial, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
			return nil, err
		}
		b.Serial.Add(b.Serial, big.NewInt(1))
	}
	b.Validity.NotBefore, b.Validity.NotAfter = t.validity()
	if b.Extensions, err = t.extensions(issuer, signer); err != nil {
		return nil, err
	}
	return asn1.Marshal(b)
}

func (t Template) validity() (from, to time.Time) {
	from, to = t.NotBefore, t.NotAfter
	if from.IsZero() {
		from = time.Now().Add(-time.Hour)
	}
	if to.IsZero() {
		to = from.AddDate(1, 0, 0)
	}
	return from.UTC().Truncate(time.Second), to.UTC().Truncate(time.Second)
}

// encode writes the name, one attribute per RDN, in the order of the attribute table.
func (p Person) encode() ([]byte, error) {
	var names pkix.RDNSequence
	for _, a := range attributes {
		v := *a.field(&p)
		if v == "" {
			continue
		}
		raw := asn1.RawValue{Tag: a.kind, Bytes: []byte(v)}
		names = append(names, pkix.RelativeDistinguishedNameSET{{Type: a.oid, Value: raw}})
	}
	return asn1.Marshal(names)
}

func (t Template) extensions(issuer *Certificate, signer algo.PublicKey) ([]pkix.Extension, error) {
	var list []pkix.Extension
	var failed error
	add := func(oid asn1.ObjectIdentifier, critical bool, v any) {
		der, err := asn1.Marshal(v)
		failed = errors.Join(failed, err)
		list = append(list, pkix.Extension{Id: oid, Critical: critical, Value: der})
	}
	if t.CA {
		add(oidBasicConstraints, true, t.constraints())
	}
	add(oidKeyUsage, true, keyUsageBits(t.usage()))
	ski, err := keyID(t.Key)
	if err != nil {
		return nil, err
	}
	add(oidSubjectKeyID, false, ski)
	aki, err := keyID(signer)
	if issuer != nil && len(issuer.X509.SubjectKeyId) > 0 {
		aki = issuer.X509.SubjectKeyId
	}
	if err != nil {
		return nil, err
	}
	add(oidAuthorityKeyID, false, struct {
		ID []byte `asn1:"tag:0"`
	}{aki})
	if len(t.ExtKeyUsage) > 0 {
		add(oidExtKeyUsage, false, t.ExtKeyUsage)
	}
	if len(t.Policies) > 0 {
		add(oidPolicies, false, policies(t.Policies))
	}
	if !t.PrivateKeyUsageTo.IsZero() {
		from, _ := t.validity()
		add(oidPrivateKeyUsage, false, struct {
			From time.Time `asn1:"tag:0,generalized"`
			To   time.Time `asn1:"tag:1,generalized"`
		}{from, t.PrivateKeyUsageTo.UTC().Truncate(time.Second)})
	}
	return append(list, t.Extensions...), failed
}

var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidPolicies         = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage      = asn1.ObjectIdentifier{2, 5, 29, 37}
)

func (t Template) constraints() any {
	if t.MaxPath < 0 {
		return struct{ CA bool }{true}
	}
	return struct {
		CA      bool
		MaxPath int
	}{true, t.MaxPath}
}

func (t Template) usage() x509.KeyUsage {
	switch {
	case t.KeyUsage != 0:
		return t.KeyUsage
	case t.CA:
		return x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	default:
		return x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	}
}

// keyUsageBits writes bit 0 of u as the first bit of the string, without trailing zeros (X.690 section 11.2.2).
func keyUsageBits(u x509.KeyUsage) asn1.BitString {
	n := bits.Len16(uint16(u))
	b := []byte{bits.Reverse8(byte(u)), bits.Reverse8(byte(u >> 8))}
	return asn1.BitString{Bytes: b[:(n+7)/8], BitLength: n}
}

type policy struct{ ID asn1.ObjectIdentifier }

func policies(oids []asn1.ObjectIdentifier) []policy {
	list := make([]policy, len(oids))
	for i, oid := range oids {
		list[i].ID = oid
	}
	return list
}

// keyID is the SHA-1 of the key bits (RFC 5280 section 4.2.1.2).
func keyID(key algo.PublicKey) ([]byte, error) {
	var v struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(key.SPKI(), &v); err != nil {
		return nil, err
	}
	sum := sha1.Sum(v.Key.RightAlign())
	return sum[:], nil
}
