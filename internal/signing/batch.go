// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/token"
	"persten/internal/xmldsig"
	"persten/proto"
)

// MaxBatch is how many documents one approval may list.
const MaxBatch = 1000

// BatchLimits are DefaultLimits with room for the documents of a batch, and for their signatures where those are large.
var BatchLimits = func() Limits {
	l := DefaultLimits
	l.Handles = 2*MaxBatch + 64
	return l
}()

// BatchRequest asks for one signature of each item: one question, one PIN, one lease of the token. The contents are sealed;
// their owner releases them afterwards.
type BatchRequest struct {
	Certificate string // id (SHA-256) or SHA-1 thumbprint, hex
	Algorithm   string // algo.ID; "": the key's default
	Items       []BatchItem
	Attached    bool
	Profile     cms.Profile // "" is BES
	XML         *XMLForm    // not nil: XML signatures, enveloped, of which only C14N and Columns are taken
	Note        string      // "the site says"
}

// BatchItem is one document of a batch.
type BatchItem struct {
	ID         string   // the caller's own name for it
	Content    *Content // nil: only the digest is known, and nobody can be shown what it is of
	Digest     []byte   // by the digest algorithm of the signature; with Content nil
	Name, MIME string   // instead of the content's own, when not empty
}

// BatchSigned is what became of one item that was begun: a signature or a failure of its own.
type BatchSigned struct {
	Index     int
	ID        string
	Signature []byte // nil when it is kept under Handle
	Handle    string // of the caller's channel
	Time      time.Time
	Err       *proto.Error
}

// ItemState is where an item of a batch ended.
type ItemState string

// The states of items.
const (
	ItemNotSigned ItemState = "not_signed" // the batch ended before it
	ItemSigned    ItemState = "signed"
	ItemFailed    ItemState = "failed" // for a reason of its own
)

// BatchResult is the account of a batch in which something was signed or tried.
type BatchResult struct {
	Certificate *cert.Certificate
	States      []ItemState // of every item
	Stopped     error       // what ended the batch before its last item; nil: nothing
}

// Count is the number of items in a state.
func (r *BatchResult) Count(s ItemState) (n int) {
	for _, one := range r.States {
		if one == s {
			n++
		}
	}
	return n
}

// SignBatch asks the person once and signs every item. Each item that is done is given to each, in the order they are done and
// from one goroutine.
//
// Contents are looked at before the question: one that is absent refuses the whole request, because the person is shown
// exactly what will be signed. After the yes, what is wrong with one document alone (it changed, there is no room for its
// signature) fails that item and the batch goes on; a failure of token, PIN, journal or person's time ends it, because every
// item after it would fail the same way or spend another attempt. When ctx ends nothing more is begun; the few signatures the
// token is making then are still finished, so that the account is exact.
//
// The error is for requests in which nothing was signed. Once something was, there is an account, and it says what ended it.
func (e *Engine) SignBatch(ctx context.Context, who Caller, r BatchRequest, each func(BatchSigned)) (*BatchResult, error) {
	key, alg, err := e.ready(ctx, KindSign, r.Certificate, algo.ID(r.Algorithm))
	if err != nil {
		return nil, err
	}
	b := &batch{e: e, who: who, r: r, key: key, alg: alg, each: each, states: make([]ItemState, len(r.Items))}
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	var leave func()
	if b.prompt, leave, err = e.ask(ctx, b.q); err != nil {
		return nil, err // nobody was asked, so there is nothing to record
	}
	defer leave()
	err = b.approved(ctx)
	result := &BatchResult{Certificate: key.Certificate(), States: b.states, Stopped: err}
	b.prompt.Close(b.outcome(result))
	if err != nil {
		logFault(proto.MethodSignBatch, err)
	}
	if err != nil && result.Count(ItemNotSigned) == len(r.Items) {
		return nil, err
	}
	return result, nil
}

// batch is one call of SignBatch.
type batch struct {
	e       *Engine
	who     Caller
	r       BatchRequest
	key     token.Key
	alg     algo.Algorithm
	q       Question
	cms     cms.Options
	xml     xmldsig.Options
	spans   int // of all documents
	digests [][]byte
	prompt  Prompt
	each    func(BatchSigned)

	approval *itemApproval
	decision Decision
	states   []ItemState // written by the collecting goroutine
}

