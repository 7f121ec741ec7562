// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/proto"
)

// Room for strings from outside, in columns.
const (
	maxNote   = 200
	maxName   = 70
	maxFact   = 110
	maxSigned = 1024 // texts that get signed; the protocol has bounds of its own
	maxDocs   = 1000 // names in a card; a batch never reaches this
)

// Card is what every body shows of a question, in the order of its fields. All strings are safe to draw.
type Card struct {
	Kind      signing.Kind
	Lang      text.Lang
	Title     string
	Site      *Site  // who asks, when it is a page; Asker otherwise
	Asker     string // who asks on one line, for bodies that cannot set type
	Frame     string // the top page, when the asker is a frame of another site
	Banner    string // a warning about the asker, or ""
	Note      string // what the asker says itself, or ""
	Owner     []Fact // the certificate
	Documents []Document
	Summary   string // of a batch: how many, how large together
	Login     string // a warning that a document looks like a site's word for logging in
	Body      string // what a yes means, where no document says it
	Choices   []Choice
	Insert    string // which token to plug in, when it is not there
	Unseen    string // a warning about documents nobody can be shown
	Meaning   []Fact // what the signature says beside the document
	Facts     []Fact // form of the signature, token
	Accept    string // "" where there is nothing to say yes to
	Reject    string
}

// Fact is one labelled line.
type Fact struct {
	Label, Value string
	Strong       bool // what a person recognises the card by
	Warn         bool
	Minor        bool // of less weight: a window may set it small

	long bool // a text that gets signed: it may take several lines, but not be cut
}

// Document is one line of the list.
type Document struct {
	Name, Size, Digest string
	Full               string // the whole digest
	Signed             string // of an XML document: what of it will be signed
	Hidden             bool   // only the digest is known
}

// NewCard makes the card of a question in one of text's languages.
func NewCard(q signing.Question, lang text.Lang) Card {
	c := Card{Kind: q.Kind, Lang: lang}
	kind := string(q.Kind)
	c.Title = say(lang, "prompt."+kind+".title")
	if q.Kind == signing.KindSign && (q.Batch || len(q.Documents) > 1) {
		c.Title = text.Plural(lang, "prompt.sign.titles", len(q.Documents))
	}
	c.Accept, c.Reject = say(lang, "prompt."+kind+".accept"), say(lang, "prompt."+kind+".reject")
	c.asker(q)
	c.explain(q)
	if q.Note != "" {
		c.Note = Safe(q.Note, maxNote)
	}
	if q.Certificate != nil {
		c.Owner = owner(lang, *q.Certificate, q.Token, time.Now())
	}
	for i, d := range q.Documents {
		if i == maxDocs || q.Kind == signing.KindLogin {
			break
		}
		c.Documents = append(c.Documents, Document{
			Name: Safe(d.Name, maxName), Size: Size(lang, d.Size), Digest: digest(d.Alg, d.Digest), Full: Safe(d.Digest, 128),
			Signed: signedPart(lang, d), Hidden: d.Hidden,
		})
		if d.Hidden {
			c.Documents[i].Size = c.Say("prompt.documents.hidden")
		}
	}
	c.Facts = facts(lang, q)
	c.meaning(q)
	c.warn(q)
	c.batch(q)
	c.insert(q)
	return c
}

// meaning tells, beside the documents and ahead of everything that may have to be scrolled to, what the signature says that they do
// not: whose signatures it joins or confirms, what it is given for, what else gets signed.
func (c *Card) meaning(q signing.Question) {
	policy, document := policyFacts(q)
	var list []Fact
	if q.CMS != nil {
		list = cmsFacts(c.Lang, *q.CMS)
	}
	c.Meaning = filled(append(list, []Fact{
		{Label: c.Say("prompt.form.policy"), Value: policy, long: true},
		{Label: c.Say("prompt.form.policyuri"), Value: document, long: true},
	}...))
	if q.CMS != nil && q.CMS.Countersign > 0 {
		c.Title = c.Say("prompt.countersign.title")
	}
}

