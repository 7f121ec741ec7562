// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"errors"
	"time"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/secret"
)

var errNotHeld = errors.New("no PIN is held for this slot")

// heldPIN is a PIN that policy lets the child keep after a login, in locked memory of its own. It goes with the token,
// with the first login that fails, when its time is over, and with the process.
type heldPIN struct {
	pin     *secret.Buffer
	serial  string
	guard   p11.SessionHandle // a session without login, which ends when the token leaves the slot
	sliding time.Duration
	until   time.Time // at the latest
	timer   *time.Timer
}

// hold keeps a copy of the PIN that has just been right. Failing to is no error: the person is asked again.
func (s *server) hold(o *session, k keep) {
	info, err := s.lib.ctx.GetTokenInfo(o.slot)
	if err != nil {
		return
	}
	pin, err := copyOf(o.pin)
	if err != nil {
		return
	}
	guard, err := s.lib.ctx.OpenSession(o.slot, p11.CKF_SERIAL_SESSION)
	if err != nil {
		pin.Wipe()
		return
	}
	hard := milliseconds(max(k.Hard, k.Sliding))
	h := &heldPIN{
		pin: pin, serial: printable(info.SerialNumber), guard: guard, sliding: milliseconds(k.Sliding), until: time.Now().Add(hard),
	}
	s.dropHeld(o.slot)
	s.mu.Lock()
	defer s.mu.Unlock()
	h.timer = time.AfterFunc(h.left(), func() { s.dropThis(o.slot, h) })
	s.held[o.slot] = h
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func (h *heldPIN) left() time.Duration { return min(h.sliding, time.Until(h.until)) }

// copyOf makes a second buffer with the same secret, byte by byte from one locked page to another.
func copyOf(b *secret.Buffer) (*secret.Buffer, error) {
	c, err := secret.NewBuffer(secret.MaxLen)
	if err != nil {
		return nil, err
	}
	for _, x := range b.Bytes() {
		c.Append(x)
	}
	return c, nil
}

// heldPIN gives out a copy of the PIN of a slot, if the very token is still there, and starts its time anew.
func (s *server) heldPIN(slot uint) (*secret.Buffer, error) {
	s.mu.Lock()
	h := s.held[slot]
	s.mu.Unlock()
	if h == nil {
		return nil, &reason{reasonNotHeld, errNotHeld}
	}
	if _, err := s.lib.ctx.GetSessionInfo(h.guard); err != nil {
		s.dropThis(slot, h)
		return nil, &reason{reasonNotHeld, errNotHeld}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[slot] != h || !h.timer.Reset(h.left()) || h.left() <= 0 {
		return nil, &reason{reasonNotHeld, errNotHeld}
	}
	return copyOf(h.pin)
}

// dropThis wipes h if it is still the one held.
func (s *server) dropThis(slot uint, h *heldPIN) {
	s.mu.Lock()
	same := s.held[slot] == h
	if same {
		delete(s.held, slot)
		h.timer.Stop()
		h.pin.Wipe()
	}
	s.mu.Unlock()
	if same {
		s.lib.ctx.CloseSession(h.guard)
	}
}

func (s *server) dropHeld(slot uint) {
	s.mu.Lock()
	h := s.held[slot]
	s.mu.Unlock()
	if h != nil {
		s.dropThis(slot, h)
	}
}

// dropAllHeld wipes all held PINs. It does not enter the library, which may hang: the guards end with the process or at
// the next use of the slot.
func (s *server) dropAllHeld() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for slot, h := range s.held {
		h.timer.Stop()
		h.pin.Wipe()
		delete(s.held, slot)
	}
}

// markHeld tells which tokens need no PIN now, and forgets the PINs of tokens that are no longer there.
func (s *server) markHeld(slots []slotInfo) {
	s.mu.Lock()
	stay := map[uint]*heldPIN{}
	for i := range slots {
		if h := s.held[slots[i].Slot]; h != nil && h.serial == slots[i].Serial {
			stay[slots[i].Slot], slots[i].Held = h, true
		}
	}
	var gone []uint
	for slot, h := range s.held {
		if stay[slot] != h {
			gone = append(gone, slot)
		}
	}
	s.mu.Unlock()
	for _, slot := range gone {
		s.dropHeld(slot)
	}
}
