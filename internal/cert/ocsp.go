// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"persten/internal/algo"
)

const (
	maxSingles    = 1024
	maxResponders = 16 // certificates in one response
)

var (
	oidBasicResponse = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
	oidNonce         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidNoCheck       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
	oidArchiveCutoff = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 6}
)

// OCSPStatusError is a response that answers nothing.
type OCSPStatusError struct{ Status int } // RFC 6960 section 4.2.1

func (e *OCSPStatusError) Error() string {
	names := map[int]string{1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}
	if n := names[e.Status]; n != "" {
		return "the OCSP responder answers " + n
	}
	return fmt.Sprintf("the OCSP responder answers with status %d", e.Status)
}

// OCSP is a basic OCSP response (RFC 6960 section 4.2.1). It does not change and may be used from many goroutines.
type OCSP struct {
	Raw          []byte // not copied
	ProducedAt   time.Time
	Nonce        []byte         // nil when the response has none
	Certificates []*Certificate // that came with it, those that can be read

	byName  name   // the responder, one way
	byKey   []byte // or the other: SHA-1 of its key
	singles []OCSPSingle
	outside signed
	strange error // a critical extension nobody here understands
}

// OCSPSingle is the answer about one certificate.
type OCSPSingle struct {
	Status                 RevocationStatus
	Revoked                CRLEntry // with status Revoked
	ThisUpdate, NextUpdate time.Time
	ArchiveCutoff          time.Time // since when expired certificates are remembered; zero: they are not

	digest      algo.Digest // "" for one not known here
	issuer, key []byte
	serial      []byte
}

// ParseOCSP reads a DER OCSPResponse or a bare BasicOCSPResponse of at most 1 MiB. The error wraps ErrOCSP or
// ErrAnswerTooLarge; and an *OCSPStatusError when the responder did not answer. The signature is not looked at. der is kept
// and must not change.
func ParseOCSP(der []byte) (*OCSP, error) {
	if len(der) > maxOCSP {
		return nil, fmt.Errorf("%w: %d bytes", ErrAnswerTooLarge, len(der))
	}
	basic, err := openOCSP(der)
	if err != nil {
		return nil, err
	}
	o := &OCSP{Raw: der}
	if err := o.read(basic); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOCSP, err)
	}
	return o, nil
}

var errOCSPShape = errors.New("malformed response")

// openOCSP finds the BasicOCSPResponse in an OCSPResponse; der may also be one itself.
func openOCSP(der []byte) (cryptobyte.String, error) {
	in, malformed := cryptobyte.String(der), fmt.Errorf("%w: %w", ErrOCSP, errOCSPShape)
	var outer cryptobyte.String
	if !in.ReadASN1(&outer, casn1.SEQUENCE) || !in.Empty() {
		return nil, malformed
	}
	if !outer.PeekASN1Tag(casn1.ENUM) {
		return der, nil
	}
	var status int
	if !outer.ReadASN1Enum(&status) {
		return nil, malformed
	}
	if status != 0 {
		return nil, fmt.Errorf("%w: %w", ErrOCSP, &OCSPStatusError{status})
	}
	var wrapped, body, basic cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !outer.ReadASN1(&wrapped, casn1.Tag(0).ContextSpecific().Constructed()) || !wrapped.ReadASN1(&body, casn1.SEQUENCE) ||
		!body.ReadASN1ObjectIdentifier(&kind) || !kind.Equal(oidBasicResponse) || !body.ReadASN1(&basic, casn1.OCTET_STRING) {
		return nil, malformed
	}
	return basic, nil
}

func (o *OCSP) read(basic cryptobyte.String) error {
	var outer, tbs, algorithm, wrapped cryptobyte.String
	var value asn1.BitString
	var present bool
	if !basic.ReadASN1(&outer, casn1.SEQUENCE) || !basic.Empty() || !outer.ReadASN1Element(&tbs, casn1.SEQUENCE) ||
		!outer.ReadASN1Element(&algorithm, casn1.SEQUENCE) || !outer.ReadASN1BitString(&value) ||
		!outer.ReadOptionalASN1(&wrapped, &present, casn1.Tag(0).ContextSpecific().Constructed()) || !outer.Empty() {
		return errOCSPShape
	}
	o.outside = signed{body: tbs, value: value.RightAlign()}
	if rest, err := asn1.Unmarshal(algorithm, &o.outside.algorithm); err != nil || len(rest) > 0 {
		return errOCSPShape
	}
	if present && !o.readCertificates(wrapped) {
		return errOCSPShape
	}
	return o.readData(tbs)
}

