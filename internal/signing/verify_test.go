// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/proto"
)

// conclusion is one with a path of two links, the leaf with a problem.
func conclusion(sub cms.SubIndication, problem error) cms.Conclusion {
	c := &cert.Certificate{X509: &x509.Certificate{
		NotBefore: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 12, 31, 12, 0, 0, 0, time.UTC),
	}}
	return cms.Conclusion{Sub: sub, Problem: problem, Path: &cert.Path{Links: []cert.Link{{Certificate: c, Problem: problem}, {Certificate: c, Root: true}}}}
}

// TestWords: each conclusion has its words, for a signer, a time-stamp and a certificate.
func TestWords(t *testing.T) {
	gone := &cert.RevokedError{At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for _, c := range []struct {
		sub                        cms.SubIndication
		problem                    error
		signer, stamp, certificate proto.Code
		date                       string
	}{
		{sub: ""},
		{cms.FormatFailure, cms.ErrFormat, proto.CodeSignatureInvalid, proto.CodeTimestampMismatch, "", ""},
		{cms.HashFailure, cms.ErrDigest, proto.CodeContentMismatch, proto.CodeTimestampMismatch, "", ""},
		{cms.CryptoFailure, cms.ErrSignature, proto.CodeSignatureInvalid, proto.CodeTimestampMismatch, "", ""},
		{cms.ConstraintsFailure, cms.ErrUnreferenced, proto.CodeSignatureIncomplete, proto.CodeTimestampMismatch, "", ""},
		{cms.NoCertificateFound, cms.ErrSigningCertificate, proto.CodeSignerMismatch, proto.CodeTimestampUntrusted, "", ""},
		{cms.NoCertificateFound, fmt.Errorf("%w: %w", cms.ErrNoCertificate, xmldsig.ErrBareKey), proto.CodeSignerUnknown, proto.CodeTimestampUntrusted, "", ""},
		{cms.SignedDataNotFound, fmt.Errorf("x: %w", xmldsig.ErrReference), proto.CodeSignatureInvalid, "", "", ""},
		{cms.SignedDataNotFound, fmt.Errorf("x: %w", xmldsig.ErrUnsupported), proto.CodeAlgorithmUnsupported, "", "", ""},
		{cms.WeakNoPOE, cms.ErrAlgorithm, proto.CodeAlgorithmUnsupported, proto.CodeAlgorithmUnsupported, proto.CodeAlgorithmUnsupported, ""},
		{cms.WeakNoPOE, algo.ErrUnsupported, proto.CodeAlgorithmUnsupported, proto.CodeAlgorithmUnsupported, proto.CodeAlgorithmUnsupported, ""},
		{cms.WeakNoPOE, cms.ErrWeak, proto.CodeAlgorithmWeak, proto.CodeAlgorithmWeak, proto.CodeAlgorithmWeak, ""},
		{cms.NoChainFound, cert.ErrIssuerAbsent, proto.CodeCertificateUntrusted, proto.CodeTimestampUntrusted, proto.CodeCertificateUntrusted, ""},
		{cms.ChainFailure, cert.ErrSignature, proto.CodeCertificateUntrusted, proto.CodeTimestampUntrusted, proto.CodeCertificateUntrusted, ""},
		{cms.ChainConstraints, cert.ErrUse, proto.CodeCertificateUnfit, proto.CodeTimestampUntrusted, proto.CodeCertificateNotForSigning, ""},
		{cms.ChainConstraints, cert.ErrPolicy, proto.CodeCertificateUnfit, proto.CodeTimestampUntrusted, proto.CodeCertificateUnfit, ""},
		{cms.RevokedNoPOE, gone, proto.CodeSignerRevoked, proto.CodeTimestampExpired, proto.CodeCertificateRevoked, "2026-03-01"},
		{cms.RevokedCANoPOE, gone, proto.CodeIssuerRevoked, proto.CodeTimestampExpired, proto.CodeIssuerRevoked, "2026-03-01"},
		{cms.OutOfBoundsNoPOE, cert.ErrExpired, proto.CodeSignerExpired, proto.CodeTimestampExpired, proto.CodeCertificateExpired, "2026-12-31"},
		{cms.OutOfBoundsNotRevoked, cert.ErrExpired, proto.CodeSignerExpired, proto.CodeTimestampExpired, proto.CodeCertificateExpired, "2026-12-31"},
		{cms.Expired, cert.ErrExpired, "", proto.CodeTimestampExpired, "", "2026-12-31"},
		{cms.NotYetValid, cms.ErrBefore, proto.CodeSignerNotYetValid, "", proto.CodeCertificateNotYetValid, "2026-01-01"},
		{cms.TimestampOrder, cms.ErrFuture, "", proto.CodeTimestampOrder, "", ""},
		{cms.TryLater, cert.ErrRevocationUnknown, proto.CodeRevocationUnknown, proto.CodeRevocationUnknown, proto.CodeRevocationUnknown, ""},
	} {
		in := conclusion(c.sub, c.problem)
		for what, f := range map[string]struct {
			got  *proto.Error
			want proto.Code
		}{"signer": {signerFault(in), c.signer}, "stamp": {stampFault(in), c.stamp}, "certificate": {certificateFault(in), c.certificate}} {
			switch {
			case f.want == "" && c.sub != "": // does not occur there
			case f.want == "":
				if f.got != nil {
					t.Errorf("%s: %v, want none", what, f.got)
				}
			case f.got == nil || f.got.Code != f.want || f.got.Args["date"] != c.date:
				t.Errorf("%s %s %v: %+v, want %s %s", what, c.sub, c.problem, f.got, f.want, c.date)
			default:
				if code, text, next := words(f.got, "ru"); code != f.want || text == "" || next == "" {
					t.Errorf("%s %s: no words", what, c.sub)
				}
			}
		}
	}
}

// TestIssuerExpired: an issuer outside its dates is no fault of the signer's certificate.
func TestIssuerExpired(t *testing.T) {
	c := conclusion(cms.OutOfBoundsNoPOE, nil)
	c.Problem = cert.ErrExpired
	if got := signerFault(c); got == nil || got.Code != proto.CodeCertificateUntrusted {
		t.Errorf("%+v", got)
	}
}

// TestVerifyFault: what is known to be wrong goes before what is not known.
func TestVerifyFault(t *testing.T) {
	unsure := cms.SignerReport{Conclusion: conclusion(cms.TryLater, cert.ErrRevocationUnknown)}
	unsure.Conclusion.Indication = cms.Indeterminate
	wrong := cms.SignerReport{Conclusion: conclusion(cms.HashFailure, cms.ErrDigest)}
	wrong.Conclusion.Indication = cms.TotalFailed
	good := cms.SignerReport{Conclusion: cms.Conclusion{Indication: cms.TotalPassed}}
	for _, c := range []struct {
		list []cms.SignerReport
		want proto.Code
	}{
		{nil, ""}, {[]cms.SignerReport{good}, ""}, {[]cms.SignerReport{good, unsure}, proto.CodeRevocationUnknown},
		{[]cms.SignerReport{unsure, good, wrong}, proto.CodeContentMismatch},
	} {
		got := proto.Code("")
		if e := VerifyFault(&cms.Report{Signers: c.list}); e != nil {
			got = e.Code
		}
		if got != c.want {
			t.Errorf("%d signers: %q, want %q", len(c.list), got, c.want)
		}
	}
}

// hostileSource counts what is fetched from addresses in certificates.
type hostileSource struct{ issuers, revocation int }

func (h *hostileSource) Issuers(context.Context, *cert.Certificate) ([]*cert.Certificate, error) {
	h.issuers++
	return nil, errors.New("no")
}

func (h *hostileSource) Revocation(context.Context, *cert.Certificate, *cert.Certificate) ([]cert.Answer, error) {
	h.revocation++
	return nil, errors.New("no")
}

// TestVouched: a document that a page brings makes nobody fetch issuers.
func TestVouched(t *testing.T) {
	h := &hostileSource{}
	e := New(nil, nil, nil, Options{Trust: func() cert.Trust { return cert.Trust{Source: h} }})
	got, err := e.vouched().Source.Issuers(context.Background(), nil)
	if got != nil || err != nil || h.issuers != 0 {
		t.Errorf("issuers were fetched: %v %v", got, err)
	}
	if _, err := e.vouched().Source.Revocation(context.Background(), nil, nil); err == nil || h.revocation != 1 {
		t.Error("revocation was not asked")
	}
}

// TestSourceHidesFolders: a page reads where an answer comes from, and learns no folders of this machine.
func TestSourceHidesFolders(t *testing.T) {
	for from, want := range map[string]string{
		"/home/somebody/crl/root.crl": "root.crl", `C:\Users\somebody\root.crl`: "root.crl", "signature": "signature", "": "",
		"http://ca.example/root.crl": "http://ca.example/root.crl",
	} {
		if got := revocation(&cert.Revocation{Answer: cert.Answer{From: from}}).From; got != want {
			t.Errorf("%q: %q, want %q", from, got, want)
		}
	}
}

// TestWhy: what is unknown is unknown for a reason.
func TestWhy(t *testing.T) {
	for want, problem := range map[string]error{
		"unnamed": cert.ErrNoAnswer, "outdated": fmt.Errorf("x: %w", cert.ErrOutdated), "unauthorized": errors.Join(cert.ErrUnauthorized),
		"forgotten": cert.ErrForgotten, "unreachable": errors.Join(errors.New("http://ca.example: no route")),
	} {
		if got := revocation(&cert.Revocation{Problem: problem}); got.Why != want || got.Status != "unknown" {
			t.Errorf("%v: %+v, want %s", problem, got, want)
		}
	}
	if got := revocation(&cert.Revocation{Status: cert.Good, Problem: cert.ErrOutdated}); got.Why != "" {
		t.Errorf("good: %+v", got)
	}
}
