// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"image"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/ui"
)

// deafFor is how long the window promises to take no orders.
const deafFor = 700 * time.Millisecond

// accident is something a hand may do that did not mean this window: Enter, Space, a click on the button that signs, also by way of
// Tab, and also held until the window listens.
type accident struct {
	at   time.Duration
	act  func(h *hand, yes image.Point)
	late func(h *hand) // what lets go
}

var accidents = []accident{
	{act: func(h *hand, _ image.Point) { h.key(keyReturn) }},
	{act: func(h *hand, _ image.Point) { h.key(keySpace) }},
	{act: func(h *hand, _ image.Point) { h.key(keyTab); h.key(keyReturn) }},
	{act: func(h *hand, _ image.Point) { h.key(keyTab); h.key(keySpace) }},
	{act: func(h *hand, yes image.Point) { h.move(yes); h.press(); h.release() }},
	{act: func(h *hand, yes image.Point) { h.move(yes); h.press(); h.release(); h.press(); h.release() }},
	{act: func(h *hand, yes image.Point) { h.move(yes); h.press() }, late: func(h *hand) { h.release() }},
	{act: func(h *hand, _ image.Point) { h.key(keyTab); h.down(keySpace) }, late: func(h *hand) { h.up(keySpace) }},
	{act: func(h *hand, _ image.Point) { h.key(keyTab); h.down(keyReturn) }, late: func(h *hand) { h.up(keyReturn) }},
}

// happen does a few accidents at random moments of the deafness that began at start; those that are held end after it.
func (h *hand) happen(start time.Time, yes image.Point) {
	h.t.Helper()
	const margin = 5 * time.Millisecond // the last one is to be on its way in time
	moments := make([]time.Duration, 1+rand.IntN(3))
	for i := range moments {
		moments[i] = time.Duration(rand.Int64N(int64(deafFor - margin)))
	}
	var late func(*hand)
	for _, m := range sorted(moments) {
		time.Sleep(time.Until(start.Add(m)))
		if time.Since(start) >= deafFor-margin {
			break // this machine was too slow: it would not be an accident any more
		}
		if late != nil {
			late(h)
		}
		a := accidents[rand.IntN(len(accidents))]
		a.act(h, yes)
		late = a.late
	}
	if late != nil {
		time.Sleep(time.Until(start.Add(deafFor + 100*time.Millisecond + time.Duration(rand.Int64N(int64(300*time.Millisecond))))))
		late(h)
	}
}

func sorted(list []time.Duration) []time.Duration {
	for i := range list {
		for j := i; j > 0 && list[j] < list[j-1]; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

// yesButton is a place on the button that signs: the last one at the lower right.
func yesButton(window image.Rectangle) image.Point { return window.Max.Sub(image.Pt(70, 38)) }

// soakRuns is how many windows and how many returns of the keyboard are tried: 1,000 together when PERSTEN_LONG is set.
func soakRuns() int {
	if os.Getenv("PERSTEN_LONG") == "" {
		return 8
	}
	if n, err := strconv.Atoi(os.Getenv("PERSTEN_RUNS")); err == nil {
		return n
	}
	return 500
}

// pending asks and does not wait for the window. What it returns takes the window away, for good: one that is killed comes again.
func (s *screen) pending(q signing.Question) (a asked, end func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	p, err := ui.Remote(s.starter).Ask(ctx, q)
	if err != nil {
		s.t.Fatal(err)
	}
	a = asked{p, make(chan signing.Decision, 1), make(chan error, 1)}
	go func() {
		d, err := p.Decide(ctx)
		a.answer <- d
		a.fault <- err
	}()
	return a, func() {
		cancel()
		s.prompt.Process.Kill() // after an answer the window stays
		s.closes()
	}
}

// unapproved fails when the prompt has been approved; it tells whether it is still open.
func (s *screen) unapproved(a asked) bool {
	s.t.Helper()
	select {
	case d := <-a.answer:
		if d.Approved {
			s.t.Fatal("APPROVED by an accident")
		}
		return false
	case <-time.After(400 * time.Millisecond):
		return true
	}
}

// meant presses the button that signs when the window listens, after prepare, and tells whether it signed: it does unless an accident
// before has rejected, which takes a busy machine a while.
func (s *screen) meant(h *hand, a asked, prepare func(window image.Rectangle)) bool {
	s.t.Helper()
	for range 5 { // a busy machine may be too slow for a hand that does not look
		h.move(image.Pt(1, 1))
		time.Sleep(2 * deafFor)
		if _, place, ok := h.prompt(); ok {
			prepare(place)
			h.move(yesButton(place))
		}
		h.press()
		h.release()
		select {
		case d := <-a.answer:
			return d.Approved
		case <-time.After(2 * time.Second):
		}
	}
	s.t.Fatal("a press that was meant did nothing")
	return false
}

// A window for a key that needs no PIN appears under a busy hand.
func TestNoApprovalWhenTheWindowAppears(t *testing.T) {
	s := newScreen(t)
	h := s.hand()
	q := question(t, "ru")
	q.Token.LoginRequired = false
	closed, signed := 0, 0
	for run := range soakRuns() {
		h.move(image.Pt(1, 1))
		a, end := s.pending(q)
		_, place := h.appears()
		h.happen(time.Now(), yesButton(place))
		if !s.unapproved(a) {
			closed++ // rejected: no harm
		} else if run%8 == 0 && s.meant(h, a, func(image.Rectangle) {}) {
			signed++
		}
		end()
	}
	tried(t, "windows", closed, signed)
}

// The keyboard comes back to a window whose PIN is typed already.
func TestNoApprovalWhenTheKeyboardComesBack(t *testing.T) {
	s := newScreen(t)
	h := s.hand()
	other := h.otherWindow()
	var a asked
	var end func()
	closed, signed, open := 0, 0, false
	for run := range soakRuns() {
		if !open {
			a, end = s.pending(question(t, "ru"))
			h.drawn()
			time.Sleep(deafFor + 300*time.Millisecond)
		}
		id, place := h.appears()
		h.typePIN(place)
		h.focus(other)
		time.Sleep(60 * time.Millisecond)
		start := time.Now()
		h.focus(id)
		h.happen(start, yesButton(place))
		open = s.unapproved(a)
		if run%50 == 49 {
			t.Logf("%d done", run+1)
		}
		if !open {
			closed++
		} else if run%8 == 0 {
			if s.meant(h, a, h.typePIN) {
				signed++
			}
			open = false
		}
		if !open {
			end()
		}
	}
	tried(t, "returns of the keyboard", closed, signed)
}

// tried says what was tried. Where no press that was meant has signed, nothing was tried.
func tried(t *testing.T, what string, closed, signed int) {
	t.Helper()
	t.Logf("%d %s: 0 approvals by accident, %d rejections, %d approvals that were meant", soakRuns(), what, closed, signed)
	if signed == 0 {
		t.Error("no press signed: the accidents could not have either")
	}
}
