// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Errors of ParseCRL and ParseOCSP.
var (
	ErrCRL            = errors.New("not a revocation list this program can read")
	ErrOCSP           = errors.New("not an OCSP response this program can read")
	ErrAnswerTooLarge = errors.New("the answer about revocation is too large")
)

// Limits of answers.
const (
	maxCRL  = 32 << 20 // about a million entries
	maxOCSP = 1 << 20
)

var (
	oidCRLNumber         = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidReasonCode        = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidHoldInstruction   = asn1.ObjectIdentifier{2, 5, 29, 23}
	oidInvalidityDate    = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidDeltaCRL          = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuingPoint      = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidExpiredCerts      = asn1.ObjectIdentifier{2, 5, 29, 60}
)

// Reasons of revocation (RFC 5280 section 5.3.1) that something depends on.
const (
	ReasonKeyCompromise   = 1
	ReasonCertificateHold = 6
	reasonRemove          = 8
)

// CRL is a certificate revocation list, version 1 or 2 (RFC 5280 section 5). It keeps the DER it was parsed from and little
// else: a list of a million entries is searched, not unfolded. It does not change and may be used from many goroutines.
type CRL struct {
	Raw                    []byte // not copied
	RawIssuer              []byte
	ThisUpdate, NextUpdate time.Time // NextUpdate is zero when the list does not say
	Number                 *big.Int  // nil when absent
	Delta                  bool      // a delta CRL: good only together with the list it adds to
	ExpiredCerts           time.Time // since when expired certificates are kept (X.509 section 9.5.2.8); zero: they are not
	Len                    int       // entries

	issuer       name
	base         *big.Int // of a delta CRL: the number of the list it adds to
	authorityKey []byte   // extension, as it is
	scope        scope
	entries      cryptobyte.String
	outside      signed
	strange      error // a critical extension nobody here understands
}

// ParseCRL reads a DER CertificateList of at most 32 MiB. The error wraps ErrCRL or ErrAnswerTooLarge. The signature is
// not looked at. der is kept and must not change.
func ParseCRL(der []byte) (*CRL, error) {
	if len(der) > maxCRL {
		return nil, fmt.Errorf("%w: %d bytes", ErrAnswerTooLarge, len(der))
	}
	l := &CRL{Raw: der, scope: scope{reasons: allReasons}}
	var err error
	if l.outside, err = parseSigned(der); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCRL, err)
	}
	if err := l.readBody(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCRL, err)
	}
	return l, nil
}

var (
	errCRLShape = errors.New("malformed list")
	errCRLEntry = errors.New("malformed entry")
	errCRLKind  = errors.New("the algorithm inside differs from that of the signature")
)

func (l *CRL) readBody() error {
	in := cryptobyte.String(l.outside.body)
	var body, algorithm, extensions cryptobyte.String
	var present bool
	if !in.ReadASN1(&body, casn1.SEQUENCE) || !body.SkipOptionalASN1(casn1.INTEGER) || !body.ReadASN1(&algorithm, casn1.SEQUENCE) ||
		!body.ReadASN1Element((*cryptobyte.String)(&l.RawIssuer), casn1.SEQUENCE) {
		return errCRLShape
	}
	if err := l.sameAlgorithm(algorithm); err != nil {
		return err
	}
	l.issuer = parseName(l.RawIssuer)
	var ok bool
	if l.ThisUpdate, ok = readMoment(&body); !ok {
		return errCRLShape
	}
	if body.PeekASN1Tag(casn1.UTCTime) || body.PeekASN1Tag(casn1.GeneralizedTime) {
		if l.NextUpdate, ok = readMoment(&body); !ok {
			return errCRLShape
		}
	}
	if !body.ReadOptionalASN1(&l.entries, &present, casn1.SEQUENCE) {
		return errCRLShape
	}
	if !body.ReadOptionalASN1(&extensions, &present, casn1.Tag(0).ContextSpecific().Constructed()) || !body.Empty() {
		return errCRLShape
	}
	if present {
		if err := l.readExtensions(extensions); err != nil {
			return err
		}
	}
	return l.readEntries()
}

