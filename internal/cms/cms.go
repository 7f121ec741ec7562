// SPDX-License-Identifier: GPL-3.0-or-later

// Package cms makes and checks CMS signatures of the CAdES-BES profile.
//
// # Making
//
// Sign writes one DER SignedData with one signer: content-type, message-digest, signing-time and signing-certificate-v2 as
// signed attributes (RFC 5652, RFC 5035, ETSI EN 319 122-1 section 5.2), the signer's certificate and the rest of its chain. The
// signature is checked with the certificate's own key before a byte is written. Content is read in a stream, twice when
// it is attached; memory does not grow with it.
//
// GOST R 34.10-2012: digest and signature identifiers carry NULL parameters and the signature identifier is the key's, as in
// the TC26 examples (RFC 9215 would leave the parameters out; both are read).
//
// # Checking
//
// Verify accepts DER and BER, also with indefinite lengths, and reads attached content in a stream without keeping it. What
// follows the content (certificates, signers) is kept, within limits. The signed attributes are hashed as received, then,
// if they were not in DER order, once more sorted: both occur in the wild. A signature without signed attributes or without a
// signing-certificate reference to the right certificate is not valid, whatever its bits say.
//
// # Concurrency
//
// Functions share no state. A Report is the caller's.
package cms

import (
	"context"
	"errors"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// Errors of Sign and Verify themselves.
var (
	ErrContentChanged = errors.New("content differs from the approved one")
	ErrSelfCheck      = errors.New("the signature just made does not verify with its certificate")
	ErrFormat         = errors.New("not a CMS signature this program can read")
	ErrLimit          = errors.New("CMS signature exceeds a limit")
	ErrNoContent      = errors.New("detached signature needs its content")
)

// Problems of one signer; SignerReport.Problem wraps one of them.
var (
	ErrSignature          = errors.New("signature does not match")
	ErrDigest             = errors.New("content does not match the signature")
	ErrNoCertificate      = errors.New("signer's certificate is missing")
	ErrSigningCertificate = errors.New("signing-certificate attribute is missing or names another certificate")
	ErrAttributes         = errors.New("signed attributes are missing or wrong")
	ErrAlgorithm          = errors.New("algorithm not supported")
)

// ErrUsage is a TrustProblem: the certificate's key is not meant for documents.
var ErrUsage = errors.New("certificate is not for signing documents")

// Signer is a key ready to sign, with its certificate.
type Signer interface {
	Certificate() *cert.Certificate
	Algorithm() algo.ID
	// Sign returns the signature in CMS form. Both fields of in are set.
	Sign(ctx context.Context, in algo.Input) ([]byte, error)
}

// Options say what to make.
type Options struct {
	Attached    bool
	SigningTime time.Time           // zero: now
	Chain       []*cert.Certificate // further certificates to embed; the signer's own is always there
	FileName    string              // content-hints attribute, when not empty
	MIMEType    string              // mime-type attribute (ETSI EN 319 122-1), when not empty
	Digest      []byte              // the content digest that was approved, in the signer's digest algorithm
	Checked     bool                // the signer has checked the signature with the certificate's key; it is not done again
}

// Report is the result of Verify, here and in xmldsig: what was found, signer by signer.
type Report struct {
	Attached bool
	Content  Content
	Signers  []SignerReport
}

// Content is what was signed. For an XML document Size is the document's and Digest is nil: what each signature covers is in
// its References.
type Content struct {
	Size   int64
	Digest map[algo.Digest][]byte // every digest the signers used
}

// Formats of signatures.
const (
	FormatCAdESBES  = "cades-bes"
	FormatXMLDSig   = "xmldsig"
	FormatXAdESBES  = "xades-bes"
	FormatXAdESEPES = "xades-epes"
)

// SignerReport is one signature. Valid speaks of the mathematics and the attributes, Trusted of the certificate's path.
type SignerReport struct {
	Format       string            // one of the Format names
	ID           string            // of the XML signature, when it has one
	Certificate  *cert.Certificate // nil when missing
	SigningTime  time.Time         // as the signer claims; zero when absent
	Algorithm    algo.ID
	Policy       *Policy     // named by the signature; nil when there is none
	References   []Reference // XML: what the signature covers
	Valid        bool
	Problem      error // why not Valid
	Chain        []*cert.Certificate
	Trusted      bool
	TrustProblem error // why not Trusted
}

// Policy is a signature policy a signer named (ETSI EN 319 122-1 section 5.2.9, EN 319 132-1 section 5.2.9). It is not fetched.
type Policy struct {
	ID     string // URI or OID; empty when the policy is implied
	Digest algo.Digest
	Value  []byte
	URI    string // where the signer says it can be had
}

// Reference is one thing an XML signature covers. Offsets count bytes of the document in UTF-8 without its byte order mark.
// What is covered is [Begin, End) without Holes: elements, attributes and text; comments and processing instructions in
// it only when Comments and Instructions say so. Begin equals End when nothing can be said: the reference could not be resolved, or single nodes or a text were
// digested and not elements.
type Reference struct {
	URI, Type              string
	Name, ID               string // of the element; empty when it is not one element
	Begin, End             int64
	Holes                  [][2]int64 // cut out, in document order
	Whole                  bool       // the root element with nothing cut out but signatures
	Comments, Instructions bool       // those in it are covered too

	Own     bool // a part of the signature itself: its properties, its key, an Object in it
	Digest  algo.Digest
	Size    int64 // octets that were digested
	Valid   bool  // they are what was signed
	Problem error // why not Valid
}

// CheckTrust fills Chain, Trusted and TrustProblem: whether the certificate leads to a root and is for documents.
func (s *SignerReport) CheckTrust(t cert.Trust) {
	s.Chain, s.TrustProblem = nil, ErrNoCertificate
	if s.Certificate != nil {
		s.Chain, s.TrustProblem = t.Chain(s.Certificate)
	}
	if s.TrustProblem == nil && !s.Certificate.Usage().Documents() {
		s.TrustProblem = ErrUsage
	}
	s.Trusted = s.TrustProblem == nil
}

// Valid reports whether there is a signer and every one is valid.
func (r *Report) Valid() bool {
	for _, s := range r.Signers {
		if !s.Valid {
			return false
		}
	}
	return len(r.Signers) > 0
}

// Trusted reports whether every signature is valid and every certificate leads to a trusted root.
func (r *Report) Trusted() bool {
	for _, s := range r.Signers {
		if !s.Trusted {
			return false
		}
	}
	return r.Valid()
}
