// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"encoding/json"
	"errors"
	"testing"

	"persten/internal/ipc"
	"persten/proto"
)

// TestLink: a connection from inside the process has its page's rights and no others, and hears what pages hear.
func TestLink(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	heard := make(chan string, 16)
	l := b.Link(t.Context(), websocket, func(method string, _ json.RawMessage) { heard <- method })
	defer l.Close()
	var list proto.CertificatesListResult
	if err := l.Call(t.Context(), proto.MethodCertificatesList, proto.CertificatesListParams{}, &list); err != nil || len(list.Certificates) == 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if err := l.Call(t.Context(), proto.MethodOriginsList, proto.OriginsListParams{}, nil); !errors.Is(err, proto.CodeMethodLocalOnly) {
		t.Errorf("a local method: %v", err)
	}
	var made proto.SignCMSResult
	ask := proto.SignCMSParams{Certificate: list.Certificates[0].ID, Content: &proto.Content{Inline: []byte("x")}}
	if err := l.Call(t.Context(), proto.MethodSignCMS, ask, &made); err != nil || len(made.Signature.Inline) == 0 {
		t.Errorf("%+v, %v", made, err)
	}
	if got := <-heard; got != proto.NotifyProgress {
		t.Errorf("heard %s", got)
	}
	if q := b.person.questions(); len(q) != 1 || q[0].Origin != portal {
		t.Errorf("asked %+v", q)
	}
	stranger := b.Link(t.Context(), ipc.Peer{Via: ipc.ViaWebSocket, Origin: denied}, nil)
	defer stranger.Close()
	err := stranger.Call(t.Context(), proto.MethodCertificatesList, proto.CertificatesListParams{}, &list)
	var pe *proto.Error
	if !errors.As(err, &pe) || pe.Code != proto.CodeOriginDenied || pe.Args["origin"] != denied {
		t.Errorf("a denied site: %v", err)
	}
}

// TestStandingProblems are told to local callers alone.
func TestStandingProblems(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	b.Problem("face", proto.E(proto.CodeInternal, nil))
	b.Problem("face", proto.E(proto.CodePortTaken, nil, "port", "13579", "name", "NCALayer"))
	for peer, want := range map[*ipc.Peer]int{&local: 1, &websocket: 0, &native: 0} {
		s, bad := call[proto.AgentStatusResult](t, b.dial(t, *peer), proto.MethodAgentStatus, proto.AgentStatusParams{})
		if bad != nil || len(s.Problems) != want {
			t.Errorf("%s: %+v %+v", peer.Via, s, bad)
		}
		if want == 1 && (s.State != proto.StateProblem || s.Problems[0].Code != proto.CodePortTaken || s.Problems[0].Text == "") {
			t.Errorf("%+v", s)
		}
	}
	b.Problem("face", nil)
	if s, bad := call[proto.AgentStatusResult](t, b.dial(t, local), proto.MethodAgentStatus, proto.AgentStatusParams{}); bad != nil || len(s.Problems) != 0 {
		t.Errorf("a problem that is over: %+v %+v", s, bad)
	}
}