// sameAlgorithm is RFC 5280 section 5.1.1.2: what is signed names the algorithm it is signed with. Parameters are not compared:
// absent and NULL mean the same.
func (l *CRL) sameAlgorithm(inside cryptobyte.String) error {
	var id asn1.ObjectIdentifier
	if !inside.ReadASN1ObjectIdentifier(&id) {
		return errCRLShape
	}
	if !id.Equal(l.outside.algorithm.Algorithm) {
		return errCRLKind
	}
	return nil
}

// readMoment reads a Time; seconds may be missing, as they were allowed to once.
func readMoment(in *cryptobyte.String) (time.Time, bool) {
	if !in.PeekASN1Tag(casn1.UTCTime) && !in.PeekASN1Tag(casn1.GeneralizedTime) {
		return time.Time{}, false
	}
	t := dateByHand(in)
	return t, !t.IsZero()
}

func (l *CRL) readExtensions(wrapped cryptobyte.String) error {
	var list cryptobyte.String
	if !wrapped.ReadASN1(&list, casn1.SEQUENCE) || !wrapped.Empty() {
		return errCRLShape
	}
	for n := 0; !list.Empty(); n++ {
		e, ok := readExtension(&list)
		if !ok || n == maxExtensions || !l.readExtension(e) {
			return fmt.Errorf("%w: extension %v", errCRLShape, e.Id)
		}
	}
	return nil
}

func (l *CRL) readExtension(e pkix.Extension) bool {
	in := cryptobyte.String(e.Value)
	ok := true
	switch {
	case e.Id.Equal(oidCRLNumber):
		l.Number, ok = readNumber(in)
	case e.Id.Equal(oidDeltaCRL):
		l.base, ok = readNumber(in)
		l.Delta = true
	case e.Id.Equal(oidIssuingPoint):
		l.scope, ok = readScope(e.Value, l.issuer)
	case e.Id.Equal(oidExpiredCerts):
		l.ExpiredCerts, ok = readMoment(&in)
	case e.Id.Equal(oidAuthorityKeyID):
		l.authorityKey = e.Value
	case e.Id.Equal(oidFreshestCRL), e.Id.Equal(oidIssuerAltName):
	default:
		if e.Critical {
			l.strange = fmt.Errorf("%w: %v", ErrExtension, e.Id)
		}
	}
	return ok
}

func readNumber(in cryptobyte.String) (*big.Int, bool) {
	var v cryptobyte.String
	if !in.ReadASN1(&v, casn1.INTEGER) || !in.Empty() || len(v) == 0 || len(v) > 64 {
		return nil, false
	}
	return signedInteger(v), true
}

// readEntries walks over all entries once: every one must have the shape of an entry, and a critical extension that is not
// understood spoils the whole list (RFC 5280 section 5.3).
func (l *CRL) readEntries() error {
	for in := l.entries; !in.Empty(); l.Len++ {
		e, ok := readEntry(&in)
		if !ok {
			return fmt.Errorf("%w %d", errCRLEntry, l.Len)
		}
		if len(e.extensions) == 0 {
			continue
		}
		if err := e.critical(); err != nil {
			l.strange = err
		}
	}
	return nil
}

// entry is one revoked certificate, its parts still encoded.
type entry struct {
	serial     []byte
	date       cryptobyte.String // with its header
	extensions cryptobyte.String // with its header; empty when there are none
}

func readEntry(in *cryptobyte.String) (entry, bool) {
	var e entry
	var body cryptobyte.String
	var tag casn1.Tag
	if !in.ReadASN1(&body, casn1.SEQUENCE) || !body.ReadASN1((*cryptobyte.String)(&e.serial), casn1.INTEGER) ||
		!body.ReadAnyASN1Element(&e.date, &tag) || tag != casn1.UTCTime && tag != casn1.GeneralizedTime {
		return e, false
	}
	e.extensions = body
	return e, body.Empty() || body.PeekASN1Tag(casn1.SEQUENCE)
}

