// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// What Sign and Plan refuse. Others come through: *xml.Error for the document, the errors of c14n, cms.ErrContentChanged,
// cms.ErrSelfCheck, and whatever the Signer returns.
var (
	ErrPlace    = errors.New("no such place for the signature")
	ErrOptions  = errors.New("signature cannot be made as asked")
	ErrTemplate = errors.New("signature template cannot be filled")
	ErrBreaks   = errors.New("the new signature would make one that is there invalid")
)

// Mode is how a signature and what it signs stand to each other.
type Mode string

// The modes. An empty Mode is the profile's own.
const (
	Enveloped  Mode = "enveloped"  // the signature stands inside the document it signs
	Enveloping Mode = "enveloping" // the document is put into the signature, as ds:Object
	Detached   Mode = "detached"   // the signature stands beside the elements it signs, which it names by Id
	Template   Mode = "template"   // an unfilled ds:Signature in the document is filled
)

// Profile is a set of rules somebody has published for signatures; see presets.
type Profile string

// The profiles. An empty Profile is DSig.
const (
	DSig      Profile = "xmldsig"
	XAdESBES  Profile = "xades-bes"
	XAdESEPES Profile = "xades-epes"
	SMEV3     Profile = "smev3"
	SMEV2     Profile = "smev2"
	MChD      Profile = "mchd"
	FNS       Profile = "fns"
)

// Options say what to make. The zero value is an enveloped XMLDSig signature of the whole document at the end of its root.
type Options struct {
	Mode       Mode
	Profile    Profile
	References []Ref             // nil: the whole document, or what the profile signs
	IDNames    []c14n.IDName     // attributes that count as Id; nil: DefaultIDNames
	Namespaces map[string]string // prefixes used in Place.Path
	Place      Place
	Limits     xml.Limits

	// Parallel lets several people sign one document: references to the whole document leave out every ds:Signature, not
	// only the own one, so that a signature added later leaves the earlier ones valid.
	Parallel bool
	// Base64 makes an enveloping signature of content that is not XML, or is to be kept as it is.
	Base64 bool

	C14N        string // canonicalization of SignedInfo and of references; "": the profile's, usually exclusive
	SignatureID string // Id of ds:Signature; "": a random one
	Columns     int    // of base64: 0 is one line, 64 or 76

	Chain        []*cert.Certificate // further certificates for X509Data; the signer's own comes first
	KeyValue     bool                // also the public key itself
	IssuerSerial bool                // also X509IssuerSerial
	SubjectName  bool                // also X509SubjectName
	SigningTime  time.Time           // XAdES; zero: now
	MIMEType     string              // XAdES: DataObjectFormat of references that have none of their own
	Policy       *Policy             // XAdES-EPES
	Production   *ProductionPlace    // XAdES: SignatureProductionPlaceV2
	Roles        []string            // XAdES: SignerRoleV2, claimed roles
	Commitments  []string            // XAdES: identifiers of CommitmentTypeIndication, each for all references
	Unsigned     Unsigned            // XAdES: makes unsigned properties
	Actor        string              // SMEV 2: actor of the wsse:Security header
	Content      []byte              // digest of the document's bytes that was approved, in the signer's digest algorithm
}

// Ref is one thing to sign.
type Ref struct {
	ID          string      // Id of the element; "" is the whole document
	Transforms  []string    // nil: the default; the last one may be a canonicalization
	Digest      algo.Digest // "": the signer's
	MIMEType    string      // XAdES: DataObjectFormat
	Description string      // XAdES: DataObjectFormat
}

// Position is where the signature stands in relation to the element Place.Path names.
type Position string

// The positions. An empty Position is LastChild.
const (
	LastChild  Position = "last-child"
	FirstChild Position = "first-child"
	Before     Position = "before"
	After      Position = "after"
)

// Place is where the signature is put. Path names the first element in document order it fits: steps are separated by /, or
// by // for any depth; a step is a local name, a prefix of Options.Namespaces with a local name, or *, each with an optional
// [n] counted among the siblings that fit. An empty Path is the root element. In Template mode the Path, when not empty, names
// the ds:Signature to fill.
type Place struct {
	Path     string
	Position Position
}

// Policy names a signature policy (ETSI EN 319 132-1 section 5.2.9).
type Policy struct {
	ID          string // object identifier such as 1.2.3, or a URI; "": implied by the content
	Description string
	Digest      algo.Digest // of the policy document
	Value       []byte
	URI         string // where the policy document can be had
}

