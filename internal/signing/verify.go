// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"io"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/proto"
)

// VerifyCMS checks a CMS signature and draws the conclusions; content is nil when it is attached. A signature that does not
// hold is a report, not an error; errors mean that there is nothing to report on.
func (e *Engine) VerifyCMS(ctx context.Context, signature, content io.Reader) (*cms.Report, error) {
	return VerifyCMS(ctx, signature, content, e.vouched())
}

// VerifyCMS is Engine.VerifyCMS for a program without an engine.
func VerifyCMS(ctx context.Context, signature, content io.Reader, trust cert.Trust) (*cms.Report, error) {
	report, err := cms.Verify(ctx, signature, content, trust)
	return concluded(ctx, report, err, trust)
}

// VerifyDigest checks a CMS signature by the digest of its content. Signers who used another digest algorithm are reported as
// not checked.
func (e *Engine) VerifyDigest(ctx context.Context, signature io.Reader, digest []byte, name string) (*cms.Report, error) {
	d := algo.Digest(name)
	if !d.Known() {
		return nil, proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", name)
	}
	if len(digest) != d.Size() {
		return nil, wrongSize(d)
	}
	trust := e.vouched()
	report, err := cms.VerifyDigest(ctx, signature, d, digest, trust)
	return concluded(ctx, report, err, trust)
}

// concluded gives the errors of cms their codes and draws the conclusions.
func concluded(ctx context.Context, report *cms.Report, err error, trust cert.Trust) (*cms.Report, error) {
	switch {
	case errors.Is(err, cms.ErrNoContent):
		return nil, proto.E(proto.CodeContentRequired, err)
	case errors.Is(err, cms.ErrFormat), errors.Is(err, cms.ErrLimit):
		return nil, proto.E(proto.CodeFormatCMS, err, "detail", err.Error())
	case err != nil:
		return nil, fault(err)
	}
	report.Conclude(ctx, trust)
	return report, ctx.Err()
}

// VerifyXML checks every XML signature in a document and draws the conclusions. A signature that does not hold is a report, not
// an error; errors mean that there is nothing to report on. IDAttributes are as in XMLForm.
func (e *Engine) VerifyXML(ctx context.Context, doc io.ReadSeeker, idAttributes []string) (*cms.Report, error) {
	return VerifyXML(ctx, doc, e.vouched(), idAttributes)
}

// VerifyXML is Engine.VerifyXML for a program without an engine.
func VerifyXML(ctx context.Context, doc io.ReadSeeker, trust cert.Trust, idAttributes []string) (*cms.Report, error) {
	options, err := XMLForm{IDAttributes: idAttributes}.options()
	if err != nil {
		return nil, err
	}
	report, err := xmldsig.Verify(ctx, doc, trust, xmldsig.VerifyOptions{IDNames: options.IDNames})
	if err != nil {
		return nil, xmlFault(err, XMLRequest{})
	}
	report.Conclude(ctx, trust)
	return report, ctx.Err()
}

// vouched is the trust for documents that a page brings: issuers are not fetched from the addresses in its certificates,
// because nobody vouches for those yet. Revocation is asked only of issuers that lead to a root.
func (e *Engine) vouched() cert.Trust {
	t := e.trust()
	if t.Source != nil {
		t.Source = noIssuers{t.Source}
	}
	return t
}

type noIssuers struct{ cert.Source }

func (noIssuers) Issuers(context.Context, *cert.Certificate) ([]*cert.Certificate, error) {
	return nil, nil
}
