// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/proto"
)

// A page gets a signature over a ready digest once the person gave its site that right; a local caller needs none.
func TestSignRaw(t *testing.T) {
	sum := algo.Streebog256.Sum([]byte("order"))
	ask := proto.SignRawParams{Certificate: certificate(t), Digest: hex.EncodeToString(sum), Name: "order.txt", Note: "one of one"}
	for name, c := range map[string]struct {
		who    ipc.Peer
		answer bool
		want   []proto.Code // of the request before and after the question about the right
		kinds  string
	}{
		"local":              {local, true, []proto.Code{"", ""}, "sign sign"},
		"native, allowed":    {native, true, []proto.Code{proto.CodeHiddenNotAllowed, ""}, "hidden sign"},
		"native, refused":    {native, false, []proto.Code{proto.CodeHiddenNotAllowed, proto.CodeContentHidden}, "hidden"},
		"websocket, allowed": {websocket, true, []proto.Code{proto.CodeHiddenNotAllowed, ""}, "hidden sign"},
	} {
		b := newBench(t, &person{decide: func(_ context.Context, q signing.Question) (bool, error) {
			if q.Kind == signing.KindSign && (!q.Raw || !q.Documents[0].Hidden || q.Documents[0].Content != nil || q.Documents[0].Name != "order.txt") {
				t.Errorf("%s: %+v", name, q)
			}
			return c.answer, nil
		}}, demo)
		conn := b.dial(t, c.who)
		for i, want := range c.want {
			if i == 1 && want != c.want[0] {
				eventually(t, "the answer is kept", func() bool {
					_, known := b.origins.Hidden(portal)
					return known
				})
			}
			made, bad := call[proto.SignRawResult](t, conn, proto.MethodSignRaw, ask)
			var got proto.Code
			if bad != nil {
				got = bad.Code
			}
			if got != want {
				t.Fatalf("%s: %q, want %q", name, got, want)
			}
			if want == "" {
				verifyRaw(t, made, sum)
			}
		}
		var kinds []string
		for _, q := range b.person.questions() {
			kinds = append(kinds, string(q.Kind))
		}
		if got := strings.Join(kinds, " "); got != c.kinds {
			t.Errorf("%s: asked %s", name, got)
		}
	}
}

// For the bare value over a document that can be shown a page needs no right; for what only programs read it does.
func TestSignRawContent(t *testing.T) {
	for name, c := range map[string]struct {
		who  ipc.Peer
		doc  string
		want proto.Code
	}{
		"text":                     {native, "order", ""},
		"text, websocket":          {websocket, "order", ""},
		"attributes of CMS":        {native, "\x31\x0d\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03", proto.CodeHiddenNotAllowed},
		"SignedInfo inside":        {websocket, "<order><SignedInfo/></order>", ""},
		"canonical SignedInfo":     {websocket, `<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#"></SignedInfo>`, proto.CodeHiddenNotAllowed},
		"attributes, local caller": {local, "\x31\x0d\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03", ""},
	} {
		b := newBench(t, &person{decide: func(_ context.Context, q signing.Question) (bool, error) {
			return q.Kind == signing.KindSign, nil
		}}, demo)
		conn := b.dial(t, c.who)
		for _, p := range []proto.SignRawParams{
			{Content: &proto.Content{Inline: []byte(c.doc)}},
			{Content: &proto.Content{Handle: upload(t, conn, "order.txt", []byte(c.doc))}},
		} {
			p.Certificate = certificate(t)
			made, bad := call[proto.SignRawResult](t, conn, proto.MethodSignRaw, p)
			switch {
			case bad != nil && (bad.Code == c.want || c.want != "" && bad.Code == proto.CodeContentHidden):
			case bad != nil || c.want != "":
				t.Errorf("%s: %+v, want %q", name, bad, c.want)
			default:
				verifyRaw(t, made, algo.Streebog256.Sum([]byte(c.doc)))
			}
		}
		if c.want == proto.CodeHiddenNotAllowed {
			eventually(t, "the answer asked for beside the request is kept", func() bool {
				_, known := b.origins.Hidden(portal)
				return known
			})
		}
	}
}

