// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"

	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/proto"
)

// The origin in the answer is the one the transport stamped; a page has no way to name another, and a program none at all.
func TestLoginIsBoundToTheStampedOrigin(t *testing.T) {
	nonce := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, who := range map[string]ipc.Peer{"native": native, "websocket": websocket} {
		b := newBench(t, &person{decide: yes}, demo)
		conn := b.dial(t, who)
		token, bad := call[proto.AuthRespondResult](t, conn, proto.MethodAuthRespond, proto.AuthRespondParams{Certificate: certificate(t), Nonce: nonce, Lang: "en"})
		if bad != nil {
			t.Fatal(name, bad)
		}
		if _, err := signing.CheckLogin(token, portal, nonce); err != nil {
			t.Error(name, err)
		}
		if q := b.person.questions()[0]; q.Kind != signing.KindLogin || q.Origin != portal || q.Lang != "en" {
			t.Errorf("%s: %+v", name, q)
		}
		_, bad = call[proto.AuthRespondResult](t, conn, proto.MethodAuthRespond, map[string]string{"nonce": nonce, "origin": "https://bank.example"})
		if bad == nil || bad.Code != proto.CodeRequestInvalid || len(b.person.questions()) != 1 {
			t.Errorf("%s: %v", name, bad)
		}
	}
	b := newBench(t, &person{decide: yes}, demo)
	_, bad := call[proto.AuthRespondResult](t, b.dial(t, local), proto.MethodAuthRespond, proto.AuthRespondParams{Certificate: certificate(t), Nonce: nonce})
	if bad == nil || bad.Code != proto.CodeOriginInvalid || len(b.person.questions()) != 0 {
		t.Error(bad)
	}
}

func TestLoginBounds(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	conn := b.dial(t, native)
	for _, nonce := range []string{"", strings.Repeat("A", 43), strings.Repeat("A", 129), strings.Repeat("А", 44), strings.Repeat("A", 43) + "\x00", strings.Repeat("=", 44)} {
		_, bad := call[proto.AuthRespondResult](t, conn, proto.MethodAuthRespond, map[string]string{"nonce": nonce})
		if bad == nil || bad.Code != proto.CodeRequestInvalid || bad.Args["field"] != "nonce" {
			t.Errorf("%q: %v", nonce, bad)
		}
	}
	if len(b.person.questions()) != 0 {
		t.Error("somebody was asked")
	}
}

func TestCertificatesSelect(t *testing.T) {
	p := &person{decide: func(_ context.Context, q signing.Question) (bool, error) { return q.Kind == signing.KindSelect, nil }}
	b := newBench(t, p, demo)
	found, bad := call[proto.CertificatesSelectResult](t, b.dial(t, native), proto.MethodCertificatesSelect, proto.CertificatesSelectParams{Purpose: proto.KeyPurposeLogin})
	if bad != nil || !found.Certificate.Login || found.Certificate.ID == "" {
		t.Fatal(found, bad)
	}
	if q := b.person.questions()[0]; len(q.Choices) < 2 || q.For != signing.KindLogin || q.Origin != portal {
		t.Errorf("%+v", q)
	}
}
