// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"path"
	"strings"
	"time"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/token"
	"persten/internal/xmldsig"
	"persten/proto"
)

// listed describes a key's certificate as certificates.list shows it at the time now. The key has a certificate.
func listed(k token.Key, now time.Time) proto.Certificate {
	out := detail(k.Certificate())
	t := k.Token()
	out.Token, out.Runs = proto.TokenRef{Label: t.Label, Model: t.Model, Demo: t.Demo}, Place(t)
	out.Usable = true
	if ids := k.Algorithms(); len(ids) > 0 {
		out.Algorithm = string(ids[0])
	}
	if bad := Usable(k, now); bad != nil {
		out.Usable, out.Reason = false, bad.Code
	}
	return out
}

// detail is all that a certificate says by itself.
func detail(c *cert.Certificate) proto.Certificate {
	d := c.Card()
	p := d.Owner
	out := proto.Certificate{
		ID: d.SHA256, Thumbprint: d.SHA1, SHA256: d.SHA256, Name: p.Name(), Organization: p.Organization, Title: p.Title,
		INN: p.INN, INNLE: p.INNLE, SNILS: p.SNILS, OGRN: p.OGRN, OGRNIP: p.OGRNIP, Email: p.Email,
		Issuer: d.Issuer.Name(), Serial: c.Serial(),
		NotBefore: d.NotBefore, NotAfter: d.NotAfter, KeyFrom: d.KeyFrom, KeyTo: d.KeyTo, SignUntil: d.SignUntil,
		Key: c.Key.Describe(), ParameterSet: d.Algorithm.ParameterSet, Usage: d.Usage,
		Class: d.Class.String(), IssuerClass: d.IssuerClass.String(),
		Identification: string(d.Identification), SignTool: d.SignTool, DER: c.Raw,
	}
	for _, u := range d.Purposes {
		out.Purposes = append(out.Purposes, proto.Purpose{OID: u.OID, Name: u.Key})
	}
	return out
}

// Place tells where the keys of a token work. Demo tokens and key files are opened by Persten's own code, which nobody has
// certified; CryptoPro's module drives the provider of the system, whatever medium its containers lie on.
func Place(t token.Info) proto.KeyPlace {
	library := strings.ToLower(path.Base(strings.ReplaceAll(t.Path, `\`, "/")))
	switch {
	case t.Demo || t.Module == "keyfile":
		return proto.KeyPlaceSoftware
	case t.Module == "cryptopro" || strings.Contains(library, "cppkcs11"):
		return proto.KeyPlaceCSP
	}
	return proto.KeyPlaceToken
}

// summary describes a certificate found anywhere.
func summary(c *cert.Certificate) proto.CertificateSummary {
	d := card(c)
	return proto.CertificateSummary{
		ID: d.ID, Thumbprint: d.Thumbprint, Name: d.Name, Organization: d.Organization, Title: d.Title, INN: d.INN,
		INNLE: d.INNLE, SNILS: d.SNILS, OGRN: d.OGRN, OGRNIP: d.OGRNIP, Email: c.Subject().Email, Issuer: d.Issuer,
		Serial: d.Serial, NotBefore: d.NotBefore, NotAfter: d.NotAfter, Key: d.Key,
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

// Reported turns a verification report into the form of verify.cms and verify.xml, with reasons in lang.
func Reported(r *cms.Report, lang string) *proto.Report {
	out := &proto.Report{Valid: r.Valid(), Attached: r.Attached, Size: r.Content.Size, Signers: []proto.Signer{}}
	for _, s := range r.Signers {
		one := proto.Signer{
			ID: s.ID, Format: s.Format, References: references(s.References),
			Algorithm: string(s.Algorithm), Valid: s.Valid, Trusted: s.Valid && s.Trusted, SigningTime: s.SigningTime,
		}
		if s.Certificate != nil {
			c := summary(s.Certificate)
			one.Certificate = &c
		}
		if s.Policy != nil {
			one.Policy = s.Policy.ID
		}
		if bad := reason(s); bad != nil {
			one.Code, one.Text = bad.Code, proto.Text(bad.Code, lang, bad.Args).What
		}
		out.Signers = append(out.Signers, one)
	}
	return out
}

// maxHoles is how many pieces a reported reference may leave out; of one with more it is not told what it covers.
const maxHoles = 1024

// references describes what an XML signature covers.
func references(list []cms.Reference) (out []proto.Reference) {
	for _, r := range list {
		one := proto.Reference{
			URI: r.URI, Element: r.Name, ID: r.ID, Begin: r.Begin, End: r.End, Whole: r.Whole, Own: r.Own,
			DigestAlg: string(r.Digest), Valid: r.Valid,
		}
		if len(r.Holes) > maxHoles {
			one.Begin, one.End, one.Whole, r.Holes = 0, 0, false, nil
		}
		for _, hole := range r.Holes {
			one.Holes = append(one.Holes, proto.Span{Begin: hole[0], End: hole[1]})
		}
		out = append(out, one)
	}
	return out
}

// reason is what is wrong with one signature, or nil.
func reason(s cms.SignerReport) *proto.Error {
	switch {
	case !s.Valid && (errors.Is(s.Problem, cms.ErrAlgorithm) || errors.Is(s.Problem, xmldsig.ErrUnsupported)):
		return proto.E(proto.CodeAlgorithmUnsupported, s.Problem, "algorithm", "")
	case !s.Valid && errors.Is(s.Problem, cms.ErrNoCertificate):
		return proto.E(proto.CodeSignerUnknown, s.Problem)
	case !s.Valid:
		return proto.E(proto.CodeSignatureInvalid, s.Problem)
	case !s.Trusted:
		return proto.E(proto.CodeCertificateUntrusted, s.TrustProblem)
	}
	return nil
}

// ListedAll describes keys that have a certificate: all of them, or those that can sign at now. It leaves their chains out;
// Engine.Listed has them.
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
