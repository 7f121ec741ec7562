// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"path"
	"strings"
	"time"

	"persten/internal/cert"
	"persten/internal/token"
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
	out.Login = LoginUsable(k, now) == nil
	return out
}

// detail is all that a certificate says by itself.
func detail(c *cert.Certificate) proto.Certificate {
	d := c.Card()
	p := d.Owner
	given, patronymic := p.GivenNames()
	out := proto.Certificate{
		ID: d.SHA256, Thumbprint: d.SHA1, SHA256: d.SHA256, Name: p.Name(), Surname: p.Surname, GivenName: given,
		Patronymic: patronymic, Holder: proto.Holder(p.Holder()), Organization: p.Organization, Title: p.Title,
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
// certified; CryptoPro's module drives the provider of the system, whatever medium its containers lie on, and so do the certificates of
// Windows' store.
func Place(t token.Info) proto.KeyPlace {
	library := strings.ToLower(path.Base(strings.ReplaceAll(t.Path, `\`, "/")))
	switch {
	case t.Demo || t.Module == token.KeyFile:
		return proto.KeyPlaceSoftware
	case t.Module == token.WindowsStore:
		return storePlace(t.Model)
	case t.Module == "cryptopro" || strings.Contains(library, "cppkcs11"):
		return proto.KeyPlaceCSP
	}
	return proto.KeyPlaceToken
}

// storePlace tells it of a provider of Windows' store. Microsoft's own hold keys in software, which nobody has certified here, but
// for cards and the computer's security chip.
func storePlace(provider string) proto.KeyPlace {
	switch {
	case token.WindowsCard(provider), provider == "Microsoft Platform Crypto Provider":
		return proto.KeyPlaceToken
	case provider == "", strings.HasPrefix(provider, "Microsoft "):
		return proto.KeyPlaceSoftware
	}
	return proto.KeyPlaceCSP
}

// summary describes a certificate found anywhere.
func summary(c *cert.Certificate) proto.CertificateSummary {
	d := detail(c)
	return proto.CertificateSummary{
		ID: d.ID, Thumbprint: d.Thumbprint, Name: d.Name, Surname: d.Surname, GivenName: d.GivenName, Patronymic: d.Patronymic,
		Holder: d.Holder, Organization: d.Organization, Title: d.Title, INN: d.INN, INNLE: d.INNLE, SNILS: d.SNILS,
		OGRN: d.OGRN, OGRNIP: d.OGRNIP, Email: d.Email, Issuer: d.Issuer,
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