// each calls f for the extensions of the entry until it returns an error.
func (e entry) each(f func(pkix.Extension) error) error {
	rest := e.extensions
	var list cryptobyte.String
	if rest.Empty() {
		return nil
	}
	if !rest.ReadASN1(&list, casn1.SEQUENCE) || !rest.Empty() {
		return errCRLEntry
	}
	for !list.Empty() {
		x, ok := readExtension(&list)
		if !ok {
			return errCRLEntry
		}
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

func (e entry) critical() error {
	return e.each(func(x pkix.Extension) error {
		switch {
		case !x.Critical, x.Id.Equal(oidReasonCode), x.Id.Equal(oidHoldInstruction), x.Id.Equal(oidInvalidityDate),
			x.Id.Equal(oidCertificateIssuer):
			return nil
		}
		return fmt.Errorf("%w: %v of an entry", ErrExtension, x.Id)
	})
}

// CRLEntry is what a list says about one certificate.
type CRLEntry struct {
	At     time.Time // of revocation
	Reason int       // CRLReason; 0 is unspecified
}

// find looks for a certificate by the name of its issuer and the content of its serial number. In an indirect list an entry
// without a certificateIssuer has that of the entry before it (RFC 5280 section 5.3.3).
func (l *CRL) find(issuer name, serial []byte) (CRLEntry, bool, error) {
	current := l.issuer
	serial = minimal(serial)
	for in := l.entries; !in.Empty(); {
		e, ok := readEntry(&in)
		if !ok {
			return CRLEntry{}, false, errCRLEntry
		}
		if l.scope.indirect && len(e.extensions) > 0 {
			if err := e.issuer(&current); err != nil {
				return CRLEntry{}, false, err
			}
		}
		if bytes.Equal(minimal(e.serial), serial) && current.equal(issuer) {
			found, err := e.read()
			return found, true, err
		}
	}
	return CRLEntry{}, false, nil
}

// minimal drops what an INTEGER need not have in front.
func minimal(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1]&0x80 == 0 || b[0] == 0xff && b[1]&0x80 != 0) {
		b = b[1:]
	}
	return b
}

// issuer sets the current issuer of an indirect list when the entry names one.
func (e entry) issuer(current *name) error {
	return e.each(func(x pkix.Extension) error {
		if !x.Id.Equal(oidCertificateIssuer) {
			return nil
		}
		in := cryptobyte.String(x.Value)
		var body cryptobyte.String
		if !in.ReadASN1(&body, casn1.SEQUENCE) {
			return errCRLEntry
		}
		names, err := readGeneralNames(body, maxPlaceNames)
		if err != nil {
			return errCRLEntry
		}
		*current = unreadable(nil) // matches no certificate
		for _, g := range names {
			if g.form == formDirectory {
				*current = g.name
			}
		}
		return nil
	})
}

func (e entry) read() (CRLEntry, error) {
	date := e.date
	at, ok := readMoment(&date)
	if !ok {
		return CRLEntry{}, errCRLEntry
	}
	found := CRLEntry{At: at}
	err := e.each(func(x pkix.Extension) error {
		if !x.Id.Equal(oidReasonCode) {
			return nil
		}
		in := cryptobyte.String(x.Value)
		if !in.ReadASN1Enum(&found.Reason) || !in.Empty() {
			return errCRLEntry
		}
		return nil
	})
	return found, err
}

// Lookup tells what the list says about c, whatever else the list is good for: Validate decides that.
func (l *CRL) Lookup(c *Certificate) (CRLEntry, bool, error) { return l.find(c.issuerName, c.serial) }

// IssuedBy reports whether the list bears the name of c.
func (l *CRL) IssuedBy(c *Certificate) bool { return l.issuer.equal(c.subjectName) }

// CheckSignatureFrom returns nil when signer's key made the list's signature, else an error wrapping ErrSignature, and
// algo.ErrUnsupported as well for a signature of a kind not checked here.
func (l *CRL) CheckSignatureFrom(signer *Certificate) error { return signer.verify(l.outside) }
