// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/proto"
)

// heard collects the notifications of a client.
type heard struct {
	mu       sync.Mutex
	items    []proto.BatchItemParams
	progress []proto.ProgressParams
	each     func(n int)
}

func (h *heard) handle(_ context.Context, r *rpc.Request) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch r.Method {
	case proto.NotifyBatchItem:
		var p proto.BatchItemParams
		if err := json.Unmarshal(r.Params, &p); err != nil {
			return nil, err
		}
		if err := p.Validate(); err != nil {
			return nil, err
		}
		if h.items = append(h.items, p); h.each != nil {
			h.each(len(h.items))
		}
	case proto.NotifyProgress:
		var p proto.ProgressParams
		json.Unmarshal(r.Params, &p)
		if p.Total > 0 {
			h.progress = append(h.progress, p)
		}
	}
	return nil, nil
}

func (h *heard) taken() []proto.BatchItemParams {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]proto.BatchItemParams(nil), h.items...)
}

func inlineItems(n int) (items []proto.BatchItem) {
	for i := range n {
		items = append(items, proto.BatchItem{
			ID: fmt.Sprint("act ", i), Name: fmt.Sprintf("act %d.txt", i), Content: proto.BatchContent{Inline: fmt.Appendf(nil, "text %d", i)},
		})
	}
	return items
}

// A batch over each transport, as each kind of caller: every signature comes once, and verifies.
func TestSignBatch(t *testing.T) {
	for transport := range transports {
		for name, who := range map[string]ipc.Peer{"local": local, "native": native, "websocket": websocket} {
			b := newBench(t, &person{decide: yes}, demo)
			h := &heard{}
			c := b.dialHearing(t, who, transport, h.handle)
			items := inlineItems(70)
			large := bytes.Repeat([]byte("large"), 60_000)
			items[3] = proto.BatchItem{ID: "large", Content: proto.BatchContent{Handle: upload(t, c, "large.txt", large)}}
			r, bad := call[proto.SignBatchResult](t, c, proto.MethodSignBatch, proto.SignBatchParams{
				Certificate: certificate(t), Items: items, Attached: true, Profile: proto.BatchProfileCadesBes, Note: "all of them",
			})
			if bad != nil {
				t.Fatalf("%s over %s: %+v", name, transport, bad)
			}
			if err := r.Validate(); err != nil || r.Signed != 70 || r.Failed+r.NotSigned != 0 || r.Stopped != nil || r.Items[3] != (proto.BatchState{ID: "large", State: proto.ItemStateSigned}) {
				t.Errorf("%s over %s: %+v %v", name, transport, r, err)
			}
			seen := map[int]bool{}
			for _, one := range settled(t, h, 70) {
				if seen[one.Index] || one.ID != items[one.Index].ID || one.Error != nil || (one.Signature.Handle != "") != (one.Index == 3) {
					t.Fatalf("%s over %s: %+v", name, transport, one)
				}
				seen[one.Index] = true
				if one.Index > 3 {
					continue // the others are alike
				}
				report, bad := call[proto.VerifyCMSResult](t, c, proto.MethodVerifyCMS, proto.VerifyCMSParams{Signature: *one.Signature})
				if bad != nil || !report.Valid || !report.Signers[0].Trusted {
					t.Errorf("item %d: %+v %+v", one.Index, report, bad)
				}
			}
			if p := h.progress; len(p) == 0 || p[len(p)-1].Done != 70 || p[len(p)-1].Total != 70 {
				t.Errorf("progress %+v", p)
			}
			if q := b.person.questions(); len(q) != 1 || !q[0].Batch || len(q[0].Documents) != 70 || q[0].Documents[3].Name != "large.txt" {
				t.Errorf("%d questions", len(q))
			}
		}
	}
}

// settled waits for notifications, which are handled beside answers.
func settled(t *testing.T, h *heard, n int) []proto.BatchItemParams {
	t.Helper()
	for ends := time.Now().Add(5 * time.Second); len(h.taken()) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(ends) {
			t.Fatalf("%d notifications of %d", len(h.taken()), n)
		}
	}
	return h.taken()
}