// unseen reports whether there is a document of which only the digest is known.
func unseen(q signing.Question) bool {
	return slices.ContainsFunc(q.Documents, func(d signing.Document) bool { return d.Hidden })
}

// warn tells what a person must know of the documents before anything else.
func (c *Card) warn(q signing.Question) {
	switch {
	case unseen(q):
		c.Unseen = c.Say("prompt.raw.warning")
		if !q.Batch {
			c.Title = c.Say("prompt.raw.title")
		}
	case slices.ContainsFunc(q.Documents, func(d signing.Document) bool { return d.Opaque }):
		c.Unseen = c.Say("prompt.raw.opaque")
	}
	switch login := slices.ContainsFunc(q.Documents, func(d signing.Document) bool { return d.Login }); {
	case login && q.Origin != "":
		c.Title = c.Say("prompt.login.warning.title")
		c.Login = c.Say("prompt.login.warning", "site", c.Asker)
	case login:
		c.Title = c.Say("prompt.login.warning.title")
		c.Login = c.Say("prompt.login.warning.local")
	}
}

// Warnings are what bodies show beside the documents, before anything else.
func (c Card) Warnings() []string {
	return slices.DeleteFunc([]string{c.Login, c.Unseen}, func(s string) bool { return s == "" })
}

func (c *Card) asker(q signing.Question) {
	program := programName(q.Program)
	if own(executable(), q) {
		c.Asker = c.Say("prompt.asker.own")
		return
	}
	if q.Origin == "" {
		if program == "" {
			program = c.Say("prompt.asker.unknown")
		}
		c.Asker = program
		if q.Via != signing.ViaCommand {
			c.Banner = c.Say("prompt.banner.local", "program", program, "pid", strconv.Itoa(q.PID))
		}
		return
	}
	site := NewSite(q.Origin)
	c.Site, c.Asker = &site, site.String()
	if q.Top != "" && q.Top != q.Origin {
		c.Frame = NewSite(q.Top).String()
	}
	switch {
	case q.Via == signing.ViaWebSocket && q.Program != "" && !browser(q.Program):
		c.Banner = c.Say("prompt.banner.program", "program", program)
	case !site.Secure:
		c.Banner = c.Say("prompt.banner.insecure")
	case site.Native != "":
		c.Banner = c.Say("prompt.banner.punycode", "name", site.Native)
	}
}

// browsers are the programs a page's request is expected from.
var browsers = []string{
	"chrom", "google-chrome", "firefox", "msedge", "microsoft-edge", "opera", "vivaldi", "brave", "yandex", "browser",
	"safari", "librewolf", "waterfox", "sputnik", "atom", "falkon", "epiphany", "konqueror",
}

