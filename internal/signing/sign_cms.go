// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/proto"
)

// CMSRequest asks for one CMS signature. The contents are sealed; their owner releases them afterwards.
type CMSRequest struct {
	Certificate string   // id (SHA-256) or SHA-1 thumbprint, hex
	Content     *Content // the document; may be nil when AddTo holds it
	Digest      []byte   // instead of Content, by the digest algorithm of the signature: nobody can be shown what it is of
	Name, MIME  string   // instead of the content's own, when not empty
	Attached    bool
	Note        string   // "the site says"
	Algorithm   string   // algo.ID; "": the key's default
	AddTo       *Content // an existing signature that gets one more signer; nil: a new file
	Form        CMSForm
}

// CMSForm is what a CMS signature is to look like. It stands in the Question, so that the approval binds all of it.
type CMSForm struct {
	Profile      cms.Profile    `json:"profile,omitempty"`
	TSA          string         `json:"tsa,omitempty"` // named by the caller; "" is the configured one
	Policy       *XMLPolicy     `json:"policy,omitempty"`
	FileName     string         `json:"fileName,omitempty"`
	MIMEType     string         `json:"mimeType,omitempty"`
	DocumentName string         `json:"documentName,omitempty"`
	Location     *cms.Location  `json:"location,omitempty"`
	Commitment   cms.Commitment `json:"commitment,omitempty"`

	AddTo       string   `json:"addTo,omitempty"`       // SHA-256 of the existing signature
	Signers     []Joined `json:"signers,omitempty"`     // who signed there, for people
	Countersign int      `json:"countersign,omitempty"` // which of them is countersigned, from 1; 0: the document is signed
}

// Joined is a signer of an existing signature. The name comes from a file that anybody can make.
type Joined struct {
	Name  string `json:"name,omitempty"`  // empty without a certificate
	Doubt bool   `json:"doubt,omitempty"` // the signature does not hold, or nobody trusted vouches for the name
}

// ProfileT is the profile with a time-stamp, for those who may not import cms.
const ProfileT = cms.ProfileT

// CMSFormOf takes the form of a signature from the parameters of sign.cms.
func CMSFormOf(p proto.SignCMSParams) CMSForm {
	f := CMSForm{Profile: cms.Profile(p.Profile), TSA: p.Tsa, Countersign: p.Countersign}
	if y := p.Policy; y != nil {
		f.Policy = &XMLPolicy{ID: y.ID, Digest: y.Digest, DigestAlg: y.DigestAlg, URI: y.URI}
	}
	if a := p.Attributes; a != nil {
		f.FileName, f.MIMEType, f.DocumentName, f.Commitment = a.FileName, a.MIME, a.DocumentName, cms.Commitment(a.Commitment)
		if l := a.Location; l != nil {
			f.Location = &cms.Location{Country: l.Country, Locality: l.Locality, Postal: l.Postal}
		}
	}
	return f
}

// name is the profile as the journal and the window have it.
func (f CMSForm) name() string {
	switch {
	case f.Profile == "" && f.Policy != nil, f.Profile == cms.ProfileBES && f.Policy != nil:
		return cms.FormatCAdESEPES
	case f.Profile == "":
		return string(cms.ProfileBES)
	}
	return string(f.Profile)
}

