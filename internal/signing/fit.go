// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"persten/internal/cert"
	"persten/internal/token"
	"persten/proto"
)

// Refusal is why a certificate cannot be chosen: a code of the catalogue, or the rule of the page's filter that it breaks, with
// what there is to say of it. Args come from the page and the certificate; whoever shows them escapes them.
type Refusal struct {
	Code string            `json:"code"`
	Args map[string]string `json:"args,omitempty"`
}

// The rules of a filter.
const (
	RuleHolder = "filter_holder"
	RuleINN    = "filter_inn"
	RuleINNLE  = "filter_innle"
	RuleOGRN   = "filter_ogrn"
	RuleSNILS  = "filter_snils"
	RuleIssuer = "filter_issuer"
	RuleEKU    = "filter_eku"
)

// refusal is why a key cannot be chosen, or nil. What the certificate lacks by itself comes before what the page asks for.
func (e *Engine) refusal(k token.Key, r SelectRequest) *Refusal {
	if bad := e.permitted(k, time.Now(), r.Purpose); bad != nil {
		return &Refusal{string(bad.Code), bad.Args}
	}
	if r.Purpose == KindLogin && loginAlgorithm(k) == "" {
		return &Refusal{string(proto.CodeAlgorithmUnsupported), map[string]string{"algorithm": k.Certificate().Key.Describe()}}
	}
	return e.unmet(k.Certificate(), r.Filter)
}

// unmet is the first rule of f that c breaks, or nil.
func (e *Engine) unmet(c *cert.Certificate, f proto.CertificateFilter) *Refusal {
	d := c.Card()
	p := d.Owner
	holder := p.Holder()
	if len(f.Holders) > 0 && !slices.Contains(f.Holders, proto.Holder(holder)) {
		return &Refusal{RuleHolder, map[string]string{"has": string(holder), "wanted": joinedHolders(f.Holders)}}
	}
	for _, n := range numbers(p, f) {
		if n.wanted != "" && n.wanted != n.has && !(n.office && empowered(p, f)) {
			return &Refusal{n.rule, map[string]string{"has": n.has, "wanted": n.wanted, "holder": string(holder)}}
		}
	}
	if f.Issuer != "" && !e.issuedBy(c, d, f.Issuer) {
		return &Refusal{RuleIssuer, map[string]string{"has": d.Issuer.Name(), "wanted": f.Issuer}}
	}
	for _, oid := range f.EKU {
		if !slices.ContainsFunc(d.Purposes, func(u cert.Purpose) bool { return u.OID == oid }) {
			return &Refusal{RuleEKU, map[string]string{"wanted": oid}}
		}
	}
	return nil
}

// number is one that a filter may ask for; office marks those of an organization.
type number struct {
	rule, has, wanted string
	office            bool
}

func numbers(p cert.Person, f proto.CertificateFilter) []number {
	ogrn := number{RuleOGRN, p.OGRN, f.OGRN, true}
	if len(f.OGRN) == 15 {
		ogrn.has, ogrn.office = p.OGRNIP, false
	}
	return []number{{RuleINN, p.INN, f.INN, false}, {RuleINNLE, p.INNLE, f.INNLE, true}, ogrn, {RuleSNILS, p.SNILS, f.SNILS, false}}
}

// empowered reports whether the page takes a natural person's certificate for an organization: it says nothing of one, and the
// person acts by a power of attorney.
func empowered(p cert.Person, f proto.CertificateFilter) bool {
	return p.Holder() == cert.HolderPerson && slices.Contains(f.Holders, proto.HolderPerson)
}

// attorney reports whether a power of attorney (MChD) is needed to act with the certificate for whom the page asks for.
func attorney(c *cert.Certificate, f proto.CertificateFilter) bool {
	office := f.INNLE != "" || len(f.OGRN) == 13 || slices.Contains(f.Holders, proto.HolderRepresentative)
	return office && c.Subject().Holder() == cert.HolderPerson
}

func joinedHolders(list []proto.Holder) string {
	var names []string
	for _, h := range list {
		names = append(names, string(h))
	}
	return strings.Join(names, " ")
}

// issuedBy reports whether the issuer's name contains what is wanted, or its certificate has that thumbprint.
func (e *Engine) issuedBy(c *cert.Certificate, d cert.Card, wanted string) bool {
	for _, name := range []string{d.Issuer.Name(), d.Issuer.CommonName, d.Issuer.Organization} {
		if strings.Contains(strings.ToLower(name), strings.ToLower(wanted)) {
			return true
		}
	}
	if _, err := hex.DecodeString(wanted); err != nil || len(wanted) != 40 && len(wanted) != 64 {
		return false
	}
	links := e.trust().Explain(c)
	return len(links) > 1 && (links[1].Certificate.ID() == wanted || links[1].Certificate.Thumbprint() == wanted)
}