// By a digest a page signs with the right alone, and verifies without it.
func TestCMSByDigest(t *testing.T) {
	sum := hex.EncodeToString(algo.Streebog256.Sum([]byte("order")))
	b := newBench(t, &person{decide: yes}, demo)
	conn := b.dial(t, native)
	ask := proto.SignCMSParams{Certificate: certificate(t), Digest: sum}
	if got := code(t, conn, proto.MethodSignCMS, ask); got != proto.CodeHiddenNotAllowed {
		t.Fatalf("without the right: %q", got)
	}
	eventually(t, "the answer is kept", func() bool {
		allowed, _ := b.origins.Hidden(portal)
		return allowed
	})
	made, bad := call[proto.SignCMSResult](t, conn, proto.MethodSignCMS, ask)
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	ask.AddTo = &made.Signature
	made, bad = call[proto.SignCMSResult](t, conn, proto.MethodSignCMS, ask)
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	for name, c := range map[string]struct {
		p     proto.VerifyCMSParams
		valid bool
		code  proto.Code // of the signers
		bad   proto.Code
	}{
		"digest":           {proto.VerifyCMSParams{Digest: sum, DigestAlg: "streebog256"}, true, "", ""},
		"document":         {proto.VerifyCMSParams{Content: &proto.Content{Inline: []byte("order")}}, true, "", ""},
		"another":          {proto.VerifyCMSParams{Digest: strings.Repeat("0", 64), DigestAlg: "streebog256"}, false, proto.CodeContentMismatch, ""},
		"another digest":   {proto.VerifyCMSParams{Digest: sum, DigestAlg: "sha256"}, false, proto.CodeDigestOther, ""},
		"both":             {proto.VerifyCMSParams{Digest: sum, DigestAlg: "streebog256", Content: &proto.Content{Inline: []byte("order")}}, false, "", proto.CodeRequestInvalid},
		"no algorithm":     {proto.VerifyCMSParams{Digest: sum}, false, "", proto.CodeAlgorithmUnsupported},
		"wrong length":     {proto.VerifyCMSParams{Digest: sum, DigestAlg: "streebog512"}, false, "", proto.CodeRequestInvalid},
		"algorithm, alone": {proto.VerifyCMSParams{DigestAlg: "streebog256"}, false, "", proto.CodeContentRequired},
	} {
		c.p.Signature = made.Signature
		r, bad := call[proto.Report](t, conn, proto.MethodVerifyCMS, c.p)
		switch {
		case bad != nil:
			if bad.Code != c.bad {
				t.Errorf("%s: %+v", name, bad)
			}
		case c.bad != "" || r.Digest != c.p.Digest || r.Valid != c.valid || len(r.Signers) != 2 || c.code != "" && (r.Signers[0].Code != c.code || r.Signers[1].Code != c.code):
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func verifyRaw(t *testing.T, made *proto.SignRawResult, sum []byte) {
	t.Helper()
	keys, err := demo.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.ID() == made.Certificate {
			if err := k.Certificate().Key.Verify(algo.ID(made.Algorithm), algo.Input{Digest: sum}, made.Signature); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Error("signed with an unknown key")
}

// What is wrong with a digest or with the form of a CMS signature is told before anybody is asked.
func TestFormErrors(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	doc := &proto.Content{Inline: []byte("x")}
	at := func(p proto.SignCMSParams) proto.SignCMSParams {
		p.Certificate = certificate(t)
		return p
	}
	made, bad := call[proto.SignCMSResult](t, b.dial(t, local), proto.MethodSignCMS, at(proto.SignCMSParams{Content: doc}))
	if bad != nil {
		t.Fatalf("%+v", bad)
	}
	n := len(b.person.questions())
	for name, c := range map[string]struct {
		method string
		p      any
		who    ipc.Peer
		want   proto.Code
	}{
		"short digest":     {proto.MethodSignRaw, proto.SignRawParams{Certificate: certificate(t), Digest: strings.Repeat("0", 128)}, local, proto.CodeRequestInvalid},
		"no authority":     {proto.MethodSignCMS, at(proto.SignCMSParams{Content: doc, Profile: proto.CMSProfileCadesT}), local, proto.CodeTimestampAbsent},
		"page names one":   {proto.MethodSignCMS, at(proto.SignCMSParams{Content: doc, Tsa: "http://127.0.0.1/"}), native, proto.CodeRequestInvalid},
		"nothing":          {proto.MethodSignCMS, at(proto.SignCMSParams{}), local, proto.CodeRequestInvalid},
		"no content":       {proto.MethodSignCMS, at(proto.SignCMSParams{AddTo: &made.Signature}), local, proto.CodeContentRequired},
		"another content":  {proto.MethodSignCMS, at(proto.SignCMSParams{AddTo: &made.Signature, Content: &proto.Content{Inline: []byte("y")}}), local, proto.CodeContentMismatch},
		"not a signature":  {proto.MethodSignCMS, at(proto.SignCMSParams{AddTo: doc, Content: doc}), local, proto.CodeFormatCMS},
		"no such signer":   {proto.MethodSignCMS, at(proto.SignCMSParams{AddTo: &made.Signature, Content: doc, Countersign: 2}), local, proto.CodeSignerAbsent},
		"countersign what": {proto.MethodSignCMS, at(proto.SignCMSParams{Content: doc, Countersign: 1}), local, proto.CodeRequestInvalid},
	} {
		if got := code(t, b.dial(t, c.who), c.method, c.p); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if len(b.person.questions()) != n {
		t.Error("somebody was asked")
	}
}

// A second signature and a countersignature join the first one, and the person is told whose that is.
func TestAddAndCountersign(t *testing.T) {
	for _, attached := range []bool{false, true} {
		b := newBench(t, &person{decide: yes}, demo)
		c := b.dial(t, native)
		doc := &proto.Content{Inline: []byte("contract")}
		signed := func(p proto.SignCMSParams) proto.Content {
			t.Helper()
			p.Certificate = certificate(t)
			made, bad := call[proto.SignCMSResult](t, c, proto.MethodSignCMS, p)
			if bad != nil {
				t.Fatalf("%+v", bad)
			}
			return made.Signature
		}
		content := doc
		first := signed(proto.SignCMSParams{Content: doc, Attached: attached, Attributes: &proto.CMSAttributes{DocumentName: "Договор.txt", Commitment: "proof-of-approval"}})
		if attached {
			content = nil // it is in there
		}
		second := signed(proto.SignCMSParams{Content: content, AddTo: &first})
		third := signed(proto.SignCMSParams{Content: content, AddTo: &second, Countersign: 2})
		asked := b.person.questions()
		if q := asked[2]; len(asked) != 3 || q.CMS.Countersign != 2 || len(q.CMS.Signers) != 2 || q.CMS.Signers[1].Name == "" || q.CMS.Signers[1].Doubt || q.Documents[0].Size != 8 || q.Attached != attached {
			t.Errorf("%+v", q)
		}
		verify := doc
		if attached {
			verify = nil
		}
		r, bad := call[proto.Report](t, c, proto.MethodVerifyCMS, proto.VerifyCMSParams{Signature: third, Content: verify})
		if bad != nil || !r.Valid || len(r.Signers) != 2 || r.Attached != attached {
			t.Fatalf("%+v, %+v", r, bad)
		}
	}
}
