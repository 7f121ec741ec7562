// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// Room for strings from outside, in columns.
const (
	maxName = 80
	maxFact = 130
)

// certCard is a certificate as people see it; all strings are safe to draw.
type certCard struct {
	ID, Name, About string
	Life            string // until when, and how many days that is
	LifeTone        Tone
	What, Next      string // why it cannot sign and what to do; "" when it can
	Usable          bool
	Rows            []look.Row
	Key             string // its kind
	Chain           []link
	Issuer, Serial  string
	Thumbprint      string
}

// link is a box of the chain.
type link struct {
	Name, Role, State string
	Notes             []string
	Tone              Tone
}

// soonDays is how many days ahead of its end a certificate is marked.
const soonDays = 30

func newCertCard(lang text.Lang, c proto.Certificate, now time.Time) certCard {
	d := certCard{
		ID: c.ID, Name: ui.Safe(c.Name, maxName), Usable: c.Usable, Issuer: ui.Safe(c.Issuer, maxName), Serial: ui.Safe(c.Serial, 60),
		Thumbprint: ui.Safe(c.Thumbprint, 40), Key: ui.Safe(c.Key, 40), Rows: certRows(lang, c), Chain: chainLinks(lang, c.Chain),
	}
	var about []string
	if c.Organization != "" && c.Organization != c.Name {
		about = append(about, c.Organization)
	}
	for _, v := range []string{c.Title, text.Get(lang, "cert.holder."+string(cmp.Or(c.Holder, proto.HolderUnknown)), nil)} {
		if v != "" {
			about = append(about, v)
		}
	}
	d.About = ui.Safe(strings.Join(about, ", "), maxFact)
	d.Life, d.LifeTone = life(lang, c, now)
	if !c.Usable {
		d.What, d.Next = text.Error(lang, c.Reason, map[string]string{"date": ui.Date(lang, reasonDate(c))})
		d.LifeTone = Bad
	}
	return d
}

// end is the last moment the key may sign.
func end(c proto.Certificate) time.Time {
	if !c.SignUntil.IsZero() {
		return c.SignUntil
	}
	return c.NotAfter
}

// life says until when a certificate can be used.
func life(lang text.Lang, c proto.Certificate, now time.Time) (string, Tone) {
	until := end(c)
	date := ui.Date(lang, until)
	if now.After(until) {
		return say(lang, "home.cert.ended", "date", date), Bad
	}
	if now.Before(c.NotBefore) {
		return say(lang, "home.cert.early", "date", ui.Date(lang, c.NotBefore)), Warn
	}
	days := int(until.Sub(now) / (24 * time.Hour))
	words := say(lang, "home.cert.until", "date", date) + ", " + text.Plural(lang, "home.cert.left", days)
	if days < soonDays {
		return words, Warn
	}
	return words, Good
}

// reasonDate is the date that explains why a certificate cannot sign, if one does.
func reasonDate(c proto.Certificate) time.Time {
	switch c.Reason {
	case proto.CodeCertificateNotYetValid:
		return c.NotBefore
	case proto.CodeCertificateKeyExpired:
		return c.KeyTo
	case proto.CodeCertificateKeyNotYetValid:
		return c.KeyFrom
	}
	return c.NotAfter
}

// certRows are the details of a certificate.
func certRows(lang text.Lang, c proto.Certificate) (rows []look.Row) {
	period := say(lang, "prompt.cert.period", "from", ui.Date(lang, c.NotBefore), "to", ui.Date(lang, c.NotAfter))
	key := ""
	if !c.KeyTo.IsZero() {
		key = ui.Date(lang, c.KeyTo)
	}
	for _, f := range [][2]string{
		{"organization", c.Organization}, {"title", c.Title}, {"inn", c.INN}, {"innle", c.INNLE}, {"ogrn", c.OGRN},
		{"ogrnip", c.OGRNIP}, {"snils", c.SNILS}, {"issuer", c.Issuer}, {"serial", c.Serial}, {"validity", period},
		{"signUntil", key}, {"key", c.Key}, {"class", c.Class},
	} {
		if f[1] != "" {
			rows = append(rows, look.Row{Label: text.Get(lang, "prompt.cert."+f[0], nil), Value: ui.Safe(f[1], maxFact)})
		}
	}
	if uses := certUses(lang, c); uses != "" {
		rows = append(rows, look.Row{Label: text.Get(lang, "home.cert.uses", nil), Value: uses})
	}
	if c.SignTool != "" {
		rows = append(rows, look.Row{Label: text.Get(lang, "home.cert.tool", nil), Value: ui.Safe(c.SignTool, maxFact)})
	}
	return append(rows, look.Row{Label: "SHA-1", Value: ui.Safe(c.Thumbprint, 40)})
}

