// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/secret"
)

// Serve is the module role: it loads the library at modulePath and answers the daemon on conn until conn closes or ctx
// ends. A library that does not load is answered to every call, so that the daemon learns why.
//
// Serve returns soon after conn closes even when the library hangs. The caller exits the process afterwards and has called
// secret.Harden before. In a process that Exec started, Serve ends the process itself if the library does not let go.
func Serve(ctx context.Context, conn ipc.FileConn, modulePath string) error {
	args, child := os.LookupEnv(argsVariable)
	s := &server{
		loaded: make(chan struct{}), ended: make(chan struct{}),
		sessions: map[uint]*session{}, shelves: map[uint]shelf{}, held: map[uint]*heldPIN{},
	}
	go s.load(modulePath, args)
	w := &watched{FileConn: conn, over: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- rpc.New(w, s.handle).Serve(ctx) }()
	var err error
	select {
	case err = <-done:
		done <- err
	case <-w.over:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !s.leave(done) && child {
		terminate() // vendor code that hangs can also hang the ordinary way out
	}
	return err
}

// leaveTime is what the library gets to log out once nobody is there any more.
const leaveTime = time.Second

// leave ends what is open and reports whether the library took part in that.
func (s *server) leave(done <-chan error) bool {
	close(s.ended)
	s.dropAllHeld()
	left := make(chan struct{})
	go func() {
		<-done
		<-s.loaded
		s.shutdown()
		close(left)
	}()
	select {
	case <-left:
		return true
	case <-time.After(leaveTime):
		return false
	}
}

// watched is a connection that tells when the other side is gone, whatever the handlers are doing.
type watched struct {
	ipc.FileConn
	once sync.Once
	over chan struct{}
}

// RecvFiles implements ipc.FileConn.
func (w *watched) RecvFiles() ([]byte, []*os.File, error) {
	b, files, err := w.FileConn.RecvFiles()
	if err != nil {
		w.once.Do(func() { close(w.over) })
	}
	return b, files, err
}

// server is the child's state.
type server struct {
	lib     *library
	loadErr error
	loaded  chan struct{} // closed when one of the two is set
	ended   chan struct{} // closed when the daemon is gone

	mu       sync.Mutex
	sessions map[uint]*session // open ones, by slot
	listings uint              // begun so far
	shelves  map[uint]shelf    // listings under way, by slot
	held     map[uint]*heldPIN // by slot
	watching bool
}

func (s *server) load(path, args string) {
	s.lib, s.loadErr = load(path, args)
	close(s.loaded)
}

// reason is an error the daemon knows by a word.
type reason struct {
	word string
	err  error
}

func (r *reason) Error() string { return fmt.Sprintf("%s: %v", r.word, r.err) }

func (s *server) handle(ctx context.Context, r *rpc.Request) (any, error) {
	defer closeFiles(r)
	select {
	case <-s.loaded:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.loadErr != nil {
		return nil, wireError(s.loadErr)
	}
	result, err := s.dispatch(ctx, r)
	if err != nil {
		return nil, wireError(err)
	}
	return result, nil
}

func (s *server) dispatch(ctx context.Context, r *rpc.Request) (any, error) {
	switch r.Method {
	case methodSlots:
		return s.slots()
	case methodToken:
		return with(r, func(p tokenParams) (any, error) { return s.token(p.Slot) })
	case methodObjects:
		return with(r, func(p objectsParams) (any, error) { return s.objects(p) })
	case methodOpen:
		return with(r, func(p openParams) (any, error) { return s.open(p, pinOf(r)) })
	case methodSign:
		return with(r, func(p signParams) (any, error) { return s.signLast(ctx, p) })
	case methodClose:
		return with(r, func(p closeParams) (any, error) { return s.close(p.Session) })
	case methodGenerate:
		return with(r, func(p generateParams) (any, error) { return s.generate(p, pinOf(r)) })
	case methodDerive:
		return with(r, func(p deriveParams) (any, error) { return s.derive(p) })
	case methodWatch:
		return s.watch(r.Conn)
	case methodForget:
		s.dropAllHeld()
		return &nothing{}, nil
	}
	return nil, &rpc.Error{Code: -32601, Message: "method not found"}
}

// with decodes the parameters and calls f.
func with[P any](r *rpc.Request, f func(P) (any, error)) (any, error) {
	var p P
	if err := json.Unmarshal(r.Params, &p); err != nil {
		return nil, &rpc.Error{Code: -32602, Message: "invalid params"}
	}
	return f(p)
}

// wireError spells an error the way the daemon reads it.
func wireError(err error) error {
	var (
		rv   *ckr
		why  *reason
		wire *rpc.Error
	)
	switch {
	case errors.As(err, &wire):
		return wire
	case errors.As(err, &rv):
		data, _ := json.Marshal(rv)
		return &rpc.Error{Code: codeRV, Message: rv.Error(), Data: data}
	case errors.As(err, &why):
		data, _ := json.Marshal(why.word)
		return &rpc.Error{Code: codeReason, Message: why.Error(), Data: data}
	}
	return err
}

func pinOf(r *rpc.Request) secret.PIN {
	if len(r.Files) == 0 {
		return secret.PIN{}
	}
	return secret.FromFile(r.Files[0])
}

func closeFiles(r *rpc.Request) {
	for _, f := range r.Files {
		f.Close()
	}
}

// slots lists the slots that hold a token.
func (s *server) slots() (*slotsReply, error) {
	ids, err := s.lib.slotIDs()
	if err != nil {
		return nil, err
	}
	reply := &slotsReply{Slots: []slotInfo{}}
	var last error
	for _, id := range ids {
		info, err := s.lib.slot(id)
		if err != nil {
			last = err
			continue
		}
		if info.usable() {
			reply.Slots = append(reply.Slots, info)
		}
	}
	s.markHeld(reply.Slots)
	if len(reply.Slots) == 0 && last != nil && !removed(last) {
		return nil, last
	}
	return reply, nil
}

// token describes the token in one slot as it is now.
func (s *server) token(slot uint) (*tokenReply, error) {
	info, err := s.lib.token(slot)
	if err != nil {
		return nil, s.explain(slot, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[slot]
	info.Held = h != nil && h.serial == info.Serial
	return &tokenReply{info}, nil
}

func (l *library) token(slot uint) (slotInfo, error) {
	t, err := l.ctx.GetTokenInfo(slot)
	if err != nil {
		return slotInfo{}, failed("C_GetTokenInfo", err)
	}
	return slotInfo{
		Slot: slot, Label: printable(t.Label), Serial: printable(t.SerialNumber),
		Model: printable(t.Model), Manufacturer: printable(t.ManufacturerID), Flags: t.Flags,
	}, nil
}

// slot describes the token in one slot, with its mechanisms.
func (l *library) slot(id uint) (slotInfo, error) {
	info, err := l.token(id)
	if err != nil || !info.usable() {
		return info, err
	}
	info.Mechanisms, err = l.mechanismList(id)
	return info, err
}

// present reports whether a token is in the slot; it is true when the module will not say.
func (l *library) present(slot uint) bool {
	info, err := l.ctx.GetSlotInfo(slot)
	if err != nil {
		return !removed(failed("C_GetSlotInfo", err))
	}
	return info.Flags&p11.CKF_TOKEN_PRESENT != 0
}

func (s *server) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lib == nil {
		return
	}
	for slot, open := range s.sessions {
		open.pin.Wipe()
		s.lib.ctx.Logout(open.handle)
		s.lib.ctx.CloseSession(open.handle)
		delete(s.sessions, slot)
	}
	s.lib.close()
}