// prepare digests every content and puts everything the approval binds into the question.
func (b *batch) prepare(ctx context.Context) error {
	if n := len(b.r.Items); n == 0 || n > MaxBatch {
		return batchFault("items", "must be 1 to "+strconv.Itoa(MaxBatch))
	}
	q := b.who.question(KindSign)
	q.Certificate, q.Token, q.Algorithm = card(b.key.Certificate()), b.key.Token(), string(b.alg.ID)
	if err := b.form(&q); err != nil {
		return err
	}
	q.absent(b.key)
	if h, ok := b.key.(token.Holder); ok && h.Held(ctx) {
		q.Token.LoginRequired = false // policy keeps the PIN for a while: the person approves without typing it
	}
	ids := map[string]bool{}
	for i, item := range b.r.Items {
		if item.ID != "" && ids[item.ID] {
			return batchFault(field(i, "id"), "is given twice")
		}
		ids[item.ID] = true
		b.states[i] = ItemNotSigned
		d, err := b.document(ctx, i)
		if err == nil {
			err = b.cover(ctx, i, &d)
		}
		if err != nil {
			return err
		}
		q.Documents = append(q.Documents, d)
	}
	b.q = q
	return nil
}

// document describes an item and remembers its digest.
func (b *batch) document(ctx context.Context, i int) (Document, error) {
	item := b.r.Items[i]
	d := Document{Name: cmp.Or(item.Name, unnamed(b.who.Lang)), MIME: item.MIME, Alg: string(b.alg.Digest)}
	digest, err := item.Digest, error(nil)
	if c := item.Content; c != nil {
		if digest, err = c.Digest(ctx, b.alg.Digest); err != nil {
			return d, err
		}
		d.Name, d.MIME, d.Size = cmp.Or(item.Name, c.Name, unnamed(b.who.Lang)), cmp.Or(item.MIME, c.MIME), c.Size()
		d.Login = c.login(b.who.Origin)
		d.Open = func(context.Context) (*os.File, error) {
			if err := c.use(); err != nil { // a window that outlives the request gets nothing more
				return nil, err
			}
			defer c.Release()
			return c.Descriptor()
		}
	} else {
		d.Hidden = true
		switch {
		case len(digest) != b.alg.Digest.Size():
			return d, batchFault(field(i, "content.digest"), "must be "+strconv.Itoa(b.alg.Digest.Size())+" bytes of "+string(b.alg.Digest))
		case b.r.Attached:
			return d, batchFault(field(i, "content.digest"), "cannot be attached: there is no document")
		}
	}
	d.Digest = hex.EncodeToString(digest)
	b.digests = append(b.digests, digest)
	return d, nil
}

func field(i int, name string) string { return "items[" + strconv.Itoa(i) + "]." + name }

func batchFault(field, detail string) error {
	return proto.E(proto.CodeRequestInvalid, nil, "field", field, "detail", detail)
}

// outcome says for the prompt how the batch ended.
func (b *batch) outcome(r *BatchResult) Outcome {
	o := outcome(r.Stopped)
	o.Owner = b.q.Certificate.Name
	o.Batch = &BatchOutcome{Signed: r.Count(ItemSigned), Failed: r.Count(ItemFailed), NotSigned: r.Count(ItemNotSigned)}
	return o
}

// inlineSignature is how large a document may be for its attached signature to be given as bytes and not as a content.
const inlineSignature = 128 << 10

// make makes the signature of item i.
func (b *batch) make(ctx context.Context, session token.Session, i int) (BatchSigned, error) {
	item := b.r.Items[i]
	s := &signer{cert: b.key.Certificate(), alg: b.alg.ID, session: session, approval: b.approval.item(i), touch: touchable(b.q.Token, b.prompt)}
	out := BatchSigned{Index: i, ID: item.ID, Time: time.Now().UTC().Truncate(time.Second)}
	encode := func(w io.Writer) error { return b.encode(ctx, w, i, s, out.Time) }
	var err error
	if b.q.Attached && item.Content.Size() > inlineSignature {
		out.Handle, _, err = b.e.store.Create(b.who.Channel, "", b.r.made(), encode)
		return out, err
	}
	var buf bytes.Buffer
	buf.Grow(len(b.key.Certificate().Raw) + 1<<10)
	err = encode(&buf)
	out.Signature = buf.Bytes()
	return out, err
}

// own reports whether err is the matter of one document alone.
func own(err error) bool {
	for _, one := range []error{
		cms.ErrContentChanged, proto.CodeContentChanged, proto.CodeContentDiskFull, proto.CodeContentQuota, proto.CodeContentTooLarge,
	} {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}

// itemApproval is an approval of a batch. It covers each of its items once. Its first use has to come soon after the person's
// last act; after that it lasts as long as the batch.
type itemApproval struct {
	*approval
	begun bool
	used  []bool
}

func newItemApproval(items int) *itemApproval {
	return &itemApproval{approval: newApproval(items), used: make([]bool, items)}
}

// item is what covers item i and nothing else.
func (a *itemApproval) item(i int) redeemer { return itemUse{a, i} }

type itemUse struct {
	a *itemApproval
	i int
}

func (u itemUse) redeem() error {
	u.a.mu.Lock()
	defer u.a.mu.Unlock()
	if u.a.used[u.i] || !u.a.begun && time.Now().After(u.a.deadline) {
		return errNotApproved
	}
	u.a.used[u.i], u.a.begun = true, true
	return nil
}
