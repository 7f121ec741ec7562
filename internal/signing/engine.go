// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/journal"
	"persten/internal/token"
	"persten/proto"
)

// Journal records every use of a key; *journal.Journal is one.
type Journal interface {
	Begin(ctx context.Context, r journal.Record) (*journal.Entry, error)
	Note(r journal.Record) error
}

// Engine signs and verifies.
type Engine struct {
	keys       token.Inventory
	desk       *desk
	log        Journal
	store      *Store
	trust      func() cert.Trust
	kept       cert.Source
	stamper    func(url string) cms.Stamper
	chains     chains
	known      *Known
	version    string
	noSoftware bool
	rules      *Rules
}

// Options are what New needs besides its three partners.
type Options struct {
	Store   *Store
	Trust   func() cert.Trust // for verification; nil trusts nobody
	Kept    cert.Source       // what is kept on disk about revocation, for who wants nobody asked; may be nil
	Version string            // written to the journal

	// Stamper finds a time-stamping authority by its address, the configured one when that is empty; nil when there is none.
	// Errors of what it returns are of the catalogue. May be nil.
	Stamper func(url string) cms.Stamper
	Changed func() // told when a prompt opens or closes; may be nil

	Known *Known // what was seen on tokens and chosen at sites; may be nil

	NoSoftware bool // policy: keys in Persten's own code, which is not a certified means, do not sign

	Rules *Rules        // of the machine policy; nil permits all
	Wait  time.Duration // for a person's answer; 0: 30 minutes
}

