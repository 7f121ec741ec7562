// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"time"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/token"
	"persten/proto"
)

// listed describes a key's certificate as certificates.list shows it at the time now. The key has a certificate.
func listed(k token.Key, now time.Time) proto.Certificate {
	c := k.Certificate()
	s := summary(c)
	out := proto.Certificate{
		ID: s.ID, Thumbprint: s.Thumbprint, Name: s.Name, Organization: s.Organization, Title: s.Title, INN: s.INN,
		SNILS: s.SNILS, OGRN: s.OGRN, Email: s.Email, Issuer: s.Issuer, Serial: s.Serial,
		NotBefore: s.NotBefore, NotAfter: s.NotAfter, Key: s.Key, Usable: true,
		Token: proto.TokenRef{Label: k.Token().Label, Demo: k.Token().Demo}, DER: c.Raw,
	}
	if ids := k.Algorithms(); len(ids) > 0 {
		out.Algorithm = string(ids[0])
	}
	if bad := Usable(k, now); bad != nil {
		out.Usable, out.Reason = false, bad.Code
	}
	return out
}

// summary describes a certificate found anywhere.
func summary(c *cert.Certificate) proto.CertificateSummary {
	d := card(c)
	return proto.CertificateSummary{
		ID: d.ID, Thumbprint: d.Thumbprint, Name: d.Name, Organization: d.Organization, Title: d.Title, INN: d.INN,
		SNILS: d.SNILS, OGRN: d.OGRN, Email: c.Subject().Email, Issuer: d.Issuer, Serial: d.Serial,
		NotBefore: d.NotBefore, NotAfter: d.NotAfter, Key: d.Key,
	}
}

// ListedToken describes a token. With full unset it leaves out what would identify the machine it is plugged into.
func ListedToken(t token.Info, full bool) proto.Token {
	out := proto.Token{
		Label: t.Label, Model: t.Model, Manufacturer: t.Manufacturer, PINPad: t.PINPad, Attempts: t.Attempts,
		Low: t.Low, Final: t.Final, Locked: t.Locked, Demo: t.Demo,
	}
	if full {
		out.Serial, out.Module, out.Slot = t.Serial, t.Module, t.Slot
	}
	return out
}

// Reported turns a verification report into the form of verify.cms, with reasons in lang.
func Reported(r *cms.Report, lang string) *proto.VerifyCMSResult {
	out := &proto.VerifyCMSResult{Valid: r.Valid(), Attached: r.Attached, Size: r.Content.Size, Signers: []proto.Signer{}}
	for _, s := range r.Signers {
		one := proto.Signer{
			Algorithm: string(s.Algorithm), Valid: s.Valid, Trusted: s.Valid && s.Trusted, SigningTime: s.SigningTime,
		}
		if s.Certificate != nil {
			c := summary(s.Certificate)
			one.Certificate = &c
		}
		if bad := reason(s); bad != nil {
			one.Code, one.Text = bad.Code, proto.Text(bad.Code, lang, bad.Args).What
		}
		out.Signers = append(out.Signers, one)
	}
	return out
}

// reason is what is wrong with one signature, or nil.
func reason(s cms.SignerReport) *proto.Error {
	switch {
	case !s.Valid:
		return proto.E(proto.CodeSignatureInvalid, s.Problem)
	case !s.Trusted:
		return proto.E(proto.CodeCertificateUntrusted, s.TrustProblem)
	}
	return nil
}

// ListedAll describes keys that have a certificate: all of them, or those that can sign at now.
func ListedAll(keys []token.Key, all bool, now time.Time) []proto.Certificate {
	out := []proto.Certificate{}
	for _, k := range keys {
		if k.Certificate() == nil {
			continue
		}
		if c := listed(k, now); c.Usable || all {
			out = append(out, c)
		}
	}
	return out
}
