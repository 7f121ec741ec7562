// SPDX-License-Identifier: GPL-3.0-or-later

// Package cms makes and checks CMS signatures of the CAdES profiles B and T.
//
// # Making
//
// Sign writes one DER SignedData with one signer: content-type, message-digest, signing-time and signing-certificate-v2 as
// signed attributes (RFC 5652, RFC 5035, ETSI EN 319 122-1 section 5.2), what else Options ask for, the signer's certificate
// and the rest of its chain. With a Policy the signature is an EPES one; with ProfileT a time-stamp over the signature value
// stands beside it (section 5.3). The signature is checked with the certificate's own key before a byte is written. Content
// is read in a stream, twice when it is attached; memory does not grow with it.
//
// Add puts a further signer into an existing file, Countersign a signature over another's signature, Extend the time-stamps
// that make T of BES. They stream as well: of what was there, the content, the certificates and whatever a signer signed
// are copied byte by byte; the lengths around them and the order of sets are new.
//
// GOST R 34.10-2012: digest and signature identifiers carry NULL parameters and the signature identifier is the key's, as in
// the TC26 examples. RFC 9215 would leave the parameters out: Options.NoNull does. Both are read.
//
// # Checking
//
// Verify accepts DER and BER, also with indefinite lengths, as they are, in PEM or in Base64, and reads attached content in a
// stream without keeping it. What follows the content (certificates, revocation values, signers) is kept, within limits. The signed
// attributes are hashed as received, then, if they were not in DER order, once more sorted: both occur in the wild. A
// signature without signed attributes or without a signing-certificate reference to the right certificate is not valid,
// whatever its bits say; Intact tells what they say. Time-stamps and countersignatures are checked and reported with the
// signer they belong to; they take no part in its Valid.
//
// Content of PKCS#7 1.5 that is not an OCTET STRING is digested without its tag and length (RFC 2315 section 9.3).
//
// # Concurrency
//
// Functions share no state. A Report is the caller's.
package cms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// Errors of the functions themselves.
var (
	ErrContentChanged = errors.New("content differs from the approved one")
	ErrSelfCheck      = errors.New("the signature just made does not verify with its certificate")
	ErrFormat         = errors.New("not a CMS signature this program can read")
	ErrLimit          = errors.New("CMS signature exceeds a limit")
	ErrNoContent      = errors.New("detached signature needs its content")
	ErrProfile        = errors.New("the signature profile cannot be made so")
	ErrStamp          = errors.New("the time-stamp does not fit the signature")
	ErrStamped        = errors.New("every signature has a time-stamp already")
	ErrNoSigner       = errors.New("no such signer in the signature")
)

// Problems of one signer; SignerReport.Problem and TimeStamp.Problem wrap one of them.
var (
	ErrSignature          = errors.New("signature does not match")
	ErrDigest             = errors.New("content does not match the signature")
	ErrNoCertificate      = errors.New("signer's certificate is missing")
	ErrSigningCertificate = errors.New("signing-certificate attribute is missing or names another certificate")
	ErrAttributes         = errors.New("signed attributes are missing or wrong")
	ErrAlgorithm          = errors.New("algorithm not supported")
	ErrOtherDigest        = errors.New("the digest of the content by the signer's algorithm is not known")
	ErrImprint            = errors.New("time-stamp is of another signature")

	// What is a CMS signature, but not a CAdES one.
	ErrUnreferenced = fmt.Errorf("%w: it is missing", ErrSigningCertificate)
	ErrNoAttributes = fmt.Errorf("%w: there are none", ErrAttributes)
)

// OtherDigestError is ErrOtherDigest with the algorithm.
type OtherDigestError struct{ Digest algo.Digest }

func (e *OtherDigestError) Error() string { return ErrOtherDigest.Error() + ": " + string(e.Digest) }

// Is makes it an ErrOtherDigest.
func (e *OtherDigestError) Is(target error) bool { return target == ErrOtherDigest }

// ErrUsage is a TrustProblem: the certificate's key is not meant for documents.
var ErrUsage = errors.New("certificate is not for signing documents")

// Signer is a key ready to sign, with its certificate.
type Signer interface {
	Certificate() *cert.Certificate
	Algorithm() algo.ID
	// Sign returns the signature in CMS form. Both fields of in are set, but for Ed25519, which signs the message alone.
	Sign(ctx context.Context, in algo.Input) ([]byte, error)
}

