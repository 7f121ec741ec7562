// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/secret"
)

// Serve is the module role: it loads the library at modulePath and answers the daemon on conn until conn closes or ctx
// ends. A library that does not load is answered to every call, so that the daemon learns why.
//
// The caller exits the process afterwards and has called secret.Harden before.
func Serve(ctx context.Context, conn ipc.FileConn, modulePath string) error {
	s := &server{sessions: map[uint]*session{}}
	s.lib, s.loadErr = load(modulePath)
	err := rpc.New(conn, s.handle).Serve(ctx)
	s.shutdown()
	return err
}

// server is the child's state.
type server struct {
	lib     *library
	loadErr error

	mu       sync.Mutex
	sessions map[uint]*session // open ones, by slot
}

// reason is an error the daemon knows by a word.
type reason struct {
	word string
	err  error
}

func (r *reason) Error() string { return fmt.Sprintf("%s: %v", r.word, r.err) }

func (s *server) handle(ctx context.Context, r *rpc.Request) (any, error) {
	defer closeFiles(r)
	if s.loadErr != nil {
		return nil, wireError(&reason{reasonLoad, s.loadErr})
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
	case methodObjects:
		return with(r, func(p slotParams) (any, error) { return s.objects(p.Slot) })
	case methodOpen:
		return with(r, func(p openParams) (any, error) { return s.open(p, pinOf(r)) })
	case methodSign:
		return with(r, func(p signParams) (any, error) { return s.sign(ctx, p) })
	case methodClose:
		return with(r, func(p closeParams) (any, error) { return s.close(p.Session) })
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
	ids, err := s.lib.ctx.GetSlotList(true)
	if err != nil {
		return nil, failed("C_GetSlotList", err)
	}
	if len(ids) > maxSlots {
		ids = ids[:maxSlots]
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
	if len(reply.Slots) == 0 && last != nil && !removed(last) {
		return nil, last
	}
	return reply, nil
}

// slot describes the token in one slot.
func (l *library) slot(id uint) (slotInfo, error) {
	t, err := l.ctx.GetTokenInfo(id)
	if err != nil {
		return slotInfo{}, failed("C_GetTokenInfo", err)
	}
	info := slotInfo{
		Slot: id, Label: printable(t.Label), Serial: printable(t.SerialNumber),
		Model: printable(t.Model), Manufacturer: printable(t.ManufacturerID), Flags: t.Flags,
	}
	if !info.usable() {
		return info, nil
	}
	mechanisms, err := l.ctx.GetMechanismList(id)
	if err != nil {
		return slotInfo{}, failed("C_GetMechanismList", err)
	}
	for _, m := range mechanisms {
		if len(info.Mechanisms) < maxMechanisms {
			info.Mechanisms = append(info.Mechanisms, m.Mechanism)
		}
	}
	return info, nil
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
	for slot, open := range s.sessions {
		open.pin.Wipe()
		s.lib.ctx.Logout(open.handle)
		s.lib.ctx.CloseSession(open.handle)
		delete(s.sessions, slot)
	}
	if s.lib != nil {
		s.lib.close()
	}
}