func browser(program string) bool {
	name := strings.ToLower(filepath.Base(strings.ReplaceAll(program, `\`, "/")))
	for _, b := range browsers {
		if strings.HasPrefix(name, b) {
			return true
		}
	}
	return false
}

func programName(path string) string {
	if path == "" {
		return ""
	}
	return Safe(path, maxName)
}

// owner lists the certificate: who, their numbers, who vouches, until when, and where its key works. That and the dates come
// before the rest, so that a warning stands where nobody has to scroll.
func owner(lang text.Lang, c signing.Certificate, t token.Info, now time.Time) []Fact {
	soon := func(end time.Time) bool { return now.After(end.AddDate(0, 0, -30)) }
	valid := Fact{
		Label: say(lang, "prompt.cert.validity"),
		Value: say(lang, "prompt.cert.period", "from", Date(lang, c.NotBefore), "to", Date(lang, c.NotAfter)),
		Warn:  soon(c.NotAfter),
	}
	until := Fact{Label: say(lang, "prompt.cert.signUntil")}
	if !c.SignUntil.IsZero() && c.SignUntil.Before(c.NotAfter) {
		until.Value, until.Warn = Date(lang, c.SignUntil), soon(c.SignUntil)
	}
	list := []Fact{
		{Label: say(lang, "prompt.cert.name"), Value: Safe(c.Name, maxFact), Strong: true},
		{Label: say(lang, "prompt.cert.organization"), Value: c.Organization},
		{Label: say(lang, "prompt.cert.title"), Value: c.Title},
		{Label: say(lang, "prompt.cert.inn"), Value: c.INN},
		{Label: say(lang, "prompt.cert.innle"), Value: c.INNLE},
		{Label: say(lang, "prompt.cert.snils"), Value: snils(c.SNILS), Minor: true},
		{Label: say(lang, "prompt.cert.ogrn"), Value: c.OGRN, Minor: true},
		{Label: say(lang, "prompt.cert.ogrnip"), Value: c.OGRNIP, Minor: true},
		{Label: say(lang, "prompt.cert.issuer"), Value: c.Issuer},
		valid,
		until,
		place(lang, t),
		{Label: say(lang, "prompt.cert.key"), Value: key(c), Minor: true},
		{Label: say(lang, "prompt.cert.class"), Value: class(lang, c.Class), Minor: true},
		{Label: say(lang, "prompt.cert.serial"), Value: c.Serial, Minor: true},
	}
	return filled(list)
}

// key names the curve too, unless the kind of key does: "ECDSA P-256".
func key(c signing.Certificate) string {
	if c.ParameterSet == "" || strings.Contains(c.Key, c.ParameterSet) {
		return c.Key
	}
	return c.Key + ", " + c.ParameterSet
}

func class(lang text.Lang, name string) string {
	if key := "cert.class." + name; text.Has(key) {
		return say(lang, key)
	}
	return ""
}

// snils writes an insurance number the way its card does: 112-233-445 95.
func snils(s string) string {
	if len(s) != 11 || strings.Trim(s, "0123456789") != "" {
		return s
	}
	return s[:3] + "-" + s[3:6] + "-" + s[6:9] + " " + s[9:]
}

func facts(lang text.Lang, q signing.Question) []Fact {
	if q.Kind.Keyless() || q.Kind == signing.KindPIN {
		return nil
	}
	format, algorithm := "", ""
	switch q.Kind {
	case signing.KindSign, signing.KindTest:
		format = form(lang, q)
	case signing.KindKey:
		algorithm = q.Algorithm
	}
	label := q.Token.Label
	if q.Token.Demo && label != "" {
		label = say(lang, "prompt.token.demo", "label", label)
	}
	return filled([]Fact{
		{Label: say(lang, "prompt.key.algorithm"), Value: algorithm},
		{Label: say(lang, "prompt.form.label"), Value: format, Warn: q.Raw && unseen(q)},
		{Label: say(lang, "prompt.form.tsa"), Value: authority(lang, q.CMS)},
		{Label: say(lang, "prompt.login.signing"), Value: q.Signing},
		{Label: say(lang, "prompt.token.label"), Value: label, Warn: q.Token.Demo},
	})
}

// authority is who will stamp the signature; empty when nobody does.
func authority(lang text.Lang, f *signing.CMSForm) string {
	switch {
	case f == nil || f.Profile != signing.ProfileT:
		return ""
	case f.TSA == "":
		return say(lang, "prompt.form.tsa.configured")
	}
	return f.TSA
}

// policyFacts are the signature policy that gets signed and where its document is said to be.
func policyFacts(q signing.Question) (id, document string) {
	var p *signing.XMLPolicy
	if q.XML != nil {
		p = q.XML.Policy
	}
	if q.CMS != nil {
		p = q.CMS.Policy
	}
	if p == nil {
		return "", ""
	}
	if p.URI != p.ID {
		document = p.URI
	}
	return p.ID, document
}

// cmsFacts tells what is special about a CMS signature: whose signatures it joins, what it is given for, what it says.
func cmsFacts(lang text.Lang, f signing.CMSForm) []Fact {
	beside := joined(lang, f)
	var place string
	if l := f.Location; l != nil {
		place = strings.Join(slices.DeleteFunc(append([]string{l.Country, l.Locality}, l.Postal...), func(s string) bool { return s == "" }), ", ")
	}
	commitment := string(f.Commitment)
	if key := "prompt.commitment." + strings.TrimPrefix(commitment, "proof-of-"); text.Has(key) {
		commitment = say(lang, key)
	}
	return append(beside, []Fact{
		{Label: say(lang, "prompt.form.commitment"), Value: commitment, Strong: commitment != ""},
		{Label: say(lang, "prompt.form.location"), Value: place, long: true},
		{Label: say(lang, "prompt.form.documentname"), Value: f.DocumentName, long: true},
		{Label: say(lang, "prompt.form.filename"), Value: f.FileName, long: true},
		{Label: say(lang, "prompt.form.mime"), Value: f.MIMEType, long: true},
	}...)
}

// maxJoined is how many signers of an existing signature are named.
const maxJoined = 5

// joined names the signers whose file the signature joins, or the one whose signature it is over. The names are from outside, so
// each is a line of its own, and those that nobody vouches for say so.
func joined(lang text.Lang, f signing.CMSForm) (list []Fact) {
	for i, s := range f.Signers {
		one := Fact{Label: say(lang, "prompt.form.addto"), Value: Safe(s.Name, maxName), Warn: s.Doubt}
		switch {
		case s.Name == "":
			one.Value = say(lang, "prompt.form.nobody")
		case s.Doubt:
			one.Value = say(lang, "prompt.form.doubt", "name", one.Value)
		}
		switch {
		case f.Countersign == i+1:
			one.Label, one.Strong = say(lang, "prompt.form.countersign"), true
			return []Fact{one}
		case len(list) < maxJoined:
			list = append(list, one)
		}
	}
	if n := len(f.Signers) - len(list); n > 0 {
		list = append(list, Fact{Label: say(lang, "prompt.form.addto"), Value: say(lang, "prompt.form.more", "count", strconv.Itoa(n))})
	}
	return list
}

// place says where the key works, and warns of keys that no certified means looks after.
func place(lang text.Lang, t token.Info) Fact {
	f := Fact{Label: say(lang, "prompt.place.label")}
	where := signing.Place(t)
	switch model := Safe(strings.TrimSpace(t.Model), maxName); {
	case t == (token.Info{}):
		return f
	case where == proto.KeyPlaceToken && model != "":
		f.Value = say(lang, "prompt.place.model", "model", model)
	case where == proto.KeyPlaceSoftware && t.Module == token.WindowsStore:
		f.Value, f.Warn = say(lang, "prompt.place.windows"), true
	default:
		f.Value, f.Warn = say(lang, "prompt.place."+string(where)), where == proto.KeyPlaceSoftware
	}
	return f
}

// filled drops the facts that say nothing and makes the others safe.
func filled(list []Fact) []Fact {
	out := list[:0]
	for _, f := range list {
		most := maxFact
		if f.long {
			most = maxSigned
		}
		if f.Value = Safe(f.Value, most); strings.TrimSpace(f.Value) != "" {
			out = append(out, f)
		}
	}
	return out
}

// Brief is the card as text for bodies with little room: who asks, what is signed, and whose certificate it is.
func (c Card) Brief() []string {
	short := c
	short.Owner = nil
	for _, f := range c.Owner {
		for _, key := range []string{"cert.name", "cert.organization", "cert.inn", "cert.innle", "cert.validity", "cert.signUntil", "place.label"} {
			if f.Label == c.Say("prompt."+key) {
				short.Owner = append(short.Owner, f)
			}
		}
	}
	var lines []string
	for _, l := range short.Lines() {
		if l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// Lines is the card as text, for bodies without type: one fact a line.
func (c Card) Lines() []string {
	lines := []string{c.Say("prompt.asker.label") + ": " + c.Asker}
	if c.Frame != "" {
		lines = append(lines, c.Say("prompt.asker.frame", "site", c.Frame))
	}
	if c.Banner != "" {
		lines = append(lines, "! "+c.Banner)
	}
	if c.Note != "" {
		lines = append(lines, c.Say("prompt.note.label")+": «"+c.Note+"»")
	}
	if c.Body != "" {
		lines = append(lines, "", c.Body)
	}
	if c.Kind.Site() {
		return lines
	}
	if c.Body == "" {
		lines = append(lines, "")
	}
	named := c.Documents
	if c.Summary != "" {
		lines, named = append(lines, c.batchLines()...), nil
	}
	for _, d := range named {
		lines = append(lines, c.Say("prompt.documents.line", "name", d.Name, "size", d.Size), "    "+d.Digest)
		if d.Signed != "" {
			lines = append(lines, "    "+d.Signed)
		}
	}
	if slices.ContainsFunc(c.Documents, func(d Document) bool { return !d.Hidden }) {
		lines = append(lines, "    "+c.Say("view.elsewhere"))
	}
	if c.Summary == "" {
		lines = append(lines, c.warningLines()...)
	}
	for _, f := range c.Meaning {
		lines = append(lines, f.Label+": "+f.Value)
	}
	lines = append(lines, "")
	for _, f := range append(append([]Fact(nil), c.Owner...), c.Facts...) {
		lines = append(lines, f.Label+": "+f.Value)
	}
	if c.Insert != "" {
		lines = append(lines, "", "! "+c.Insert, c.Say("insert.after"))
	}
	return lines
}

func (c Card) warningLines() (lines []string) {
	for _, w := range c.Warnings() {
		lines = append(lines, "! "+w)
	}
	return lines
}

// form says what kind of signature it will be and where it will stand.
func form(lang text.Lang, q signing.Question) string {
	profile, where := q.Profile, "prompt.form.detached"
	switch {
	case q.XML != nil:
		profile, where = q.XML.Profile, "prompt.form."+q.XML.Mode
		if q.XML.Mode == "detached" {
			where = "prompt.form.beside"
		}
	case q.Raw && unseen(q):
		return say(lang, "prompt.form.raw")
	case q.Raw:
		return say(lang, "prompt.form.value")
	case q.CMS != nil && q.CMS.Countersign > 0:
		where = "prompt.form.countersignature"
	case q.CMS != nil && q.CMS.AddTo != "":
		where = "prompt.form.added"
	case q.Attached:
		where = "prompt.form.attached"
	}
	if !text.Has(where) {
		return Safe(q.Profile, maxFact)
	}
	if profile == "" {
		return say(lang, where)
	}
	return profileName(lang, profile) + ", " + say(lang, where)
}

// profileNames are the names the standards give.
var profileNames = map[string]string{
	"cades-bes": "CAdES-BES", "cades-epes": "CAdES-EPES", "cades-t": "CAdES-T", "xmldsig": "XMLDSig", "xades-bes": "XAdES-BES", "xades-epes": "XAdES-EPES",
}

func profileName(lang text.Lang, p string) string {
	if name, ok := profileNames[p]; ok {
		return name
	}
	if key := "prompt.profile." + strings.ReplaceAll(p, "-", ""); text.Has(key) {
		return say(lang, key)
	}
	return Safe(p, 40)
}

// maxParts is how many elements are named; the tree shows them all.
const maxParts = 5

// signedPart says what of an XML document the signature will cover.
func signedPart(lang text.Lang, d signing.Document) string {
	if len(d.Covered) == 0 {
		return ""
	}
	switch {
	case d.Whole:
		return say(lang, "prompt.signed.whole")
	case d.Rest:
		return say(lang, "prompt.signed.rest")
	}
	var parts []string
	for i, s := range d.Covered {
		if i > 0 && s.Element == d.Covered[i-1].Element && s.ID == d.Covered[i-1].ID {
			continue // the same element, behind a hole
		}
		part := Safe(s.Element, maxName)
		if s.ID != "" {
			part += " (" + Safe(s.ID, maxName) + ")"
		}
		parts = append(parts, part)
	}
	more := ""
	if n := len(parts) - maxParts; n > 0 {
		parts, more = parts[:maxParts], strconv.Itoa(n)
	}
	return say(lang, "prompt.signed.parts", "parts", strings.Join(parts, ", "), "more", more)
}