// Stamper asks a time-stamping authority for a token over imprint, a digest made with d. It returns the TimeStampToken, a DER
// ContentInfo (RFC 3161 section 2.4.2), having checked it against the request. Its errors come through unchanged.
type Stamper interface {
	Stamp(ctx context.Context, d algo.Digest, imprint []byte) ([]byte, error)
}

// Profile is a kind of signature to make.
type Profile string

// The profiles. With Options.Policy the first two are EPES.
const (
	ProfileBES Profile = "cades-bes" // also the zero value; EN 319 122-1 level B-B
	ProfileT   Profile = "cades-t"   // with a time-stamp; EN 319 122-1 level B-T
	// Profile472 is BES within the bounds of the Russian format of signatures (order 472 of the Ministry of Digital
	// Development, 2020): GOST R 34.10-2012 alone, signing time and the certificates up to the root, as far as they are known.
	Profile472 Profile = "ru-472"
)

// Options say what to make. Texts are valid UTF-8.
type Options struct {
	Profile     Profile
	Attached    bool
	SigningTime time.Time           // zero: now
	Chain       []*cert.Certificate // further certificates to embed; the signer's own is always there
	Digest      []byte              // the content digest that was approved, in the signer's digest algorithm
	Checked     bool                // the signer has checked the signature with the certificate's key; it is not done again
	NoNull      bool                // leave out the NULL parameters of GOST algorithms, as RFC 9215 has it
	Stamper     Stamper             // for ProfileT

	// Signed attributes, each left out when empty.
	FileName     string     // content-hints (RFC 2634 section 2.9)
	MIMEType     string     // mime-type (ETSI EN 319 122-1 section 5.2.4.2)
	DocumentName string     // Microsoft's document name, which CryptoPro's programs write and show
	Policy       *Policy    // signature policy (section 5.2.9.1); ID is an object identifier in dotted form
	Location     *Location  // signer-location (section 5.2.5 of RFC 5126: 5.11.2)
	Commitment   Commitment // commitment-type-indication (section 5.2.3)
}

// Location is where a signer claims to have signed.
type Location struct {
	Country, Locality string
	Postal            []string // up to six lines
}

// Commitment is what a signature is given for: a name below or an object identifier in dotted form.
type Commitment string

// The commitments of EN 319 122-1 section 5.2.3.
const (
	CommitOrigin   Commitment = "proof-of-origin"
	CommitReceipt  Commitment = "proof-of-receipt"
	CommitDelivery Commitment = "proof-of-delivery"
	CommitSender   Commitment = "proof-of-sender"
	CommitApproval Commitment = "proof-of-approval"
	CommitCreation Commitment = "proof-of-creation"
)

// Report is the result of Verify, here and in xmldsig: what was found, signer by signer.
type Report struct {
	Attached bool
	Content  Content
	Signers  []SignerReport

	// Of a CMS message: what is in it beside the signers. Time-stamps and signers may hold more.
	Version      int                 // of SignedData
	ContentType  string              // object identifier; "1.2.840.113549.1.7.1" for plain data
	Certificates []*cert.Certificate // embedded
	Unreadable   int                 // embedded certificates that could not be read
	Embedded     []cert.Answer       // revocation lists and OCSP answers
}

// Content is what was signed. For an XML document Size is the document's and Digest is nil: what each signature covers is in
// its References.
type Content struct {
	Size   int64                  // 0 for VerifyDigest
	Digest map[algo.Digest][]byte // every digest the signers used that is known
}

// Formats of signatures.
const (
	FormatCMS       = "cms" // no CAdES: signed attributes or the signing-certificate reference are missing
	FormatCAdESBES  = "cades-bes"
	FormatCAdESEPES = "cades-epes"
	FormatCAdEST    = "cades-t"
	FormatTimeStamp = "timestamp" // the signature of a time-stamping authority
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
	Intact       bool  // CMS: content and attributes are what the key signed, also when something is missing for Valid
	Chain        []*cert.Certificate
	Trusted      bool
	TrustProblem error      // why not Trusted
	Conclusion   Conclusion // of Report.Conclude

	// CMS: what the signer signed beside the content, empty when absent, and set only when it could be read.
	FileName, MIMEType, DocumentName string
	Location                         *Location
	Commitment                       Commitment

	// CMS: what stands beside the signature, which the signer did not sign.
	TimeStamps        []TimeStamp         // over the signature value
	Countersignatures []SignerReport      // over the signature value
	Certificates      []*cert.Certificate // certificate-values
	Embedded          []cert.Answer       // revocation-values
	Unread            []string            // object identifiers of other unsigned attributes
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
