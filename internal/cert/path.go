// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"errors"
	"fmt"
	"time"
)

// What stands in the way of a path, beside the errors of Parse and Chain. The sections are of RFC 5280.
var (
	ErrRevoked           = errors.New("certificate has been revoked")            // comes in a *RevokedError
	ErrRevocationUnknown = errors.New("it is not known whether it was revoked")  // no usable answer
	ErrNameConstraints   = errors.New("its issuer may not certify this name")    // section 4.2.1.10
	ErrPolicy            = errors.New("the path's policies do not fit together") // section 6.1.5 (g)
	ErrUse               = errors.New("the certificate is not for this use")     // key usage, extended key usage
	ErrPathLength        = errors.New("the path is too long")                    // section 4.2.1.9
	ErrExtension         = errors.New("critical extension is not supported")     // section 4.2
	ErrBudget            = errors.New("too many possible paths")                 // the search was given up
	ErrMalformed         = errors.New("the certificate can only be looked at")   // see Certificate.Fault
)

// RevokedError tells when a certificate was revoked, and why. It wraps ErrRevoked.
type RevokedError struct {
	Certificate *Certificate
	At          time.Time
	Reason      int // CRLReason (RFC 5280 section 5.3.1); 0 is unspecified
}

func (e *RevokedError) Error() string {
	return fmt.Sprintf("%v at %s, reason %d", ErrRevoked, e.At.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap returns ErrRevoked.
func (e *RevokedError) Unwrap() error { return ErrRevoked }

// Use is what the leaf of a path must be for.
type Use int

// The uses.
const (
	UseDocument     Use = iota // signing documents, see Usage.Documents
	UseTimeStamping            // extended key usage timeStamping; whether it is critical and alone is for the caller to see
	UseOCSP                    // extended key usage OCSPSigning
	UseCRL                     // key usage cRLSign, when the certificate restricts its use at all
	UseLogin                   // answering a login challenge, see Usage.Login
	UseAny
)

// RevocationStatus is the state of a certificate at the time of the check.
type RevocationStatus int

// The states. The zero value is Unknown.
const (
	Unknown RevocationStatus = iota
	Good
	Revoked
)

// String is "unknown", "good" or "revoked".
func (s RevocationStatus) String() string {
	if s < Unknown || s > Revoked {
		return "unknown"
	}
	return [...]string{"unknown", "good", "revoked"}[s]
}

// Revocation is what is known about one certificate, and from what.
type Revocation struct {
	Status RevocationStatus
	At     time.Time // when it was revoked; with Good: it was revoked later, and Trust.At lies before that
	Reason int       // CRLReason, with At

	ThisUpdate, NextUpdate, ProducedAt time.Time // of the answer; zero when it does not say, ProducedAt for OCSP only
	Answer                             Answer    // the one that decided
	Problem                            error     // with Unknown: why no answer could be used; joined
}

// Link is one certificate of a path. Problem is why the path does not hold at it: its own dates and extensions, what it
// may issue, its revocation, or, for a signature that does not match and an issuer that is not known, the step from it to
// the next one.
type Link struct {
	Certificate *Certificate
	Problem     error       // nil for a sound link
	Root        bool        // a trusted root
	Revocation  *Revocation // nil when it was not looked at: for roots, without a Source, for links below a break
}

// Path is the way from a certificate to a trusted root.
type Path struct {
	Links   []Link // leaf first, up to the root or as far as it could be followed
	Problem error  // nil when it holds; else the joined problems, ErrUntrusted when no sound way to a root was found
}

// Holds reports whether the path leads to a trusted root and nothing is wrong with it.
func (p *Path) Holds() bool { return p.Problem == nil }
