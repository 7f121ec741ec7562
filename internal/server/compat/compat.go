// SPDX-License-Identifier: GPL-3.0-or-later

// Package compat answers pages that were written for another program: NCALayer's WebSocket ([NCALayer]) and the HTTP
// interface of NexU ([NexU]).
//
// A foreign protocol is a way in and nothing more. Every request is carried out through the ordinary API, over a server.Link
// that has the page's origin: its rules, its limits, the approval window, the journal. What a page says of storages and keys
// narrows the choice of certificates; the choice itself is the person's. Members that look like a PIN or a password are
// refused here as they are on our own wire. Ready digests need the right for them.
//
// Both are off until the person or the machine's policy turns them on. [Issue] makes the certificate that lets pages reach
// the WebSocket by wss.
//
// # Why so
//
// NCALayer and NexU are local servers, so the session stands in for them itself (server/compat); plug-ins are the extension's
// faces.
//
//   - A way in, nothing more. A foreign request becomes calls of the ordinary API over a server.Link: a connection inside the
//     process (ipc.Pipe) that has the page's origin, its limits and approvals. compat knows neither keys nor prompts.
//   - One guard. ipc.port decides about Host, Origin, user and number of connections for all three ports; the WebSocket of
//     NCALayer differs in TLS and in having no subprotocol, NexU's HTTP port in the methods and in CORS headers for allowed
//     origins alone.
//   - The person chooses the certificate, because these protocols leave it to the program: what the page says of it narrows the
//     list of certificates.select. An array of documents is one sign.batch; its forms are in signing/batch_form.go.
//   - Loopback TLS. An authority of the user's own, name-constrained, whose key never leaves the call that made it
//     (compat.Issue); browser.Trust puts it into NSS stores. On and off is a file in the state folder, unless [compat] says.
//   - Ports. A taken port, that of the WebSocket too, is left to whoever has it and tried again every 15 s; agent.status names it
//     for as long.
package compat

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"persten/internal/ipc"
	"persten/internal/server"
	"persten/proto"
)

// A page that was not written for us asks once: the answer waits while the person is asked for the right to sign unseen.
var (
	askEvery  = 2 * time.Second
	askWithin = 2 * time.Minute
)

// Sizes of the ordinary API.
const (
	inline     = 256 << 10
	inlineSum  = 2 << 20 // of one message, before base64
	piece      = 1 << 20
	readPiece  = 512 << 10
	maxDocs    = 1000
	batchQuiet = 10 * time.Second // for notifications that were sent before an answer
)

// page is one caller of a foreign protocol, on the ordinary API.
type page struct {
	link   *server.Link
	origin string
	lang   string // of texts: ru or en

	mu    sync.Mutex
	batch int                           // the number of the batch under way, in the ids of its items
	items map[int]proto.BatchItemParams // of that one
	more  chan struct{}
}

// open links a page. Close it when its connection ends.
func open(ctx context.Context, api *server.Server, peer ipc.Peer, lang string) *page {
	p := &page{origin: peer.Origin, lang: lang, more: make(chan struct{}, 1)}
	p.link = api.Link(ctx, peer, p.hear)
	return p
}

func (p *page) Close() { p.link.Close() }

// hear keeps the signatures of the batch under way. One of an earlier batch that was stopped may come late; it is not of this one's
// documents.
func (p *page) hear(method string, params json.RawMessage) {
	var item proto.BatchItemParams
	if method != proto.NotifyBatchItem || json.Unmarshal(params, &item) != nil {
		return
	}
	p.mu.Lock()
	if item.ID == p.itemID(item.Index) {
		p.items[item.Index] = item
	}
	p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
}

// itemID names a document of the batch under way.
func (p *page) itemID(i int) proto.BatchID {
	return proto.BatchID(strconv.Itoa(p.batch) + "." + strconv.Itoa(i))
}