// What is wrong with a batch is told before anybody is asked.
func TestSignBatchErrors(t *testing.T) {
	digest := func(s string) []proto.BatchItem { return []proto.BatchItem{{Content: proto.BatchContent{Digest: s}}} }
	sum := strings.Repeat("00", 32)
	twice := inlineItems(2)
	twice[1].ID = twice[0].ID
	for name, c := range map[string]struct {
		items       []proto.BatchItem
		local, page proto.Code
	}{
		"none":          {nil, proto.CodeRequestInvalid, proto.CodeRequestInvalid},
		"1,001":         {inlineItems(1001), proto.CodeRequestInvalid, proto.CodeRequestInvalid},
		"twice":         {twice, proto.CodeRequestInvalid, proto.CodeRequestInvalid},
		"no content":    {[]proto.BatchItem{{}}, proto.CodeRequestInvalid, proto.CodeRequestInvalid},
		"two contents":  {[]proto.BatchItem{{Content: proto.BatchContent{Digest: sum, Inline: []byte("x")}}}, proto.CodeRequestInvalid, proto.CodeRequestInvalid},
		"absent":        {append(inlineItems(1), proto.BatchItem{Content: proto.BatchContent{Handle: strings.Repeat("0", 32)}}), proto.CodeContentAbsent, proto.CodeContentAbsent},
		"digest":        {digest(sum), proto.CodeUserRejected, proto.CodeHiddenNotAllowed},
		"short digest":  {digest(strings.Repeat("00", 20)), proto.CodeRequestInvalid, proto.CodeHiddenNotAllowed},
		"long digest":   {digest(strings.Repeat("00", 64)), proto.CodeRequestInvalid, proto.CodeHiddenNotAllowed},
		"odd digest":    {digest(sum + "0"), proto.CodeRequestInvalid, proto.CodeRequestInvalid},
		"not a hex one": {digest("zz" + sum[2:]), proto.CodeRequestInvalid, proto.CodeRequestInvalid},
	} {
		for peer, want := range map[*ipc.Peer]proto.Code{&local: c.local, &native: c.page, &websocket: c.page} {
			b := newBench(t, &person{decide: no}, demo)
			if got := code(t, b.dial(t, *peer), proto.MethodSignBatch, proto.SignBatchParams{Certificate: certificate(t), Items: c.items}); got != want {
				t.Errorf("%s, %s: %q, want %q", name, peer.Via, got, want)
			}
			if n := len(b.person.questions()); want != proto.CodeHiddenNotAllowed && (n == 1) != (want == proto.CodeUserRejected) {
				t.Errorf("%s: %d questions", name, n)
			}
		}
	}
}

// A cancelled batch answers with its account; one whose client is gone ends too.
func TestSignBatchAbort(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	for _, gone := range []bool{false, true} {
		h := &heard{}
		c := b.dialHearing(t, native, "pair", h.handle)
		ctx, cancel := context.WithCancel(t.Context())
		h.each = func(n int) {
			if n == 5 && gone {
				c.Close()
			} else if n == 5 {
				cancel()
			}
		}
		err := c.Call(ctx, proto.MethodSignBatch, proto.SignBatchParams{Certificate: certificate(t), Items: inlineItems(400)}, nil)
		if !gone && !errors.Is(err, context.Canceled) || gone && !errors.Is(err, rpc.ErrClosed) {
			t.Fatal(err)
		}
		cancel()
		for ends := time.Now().Add(10 * time.Second); b.engine.Prompts() > 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(ends) {
				t.Fatal("the batch goes on")
			}
		}
		if n := len(h.taken()); n < 5 || n >= 400 {
			t.Errorf("%d signatures after the abort", n)
		}
	}
}

// A batch of XML documents through the API: the form arrives, the documents come back signed.
func TestSignBatchXML(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	h := &heard{}
	c := b.dialHearing(t, websocket, "pair", h.handle)
	items := []proto.BatchItem{{Content: proto.BatchContent{Inline: []byte("<a>1</a>")}}, {Content: proto.BatchContent{Inline: []byte("<b/>")}}}
	r, bad := call[proto.SignBatchResult](t, c, proto.MethodSignBatch, proto.SignBatchParams{
		Certificate: certificate(t), Items: items, XML: &proto.BatchXML{C14N: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315", Columns: 76},
	})
	if bad != nil || r.Signed != 2 {
		t.Fatalf("%+v %+v", r, bad)
	}
	for _, one := range settled(t, h, 2) {
		report, bad := call[proto.VerifyXMLResult](t, c, proto.MethodVerifyXML, proto.VerifyXMLParams{Content: *one.Signature})
		if bad != nil || !report.Valid || !strings.Contains(string(one.Signature.Inline), "REC-xml-c14n-20010315") {
			t.Errorf("%+v %+v", report, bad)
		}
	}
	if q := b.person.questions(); len(q) != 1 || q[0].XML == nil || q[0].XML.Columns != 76 {
		t.Errorf("asked %+v", q)
	}
}