// New makes an engine over keys, people and a journal.
func New(keys token.Inventory, ask Approver, log Journal, o Options) *Engine {
	if o.Trust == nil {
		o.Trust = func() cert.Trust { return cert.Trust{} }
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	e := &Engine{keys: keys, desk: newDesk(ask, o.Changed, cmp.Or(o.Wait, decideLimit)), log: log, store: o.Store, trust: o.Trust, kept: o.Kept, stamper: o.Stamper, version: o.Version, known: o.Known, noSoftware: o.NoSoftware, rules: o.Rules}
	e.desk.cooled = e.noteCooldown
	return e
}

// noteCooldown journals that a site has to wait because of the person's refusals.
func (e *Engine) noteCooldown(q Question) {
	r := e.record(Caller{Origin: q.Origin, Top: q.Top, Via: q.Via, User: q.User, Program: q.Program}, Question{}, "cooldown")
	r.Result, r.Args = string(proto.CodeOriginCooldown), map[string]string{"origin": q.Origin, "seconds": seconds(cooldown)}
	if err := e.log.Note(r); err != nil {
		logFault("journal", proto.E(proto.CodeJournalUnwritable, err))
	}
}

// Store is where the contents of pages lie.
func (e *Engine) Store() *Store { return e.store }

// Prompts is the number of questions open now.
func (e *Engine) Prompts() int { return e.desk.prompts() }

// Unattended is the number of rules by which signatures are made without a person.
func (e *Engine) Unattended() int {
	if u, ok := e.desk.ask.(*Unattended); ok {
		return u.Active()
	}
	return 0
}

// Pause stops signatures without a person, or lets them go on. Where a person is asked it changes nothing.
func (e *Engine) Pause(paused bool) {
	if u, ok := e.desk.ask.(*Unattended); ok {
		u.Pause(paused)
	}
}

// list reads what is on the tokens now, and remembers it.
func (e *Engine) list(ctx context.Context) ([]token.Key, error) {
	keys, err := e.keys.Keys(ctx)
	e.known.note(keys)
	return keys, err
}

// Keys lists certificates and their keys. Problems tell which modules failed; the list then holds the rest.
func (e *Engine) Keys(ctx context.Context) ([]token.Key, []*proto.Error, error) {
	keys, err := e.list(ctx)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	return keys, problems(err), nil
}

// Tokens lists the tokens present, like Keys.
func (e *Engine) Tokens(ctx context.Context) ([]token.Info, []*proto.Error, error) {
	tokens, err := e.keys.Tokens(ctx)
	if ctx.Err() != nil {
		return nil, nil, ctx.Err()
	}
	return tokens, problems(err), nil
}

// Refresh makes the next listing read the tokens again.
func (e *Engine) Refresh() {
	if r, ok := e.keys.(token.Refresher); ok {
		r.Refresh()
	}
}

// find returns the key of a certificate id or thumbprint.
func (e *Engine) find(ctx context.Context, id string) (token.Key, error) {
	return e.findOn(ctx, id, func(token.Info) bool { return true })
}

// findOn is find among the keys of the tokens that are meant.
func (e *Engine) findOn(ctx context.Context, id string, meant func(token.Info) bool) (token.Key, error) {
	id = strings.ToLower(id)
	named := func(k token.Key) bool {
		c := k.Certificate()
		return (k.ID() == id || c != nil && c.Thumbprint() == id) && meant(k.Token())
	}
	if f, ok := e.keys.(token.Finder); ok {
		if k := f.Find(ctx, named); k != nil {
			return k, nil
		}
	}
	keys, err := e.list(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if n := slices.IndexFunc(keys, named); n >= 0 {
		return keys[n], nil
	}
	if err := hiding(err); err != nil {
		return nil, fault(err)
	}
	return nil, proto.E(proto.CodeCertificateAbsent, err, "id", id)
}

// Usable tells why a key cannot sign documents now, or nil.
func Usable(k token.Key, now time.Time) *proto.Error {
	return usable(k, now, cert.Usage.Documents, proto.CodeCertificateNotForSigning)
}

// usable tells why a key cannot be used now for what fit asks of its certificate; unfit is the code of one that is not for that.
func usable(k token.Key, now time.Time, fit func(cert.Usage) bool, unfit proto.Code) *proto.Error {
	c := k.Certificate()
	if c == nil || len(k.Algorithms()) == 0 {
		return proto.E(proto.CodeKeyAbsent, nil)
	}
	if bad := inTime(c, now); bad != nil {
		return bad
	}
	if !fit(c.Usage()) {
		return proto.E(unfit, nil)
	}
	return nil
}

// permitted adds the machine's policy to Usable, or to LoginUsable for a login.
func (e *Engine) permitted(k token.Key, now time.Time, kind Kind) *proto.Error {
	if e.noSoftware && Place(k.Token()) == proto.KeyPlaceSoftware {
		return proto.E(proto.CodePolicyForbids, nil)
	}
	if kind == KindLogin {
		return LoginUsable(k, now)
	}
	return Usable(k, now)
}

// ready finds the key of a certificate id or thumbprint and the algorithm it will sign with, if it may sign now.
func (e *Engine) ready(ctx context.Context, kind Kind, id string, want algo.ID) (token.Key, algo.Algorithm, error) {
	key, err := e.wanted(ctx, id)
	if err != nil {
		return nil, algo.Algorithm{}, err
	}
	if bad := e.permitted(key, time.Now(), kind); bad != nil {
		return nil, algo.Algorithm{}, bad
	}
	alg, err := algorithm(key, want)
	return key, alg, err
}

// inTime checks the dates of a certificate and of its key, whose period may end earlier.
func inTime(c *cert.Certificate, now time.Time) *proto.Error {
	from, to, _ := c.PrivateKeyUsage()
	dated := func(code proto.Code, err error, date time.Time) *proto.Error {
		return proto.E(code, err, "date", date.Format(time.DateOnly))
	}
	switch err := c.KeyValidAt(now); {
	case err == nil:
		return nil
	case errors.Is(err, cert.ErrNotYetValid):
		return dated(proto.CodeCertificateNotYetValid, err, c.NotBefore())
	case errors.Is(err, cert.ErrKeyNotYetValid):
		return dated(proto.CodeCertificateKeyNotYetValid, err, from)
	case errors.Is(err, cert.ErrKeyExpired):
		return dated(proto.CodeCertificateKeyExpired, err, to)
	default:
		return dated(proto.CodeCertificateExpired, err, c.NotAfter())
	}
}

// AskOrigin asks the person whether a site may use the agent at all, and journals the answer.
func (e *Engine) AskOrigin(ctx context.Context, who Caller) (bool, error) {
	return e.askSite(ctx, who, KindOrigin)
}

// askSite asks one question about a site; its kind is the kind of the journal's record.
func (e *Engine) askSite(ctx context.Context, who Caller, kind Kind) (bool, error) {
	q := who.question(kind)
	p, leave, err := e.desk.open(ctx, q)
	if err != nil {
		return false, err
	}
	defer leave()
	_, err = e.desk.decide(ctx, q, p)
	allowed := err == nil
	rejected := code(err) == proto.CodeUserRejected
	if allowed || rejected {
		r := e.record(who, q, string(kind))
		r.Result = journal.OK
		if rejected {
			r.Result = string(proto.CodeUserRejected)
		}
		if noteErr := e.log.Note(r); noteErr != nil {
			allowed, err = false, proto.E(proto.CodeJournalUnwritable, noteErr)
		}
	}
	p.Close(outcome(err))
	if rejected {
		return false, nil
	}
	return allowed, err
}

// NoteOrigin journals a decision about a site that a local caller made without a question; result is empty for "allowed".
func (e *Engine) NoteOrigin(who Caller, origin string, result proto.Code) error {
	who.Origin = origin
	r := e.record(who, Question{}, "origin")
	r.Result = cmp.Or(string(result), journal.OK)
	if err := e.log.Note(r); err != nil {
		return proto.E(proto.CodeJournalUnwritable, err)
	}
	return nil
}

// question starts a Question with what is known of the caller.
func (c Caller) question(k Kind) Question {
	return Question{
		ID: randomID(), Kind: k, Lang: c.Lang, Origin: c.Origin, Top: c.Top,
		Via: c.Via, User: c.User, PID: c.PID, Program: c.Program,
	}
}

// record starts a journal record with who and what for.
func (e *Engine) record(who Caller, q Question, kind string) journal.Record {
	r := journal.Record{
		Kind: kind, User: who.User, Origin: who.Origin, Top: who.Top, Via: string(who.Via), Program: who.Program,
		Approval: q.ID, Profile: q.Profile, Algorithm: q.Algorithm, Version: e.version, TokenSerial: q.Token.Serial,
		By: q.by,
	}
	if f := q.CMS; f != nil {
		r.AddTo, r.Countersign = f.AddTo, f.Countersign
	}
	if q.Certificate != nil {
		r.CertificateSerial, r.Thumbprint = q.Certificate.Serial, q.Certificate.Thumbprint
	}
	for _, d := range q.Documents {
		one := journal.Document{Name: d.Name, Size: d.Size, Digest: d.Digest, Alg: d.Alg, Login: d.Login}
		for _, s := range d.Covered {
			one.Covered = append(one.Covered, proto.Span{Begin: s.Begin, End: s.End})
		}
		r.Documents = append(r.Documents, one)
	}
	return r
}

// outcome says for the prompt how a request ended.
func outcome(err error) Outcome {
	o := Outcome{Time: time.Now()}
	var pe *proto.Error
	switch {
	case err == nil:
	case errors.As(err, &pe):
		o.Code, o.Args = string(pe.Code), pe.Args
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		o.Code = string(proto.CodeRequestCancelled)
	default:
		o.Code = string(proto.CodeInternal)
	}
	return o
}

// code is the catalogue code of err, or "".
func code(err error) proto.Code {
	var pe *proto.Error
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

// card describes a certificate for people.
func card(c *cert.Certificate) *Certificate {
	d := c.Card()
	p := d.Owner
	return &Certificate{
		ID: d.SHA256, Name: p.Name(), Organization: p.Organization, Title: p.Title, INN: p.INN, INNLE: p.INNLE, SNILS: p.SNILS,
		OGRN: p.OGRN, OGRNIP: p.OGRNIP, Issuer: d.Issuer.Name(), Serial: c.Serial(), Thumbprint: d.SHA1,
		NotBefore: d.NotBefore, NotAfter: d.NotAfter, SignUntil: d.SignUntil,
		Key: c.Key.Describe(), ParameterSet: d.Algorithm.ParameterSet, Class: d.Class.String(),
	}
}

// algorithm is the one a key signs with: the one asked for, else its default.
func algorithm(k token.Key, want algo.ID) (algo.Algorithm, error) {
	for _, id := range k.Algorithms() {
		if a, ok := algo.Lookup(id); ok && !a.Legacy && (want == "" || want == id) {
			return a, nil
		}
	}
	return algo.Algorithm{}, proto.E(proto.CodeAlgorithmUnsupported, nil,
		"algorithm", cmp.Or(string(want), k.Certificate().Key.Describe()))
}

// logFault keeps the cause of an internal error for the log; it never travels.
func logFault(what string, err error) {
	var pe *proto.Error
	if errors.As(err, &pe) && pe.Unwrap() != nil {
		slog.Warn(what, "code", pe.Code, "cause", pe.Unwrap())
	}
}
