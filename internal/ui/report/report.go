// SPDX-License-Identifier: GPL-3.0-or-later

// Package report turns what a verification found into a page for people: HTML that stands for itself, or PDF.
//
// Both are made from one list of blocks (see document), so that they say the same. The HTML has no script and loads nothing:
// style, PDF and, when it is small, the document are inside it. What comes from the file is text, never markup.
//
// A page says who signed, when and by whose clock, what was signed and whether it changed, who vouches for the signer, which
// link of that chain is broken, and what to do. The terms of ETSI EN 319 102-1 stand below, for specialists.
//
// Functions share no state.
package report

import (
	"strconv"
	"strings"
	"time"

	"persten/internal/text"
	"persten/proto"
)

// Document is what a page is made of.
type Document struct {
	Lang    text.Lang
	File    string // name of the file that was checked
	Version string // of the program
	Report  *proto.Report
	Content *Content // what the signatures cover; nil when it is not at hand
}

// Content is a signed document to be opened from the page.
type Content struct {
	Name string
	MIME string // "" is read as application/octet-stream
	Data []byte // all of it, or nil when it is too large to carry
	Link string // where it lies, a URL, when Data is nil; may be empty
}

// MaxContent is how much of a document a page should carry.
const MaxContent = 8 << 20

// look is the colour and the mark of a block.
type look string

const (
	good    look = "good"
	bad     look = "bad"
	unsure  look = "unsure"
	neutral look = ""
)

// document is a page before it is drawn.
type document struct {
	Lang, Title, Verdict string
	Look                 look
	Facts                []fact
	Signers              []signer
	Footer               string
}

// fact is a line with its name. Look marks one that is wrong.
type fact struct {
	Name, Value string
	Look        look
}

// signer is one signature on the page.
type signer struct {
	Heading, Verdict, About, Advice string
	Look                            look
	Groups                          []group
	Chain                           []link
	ChainTitle                      string
	Details                         []fact
	Nested                          []signer
}

type group struct {
	Title string
	Facts []fact
}

// link is one box of the chain, the signer's first.
type link struct {
	Name, Role, State string
	Notes             []string
	Look              look
}

// writer puts words together in one language.
type writer struct{ d Document }

func (w writer) t(key string, args ...string) string {
	m := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return text.Get(w.d.Lang, "report."+key, m)
}

// at is a moment in this computer's time zone, which is named.
func (w writer) at(t time.Time) string {
	if w.d.Lang == text.Russian {
		return t.Local().Format("02.01.2006 15:04:05 (-07:00)")
	}
	return t.Local().Format("2006-01-02 15:04:05 (-07:00)")
}

func (w writer) day(t time.Time) string {
	if w.d.Lang == text.Russian {
		return t.Local().Format("02.01.2006")
	}
	return t.Local().Format(time.DateOnly)
}

func (w writer) size(n int64) string {
	switch {
	case n < 1<<10:
		return w.t("bytes", "n", strconv.FormatInt(n, 10))
	case n < 1<<20:
		return w.t("kilobytes", "n", strconv.FormatInt((n+1<<9)>>10, 10))
	}
	return w.t("megabytes", "n", strconv.FormatInt((n+1<<19)>>20, 10))
}

// make builds the page.
func (w writer) make() document {
	r := w.d.Report
	out := document{
		Lang: string(w.d.Lang), Title: w.t("title"), Look: lookOf(r.Indication),
		Footer: w.t("footer", "version", w.d.Version),
	}
	key := map[look]string{good: "passed", bad: "failed", unsure: "indeterminate"}[out.Look]
	switch len(r.Signers) {
	case 0:
		out.Verdict = w.t("verdicts.none")
	case 1:
		out.Verdict = w.t("verdict." + key)
	default:
		out.Verdict = w.t("verdicts." + key)
	}
	where := "where.detached"
	if r.Attached {
		where = "where.attached"
	}
	if w.d.File != "" {
		out.Facts = []fact{{w.t("file"), w.d.File, neutral}}
	}
	document := fact{w.t("size"), w.size(r.Size), neutral}
	if r.Digest != "" && !r.Attached {
		document = fact{w.t("digest"), r.Digest, unsure}
	}
	out.Facts = append(out.Facts, []fact{
		{"", w.t(where), neutral}, document,
		{w.t("checkedAt"), w.at(r.CheckedAt) + ", " + w.t("localClock"), neutral},
	}...)
	for i, s := range r.Signers {
		heading := ""
		if len(r.Signers) > 1 {
			heading = w.t("signature", "n", strconv.Itoa(i+1), "all", strconv.Itoa(len(r.Signers)))
		}
		out.Signers = append(out.Signers, w.signer(s, heading))
	}
	return out
}

