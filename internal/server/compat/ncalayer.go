// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"

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
	requests, ended := make(chan []byte, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for msg := range requests {
			if c.Send(p.answer(ctx, msg)) != nil {
				return
			}
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
			err = queue(c, requests, ended, msg)
		}
		if err != nil {
			return err
		}
	}
}

// queue lets one request wait behind the one that is being answered. A page that sends more is not waiting for answers.
func queue(c ipc.Conn, requests chan<- []byte, ended <-chan struct{}, msg []byte) error {
	select {
	case requests <- msg:
		return nil
	case <-ended:
		return ipc.ErrClosed
	default:
		return c.Send(encode(commonAnswer{Code: "500", Message: proto.Text(proto.CodeRequestLimit, "en", map[string]string{"limit": "2"}).What}))
	}
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
			out = encode(commonAnswer{Code: "500", Message: proto.Text(proto.CodeInternal, p.lang, map[string]string{"ref": ""}).What})
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

// encode writes an answer. Answers hold nothing that cannot be written.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		slog.Error("answer of a foreign protocol", "cause", err)
	}
	return b
}

var errNotImplemented = errors.New("method not implemented")
