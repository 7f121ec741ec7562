// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"context"
	"encoding/hex"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/journal"
	"persten/internal/token"
	"persten/proto"
)

// Result tells what was made; the signature itself went to the writer.
type Result struct {
	Certificate *cert.Certificate
	Time        time.Time
	Document    Document // as it was approved
}

// order is a request for one signature of one document, whatever its format.
type order struct {
	method      string
	kind        Kind // KindSign when empty
	certificate string
	algorithm   algo.ID // "": the key's default
	content     *Content
	hidden      []byte // the digest, when there is no content to show
	name, mime  string

	bound func(algo.Digest) []byte // in place of hidden, a digest that is made when the hash function is known

	// describe completes the question: the document stands in it, what the signature will be is to be added.
	describe func(*Question)
	// encode makes the signature. It reads the content anew and refuses when its digest is not the approved one. Its context
	// takes the progress.
	encode func(ctx context.Context, s cms.Signer, at time.Time, digest []byte) error
}

// sign is the way of every signature: key, digest, question, answer, signature, outcome.
func (e *Engine) sign(ctx context.Context, who Caller, o order) (*Result, error) {
	if u, ok := e.desk.ask.(*Unattended); ok && u.expects(who, o.certificate) {
		ctx = token.Remembering(ctx)
	}
	key, alg, err := e.ready(ctx, o.kind, o.certificate, o.algorithm)
	if err != nil {
		return nil, err
	}
	digest, err := o.digest(ctx, alg)
	if err != nil {
		return nil, err
	}
	q := e.signQuestion(ctx, who, key, alg, o, digest)
	o.describe(&q)
	if o.content != nil && !e.desk.decided(q) { // a person sees the document
		if q.Documents[0].Content, err = o.content.Descriptor(); err != nil {
			return nil, proto.E(proto.CodeInternal, err)
		}
		defer q.Documents[0].Content.Close()
	}

	prompt, leave, err := e.ask(ctx, q)
	if err != nil {
		return nil, err // nobody was asked, so there is nothing to record
	}
	defer leave()
	at := time.Now().UTC().Truncate(time.Second)
	shown := WithProgress(ctx, func(s Step) {
		prompt.Progress(s)
		progress(ctx, s)
	})
	err = e.approved(ctx, who, key, alg, q, prompt, func(s cms.Signer) error { return o.encode(shown, s, at, digest) })
	out := outcome(err)
	out.Owner = q.Certificate.Name
	if err == nil && q.Kind.Signs() {
		out.Signed = []string{q.Documents[0].Name}
	}
	prompt.Close(out)
	if err != nil {
		logFault(o.method, err)
		return nil, err
	}
	return &Result{Certificate: key.Certificate(), Time: at, Document: q.Documents[0]}, nil
}

// digest is what the approval binds of the document.
func (o order) digest(ctx context.Context, alg algo.Algorithm) ([]byte, error) {
	if o.content != nil {
		return o.content.Digest(ctx, alg.Digest)
	}
	if o.bound != nil {
		return o.bound(alg.Digest), nil
	}
	if len(o.hidden) != alg.Digest.Size() {
		return nil, wrongSize(alg.Digest)
	}
	return o.hidden, nil
}

func wrongSize(d algo.Digest) error {
	return proto.E(proto.CodeRequestInvalid, nil, "field", "digest", "detail", "must be "+strconv.Itoa(d.Size())+" bytes of "+string(d))
}

