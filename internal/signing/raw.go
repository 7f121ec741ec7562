// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"fmt"
	"time"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/proto"
)

// RawRequest asks for the bare value of a signature over a ready digest. Whether the caller has the right to ask is for
// whoever knows origins.
type RawRequest struct {
	Certificate string // id (SHA-256) or SHA-1 thumbprint, hex
	Digest      []byte // by the digest algorithm of the signature
	Algorithm   string // algo.ID; "": the key's default
	Name        string // what the caller calls the document
	Note        string // "the site says"
}

// RawResult is the value in the form a CMS SignerInfo carries.
type RawResult struct {
	Result
	Signature []byte
	Algorithm algo.ID
}

// SignRaw asks the person, telling that nobody can be shown what the digest is of, and signs it.
func (e *Engine) SignRaw(ctx context.Context, who Caller, r RawRequest) (*RawResult, error) {
	var out RawResult
	made, err := e.sign(ctx, who, order{
		method: proto.MethodSignRaw, certificate: r.Certificate, algorithm: algo.ID(r.Algorithm), hidden: r.Digest, name: r.Name,
		describe: func(q *Question) { q.Note, q.Raw, q.Profile = r.Note, true, "raw" },
		encode: func(ctx context.Context, s cms.Signer, _ time.Time, digest []byte) (err error) {
			out.Algorithm = s.Algorithm()
			out.Signature, err = rawValue(ctx, s, digest)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	out.Result = *made
	return &out, nil
}

// rawValue signs and checks the value with the certificate's key. A key that signs messages has no use for a digest.
func rawValue(ctx context.Context, s cms.Signer, digest []byte) ([]byte, error) {
	if a, ok := algo.Lookup(s.Algorithm()); !ok || a.Pure {
		return nil, proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", string(s.Algorithm()))
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

// AskHidden asks the person whether a site may ask for signatures of what nobody can be shown, and journals the answer.
func (e *Engine) AskHidden(ctx context.Context, who Caller) (bool, error) {
	return e.askSite(ctx, who, KindHidden)
}