func lookOf(i proto.Indication) look {
	switch i {
	case proto.IndicationTOTALPASSED:
		return good
	case proto.IndicationTOTALFAILED:
		return bad
	}
	return unsure
}

func (w writer) signer(s proto.Signer, heading string) signer {
	out := signer{Heading: heading, Look: lookOf(s.Indication), About: s.Text, Advice: s.Next, ChainTitle: w.t("chain")}
	switch out.Look {
	case good:
		out.Verdict, out.About = w.t("verdict.passed"), w.t("about.passed")
		if partly(s) {
			out.About = w.t("about.part")
		}
	case bad:
		out.Verdict = w.t("verdict.failed")
	default:
		out.Verdict = w.t("verdict.indeterminate")
		if s.Valid {
			out.About = strings.TrimSpace(w.t("about.indeterminate") + " " + s.Text)
		}
	}
	out.Groups = []group{{w.t("who"), w.who(s.Certificate)}, {w.t("when"), w.when(s)}, {w.t("what"), w.what(s)}}
	out.Chain = w.chain(s.Chain, "link.leaf")
	for _, ts := range s.Timestamps {
		out.Groups = append(out.Groups, w.stamp(ts))
	}
	out.Details = w.details(s)
	for _, n := range s.Countersignatures {
		name := w.t("unknownSigner")
		if n.Certificate != nil {
			name = n.Certificate.Name
		}
		out.Nested = append(out.Nested, w.signer(n, w.t("countersignature", "name", name)))
	}
	return out
}

// partly tells that a signature of an XML document covers less than the whole.
func partly(s proto.Signer) bool {
	for _, r := range s.References {
		if r.Whole || r.Own && r.Element == "Object" {
			return false
		}
	}
	return len(s.References) > 0
}

func (w writer) who(c *proto.CertificateSummary) []fact {
	if c == nil {
		return []fact{{"", w.t("unknownSigner"), bad}}
	}
	out := []fact{{"", c.Name, neutral}}
	for _, f := range []struct{ key, value string }{
		{"organization", c.Organization}, {"job", c.Title}, {"inn", c.INN}, {"innle", c.INNLE}, {"ogrn", c.OGRN}, {"ogrnip", c.OGRNIP},
		{"snils", c.SNILS}, {"email", c.Email}, {"issuer", c.Issuer},
		{"validity", w.t("period", "from", w.day(c.NotBefore), "to", w.day(c.NotAfter))}, {"serial", c.Serial},
	} {
		if f.value != "" && !(f.key == "organization" && f.value == c.Name) {
			out = append(out, fact{w.t(f.key), f.value, neutral})
		}
	}
	return out
}

func (w writer) when(s proto.Signer) (out []fact) {
	stamped := s.BestTime != nil && s.BestTime.From == "timestamp"
	switch {
	case stamped:
		out = append(out, fact{"", w.t("time.stamped", "time", w.at(s.BestTime.Time)), good})
		if !s.SigningTime.IsZero() {
			out = append(out, fact{"", w.t("time.also", "time", w.at(s.SigningTime)), neutral})
		}
	case !s.SigningTime.IsZero():
		out = append(out, fact{"", w.t("time.claimed", "time", w.at(s.SigningTime)), unsure})
	default:
		out = append(out, fact{"", w.t("time.absent"), unsure})
	}
	if s.Location != "" {
		out = append(out, fact{w.t("location"), s.Location, neutral})
	}
	return out
}

// what tells what a signature covers and whether it is as it was. A CMS signature covers the document; it is changed when
// nothing else is known to be wrong with the digest.
func (w writer) what(s proto.Signer) (out []fact) {
	for _, r := range s.References {
		if r.Own && r.Element != "Object" {
			continue
		}
		state, l := w.t("unchanged"), good
		if !r.Valid {
			state, l = w.t("changed"), bad
		}
		out = append(out, fact{"", w.covered(r) + ": " + state, l})
	}
	if len(s.References) == 0 {
		state, l := w.t("unchanged"), good
		switch {
		case s.SubIndication == proto.SubIndicationHASHFAILURE:
			state, l = w.t("changed"), bad
		case !s.Valid:
			state, l = w.t("unread"), unsure
		}
		out = append(out, fact{"", w.t("covers.document") + ": " + state, l})
	}
	if s.DocumentName != "" {
		out = append(out, fact{w.t("documentName"), s.DocumentName, neutral})
	}
	if s.Commitment != "" {
		out = append(out, fact{w.t("commitment"), s.Commitment, neutral})
	}
	return out
}