// speak sets the language of questions and texts.
func (p *page) speak(ctx context.Context, lang string) error {
	hello := proto.AgentHelloParams{Protocol: proto.Protocol, Lang: proto.Lang(lang)}
	var r proto.AgentHelloResult
	err := p.link.Call(ctx, proto.MethodAgentHello, hello, &r)
	if err == nil {
		p.lang = lang
	}
	return err
}

// order asks for signatures.
type order struct {
	certificate string
	documents   [][]byte
	digests     bool // documents are ready digests
	attached    bool
	stamped     bool
	xml         *proto.BatchXML // not nil: the documents are XML
}

// sign makes the signatures of an order, or none: one document with a question of its own, several with one for all.
func (p *page) sign(ctx context.Context, o order) (made [][]byte, err error) {
	err = p.patiently(ctx, func() error {
		made, err = p.try(ctx, o)
		return err
	})
	return made, err
}

// patiently repeats f while the person is asked whether the site may have signed what nobody can see.
func (p *page) patiently(ctx context.Context, f func() error) error {
	for began := time.Now(); ; {
		if err := f(); !errors.Is(err, proto.CodeHiddenNotAllowed) || time.Since(began) > askWithin {
			return err
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *page) try(ctx context.Context, o order) ([][]byte, error) {
	if len(o.documents) > 1 || o.digests {
		return p.many(ctx, o)
	}
	content, done, err := p.give(ctx, o.documents[0], inline)
	if err != nil {
		return nil, err
	}
	defer done()
	signature, err := p.one(ctx, o, content)
	if err != nil {
		return nil, err
	}
	bytes, err := p.take(ctx, signature)
	return [][]byte{bytes}, err
}

func (p *page) one(ctx context.Context, o order, content proto.Content) (proto.Content, error) {
	if o.xml != nil {
		var r proto.SignXMLResult
		err := p.link.Call(ctx, proto.MethodSignXML, proto.SignXMLParams{
			Certificate: o.certificate, Content: content, C14N: o.xml.C14N, Columns: o.xml.Columns,
		}, &r)
		return r.Document, err
	}
	var r proto.SignCMSResult
	err := p.link.Call(ctx, proto.MethodSignCMS, proto.SignCMSParams{
		Certificate: o.certificate, Content: &content, Attached: o.attached, Profile: proto.CMSProfile(o.profile()),
	}, &r)
	return r.Signature, err
}

func (o order) profile() string {
	if o.stamped {
		return "cades-t"
	}
	return "cades-bes"
}

// many signs several documents with one approval. Some signatures alone are no answer these protocols know: what stopped the
// rest is the error.
func (p *page) many(ctx context.Context, o order) ([][]byte, error) {
	params := proto.SignBatchParams{Certificate: o.certificate, Attached: o.attached, XML: o.xml}
	if o.xml == nil {
		params.Profile = proto.BatchProfile(o.profile())
	}
	p.mu.Lock()
	p.batch, p.items = p.batch+1, map[int]proto.BatchItemParams{}
	p.mu.Unlock()
	room := inlineSum
	for i, d := range o.documents {
		item, done, err := p.item(ctx, o, d, &room)
		if err != nil {
			return nil, err
		}
		defer done()
		item.ID, item.Name = p.itemID(i), proto.FileName(unnamed[p.lang]+" "+strconv.Itoa(i+1))
		params.Items = append(params.Items, item)
	}
	var account proto.SignBatchResult
	if err := p.link.Call(ctx, proto.MethodSignBatch, params, &account); err != nil {
		return nil, err
	}
	if account.Stopped != nil {
		return nil, &proto.Error{Code: account.Stopped.Code, Args: account.Stopped.Args}
	}
	return p.collect(ctx, len(params.Items))
}

// collect waits for the signatures that the account counts: they were sent before it.
func (p *page) collect(ctx context.Context, n int) ([][]byte, error) {
	late := time.After(batchQuiet)
	for p.mu.Lock(); len(p.items) < n; p.mu.Lock() {
		p.mu.Unlock()
		select {
		case <-p.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return nil, proto.E(proto.CodeInternal, errors.New("a batch without its signatures"))
		}
	}
	items := p.items
	p.mu.Unlock()
	made := make([][]byte, n)
	for i, item := range items {
		if item.Error != nil {
			return nil, &proto.Error{Code: item.Error.Code, Args: item.Error.Args}
		}
		var err error
		if made[i], err = p.take(ctx, *item.Signature); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func (p *page) item(ctx context.Context, o order, d []byte, room *int) (proto.BatchItem, func(), error) {
	if o.digests {
		return proto.BatchItem{Content: proto.BatchContent{Digest: hexOf(d)}}, func() {}, nil
	}
	c, done, err := p.give(ctx, d, min(inline, *room))
	*room -= len(c.Inline)
	return proto.BatchItem{Content: proto.BatchContent{Handle: c.Handle, Inline: c.Inline}}, done, err
}

// give hands a document over: inside the message when it has at most small bytes, else in pieces. done forgets it.
func (p *page) give(ctx context.Context, d []byte, small int) (c proto.Content, done func(), err error) {
	if len(d) <= small && len(d) > 0 {
		return proto.Content{Inline: d}, func() {}, nil
	}
	var opened proto.ContentOpenResult
	if err := p.link.Call(ctx, proto.MethodContentOpen, proto.ContentOpenParams{Name: unnamed[p.lang], Size: int64(len(d))}, &opened); err != nil {
		return c, nil, err
	}
	done = func() { p.drop(opened.Handle) }
	for at := 0; at < len(d) && err == nil; at += piece {
		err = p.link.Call(ctx, proto.MethodContentAppend, proto.ContentAppendParams{Handle: opened.Handle, Data: d[at:min(at+piece, len(d))]}, nil)
	}
	if err == nil {
		err = p.link.Call(ctx, proto.MethodContentClose, proto.ContentCloseParams{Handle: opened.Handle}, nil)
	}
	if err != nil {
		done()
		return c, nil, err
	}
	return proto.Content{Handle: opened.Handle}, done, nil
}

// unnamed is what a document is called that comes without a name.
var unnamed = map[string]string{"ru": "документ", "en": "document"}

// take fetches what the agent made.
func (p *page) take(ctx context.Context, c proto.Content) ([]byte, error) {
	if c.Handle == "" {
		return c.Inline, nil
	}
	defer p.drop(c.Handle)
	var all []byte
	for {
		var r proto.ContentReadResult
		params := proto.ContentReadParams{Handle: c.Handle, Offset: int64(len(all)), Length: readPiece}
		if err := p.link.Call(ctx, proto.MethodContentRead, params, &r); err != nil {
			return nil, err
		}
		if all = append(all, r.Data...); r.EOF || len(r.Data) == 0 {
			return all, nil
		}
	}
}

// drop frees a document, also when the request is over.
func (p *page) drop(handle string) {
	ctx, cancel := context.WithTimeout(context.Background(), batchQuiet)
	defer cancel()
	if err := p.link.Call(ctx, proto.MethodContentDrop, proto.ContentDropParams{Handle: handle}, nil); err != nil {
		slog.Debug("content of a foreign page not dropped", "cause", err)
	}
}

// text says what happened and what to do, in the page's language.
func (p *page) text(err error) proto.Sentence {
	var pe *proto.Error
	if !errors.As(err, &pe) {
		pe = proto.E(proto.CodeRequestCancelled, err)
	}
	return proto.Text(pe.Code, p.lang, pe.Args)
}

// sentences are the text where an answer has one place for it.
func (p *page) sentences(err error) string {
	s := p.text(err)
	return strings.TrimSpace(s.What + " " + s.Next)
}

// declined reports whether the person said no.
func declined(err error) bool {
	return errors.Is(err, proto.CodeUserRejected) || errors.Is(err, proto.CodeUserStopped)
}
