// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"golang.org/x/sys/windows"

	"persten/internal/algo"
	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/secret"
)

// Serve is the role of a session's process: it opens one key and signs with it until conn closes or ctx ends. The caller exits
// the process afterwards and has called secret.Harden before.
func Serve(ctx context.Context, conn ipc.FileConn) error {
	s := &server{}
	defer s.close()
	return rpc.New(conn, s.handle).Serve(ctx)
}

// signer is a private key of a provider.
type signer interface {
	give(pin *secret.Buffer) error
	// sign signs a digest, and tells whether the bytes come from the other end.
	sign(a algo.Algorithm, digest []byte) (raw []byte, turned bool, err error)
	close()
}

// server is the process' state. One call runs at a time.
type server struct {
	mu  sync.Mutex
	key signer
}

func (s *server) handle(ctx context.Context, r *rpc.Request) (any, error) {
	defer closeFiles(r)
	defer ward(ctx)()
	s.mu.Lock()
	defer s.mu.Unlock()
	reply, err := s.dispatch(r)
	if err != nil {
		return nil, wireError(err)
	}
	return reply, nil
}

// ward ends the process when nobody waits for a call any more and the provider does not come back from it: its window would
// stay on the screen. The function it returns is for when it did come back.
func ward(ctx context.Context) func() {
	done := make(chan struct{})
	context.AfterFunc(ctx, func() {
		select {
		case <-done:
		case <-time.After(leaveTime / 2):
			windows.TerminateProcess(windows.CurrentProcess(), 1) // the ordinary way out leads through the provider
		}
	})
	return func() { close(done) }
}

func closeFiles(r *rpc.Request) {
	for _, f := range r.Files {
		f.Close()
	}
}

func (s *server) dispatch(r *rpc.Request) (any, error) {
	switch r.Method {
	case methodOpen:
		var p openParams
		if json.Unmarshal(r.Params, &p) != nil || s.key != nil || p.PIN != (len(r.Files) == 1) {
			return nil, &rpc.Error{Code: rpc.CodeInvalidParams, Message: "invalid params"}
		}
		return struct{}{}, s.open(p, r)
	case methodSign:
		var p signParams
		a, known := algo.Algorithm{}, false
		if json.Unmarshal(r.Params, &p) == nil {
			a, known = algo.Lookup(p.Algorithm)
		}
		if !known || len(p.Digest) != a.Digest.Size() {
			return nil, &rpc.Error{Code: rpc.CodeInvalidParams, Message: "invalid params"}
		}
		return s.sign(a, p.Digest)
	}
	return nil, &rpc.Error{Code: rpc.CodeUnknownMethod, Message: "method not found"}
}

func (s *server) open(p openParams, r *rpc.Request) error {
	var pin *secret.Buffer
	if p.PIN {
		var err error
		if pin, err = secret.FromFile(r.Files[0]).Read(); err != nil || pin.Len() == 0 {
			pin.Wipe()
			return &failure{"PIN", statusPIN}
		}
		defer pin.Wipe()
	}
	found := error(&failure{"CertOpenStore", uint32(windows.ERROR_NOT_FOUND)})
	err := each(func(e entry) bool {
		if e.id() != p.ID {
			return true
		}
		s.key, found = acquire(e, p.Silent, pin)
		return false
	})
	if err != nil {
		return err
	}
	return found
}

func (s *server) sign(a algo.Algorithm, digest []byte) (*signReply, error) {
	if s.key == nil {
		return nil, &failure{"sign", statusClosed}
	}
	raw, turned, err := s.key.sign(a, digest)
	if err != nil {
		return nil, err
	}
	return &signReply{raw, turned}, nil
}

func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		s.key.close()
	}
	s.key = nil
}
