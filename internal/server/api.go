// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"encoding/hex"
	"io"
	"slices"
	"time"

	"persten/internal/config"
	"persten/internal/signing"
	"persten/proto"
)

// inlineLimit is the largest content that travels inside a message.
const inlineLimit = 256 << 10

// aroundDocument is about what a signature adds to the document it holds.
const aroundDocument = 4 << 10

// AgentHello opens the conversation: protocol, version, the proof of who this is, and the language the caller wants texts in.
func (c *client) AgentHello(_ context.Context, p proto.AgentHelloParams) (*proto.AgentHelloResult, error) {
	c.setLang(string(p.Lang))
	out := &proto.AgentHelloResult{
		Protocol: p.Protocol, Version: c.o.Version, Capabilities: c.capabilities(), Origin: c.who.Origin, Paused: c.paused.Load(),
	}
	if p.Challenge == "" {
		return out, nil
	}
	key, proof, err := c.o.Identity.Prove(c.who.Origin, p.Challenge)
	if err != nil {
		return nil, err
	}
	out.Agent = &proto.AgentProof{Key: key, Proof: proof}
	return out, nil
}

// capabilities are the methods this caller may use.
func (c *client) capabilities() []string {
	var names []string
	for _, m := range proto.Methods() {
		a, _ := proto.Audience(m)
		if a == proto.AudiencePage || c.local() && config.Permit(c.o.Withheld, rights[m]) == nil {
			names = append(names, m)
		}
	}
	return names
}

// AgentStatus tells how the agent is.
func (c *client) AgentStatus(ctx context.Context, _ proto.AgentStatusParams) (*proto.AgentStatusResult, error) {
	tokens, problems, err := c.o.Engine.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	if c.local() {
		problems = append(problems, c.problemsStanding()...)
	}
	out := &proto.AgentStatusResult{
		Version: c.o.Version, State: c.state(problems, len(tokens)), Tokens: len(tokens), Prompts: c.o.Engine.Prompts(),
		Problems: c.problems(problems),
	}
	if c.local() {
		out.Unattended, out.Requests, out.PausedUntil = c.o.Engine.Unattended(), c.openRequests(), c.respite.until()
		out.Policy, out.Withheld = c.o.Managed, c.o.Withheld
	}
	return out, nil
}

func (s *Server) state(problems []*proto.Error, tokens int) proto.State {
	switch {
	case s.paused.Load():
		return proto.StatePaused
	case s.o.Engine.Prompts() > 0:
		return s.atWork()
	case slices.ContainsFunc(problems, func(p *proto.Error) bool { return signing.Hinders(p, tokens) }):
		return proto.StateProblem
	}
	return proto.StateReady
}

// TokensList lists tokens. Serial numbers, modules and slots are for local callers: they would identify a machine.
func (c *client) TokensList(ctx context.Context, p proto.TokensListParams) (*proto.TokensListResult, error) {
	c.refresh(p.Refresh)
	tokens, problems, err := c.o.Engine.Tokens(ctx)
	if err != nil {
		return nil, err
	}
	out := &proto.TokensListResult{Tokens: []proto.Token{}, Problems: c.problems(problems)}
	for _, t := range tokens {
		out.Tokens = append(out.Tokens, signing.ListedToken(t, c.local()))
	}
	return out, nil
}

// CertificatesList lists certificates that can sign, or with all set also those that cannot, each with the reason.
func (c *client) CertificatesList(ctx context.Context, p proto.CertificatesListParams) (*proto.CertificatesListResult, error) {
	c.refresh(p.Refresh)
	keys, problems, err := c.o.Engine.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return &proto.CertificatesListResult{
		Certificates: c.o.Engine.Listed(keys, p.All, time.Now()), Problems: c.problems(problems),
	}, nil
}

// CertificatesCheck follows the chain of a certificate on a token and asks whether it was revoked.
func (c *client) CertificatesCheck(ctx context.Context, p proto.CertificatesCheckParams) (*proto.CertificatesCheckResult, error) {
	return c.o.Engine.CheckCertificate(ctx, p.Certificate, p.Offline, c.lang())
}

