// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"

	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/proto"
)

// SignBatch asks the person once for many documents. Each signature goes out as it is made; a client that does not take them
// holds the batch up, until its connection ends and the batch with it.
func (c *client) SignBatch(ctx context.Context, p proto.SignBatchParams) (*proto.SignBatchResult, error) {
	r := signing.BatchRequest{
		Certificate: p.Certificate, Algorithm: p.Algorithm, Attached: p.Attached, Note: p.Note,
	}
	r.Profile, r.XML = signing.BatchFormOf(p)
	for _, item := range p.Items {
		one, done, err := c.batchItem(item)
		if err != nil {
			return nil, err
		}
		defer done()
		one.ID, one.Name, one.MIME = item.ID, item.Name, item.MIME
		r.Items = append(r.Items, one)
	}
	request := requestOf(ctx)
	ctx = signing.WithCount(ctx, func(done, total int) {
		c.conn.Notify(proto.NotifyProgress, proto.ProgressParams{Request: request, Step: proto.StepSigning, Done: done, Total: total})
	})
	made, err := c.o.Engine.SignBatch(ctx, c.caller(), r, func(s signing.BatchSigned) {
		n := proto.BatchItemParams{Request: request, Index: s.Index, ID: s.ID}
		if s.Err != nil {
			n.Error = c.errorData(s.Err)
		} else {
			n.SigningTime, n.Signature = s.Time, &proto.Content{Inline: s.Signature}
			if s.Handle != "" {
				n.Signature = &proto.Content{Handle: s.Handle}
			}
		}
		c.conn.Notify(proto.NotifyBatchItem, n)
	})
	if err != nil {
		return nil, err
	}
	return c.account(p, made), nil
}

// account says where each item ended.
func (c *client) account(p proto.SignBatchParams, made *signing.BatchResult) *proto.SignBatchResult {
	out := &proto.SignBatchResult{
		Certificate: made.Certificate.ID(), Signed: made.Count(signing.ItemSigned),
		Failed: made.Count(signing.ItemFailed), NotSigned: made.Count(signing.ItemNotSigned),
	}
	for i, s := range made.States {
		out.Items = append(out.Items, proto.BatchState{ID: p.Items[i].ID, State: proto.ItemState(s)})
	}
	if made.Stopped != nil {
		out.Stopped = c.errorData(made.Stopped)
		out.Stopped.Text = proto.Partly(out.Stopped.Text)
	}
	return out
}

// errorData is the data member of what wire would answer.
func (c *client) errorData(err error) *proto.ErrorData {
	var d proto.ErrorData
	if bad := json.Unmarshal(c.wire(err).Data, &d); bad != nil {
		slog.Error("error without data", "cause", bad)
	}
	return &d
}

// batchItem finds or spools what an item names; done releases it. For ready digests a page needs a right of its own.
func (c *client) batchItem(item proto.BatchItem) (signing.BatchItem, func(), error) {
	if item.Content.Digest == "" {
		content, done, err := c.content(proto.Content{Handle: item.Content.Handle, Inline: item.Content.Inline})
		return signing.BatchItem{Content: content}, done, err
	}
	if err := c.gate.hidden(c.caller()); err != nil {
		return signing.BatchItem{}, nil, err
	}
	digest, err := hex.DecodeString(item.Content.Digest)
	return signing.BatchItem{Digest: digest}, func() {}, err
}

type requestKey struct{}

// requestOf is the id of the request that is being answered.
func requestOf(ctx context.Context) proto.RequestID {
	id, _ := ctx.Value(requestKey{}).(proto.RequestID)
	return id
}

// withRequest remembers the id for notifications about the request.
func withRequest(ctx context.Context, r *rpc.Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r.ID)
}