// SignCMS asks the person, signs and writes the DER of the SignedData to w. On error w holds nothing of use.
//
// With AddTo the existing signatures have to fit the document: otherwise it is CodeContentMismatch, because the person would be
// shown one document and the file would speak of two. A signature is countersigned only when it is intact. By a Digest those
// signatures alone are held against it that use its algorithm; the others are shown as doubtful.
func (e *Engine) SignCMS(ctx context.Context, who Caller, r CMSRequest, w io.Writer) (*Result, error) {
	if !who.Local() && r.Form.TSA != "" {
		return nil, proto.E(proto.CodeRequestInvalid, nil, "field", "tsa", "detail", "is for local callers")
	}
	if r.Form.Countersign > 0 && r.AddTo == nil {
		return nil, proto.E(proto.CodeRequestInvalid, nil, "field", "countersign", "detail", "needs addTo")
	}
	switch {
	case r.Content == nil && r.Digest == nil && r.AddTo == nil:
		return nil, proto.E(proto.CodeRequestInvalid, nil, "field", "content", "detail", "is required")
	case r.Content != nil && r.Digest != nil:
		return nil, oneOf("content", "digest")
	case r.Digest != nil && r.Attached:
		return nil, proto.E(proto.CodeRequestInvalid, nil, "field", "digest", "detail", "cannot be attached: there is no document")
	}
	options, err := e.cmsOptions(r)
	if err != nil {
		return nil, err
	}
	if r.AddTo != nil {
		done, err := e.existing(ctx, who, &r)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	return e.sign(ctx, who, order{
		method: proto.MethodSignCMS, certificate: r.Certificate, algorithm: algo.ID(r.Algorithm), content: r.Content,
		hidden: r.Digest, name: r.Name, mime: r.MIME,
		describe: func(q *Question) { q.Note, q.Attached, q.Profile, q.CMS = r.Note, r.Attached, r.Form.name(), &r.Form },
		encode: func(ctx context.Context, s cms.Signer, at time.Time, digest []byte) error {
			o := options
			o.SigningTime, o.Digest, o.Chain = at, digest, e.embedded(s.Certificate(), o.Profile)
			if o.Stamper != nil {
				o.Stamper = stepping{o.Stamper, s}
			}
			return r.encode(ctx, w, s, o)
		},
	})
}

// encode writes the signature, new or beside or over another.
func (r CMSRequest) encode(ctx context.Context, w io.Writer, s cms.Signer, o cms.Options) error {
	var content io.Reader // without one, o.Digest is what is signed
	if r.Content != nil {
		content = r.Content.Reader()
	}
	switch {
	case r.AddTo == nil:
		return cms.Sign(ctx, w, content, s, o)
	case r.Form.Countersign == 0:
		return cms.Add(ctx, w, r.AddTo.Reader(), content, s, o)
	}
	// What is digested is the signature value, which existing checked to be over the document the person saw.
	o.Digest = nil
	return cms.Countersign(ctx, w, r.AddTo.Reader(), r.Form.Countersign-1, s, o)
}

// cmsOptions are the options that do not depend on the key.
func (e *Engine) cmsOptions(r CMSRequest) (cms.Options, error) {
	f := r.Form
	o := cms.Options{
		Profile: f.Profile, Attached: r.Attached, FileName: f.FileName, MIMEType: f.MIMEType, DocumentName: f.DocumentName,
		Location: f.Location, Commitment: f.Commitment,
	}
	if p := f.Policy; p != nil {
		o.Policy = &cms.Policy{ID: p.ID, Digest: algo.Digest(p.DigestAlg), Value: p.Digest, URI: p.URI}
	}
	if err := o.Check(f.Countersign > 0); err != nil {
		return o, fault(err)
	}
	if f.Profile != cms.ProfileT {
		return o, nil
	}
	if e.stamper != nil {
		o.Stamper = e.stamper(f.TSA)
	}
	if o.Stamper == nil {
		return o, proto.E(proto.CodeTimestampAbsent, nil)
	}
	return o, nil
}

// existing reads the signature in r.AddTo: whose signatures are in it and what they are of. done releases what it made.
func (e *Engine) existing(ctx context.Context, who Caller, r *CMSRequest) (done func(), err error) {
	done = func() {}
	report, err := e.joined(ctx, r)
	if err != nil {
		return done, fault(err)
	}
	if report.Attached && r.Digest != nil {
		return done, proto.E(proto.CodeRequestInvalid, nil, "field", "digest", "detail", "is not needed: the document is in addTo")
	}
	if err := r.fits(report); err != nil {
		return done, err
	}
	sum, err := r.AddTo.sum(ctx)
	if err != nil {
		return done, err
	}
	r.Attached, r.Form.AddTo = report.Attached, hex.EncodeToString(sum)
	if r.Content != nil || r.Digest != nil {
		return done, nil
	}
	handle, made, err := e.store.Create(who.Channel, contentName(r.AddTo.Name), "", func(w io.Writer) error {
		_, err := cms.Extract(ctx, w, r.AddTo.Reader())
		return err
	})
	if err != nil {
		return done, fault(err)
	}
	r.Content = made
	return func() { e.store.Drop(who.Channel, handle) }, nil
}

// joined checks the signatures in r.AddTo against the document or what is known of it.
func (e *Engine) joined(ctx context.Context, r *CMSRequest) (*cms.Report, error) {
	if r.Digest == nil {
		var content io.Reader
		if r.Content != nil {
			content = r.Content.Reader()
		}
		return cms.Verify(ctx, r.AddTo.Reader(), content, e.trust())
	}
	_, alg, err := e.ready(ctx, KindSign, r.Certificate, algo.ID(r.Algorithm))
	if err != nil {
		return nil, err
	}
	return cms.VerifyDigest(ctx, r.AddTo.Reader(), alg.Digest, r.Digest, e.trust())
}

// contentName is the name of what is in the signature file of this name: contract.pdf of contract.pdf.p7m.
func contentName(file string) string {
	switch ext := filepath.Ext(file); strings.ToLower(ext) {
	case ".p7s", ".p7m", ".sig", ".sgn":
		return cmp.Or(strings.TrimSuffix(file, ext), file)
	}
	return file
}

// fits holds what is asked against what the existing signature says.
func (r *CMSRequest) fits(report *cms.Report) error {
	n := r.Form.Countersign
	if n > len(report.Signers) {
		return proto.E(proto.CodeSignerAbsent, nil, "signer", strconv.Itoa(n))
	}
	for _, s := range report.Signers {
		if errors.Is(s.Problem, cms.ErrDigest) {
			return proto.E(proto.CodeContentMismatch, s.Problem)
		}
		one := Joined{Doubt: !s.Valid || !s.Trusted}
		if s.Certificate != nil {
			one.Name = card(s.Certificate).Name
		}
		r.Form.Signers = append(r.Form.Signers, one)
	}
	if n == 0 || report.Signers[n-1].Intact {
		return nil
	}
	bad := report.Signers[n-1].Problem
	if errors.Is(bad, cms.ErrOtherDigest) {
		return otherDigest(bad)
	}
	return proto.E(proto.CodeSignatureInvalid, bad)
}

// sum is the SHA-256 of the content.
func (c *Content) sum(ctx context.Context) ([]byte, error) {
	h := sha256.New()
	if _, err := io.Copy(h, &reading{ctx, c.Reader()}); err != nil {
		return nil, fault(err)
	}
	return h.Sum(nil), nil
}

// embedded is the chain that goes into a signature. The format of order 472 wants it; elsewhere readers have it.
func (e *Engine) embedded(c *cert.Certificate, p cms.Profile) (chain []*cert.Certificate) {
	if p != cms.Profile472 {
		return nil
	}
	for _, l := range e.trust().Explain(c) {
		chain = append(chain, l.Certificate)
	}
	return chain
}

// stepping tells that an authority is waited for. The signature is made by then: others may have the token meanwhile.
type stepping struct {
	cms.Stamper
	key cms.Signer
}

func (s stepping) Stamp(ctx context.Context, d algo.Digest, imprint []byte) ([]byte, error) {
	if one, ok := s.key.(*signer); ok {
		one.release()
	}
	progress(ctx, StepStamp)
	return s.Stamper.Stamp(ctx, d, imprint)
}