// SignCMS asks the person and returns a CMS signature.
func (c *client) SignCMS(ctx context.Context, p proto.SignCMSParams) (*proto.SignCMSResult, error) {
	r := signing.CMSRequest{
		Certificate: p.Certificate, Name: p.Name, MIME: p.MIME, Attached: p.Attached, Note: p.Note, Algorithm: p.Algorithm,
		Form: signing.CMSFormOf(p),
	}
	done, err := c.document(p.Content, p.Digest, &r.Content, &r.Digest)
	if err != nil {
		return nil, err
	}
	defer done()
	if p.AddTo != nil {
		var done func()
		if r.AddTo, done, err = c.content(*p.AddTo); err != nil {
			return nil, err
		}
		defer done()
	}
	expected := int64(0)
	if r.Attached && r.Content != nil {
		expected = r.Content.Size() + aroundDocument
	}
	if r.AddTo != nil {
		expected += r.AddTo.Size() + aroundDocument
	}
	out, made, err := c.made("application/pkcs7-signature", expected, func(w io.Writer) (*signing.Result, error) {
		return c.o.Engine.SignCMS(ctx, c.caller(), r, w)
	})
	if err != nil {
		return nil, err
	}
	return &proto.SignCMSResult{
		Signature: out, Certificate: made.Certificate.ID(), SigningTime: made.Time,
		Size: made.Document.Size, Digest: made.Document.Digest, DigestAlg: made.Document.Alg,
	}, nil
}

// SignRaw asks the person and returns the bare value over a document or a ready digest.
func (c *client) SignRaw(ctx context.Context, p proto.SignRawParams) (*proto.SignRawResult, error) {
	r := signing.RawRequest{Certificate: p.Certificate, Algorithm: p.Algorithm, Name: p.Name, MIME: p.MIME, Note: p.Note}
	done, err := c.document(p.Content, p.Digest, &r.Content, &r.Digest)
	if err != nil {
		return nil, err
	}
	defer done()
	if r.Content != nil && r.Content.Opaque() {
		if err := c.gate.hidden(c.caller()); err != nil {
			return nil, err
		}
	}
	made, err := c.o.Engine.SignRaw(ctx, c.caller(), r)
	if err != nil {
		return nil, err
	}
	return &proto.SignRawResult{
		Signature: made.Signature, Algorithm: string(made.Algorithm), Certificate: made.Certificate.ID(), SigningTime: made.Time,
	}, nil
}

// CertificatesSelect returns the certificate that fits, or the one the person chooses.
func (c *client) CertificatesSelect(ctx context.Context, p proto.CertificatesSelectParams) (*proto.CertificatesSelectResult, error) {
	purpose := signing.KindSign
	if p.Purpose == proto.KeyPurposeLogin {
		purpose = signing.KindLogin
	}
	r := signing.SelectRequest{Purpose: purpose, Note: p.Note, Among: p.Certificates}
	if p.Filter != nil {
		r.Filter = *p.Filter
	}
	found, err := c.o.Engine.Choose(ctx, c.caller(), r)
	if err != nil {
		return nil, err
	}
	return &proto.CertificatesSelectResult{Certificate: *found}, nil
}

// AuthRespond asks the person and answers the login challenge of the caller's site.
func (c *client) AuthRespond(ctx context.Context, p proto.AuthRespondParams) (*proto.AuthRespondResult, error) {
	who := c.caller()
	if p.Lang != "" {
		who.Lang = string(p.Lang)
	}
	return c.o.Engine.Login(ctx, who, signing.LoginRequest{Certificate: p.Certificate, Nonce: p.Nonce, Signing: p.Signing, Note: p.Note})
}

// SignXML asks the person and returns a document with its signature.
func (c *client) SignXML(ctx context.Context, p proto.SignXMLParams) (*proto.SignXMLResult, error) {
	content, done, err := c.content(p.Content)
	if err != nil {
		return nil, err
	}
	defer done()
	out, made, err := c.made("application/xml", content.Size()+aroundDocument, func(w io.Writer) (*signing.Result, error) {
		return c.o.Engine.SignXML(ctx, c.caller(), signing.XMLRequest{
			Certificate: p.Certificate, Content: content, Name: p.Name, MIME: p.MIME, Note: p.Note, Algorithm: p.Algorithm,
			Form: signing.FormOf(p),
		}, w)
	})
	if err != nil {
		return nil, err
	}
	return &proto.SignXMLResult{Document: out, Certificate: made.Certificate.ID(), SigningTime: made.Time}, nil
}