func certUses(lang text.Lang, c proto.Certificate) string {
	var all []string
	for _, u := range c.Usage {
		all = append(all, named(lang, "cert.usage.", u, u))
	}
	for _, p := range c.Purposes {
		all = append(all, named(lang, "cert.eku.", p.Name, p.OID))
	}
	return strings.Join(all, "; ")
}

// named is the text of a name, else the name as it came.
func named(lang text.Lang, prefix, name, otherwise string) string {
	if name != "" && text.Has(prefix+name) {
		return text.Get(lang, prefix+name, nil)
	}
	return ui.Safe(otherwise, 40)
}

// chainLinks are the boxes from the certificate up to its root.
func chainLinks(lang text.Lang, list []proto.ChainLink) (out []link) {
	for i, l := range list {
		one := link{Name: ui.Safe(l.Name, maxName), Role: say(lang, "report.link.issuer"), State: say(lang, "report.link.ok"), Tone: Good}
		switch {
		case l.Root:
			one.Role = say(lang, "report.link.root")
		case i == 0:
			one.Role = say(lang, "home.cert.leaf")
		}
		if !l.OK {
			one.State, one.Tone = named(lang, "cert.link.", l.Code, l.Code), Bad
			if slices.Contains([]string{"unchecked", "absent", "root"}, l.Code) {
				one.Tone = Warn
			}
		}
		if !l.NotAfter.IsZero() {
			one.Notes = append(one.Notes, say(lang, "prompt.cert.period", "from", ui.Date(lang, l.NotBefore), "to", ui.Date(lang, l.NotAfter)))
		}
		if r := l.Revocation; r != nil {
			one.Notes = append(one.Notes, revocationWords(lang, *r))
		}
		out = append(out, one)
	}
	return out
}

func revocationWords(lang text.Lang, r proto.Revocation) string {
	words := named(lang, "report.revocation.", r.Status, r.Status)
	if r.Status == "revoked" {
		words = say(lang, "report.revocation.revoked", "time", ui.Date(lang, r.RevokedAt))
	}
	if r.Why != "" {
		words += ": " + named(lang, "report.why.", r.Why, r.Why)
	}
	if r.Source != "" && text.Has("report.revocation."+r.Source) {
		words += "; " + say(lang, "report.revocation."+r.Source, "time", ui.Moment(lang, r.ThisUpdate))
	}
	return words
}

// group is a token with its certificates.
type group struct {
	Title, About string
	State        string
	Tone         Tone
	Token        *proto.Token // nil: the certificates' token is not in the list
	Certs        []certCard
}

// groups puts certificates to their tokens; those that end first stand first.
func groups(lang text.Lang, tokens []proto.Token, certs []proto.Certificate, now time.Time) (list []group) {
	slices.SortStableFunc(certs, func(a, b proto.Certificate) int { return end(a).Compare(end(b)) })
	taken := make([]bool, len(certs))
	take := func(label, model string, demo bool) (mine []certCard) {
		for i, c := range certs {
			if !taken[i] && c.Token.Label == label && c.Token.Demo == demo && (c.Token.Model == "" || model == "" || c.Token.Model == model) {
				taken[i] = true
				mine = append(mine, newCertCard(lang, c, now))
			}
		}
		return mine
	}
	for i, t := range tokens {
		g := group{Title: ui.Safe(t.Label, maxName), Token: &tokens[i], Certs: take(t.Label, t.Model, t.Demo)}
		g.About = tokenAbout(lang, t)
		g.State, g.Tone = tokenState(lang, t)
		list = append(list, g)
	}
	for i, c := range certs {
		if !taken[i] {
			list = append(list, group{Title: ui.Safe(c.Token.Label, maxName), Certs: take(c.Token.Label, c.Token.Model, c.Token.Demo)})
		}
	}
	return list
}

func tokenAbout(lang text.Lang, t proto.Token) string {
	parts := []string{t.Model}
	if t.Serial != "" {
		parts = append(parts, say(lang, "home.token.serial", "serial", t.Serial))
	}
	return ui.Safe(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", "), maxFact)
}

// tokenState says how the PIN of a token stands, when that is worth a word.
func tokenState(lang text.Lang, t proto.Token) (string, Tone) {
	switch {
	case t.Locked:
		return say(lang, "home.token.locked"), Bad
	case t.Final:
		return say(lang, "cli.tokens.final"), Bad
	case t.Attempts > 0 && t.Low:
		return text.Plural(lang, "prompt.pin.left", t.Attempts), Warn
	case t.Low:
		return say(lang, "home.token.low"), Warn
	case t.Demo:
		return say(lang, "home.token.demo"), Warn
	case t.PINPad:
		return say(lang, "home.token.keypad"), Plain
	}
	return "", Plain
}
