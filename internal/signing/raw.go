// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/proto"
)

// RawRequest asks for the bare value of a signature over a document or a ready digest; exactly one of Content and Digest is set.
// Whether the caller has the right to ask for what nobody can be shown (a digest, Content that is Opaque) is for whoever knows
// origins. The content is sealed; its owner releases it afterwards.
type RawRequest struct {
	Certificate string // id (SHA-256) or SHA-1 thumbprint, hex
	Content     *Content
	Digest      []byte // by the digest algorithm of the signature
	Algorithm   string // algo.ID; "": the key's default
	Name, MIME  string // what the caller calls the document, instead of the content's own
	Note        string // "the site says"
}

// RawResult is the value in the form a CMS SignerInfo carries.
type RawResult struct {
	Result
	Signature []byte
	Algorithm algo.ID
}

// SignRaw asks the person, telling when nobody can be shown what will be signed, and signs.
func (e *Engine) SignRaw(ctx context.Context, who Caller, r RawRequest) (*RawResult, error) {
	if (r.Content == nil) == (r.Digest == nil) {
		return nil, oneOf("content", "digest")
	}
	var out RawResult
	made, err := e.sign(ctx, who, order{
		method: proto.MethodSignRaw, certificate: r.Certificate, algorithm: algo.ID(r.Algorithm), content: r.Content, hidden: r.Digest,
		name: r.Name, mime: r.MIME,
		describe: func(q *Question) {
			q.Note, q.Raw, q.Profile = r.Note, true, "raw"
			q.Documents[0].Opaque = r.Content != nil && r.Content.Opaque()
		},
		encode: func(ctx context.Context, s cms.Signer, _ time.Time, digest []byte) (err error) {
			out.Algorithm = s.Algorithm()
			out.Signature, err = r.value(ctx, s, digest)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	out.Result = *made
	return &out, nil
}

// value signs and checks the value with the certificate's key. A key that signs messages has no use for a digest.
func (r RawRequest) value(ctx context.Context, s cms.Signer, digest []byte) ([]byte, error) {
	a, ok := algo.Lookup(s.Algorithm())
	if !ok || a.Pure {
		return nil, proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", string(s.Algorithm()))
	}
	if err := r.unchanged(ctx, a.Digest, digest); err != nil {
		return nil, err
	}
	in := algo.Input{Digest: digest}
	value, err := s.Sign(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := s.Certificate().Key.Verify(s.Algorithm(), in, value); err != nil {
		return nil, fmt.Errorf("%w: %w", cms.ErrSelfCheck, err)
	}
	return value, nil
}

// unchanged digests the content once more: it is what was approved.
func (r RawRequest) unchanged(ctx context.Context, d algo.Digest, approved []byte) error {
	if r.Content == nil {
		return nil
	}
	h := d.New()
	if _, err := io.Copy(h, &reading{ctx, r.Content.Reader()}); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), approved) {
		return cms.ErrContentChanged
	}
	return nil
}

// oneOf is the fault of a request that has both of two members, or neither.
func oneOf(a, b string) error {
	return proto.E(proto.CodeRequestInvalid, nil, "field", a, "detail", "or "+b+" is required, and not both")
}

// AskHidden asks the person whether a site may ask for signatures of what nobody can be shown, and journals the answer.
func (e *Engine) AskHidden(ctx context.Context, who Caller) (bool, error) {
	return e.askSite(ctx, who, KindHidden)
}
