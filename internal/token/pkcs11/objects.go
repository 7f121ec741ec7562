// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"

	p11 "github.com/miekg/pkcs11"
)

// objects lists the certificates of a slot that are visible without login.
func (s *server) objects(slot uint) (*objectsReply, error) {
	h, err := s.lib.ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, failed("C_OpenSession", err)
	}
	defer s.lib.ctx.CloseSession(h)
	certs, err := s.lib.find(h,
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE), p11.NewAttribute(p11.CKA_CERTIFICATE_TYPE, p11.CKC_X_509))
	if err != nil {
		return nil, err
	}
	keys, err := s.lib.visibleKeys(h)
	if err != nil {
		return nil, err
	}
	reply := &objectsReply{Objects: []object{}}
	var broken error
	for _, c := range certs[:min(len(certs), maxCertObject)] {
		o, err := s.lib.certificate(h, c)
		if removed(err) {
			return nil, err
		}
		if err != nil {
			broken = err
			continue // one broken object does not hide the others
		}
		o.Key = keys.belongTo(o.ID, spkiOf(o.Certificate))
		reply.Objects = append(reply.Objects, o)
	}
	if len(reply.Objects) == 0 && broken != nil {
		return nil, broken
	}
	return reply, nil
}

func (l *library) certificate(h p11.SessionHandle, c p11.ObjectHandle) (object, error) {
	der, err := l.attribute(h, c, p11.CKA_VALUE)
	if err != nil {
		return object{}, err
	}
	o := object{Certificate: der}
	if o.ID, err = l.attribute(h, c, p11.CKA_ID); err != nil {
		o.ID = nil // allowed to be missing: the key is then found by its public part
	}
	if label, err := l.attribute(h, c, p11.CKA_LABEL); err == nil {
		o.Label = printable(string(label))
	}
	if len(o.ID) > maxObjectID {
		o.ID = nil
	}
	return o, nil
}

// keyObject is a public or private key seen on the token.
type keyObject struct {
	handle p11.ObjectHandle
	id     []byte
	public []byte // modulus, point or GOST value; nil when the object does not tell
}

type keyObjects []keyObject

// visibleKeys lists the key objects a session sees.
func (l *library) visibleKeys(h p11.SessionHandle) (keyObjects, error) {
	var all keyObjects
	for _, class := range []uint{p11.CKO_PUBLIC_KEY, p11.CKO_PRIVATE_KEY} {
		some, err := l.keys(h, class)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (l *library) keys(h p11.SessionHandle, class uint) (keyObjects, error) {
	handles, err := l.find(h, p11.NewAttribute(p11.CKA_CLASS, class))
	if err != nil {
		return nil, err
	}
	var all keyObjects
	for _, o := range handles {
		k := keyObject{handle: o}
		if k.id, err = l.attribute(h, o, p11.CKA_ID); removed(err) {
			return nil, err
		}
		k.public = l.publicPart(h, o, class)
		all = append(all, k)
	}
	return all, nil
}

// publicPart reads what identifies a key pair. Private EC and GOST keys usually keep it to themselves.
func (l *library) publicPart(h p11.SessionHandle, o p11.ObjectHandle, class uint) []byte {
	kinds := []uint{p11.CKA_MODULUS, p11.CKA_EC_POINT}
	if class == p11.CKO_PUBLIC_KEY {
		kinds = append(kinds, p11.CKA_VALUE)
	}
	for _, kind := range kinds {
		if v, err := l.attribute(h, o, kind); err == nil && len(v) > 0 {
			return v
		}
	}
	return nil
}

// belongTo reports whether one of the keys has the given id, or the public key in spki.
func (ks keyObjects) belongTo(id, spki []byte) bool {
	_, ok := ks.match(id, spki)
	return ok
}

// match finds the key of a certificate: the same public key decides; without one to compare, the same id does.
func (ks keyObjects) match(id, spki []byte) (keyObject, bool) {
	var byID *keyObject
	for i, k := range ks {
		switch {
		case k.public != nil && samePublic(k.public, spki):
			return k, true
		case k.public == nil && len(id) > 0 && bytes.Equal(k.id, id) && byID == nil:
			byID = &ks[i]
		}
	}
	if byID != nil {
		return *byID, true
	}
	return keyObject{}, false
}

// privateKey finds the private key of a certificate after login.
func (l *library) privateKey(h p11.SessionHandle, id, spki []byte) (p11.ObjectHandle, error) {
	private, err := l.keys(h, p11.CKO_PRIVATE_KEY)
	if err != nil {
		return 0, err
	}
	if k, ok := private.match(id, spki); ok {
		return k.handle, nil
	}
	public, err := l.keys(h, p11.CKO_PUBLIC_KEY)
	if err != nil {
		return 0, err
	}
	if k, ok := public.match(nil, spki); ok {
		if k, ok := private.match(k.id, spki); ok {
			return k.handle, nil
		}
	}
	return 0, &reason{reasonNoKey, errNoKey}
}

// samePublic compares a modulus, an EC point (bare or in an OCTET STRING) or a GOST value with the key in spki.
func samePublic(public, spki []byte) bool {
	var s struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(spki, &s); err != nil {
		return false
	}
	var rsa struct{ N, E *big.Int }
	if _, err := asn1.Unmarshal(s.Key.Bytes, &rsa); err == nil {
		return new(big.Int).SetBytes(public).Cmp(rsa.N) == 0
	}
	return bytes.Equal(unwrapOctets(public), unwrapOctets(s.Key.Bytes))
}

// unwrapOctets strips one DER OCTET STRING header where there is one.
func unwrapOctets(b []byte) []byte {
	var inner []byte
	if rest, err := asn1.Unmarshal(b, &inner); err == nil && len(rest) == 0 {
		return inner
	}
	return b
}

// spkiOf cuts the SubjectPublicKeyInfo out of a certificate; nil when there is none.
func spkiOf(der []byte) []byte {
	var c struct {
		TBS struct {
			Version                              int `asn1:"optional,explicit,default:0,tag:0"`
			Serial                               *big.Int
			Algorithm, Issuer, Validity, Subject asn1.RawValue
			SPKI                                 asn1.RawValue
		}
		Algorithm, Signature asn1.RawValue
	}
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return nil
	}
	return c.TBS.SPKI.FullBytes
}