// signQuestion puts into a Question what every approval binds.
func (e *Engine) signQuestion(ctx context.Context, who Caller, key token.Key, alg algo.Algorithm, o order, digest []byte) Question {
	q := who.question(cmp.Or(o.kind, KindSign))
	q.Certificate, q.Token, q.Algorithm = card(key.Certificate()), key.Token(), string(alg.ID)
	q.absent(key)
	if h, ok := key.(token.Holder); ok && h.Held(ctx) {
		q.Token.LoginRequired = false // policy keeps the PIN for a while: the person approves without typing it
	}
	d := Document{Name: o.name, MIME: o.mime, Digest: hex.EncodeToString(digest), Alg: string(alg.Digest), Hidden: o.hidden != nil}
	if c := o.content; c != nil {
		d.Name, d.MIME, d.Size = cmp.Or(o.name, c.Name), cmp.Or(o.mime, c.MIME), c.Size()
		d.Login = c.login(who.Origin)
	}
	d.Name = cmp.Or(d.Name, unnamed(who.Lang))
	q.Documents = []Document{d}
	return q
}

// unnamed is what a document is called that came without a name.
func unnamed(lang string) string {
	if lang == string(proto.LangRu) {
		return "документ"
	}
	return "document"
}

// approved runs one signature under the person's approval: decision, journal, key, work, journal.
func (e *Engine) approved(ctx context.Context, who Caller, key token.Key, alg algo.Algorithm, q Question, p Prompt,
	work func(cms.Signer) error,
) error {
	q.by = approvedBy(p)
	tell(ctx, p, StepWaiting)
	d, err := e.desk.decide(ctx, q, p)
	if err == nil {
		err = e.rules.use(q)
	}
	if err != nil {
		return e.refused(who, q, fault(err))
	}
	e.desk.agreed(q.ID)
	a := newApproval(len(q.Documents))
	record := e.record(who, q, string(q.Kind))
	record.Approval = a.id
	d.mark(record.Documents, 0)
	intended := e.intend(ctx, record)
	if q.by == "" { // a person does not type a PIN for nothing
		if _, err := intended(); err != nil {
			return err
		}
	}
	session, err := e.unlock(ctx, key, p, a, e.wrongPIN(who, q))
	logOut := sync.OnceValue(func() (wait func()) { return closing(session) })
	defer func() { logOut()() }() // also when work panics: nobody else has the session
	entry, unwritten := intended()
	switch {
	case err == nil && unwritten == nil:
		err = work(&signer{cert: key.Certificate(), alg: alg.ID, session: session, approval: a, only: true, touch: touchable(q.Token, p)})
	case unwritten != nil:
		err = unwritten
	}
	err = fault(err)
	logOut()
	if entry == nil {
		return err
	}
	if endErr := e.finish(entry, err); endErr != nil && err == nil {
		err = proto.E(proto.CodeJournalUnwritable, endErr)
	}
	return err
}

// intend begins to write r to the journal, and returns how to wait until it is on disk. While the disk works, the key may be
// unlocked, but not used.
func (e *Engine) intend(ctx context.Context, r journal.Record) func() (*journal.Entry, error) {
	var entry *journal.Entry
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		entry, err = e.log.Begin(ctx, r)
		switch {
		case err != nil && ctx.Err() != nil:
			entry, err = nil, ctx.Err()
		case err != nil:
			entry, err = nil, proto.E(proto.CodeJournalUnwritable, err)
		}
	}()
	return func() (*journal.Entry, error) {
		<-done
		return entry, err
	}
}

// unlocked opens the key, lets work use it within the approval and closes it.
func (e *Engine) unlocked(ctx context.Context, key token.Key, p Prompt, a *approval, wrong func(token.PINRequest),
	work func(token.Session) error,
) error {
	session, err := e.unlock(ctx, key, p, a, wrong)
	if err != nil {
		return err
	}
	defer func() { closing(session)() }()
	return work(session)
}

func (e *Engine) unlock(ctx context.Context, key token.Key, p Prompt, a *approval, wrong func(token.PINRequest)) (token.Session, error) {
	key, err := e.inserted(ctx, key, p, a)
	if err != nil {
		return nil, err
	}
	tell(ctx, p, StepToken)
	session, err := openKey(token.OnKeypad(ctx, keypad(p, a, wrong)), key, p, pins(p, a, e.desk.wait, wrong))
	if err != nil {
		return nil, err
	}
	tell(ctx, p, StepSigning)
	return session, nil
}

