// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"persten/internal/ipc"
	"persten/internal/server"
	"persten/proto"
)

// NCALayerAddress is where pages look for NCALayer.
const NCALayerAddress = "127.0.0.1:13579"

// MaxNCALayer is the longest message of that protocol: its documents travel in one.
const MaxNCALayer = 32 << 20

const (
	ncaGreeting  = `{"result":{"version":"1.4"}}`
	ncaHeartbeat = "--heartbeat--"
	ncaNoModule  = `{"success":false,"errorCode":"MODULE_NOT_FOUND"}`

	moduleCommon = "kz.gov.pki.knca.commonUtils"
	moduleBasics = "kz.gov.pki.knca.basics"

	maxDepth = 8
	maxUUID  = 128
)

// NCALayer serves one WebSocket connection of a page in the protocol of that program: no ids, one request after another, a
// text for a heartbeat. It returns when the connection ends, and with it whatever the page was waiting for.
func NCALayer(ctx context.Context, api *server.Server, c ipc.Conn, peer ipc.Peer, lang string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := open(ctx, api, peer, lang)
	defer p.Close()
	requests, ended := make(chan waiting, maxQueue), make(chan struct{})
	go func() {
		defer close(ended)
		for r := range requests {
			if ctx.Err() == nil && c.Send(p.answerTo(ctx, r)) != nil {
				cancel()
				c.Close() // the page must not wait for ever
			}
			r.done()
		}
	}()
	defer func() { cancel(); close(requests); <-ended }()
	if err := c.Send([]byte(ncaGreeting)); err != nil {
		return err
	}
	for {
		msg, err := c.Recv()
		if err != nil {
			return err
		}
		if string(msg) == ncaHeartbeat {
			err = c.Send(msg)
		} else {
			err = queue(requests, wait(msg))
		}
		if err != nil {
			return err
		}
	}
}

// Requests wait for answers in memory: so many behind the one a page waits for, and so many bytes over all pages.
const (
	maxQueue = 16
	maxHeld  = 2 * MaxNCALayer
)

var held atomic.Int64

// waiting is a request in the queue; without its text when there was no room for that.
type waiting struct {
	msg  []byte
	held int64
}

func wait(msg []byte) waiting {
	n := int64(len(msg))
	if held.Add(n) > maxHeld {
		held.Add(-n)
		return waiting{}
	}
	return waiting{msg, n}
}

func (w waiting) done() { held.Add(-w.held) }

// queue puts a request behind the others. An answer out of turn would be taken for that of another request, so a page that does
// not wait for answers loses the connection.
func queue(requests chan<- waiting, r waiting) error {
	select {
	case requests <- r:
		return nil
	default:
		r.done()
		return fmt.Errorf("%w: too many requests", ipc.ErrProtocol)
	}
}

// answerTo answers a request in its turn.
func (p *page) answerTo(ctx context.Context, r waiting) []byte {
	if r.msg == nil {
		return p.undone(proto.E(proto.CodeRequestLimit, nil))
	}
	return p.answer(ctx, r.msg)
}

// undone is the answer to a request whose module is not known: either takes it for an error.
func (p *page) undone(err error) []byte {
	s := p.text(err)
	return encode(basicsAnswer{Code: "500", Message: s.What, Details: s.Next})
}

// ncaRequest is a request. Members beside these are not looked at: they are another program's.
type ncaRequest struct {
	Module string          `json:"module"`
	Method string          `json:"method"`
	Args   json.RawMessage `json:"args"`
	UUID   json.RawMessage `json:"uuid"`
}

// answer answers one message.
func (p *page) answer(ctx context.Context, msg []byte) (out []byte) {
	defer func() {
		if r := recover(); r != nil {
			slog.Error("foreign protocol panicked", "stack", string(debug.Stack()))
			out = p.undone(proto.E(proto.CodeInternal, nil))
		}
	}()
	r, err := parseNCALayer(msg)
	switch {
	case err != nil && r.Module == moduleBasics:
		return encode(p.refused(err, "INVOCATION_ERROR"))
	case err != nil:
		return encode(p.failed(err))
	case r.Module == moduleBasics:
		return encode(p.basics(ctx, r.Method, r.Args))
	case r.Module == moduleCommon:
		a := p.common(ctx, r.Method, r.Args)
		a.UUID = r.UUID
		return encode(a)
	}
	return []byte(ncaNoModule)
}

// parseNCALayer reads a request, by the rules of our own wire: one JSON object, no member twice, no PIN. What it could read is
// returned with the error too, so that the answer has the module's form.
func parseNCALayer(msg []byte) (r ncaRequest, err error) {
	if err := ipc.CheckJSON(msg, maxDepth); err != nil {
		return r, proto.E(proto.CodeRequestMalformed, err, "detail", err.Error())
	}
	if err := json.Unmarshal(msg, &r); err != nil {
		return ncaRequest{}, proto.E(proto.CodeRequestMalformed, err, "detail", "not a request")
	}
	if field, found := proto.SecretMember(msg); found {
		return r, proto.E(proto.CodeRequestSecret, nil, "field", field)
	}
	if len(r.UUID) > maxUUID {
		return r, invalid("uuid", "is too long")
	}
	return r, nil
}

func invalid(field, detail string) error {
	return proto.E(proto.CodeRequestInvalid, nil, "field", field, "detail", detail)
}

// language of ours for one of theirs: Kazakh readers get Russian.
func language(locale string) string {
	if strings.HasPrefix(strings.ToLower(locale), "en") {
		return string(proto.LangEn)
	}
	return string(proto.LangRu)
}

// encode writes an answer. Answers hold nothing that cannot be written. They are no HTML: XML in them stays as long as it is.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		slog.Error("answer of a foreign protocol", "cause", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

var errNotImplemented = errors.New("method not implemented")