func (o *OCSP) readCertificates(wrapped cryptobyte.String) bool {
	var list cryptobyte.String
	if !wrapped.ReadASN1(&list, casn1.SEQUENCE) || !wrapped.Empty() {
		return false
	}
	for n := 0; !list.Empty(); n++ {
		var der cryptobyte.String
		if n == maxResponders || !list.ReadASN1Element(&der, casn1.SEQUENCE) {
			return false
		}
		if c, err := Parse(der); err == nil {
			o.Certificates = append(o.Certificates, c)
		}
	}
	return true
}

func (o *OCSP) readData(tbs cryptobyte.String) error {
	var data, list, extensions cryptobyte.String
	var present, ok bool
	if !tbs.ReadASN1(&data, casn1.SEQUENCE) || !data.SkipOptionalASN1(casn1.Tag(0).ContextSpecific().Constructed()) ||
		!o.readResponder(&data) {
		return errOCSPShape
	}
	if o.ProducedAt, ok = readMoment(&data); !ok || !data.ReadASN1(&list, casn1.SEQUENCE) {
		return errOCSPShape
	}
	for !list.Empty() {
		if err := o.readSingle(&list); err != nil {
			return err
		}
	}
	if !data.ReadOptionalASN1(&extensions, &present, casn1.Tag(1).ContextSpecific().Constructed()) || !data.Empty() {
		return errOCSPShape
	}
	return o.readExtensions(extensions, o.readNonce)
}

// readResponder reads a ResponderID.
func (o *OCSP) readResponder(in *cryptobyte.String) bool {
	var responder cryptobyte.String
	var tag casn1.Tag
	if !in.ReadAnyASN1(&responder, &tag) {
		return false
	}
	switch tag {
	case casn1.Tag(1).ContextSpecific().Constructed():
		o.byName = parseName(responder)
		return true
	case casn1.Tag(2).ContextSpecific().Constructed():
		return responder.ReadASN1((*cryptobyte.String)(&o.byKey), casn1.OCTET_STRING)
	}
	return false
}

// readNonce takes the nonce, an OCTET STRING by RFC 8954 section 2; some put the bytes there bare.
func (o *OCSP) readNonce(e pkix.Extension) bool {
	if !e.Id.Equal(oidNonce) {
		return false
	}
	o.Nonce = e.Value
	in := cryptobyte.String(e.Value)
	var inner cryptobyte.String
	if in.ReadASN1(&inner, casn1.OCTET_STRING) && in.Empty() {
		o.Nonce = inner
	}
	return true
}

// readExtensions reads Extensions, none when wrapped is empty. A critical one that f does not take spoils the response.
func (o *OCSP) readExtensions(wrapped cryptobyte.String, f func(pkix.Extension) bool) error {
	if wrapped.Empty() {
		return nil
	}
	var list cryptobyte.String
	if !wrapped.ReadASN1(&list, casn1.SEQUENCE) || !wrapped.Empty() {
		return errOCSPShape
	}
	for n := 0; !list.Empty(); n++ {
		e, ok := readExtension(&list)
		if !ok || n == maxExtensions {
			return errOCSPShape
		}
		if !f(e) && e.Critical {
			o.strange = fmt.Errorf("%w: %v", ErrExtension, e.Id)
		}
	}
	return nil
}

func (o *OCSP) readSingle(list *cryptobyte.String) error {
	var body, id, extensions cryptobyte.String
	var s OCSPSingle
	var present, ok bool
	if len(o.singles) == maxSingles || !list.ReadASN1(&body, casn1.SEQUENCE) || !body.ReadASN1(&id, casn1.SEQUENCE) ||
		!s.readID(id) || !s.readStatus(&body) {
		return errOCSPShape
	}
	if s.ThisUpdate, ok = readMoment(&body); !ok {
		return errOCSPShape
	}
	if !s.readNext(&body) ||
		!body.ReadOptionalASN1(&extensions, &present, casn1.Tag(1).ContextSpecific().Constructed()) || !body.Empty() {
		return errOCSPShape
	}
	err := o.readExtensions(extensions, func(e pkix.Extension) bool {
		if !e.Id.Equal(oidArchiveCutoff) {
			return false
		}
		in := cryptobyte.String(e.Value)
		s.ArchiveCutoff, _ = readMoment(&in)
		return true
	})
	o.singles = append(o.singles, s)
	return err
}

// readNext reads nextUpdate, which may be absent.
func (s *OCSPSingle) readNext(in *cryptobyte.String) bool {
	var next cryptobyte.String
	var present, ok bool
	if !in.ReadOptionalASN1(&next, &present, casn1.Tag(0).ContextSpecific().Constructed()) {
		return false
	}
	if !present {
		return true
	}
	s.NextUpdate, ok = readMoment(&next)
	return ok
}

