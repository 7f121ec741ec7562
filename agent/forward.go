// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"

	"persten/internal/config"
	"persten/internal/fleet"
	"persten/internal/ipc"
	"persten/internal/server"
	"persten/proto"
)

// forward sends the journal and figures where policy wants them, until ctx ends. That this cannot be done hinders nobody from
// signing: it is a problem that status names.
func (a *app) forward(ctx context.Context, keys inventory, srv *server.Server) {
	e, err := a.exporter(keys, srv)
	if err != nil {
		slog.Error("the journal is not forwarded", "cause", err)
		var pe *proto.Error
		if !errors.As(err, &pe) {
			pe = proto.E(proto.CodeInternal, err, "ref", "forward")
		}
		srv.Problem("forward", pe)
		return
	}
	e.Run(ctx)
}

func (a *app) exporter(keys inventory, srv *server.Server) (*fleet.Exporter, error) {
	record, err := a.statePath("journal.jsonl")
	if err != nil {
		return nil, err
	}
	state, err := a.statePath("")
	if err != nil {
		return nil, err
	}
	instance, err := a.instance()
	if err != nil {
		return nil, err
	}
	return fleet.New(fleet.Options{
		Journal: record, State: state, Forward: a.forwardTo(), Version: version, Instance: instance, Problem: srv.Problem,
		Figures: func(ctx context.Context) (fleet.Figures, error) { return figures(ctx, keys, srv) },
	})
}

// forwardTo is where the journal goes.
func (a *app) forwardTo() config.Forward {
	to := a.loaded.Forward
	if a.loaded.Network.Offline {
		to.OTLP, to.Syslog = "", ""
	}
	return to
}

// instance tells sessions apart in a collector. It is made of the agent's public key, which says nothing of whose it is.
func (a *app) instance() (string, error) {
	i, err := a.identity()
	if err != nil {
		return "", err
	}
	key, _, err := i.Prove("", "")
	sum := sha256.Sum256(append([]byte("persten instance\n"), key...))
	return hex.EncodeToString(sum[:16]), err
}

// figures asks the local API, like any program of the user.
func figures(ctx context.Context, keys inventory, srv *server.Server) (f fleet.Figures, err error) {
	link := srv.Link(ctx, ipc.Peer{PID: os.Getpid(), Via: ipc.ViaPair}, nil)
	defer link.Close()
	var s proto.AgentStatusResult
	if err := link.Call(ctx, proto.MethodAgentStatus, proto.AgentStatusParams{}, &s); err != nil {
		return f, err
	}
	var list proto.CertificatesListResult
	if err := link.Call(ctx, proto.MethodCertificatesList, proto.CertificatesListParams{All: true}, &list); err != nil {
		return f, err
	}
	return fleet.Figures{
		Prompts: s.Prompts, Tokens: s.Tokens, Problems: s.Problems, Certificates: list.Certificates, Restarts: keys.modules.Restarts(),
	}, nil
}
