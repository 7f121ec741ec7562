// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/proto"
)

// TestHelloProof: the proof is over the origin the agent sees and the very challenge, by one key for all.
func TestHelloProof(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	challenge := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 32))
	var first []byte
	for name, who := range map[string]ipc.Peer{"native": native, "websocket": websocket, "local": local} {
		c := b.dial(t, who)
		hello, bad := call[proto.AgentHelloResult](t, c, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol, Challenge: challenge})
		if bad != nil || hello.Agent == nil {
			t.Fatalf("%s: %+v %+v", name, hello, bad)
		}
		if first == nil {
			first = hello.Agent.Key
		}
		if !bytes.Equal(hello.Agent.Key, first) {
			t.Errorf("%s: another key", name)
		}
		for origin, want := range map[string]bool{who.Origin: true, other: false} {
			if got := proved(t, hello.Agent, origin, challenge); got != want {
				t.Errorf("%s: the proof for %q holds: %t", name, origin, got)
			}
		}
		if proved(t, hello.Agent, who.Origin, strings.Replace(challenge, "+", "/", 1)) {
			t.Errorf("%s: the proof holds for another challenge", name)
		}
		plain, bad := call[proto.AgentHelloResult](t, c, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol})
		if bad != nil || plain.Agent != nil {
			t.Errorf("%s: nothing was asked for: %+v %+v", name, plain, bad)
		}
	}
}

func proved(t *testing.T, a *proto.AgentProof, origin, challenge string) bool {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(a.Key)
	if err != nil || len(a.Proof) != 64 {
		t.Fatal(err, len(a.Proof))
	}
	text := sha256.Sum256([]byte("persten agent v1\n" + origin + "\n" + challenge))
	return ecdsa.Verify(key.(*ecdsa.PublicKey), text[:], new(big.Int).SetBytes(a.Proof[:32]), new(big.Int).SetBytes(a.Proof[32:]))
}

// TestHelloChallenge: a challenge is 32 octets in base64 and nothing else, so that a page cannot have other texts signed.
func TestHelloChallenge(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	c := b.dial(t, native)
	good := strings.Repeat("A", 43) + "="
	for _, bad := range []any{good + "\n", good[1:], "A" + good, strings.Repeat("A", 44), "-" + good[1:], " " + good[1:], "\x00" + good[1:],
		"https://evil.example\n" + good, strings.Repeat("A", 1<<20), 7, []string{good}, map[string]string{}} {
		if got := code(t, c, proto.MethodAgentHello, map[string]any{"protocol": proto.Protocol, "challenge": bad}); got != proto.CodeRequestInvalid {
			t.Errorf("%.60v answered %q", bad, got)
		}
	}
	if got := code(t, c, proto.MethodAgentHello, map[string]any{"protocol": proto.Protocol, "challenge": good}); got != "" {
		t.Errorf("a good challenge answered %q", got)
	}
}

// TestHelloQuiet: who only looks learns the same, and no person is asked.
func TestHelloQuiet(t *testing.T) {
	p := &person{decide: never} // an answer would be written while the test ends
	b := newBench(t, p, demo)
	unknown := b.dial(t, ipc.Peer{Via: ipc.ViaNative, Origin: other, Top: other, Frame: "0"})
	quiet := map[string]any{"protocol": proto.Protocol, "quiet": true}
	if got := code(t, unknown, proto.MethodAgentHello, quiet); got != proto.CodeOriginNotAllowed {
		t.Errorf("an unknown site answered %q", got)
	}
	if got := code(t, b.dial(t, native), proto.MethodAgentHello, quiet); got != "" {
		t.Errorf("an allowed site answered %q", got)
	}
	time.Sleep(50 * time.Millisecond)
	if n := len(p.questions()); n != 0 {
		t.Fatalf("%d questions", n)
	}
	// Quiet is of hello alone.
	if got := code(t, unknown, proto.MethodCertificatesList, map[string]any{"quiet": true}); got != proto.CodeOriginNotAllowed {
		t.Errorf("certificates.list answered %q", got)
	}
	eventually(t, "the question about the site", func() bool { return len(p.questions()) == 1 })
}

// TestHelloPaused: a page hears of the pause before it asks for anything.
func TestHelloPaused(t *testing.T) {
	b := newBench(t, &person{decide: never}, demo)
	for _, paused := range []bool{true, false} {
		if got := code(t, b.dial(t, local), proto.MethodAgentPause, proto.AgentPauseParams{Paused: paused}); got != "" {
			t.Fatal(got)
		}
		hello, bad := call[proto.AgentHelloResult](t, b.dial(t, native), proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol})
		if bad != nil || hello.Paused != paused {
			t.Errorf("paused %t: %+v %+v", paused, hello, bad)
		}
	}
}
