// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	"persten/internal/cert"
	"persten/internal/token"
	"persten/proto"
)

// checkCertificates looks at the certificates on the tokens by themselves: periods, keys, algorithms, and whom they are for.
func checkCertificates(ctx context.Context, m *Machine) (list []Finding) {
	all := m.keys(ctx)
	chosen := m.chosen(all)
	if m.Certificate != "" && len(chosen) == 0 && m.Keys != nil {
		return []Finding{problem(string(proto.CodeCertificateAbsent), "", "id", m.Certificate)}
	}
	bad := m.gravity(chosen, all)
	for _, k := range chosen {
		found, ok := m.judge(k, all, bad)
		if ok {
			list = append(list, found)
			continue
		}
		list = append(list, m.ending(k)...)
		if m.Certificate != "" {
			list = append(list, purposes(k.Certificate())...)
		}
	}
	return list
}

// chosen are the keys with a person's certificate, or the one a run is about. Tokens also hold the certificates of authorities.
func (m *Machine) chosen(all []token.Key) (out []token.Key) {
	for _, k := range all {
		c := k.Certificate()
		if c != nil && (m.Certificate == c.ID() || m.Certificate == "" && !c.Usage().CA) {
			out = append(out, k)
		}
	}
	return out
}

// gravity is how bad a certificate is that cannot sign: where another can, an old one beside it hinders nobody.
func (m *Machine) gravity(chosen, all []token.Key) Level {
	able := func(k token.Key) bool {
		return len(k.Algorithms()) > 0 && !mismatched(k, all) && k.Certificate().KeyValidAt(m.now()) == nil
	}
	if m.Certificate == "" && slices.ContainsFunc(chosen, able) {
		return Note
	}
	return Problem
}

// judge says why a certificate cannot sign, if it cannot.
func (m *Machine) judge(k token.Key, all []token.Key, bad Level) (Finding, bool) {
	c, name := k.Certificate(), certificateName(k)
	if code := periodCode(c, m.now()); code != "" {
		return found(bad, code, name, "date", periodDate(c, proto.Code(code))), true
	}
	why, _ := k.(token.Explainer)
	switch {
	case mismatched(k, all):
		return found(bad, "key_mismatch", name), true
	case len(k.Algorithms()) > 0:
		return Finding{}, false
	case why == nil || why.Reason() == token.NoKey:
		return found(bad, string(proto.CodeKeyAbsent), name), true
	}
	a := c.Algorithm()
	return found(bad, string(proto.CodeAlgorithmUnsupported), name, "algorithm", a.Key+" "+a.ParameterSet), true
}

// mismatched reports whether the token ties the certificate to a key with another public half. Where public halves hide until
// the login nobody can tell; the signature is checked then.
func mismatched(k token.Key, all []token.Key) bool {
	id, proven := pairOf(k)
	return !proven && len(id) > 0 && slices.ContainsFunc(all, func(o token.Key) bool {
		a, b := o.Token(), k.Token()
		other, _ := pairOf(o)
		return o.Certificate() == nil && bytes.Equal(id, other) && a.Module == b.Module && a.Slot == b.Slot && a.Serial == b.Serial
	})
}

func pairOf(k token.Key) (id []byte, proven bool) {
	if p, ok := k.(token.Paired); ok {
		return p.Pair()
	}
	return nil, false
}

// Days before the end at which people are told.
const (
	monthLeft = 30
	weekLeft  = 7
)

// ending warns of a certificate, or of its key, that will not sign much longer.
func (m *Machine) ending(k token.Key) []Finding {
	card := k.Certificate().Card()
	left := card.SignUntil.Sub(m.now())
	days := int(left / (24 * time.Hour))
	if days >= monthLeft {
		return nil
	}
	level, code := Note, "certificate_ends_soon"
	if days < weekLeft {
		level = Warning
	}
	if card.SignUntil.Before(card.NotAfter) {
		code = "key_ends_soon"
	}
	return []Finding{found(level, code, certificateName(k), "date", day(card.SignUntil), "days", strconv.Itoa(days))}
}

// purposes are what to know about one certificate before it is used on a portal.
func purposes(c *cert.Certificate) (list []Finding) {
	card, name := c.Card(), oneLine(c.Subject().Name())
	if !c.Usage().Documents() {
		list = append(list, problem(string(proto.CodeCertificateNotForSigning), name))
	}
	if card.Class == 0 && card.SignTool == "" {
		list = append(list, note("certificate_not_qualified", name))
	}
	if card.Owner.Holder() == cert.HolderPerson {
		list = append(list, note("attorney_needed", name))
	}
	return list
}

// certificateName is what people know a certificate by: its owner, and where it lies.
func certificateName(k token.Key) string {
	return oneLine(k.Certificate().Subject().Name()) + ", " + tokenName(k.Token())
}

func day(t time.Time) string { return t.Local().Format(time.DateOnly) }

// periodDate is the day a code about a period speaks of.
func periodDate(c *cert.Certificate, code proto.Code) string {
	from, to, _ := c.PrivateKeyUsage()
	switch code {
	case proto.CodeCertificateNotYetValid:
		return day(c.NotBefore())
	case proto.CodeCertificateKeyExpired:
		return day(to)
	case proto.CodeCertificateKeyNotYetValid:
		return day(from)
	}
	return day(c.NotAfter())
}