// closing logs out while something else is done, and returns how to wait for it. A nil session is closed.
func closing(session token.Session) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if session == nil {
			return
		}
		if err := session.Close(); err != nil {
			slog.Warn("token session did not close", "cause", err)
		}
	}()
	return func() { <-done }
}

// tell shows a step to who waits. Where policy answers nobody does, and nothing of it takes long.
func tell(ctx context.Context, p Prompt, s Step) {
	p.Progress(s)
	if approvedBy(p) == "" {
		progress(ctx, s)
	}
}

// finish writes how a begun record ended.
func (e *Engine) finish(entry *journal.Entry, err error) error {
	if err == nil {
		return entry.End(journal.OK, nil)
	}
	o := outcome(err)
	return entry.End(o.Code, o.Args)
}

// refused journals that a person was asked and nothing was signed, and returns the error.
func (e *Engine) refused(who Caller, q Question, err error) error {
	r := e.record(who, q, "refused")
	o := outcome(err)
	r.Result, r.Args = o.Code, o.Args
	if noteErr := e.log.Note(r); noteErr != nil {
		logFault("journal", proto.E(proto.CodeJournalUnwritable, noteErr))
	}
	return err
}

// wrongPIN journals each wrong PIN of one request.
func (e *Engine) wrongPIN(who Caller, q Question) func(token.PINRequest) {
	return func(token.PINRequest) {
		r := e.record(who, q, "pin")
		r.Result = string(proto.CodePINIncorrect)
		if err := e.log.Note(r); err != nil {
			logFault("journal", proto.E(proto.CodeJournalUnwritable, err))
		}
	}
}

// signer lends a token session to an encoder, one redeemed approval for each signature.
type signer struct {
	cert     *cert.Certificate
	alg      algo.ID
	session  token.Session
	approval redeemer
	only     bool   // it is asked for one signature
	touch    Prompt // told when the token seems to wait for a finger; nil for tokens that do not
}

// redeemer is what an approval is to a signer: redeem takes one use of the key.
type redeemer interface{ redeem() error }

func (s *signer) Certificate() *cert.Certificate { return s.cert }
func (s *signer) Algorithm() algo.ID             { return s.alg }

func (s *signer) Sign(ctx context.Context, in algo.Input) ([]byte, error) {
	if err := s.approval.redeem(); err != nil {
		return nil, proto.E(proto.CodeUserTimeout, err)
	}
	defer s.watchTouch()()
	if f, ok := s.session.(token.Finisher); ok && s.only {
		return f.SignLast(ctx, s.alg, in)
	}
	return s.session.Sign(ctx, s.alg, in)
}

// touchAfter is how long a token that knows touch may take before the person is told to touch it.
const touchAfter = 2 * time.Second

// watchTouch tells the person to touch a token that takes long, and returns what ends that.
func (s *signer) watchTouch() (end func()) {
	if s.touch == nil {
		return func() {}
	}
	t := time.AfterFunc(touchAfter, func() { s.touch.Progress(StepTouch) })
	return func() {
		if !t.Stop() {
			s.touch.Progress(StepSigning)
		}
	}
}

// touchable is the prompt for tokens that may wait for a finger.
func touchable(t token.Info, p Prompt) Prompt {
	if !t.Touch {
		return nil
	}
	return p
}

// release gives the token back before the work is done. Closing the session once more, afterwards, is harmless.
func (s *signer) release() {
	if err := s.session.Close(); err != nil {
		slog.Warn("token session did not close", "cause", err)
	}
}

type progressKey struct{}

// WithProgress lets f see the steps of the requests run under the returned context.
func WithProgress(ctx context.Context, f func(Step)) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}

func progress(ctx context.Context, s Step) {
	if f, ok := ctx.Value(progressKey{}).(func(Step)); ok {
		f(s)
	}
}