// ProductionPlace is where the signer says the signature was made. Empty fields are left out.
type ProductionPlace struct {
	City, Street, Region, PostalCode, Country string
}

// Unsigned makes what goes into UnsignedSignatureProperties once the signature value is there: XAdES-T and beyond. It gets
// the canonical octets of ds:SignatureValue, in the canonicalization SignedInfo has, and returns whole elements, which declare
// the namespaces they use.
type Unsigned func(ctx context.Context, signatureValue []byte) ([]byte, error)

// Sign signs doc from its beginning and writes the result to w: the document with the signature in it, or for Enveloping the
// signature with the document in it. Bytes outside the signature are the document's own, also its encoding and byte order
// mark; an element that holds the signature and was written <a/> becomes <a></a>.
//
// The digests are taken of the result as a verifier will read it, and the finished signature is verified the same way,
// completely, before a byte is written. The document is read several times and never kept: memory does not grow with it.
func Sign(ctx context.Context, w io.Writer, doc io.ReadSeeker, s cms.Signer, o Options) error {
	own := s.Certificate()
	alg, ok := algo.Lookup(s.Algorithm())
	if !ok || alg.XMLSignature == "" || !slices.Contains(algo.Signing(own.Key), alg.ID) {
		return fmt.Errorf("%q with a %s key: %w", s.Algorithm(), own.Key.Describe(), algo.ErrUnsupported)
	}
	sum := alg.Digest.New()
	m, r, err := prepare(ctx, doc, o, alg, own, sum)
	if err != nil {
		return err
	}
	content := sum.Sum(nil)
	if o.Content != nil && !bytes.Equal(o.Content, content) {
		return cms.ErrContentChanged
	}
	if err := m.breaks(ctx, r); err != nil {
		return err
	}
	f, err := m.sign(ctx, s, r)
	if err != nil {
		return err
	}
	return m.write(ctx, w, f, content)
}

// sign uses the key, once, and checks what it made.
func (m *making) sign(ctx context.Context, s cms.Signer, r *rehearsal) (filling, error) {
	f := filling{digests: r.digests()}
	var in algo.Input
	var err error
	if in.Message, err = r.signedInfo(m.o.Columns); err != nil {
		return f, err
	}
	in.Digest = m.alg.Digest.Sum(in.Message)
	sig, err := s.Sign(ctx, in)
	if err != nil {
		return f, err
	}
	if err := m.cert.Key.Verify(m.alg.ID, in, sig); err != nil {
		return f, fmt.Errorf("%w: %w", cms.ErrSelfCheck, err)
	}
	if f.value, err = algo.ToXML(m.cert.Key, m.alg.ID, sig); err != nil {
		return f, fmt.Errorf("%w: %w", cms.ErrSelfCheck, err)
	}
	if m.o.Unsigned != nil {
		octets, err := exchange(r.value.octets, r.filling.value, f.value, m.o.Columns)
		if err != nil {
			return f, err
		}
		if f.unsigned, err = m.o.Unsigned(ctx, octets); err != nil {
			return f, err
		}
	}
	return f, nil
}

// write verifies the finished document, then writes it, comparing the document's bytes with those that were signed.
func (m *making) write(ctx context.Context, w io.Writer, f filling, content []byte) error {
	s, err := m.verify(ctx, f)
	if err != nil {
		return err
	}
	out, sum := &watched{s: s}, m.alg.Digest.New()
	m.watch(out, sum)
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	if _, err := io.Copy(w, out); err != nil {
		return fmt.Errorf("write signed document: %w", err)
	}
	if !bytes.Equal(sum.Sum(nil), content) {
		return cms.ErrContentChanged
	}
	return nil
}

// verify checks the signature as anybody would who gets the document, and returns that document.
func (m *making) verify(ctx context.Context, f filling) (*splice, error) {
	r, err := m.read(ctx, f, nil)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, ErrChanged):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", cms.ErrSelfCheck, err)
	}
	own := r.verifier.judge().Signers[r.check.number]
	switch {
	case !own.Valid:
		return nil, fmt.Errorf("%w: %w", cms.ErrSelfCheck, own.Problem)
	case !own.Certificate.Equal(m.cert) || own.Algorithm != m.alg.ID:
		return nil, fmt.Errorf("%w: it is another signature", cms.ErrSelfCheck)
	}
	return r.splice, nil
}
