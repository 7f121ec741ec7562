// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"time"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/proto"
)

// CheckCertificate tells whether a certificate on a token is good now, by id or thumbprint. With offline set only what is kept
// on disk is asked about revocation.
func (e *Engine) CheckCertificate(ctx context.Context, id string, offline bool, lang string) (*proto.CertificateStatus, error) {
	k, err := e.find(ctx, id)
	if err != nil {
		return nil, err
	}
	c := k.Certificate()
	if c == nil {
		return nil, proto.E(proto.CodeCertificateAbsent, nil, "id", id)
	}
	t := e.trust()
	if offline {
		t.Source = e.kept
	}
	return CheckCertificate(ctx, c, t, cert.UseDocument, lang)
}

// CheckCertificate validates c for one use, at t.At or now, and describes the outcome with words in lang.
// Nobody who could be asked means that revocation is unknown.
func CheckCertificate(ctx context.Context, c *cert.Certificate, t cert.Trust, use cert.Use, lang string) (*proto.CertificateStatus, error) {
	if t.At.IsZero() {
		t.At = time.Now()
	}
	found := cms.ConcludeCertificate(ctx, c, t, use)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	out := &proto.CertificateStatus{
		Certificate: summary(c), CheckedAt: t.At.UTC(), Indication: proto.Indication(found.Indication),
		SubIndication: proto.SubIndication(found.Sub), Chain: links(found.Path),
	}
	bad := certificateFault(found)
	if use == cert.UseLogin && bad != nil && bad.Code == proto.CodeCertificateNotForSigning {
		bad = proto.E(proto.CodeCertificateNotForLogin, bad)
	}
	if bad != nil {
		out.Code, out.Text, out.Next = words(bad, lang)
	}
	return out, nil
}