// made keeps what sign writes as the result. When bytes are expected, there is room for them before anybody is asked.
func (c *client) made(mime string, expected int64, sign func(io.Writer) (*signing.Result, error)) (
	out proto.Content, made *signing.Result, err error,
) {
	store := c.o.Engine.Store()
	out.Inline, out.Handle, err = store.Collect(c.who.Channel, mime, inlineLimit, expected, func(w io.Writer) (err error) {
		made, err = sign(w)
		return err
	})
	return out, made, err
}

// VerifyCMS reports on a signature.
func (c *client) VerifyCMS(ctx context.Context, p proto.VerifyCMSParams) (*proto.VerifyCMSResult, error) {
	signature, done, err := c.content(p.Signature)
	if err != nil {
		return nil, err
	}
	defer done()
	if p.Digest != "" {
		return c.verifyDigest(ctx, signature, p)
	}
	var content io.Reader
	if p.Content != nil {
		detached, done, err := c.content(*p.Content)
		if err != nil {
			return nil, err
		}
		defer done()
		content = detached.Reader()
	}
	report, err := c.o.Engine.VerifyCMS(ctx, signature.Reader(), content)
	if err != nil {
		return nil, err
	}
	return c.reported(signing.Reported(report, c.lang()), p.Page)
}

// verifyDigest reports on a signature whose document is known by its digest alone.
func (c *client) verifyDigest(ctx context.Context, signature *signing.Content, p proto.VerifyCMSParams) (*proto.Report, error) {
	if p.Content != nil {
		return nil, proto.E(proto.CodeRequestInvalid, nil, "field", "digest", "detail", "has no place beside content")
	}
	digest, err := hex.DecodeString(p.Digest)
	if err != nil {
		return nil, err
	}
	report, err := c.o.Engine.VerifyDigest(ctx, signature.Reader(), digest, p.DigestAlg)
	if err != nil {
		return nil, err
	}
	out := signing.Reported(report, c.lang())
	out.Digest = p.Digest
	return c.reported(out, p.Page)
}

// reported adds the page for people when one is asked for.
func (c *client) reported(out *proto.Report, form proto.PageForm) (*proto.Report, error) {
	if form == "" || c.o.Page == nil {
		return out, nil
	}
	var page proto.Content
	var err error
	page.Inline, page.Handle, err = c.o.Engine.Store().Collect(c.who.Channel, "", inlineLimit, 0, func(w io.Writer) error {
		return c.o.Page(w, form, c.lang(), out)
	})
	if err != nil {
		return nil, err
	}
	out.Page = &page
	return out, nil
}

// VerifyXML reports on every signature in a document.
func (c *client) VerifyXML(ctx context.Context, p proto.VerifyXMLParams) (*proto.VerifyXMLResult, error) {
	content, done, err := c.content(p.Content)
	if err != nil {
		return nil, err
	}
	defer done()
	report, err := c.o.Engine.VerifyXML(ctx, content.Reader(), p.IDAttributes)
	if err != nil {
		return nil, err
	}
	return c.reported(signing.Reported(report, c.lang()), p.Page)
}

// document finds what is to be signed: a content, or a digest, for which a page needs a right of its own. done releases it.
func (c *client) document(from *proto.Content, digest string, content **signing.Content, sum *[]byte) (done func(), err error) {
	done = func() {}
	if digest != "" {
		if err := c.gate.hidden(c.caller()); err != nil {
			return nil, err
		}
		if *sum, err = hex.DecodeString(digest); err != nil {
			return nil, err
		}
	}
	if from != nil {
		*content, done, err = c.content(*from)
	}
	return done, err
}

// content finds or spools what a request names; done releases it.
func (c *client) content(p proto.Content) (_ *signing.Content, done func(), err error) {
	store := c.o.Engine.Store()
	if p.Handle == "" {
		return store.Inline(c.who.Channel, p.Inline)
	}
	found, err := store.Sealed(c.who.Channel, p.Handle)
	if err != nil {
		return nil, nil, err
	}
	return found, found.Release, nil
}