// readID reads a CertID.
func (s *OCSPSingle) readID(in cryptobyte.String) bool {
	var algorithm cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&algorithm, casn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
		!in.ReadASN1((*cryptobyte.String)(&s.issuer), casn1.OCTET_STRING) ||
		!in.ReadASN1((*cryptobyte.String)(&s.key), casn1.OCTET_STRING) ||
		!in.ReadASN1((*cryptobyte.String)(&s.serial), casn1.INTEGER) || !in.Empty() {
		return false
	}
	s.digest, _ = algo.DigestByOID(oid)
	return true
}

// readStatus reads a CertStatus.
func (s *OCSPSingle) readStatus(in *cryptobyte.String) bool {
	var body, reason cryptobyte.String
	var tag casn1.Tag
	if !in.ReadAnyASN1(&body, &tag) {
		return false
	}
	switch tag &^ 0x20 {
	case casn1.Tag(0).ContextSpecific():
		s.Status = Good
		return true
	case casn1.Tag(1).ContextSpecific():
		s.Status = Revoked
		var ok, present bool
		if s.Revoked.At, ok = readMoment(&body); !ok ||
			!body.ReadOptionalASN1(&reason, &present, casn1.Tag(0).ContextSpecific().Constructed()) {
			return false
		}
		return !present || reason.ReadASN1Enum(&s.Revoked.Reason)
	case casn1.Tag(2).ContextSpecific():
		s.Status = Unknown
		return true
	}
	return false
}

// Find returns the newest answer about c.
func (o *OCSP) Find(c, issuer *Certificate) (*OCSPSingle, bool) {
	var best *OCSPSingle
	for i := range o.singles {
		s := &o.singles[i]
		if s.digest == "" || !bytes.Equal(minimal(s.serial), minimal(c.serial)) || !s.names(c, issuer) {
			continue
		}
		if best == nil || s.ThisUpdate.After(best.ThisUpdate) {
			best = s
		}
	}
	return best, best != nil
}

// CheckSignatureFrom returns nil when issuer signed the response, or a responder whose certificate came with it and whom
// issuer itself appointed (RFC 6960 section 4.2.2.2); else an error wrapping ErrSignature. Dates and revocation of the
// responder are not looked at: Validate does that.
func (o *OCSP) CheckSignatureFrom(issuer *Certificate) error {
	err := fmt.Errorf("%w: neither the issuer nor a responder of its own", ErrSignature)
	for _, c := range append([]*Certificate{issuer}, o.Certificates...) {
		if !o.isFrom(c) {
			continue
		}
		if !c.Equal(issuer) && (!c.mayAnswer() || !c.namesIssuer(issuer) || c.CheckSignatureFrom(issuer) != nil) {
			continue
		}
		if err = c.verify(o.outside); err == nil {
			return nil
		}
	}
	return err
}

func (s OCSPSingle) names(c, issuer *Certificate) bool {
	if !bytes.Equal(s.key, s.digest.Sum(issuer.keyBits())) {
		return false
	}
	return bytes.Equal(s.issuer, s.digest.Sum(issuer.X509.RawSubject)) || bytes.Equal(s.issuer, s.digest.Sum(c.X509.RawIssuer))
}

// keyBits is the content of subjectPublicKey.
func (c *Certificate) keyBits() []byte {
	var v struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.X509.RawSubjectPublicKeyInfo, &v); err != nil {
		return nil
	}
	return v.Key.RightAlign()
}

// isFrom reports whether c is who the response says it comes from.
func (o *OCSP) isFrom(c *Certificate) bool {
	if o.byName != nil {
		return o.byName.equal(c.subjectName)
	}
	sum := sha1.Sum(c.keyBits())
	return bytes.Equal(o.byKey, sum[:])
}

// OCSPRequest asks for the state of c (RFC 6960 section 4.1), which is named by digests of kind h. nonce may be nil.
func OCSPRequest(c, issuer *Certificate, h algo.Digest, nonce []byte) ([]byte, error) {
	if !h.Known() || len(c.serial) == 0 {
		return nil, fmt.Errorf("OCSP request: digest %q: %w", h, algo.ErrUnsupported)
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { addCertID(b, c, issuer, h) })
			})
			if nonce != nil {
				b.AddASN1(casn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { addNonce(b, nonce) })
			}
		})
	})
	return b.Bytes()
}

// addCertID writes a CertID. Responders look for it byte by byte, and know it with NULL parameters.
func addCertID(b *cryptobyte.Builder, c, issuer *Certificate, h algo.Digest) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(h.OID())
			b.AddASN1NULL()
		})
		b.AddASN1OctetString(h.Sum(issuer.X509.RawSubject))
		b.AddASN1OctetString(h.Sum(issuer.keyBits()))
		b.AddASN1(casn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(c.serial) })
	})
}

func addNonce(b *cryptobyte.Builder, nonce []byte) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidNonce)
			b.AddASN1(casn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
		})
	})
}