func (w writer) covered(r proto.Reference) string {
	switch {
	case r.Own:
		return w.t("covers.inside")
	case r.Whole:
		return w.t("covers.whole")
	case r.Begin == r.End:
		return w.t("covers.uncertain")
	case len(r.Holes) > 0:
		return w.t("covers.holes", "name", r.Element, "id", r.ID, "n", strconv.Itoa(len(r.Holes)))
	}
	return w.t("covers.element", "name", r.Element, "id", r.ID)
}

func (w writer) stamp(ts proto.Timestamp) group {
	name := w.t("unknownSigner")
	if a := ts.Authority; a != nil {
		if name = a.Name; a.Organization != "" && a.Organization != a.Name {
			name += ", " + a.Organization
		}
	}
	out := group{Title: w.t("stamp")}
	if ts.Indication == proto.IndicationTOTALPASSED {
		out.Facts = []fact{{"", w.t("stamp.good", "time", w.at(ts.Time), "name", name), good}}
		return out
	}
	out.Facts = []fact{{"", w.t("stamp.bad", "time", w.at(ts.Time), "reason", ts.Text), lookOf(ts.Indication)}}
	if ts.Next != "" {
		out.Facts = append(out.Facts, fact{w.t("advice"), ts.Next, neutral})
	}
	for _, l := range w.chain(ts.Chain, "link.authority") {
		if l.Look != good {
			out.Facts = append(out.Facts, fact{l.Name, strings.Join(append([]string{l.State}, l.Notes...), "; "), l.Look})
		}
	}
	return out
}

// chain describes the boxes of a path, leaf first.
func (w writer) chain(list []proto.ChainLink, leaf string) (out []link) {
	for i, l := range list {
		one := link{Name: l.Name, Role: w.t("link.issuer"), State: w.t("link.ok"), Look: good}
		switch {
		case l.Root:
			one.Role = w.t("link.root")
		case i == 0:
			one.Role = w.t(leaf)
		}
		if !l.OK {
			one.State, one.Look = text.Get(w.d.Lang, "cert.link."+l.Code, nil), bad
			if l.Code == "unchecked" || l.Code == "absent" || l.Code == "root" {
				one.Look = unsure
			}
		}
		if !l.NotAfter.IsZero() {
			one.Notes = append(one.Notes, w.t("period", "from", w.day(l.NotBefore), "to", w.day(l.NotAfter)))
		}
		one.Notes = append(one.Notes, w.revocation(l.Revocation)...)
		out = append(out, one)
	}
	return out
}

func (w writer) revocation(r *proto.Revocation) (out []string) {
	if r == nil {
		return nil
	}
	state := w.t("revocation." + r.Status)
	switch {
	case r.Status == "revoked":
		state = w.t("revocation.revoked", "time", w.at(r.RevokedAt))
	case r.Status == "good" && !r.RevokedAt.IsZero():
		state = w.t("revocation.later", "time", w.at(r.RevokedAt))
	}
	if key := "report.reason." + r.Reason; r.Reason != "" && text.Has(key) {
		state += " (" + text.Get(w.d.Lang, key, nil) + ")"
	}
	if r.Why != "" {
		state += ": " + w.t("why."+r.Why)
	}
	out = append(out, state)
	if r.Source != "" {
		out = append(out, w.t("revocation."+r.Source, "time", w.at(r.ThisUpdate)))
	}
	switch r.From {
	case "":
	case "signature":
		out = append(out, w.t("revocation.inside"))
	default:
		out = append(out, w.t("revocation.from", "from", r.From))
	}
	return out
}

// details are for specialists.
func (w writer) details(s proto.Signer) []fact {
	indication := string(s.Indication)
	if s.SubIndication != "" {
		indication += " / " + string(s.SubIndication)
	}
	out := []fact{{w.t("detail.indication"), indication, neutral}}
	if s.BestTime != nil {
		from := w.t("detail.judged." + s.BestTime.From)
		out = append(out, fact{w.t("detail.judged"), s.BestTime.Time.UTC().Format(time.RFC3339) + ", " + from, neutral})
	}
	out = append(out, fact{w.t("detail.format"), s.Format, neutral}, fact{w.t("detail.algorithm"), s.Algorithm, neutral})
	if s.Policy != "" {
		out = append(out, fact{w.t("policy"), s.Policy, neutral})
	}
	if s.Certificate != nil {
		out = append(out, fact{w.t("detail.certificate"), s.Certificate.ID, neutral})
	}
	for _, ts := range s.Timestamps {
		stamp := string(ts.Indication)
		if ts.SubIndication != "" {
			stamp += " / " + string(ts.SubIndication)
		}
		out = append(out, fact{w.t("detail.stamp"), ts.Policy + ", " + ts.Serial + ", " + stamp, neutral})
	}
	return out
}
