// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package ui

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/internal/token"
)

// stand is a front end that goes wrong as told; started counts its processes.
type stand struct {
	Front
	mu      sync.Mutex
	started int
}

func (s *stand) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

// lively is a Body that says when it is on screen.
type lively struct {
	*person
	shown chan struct{}
}

func (l lively) Shown() <-chan struct{} { return l.shown }
func (l lively) InFront() bool          { return true }
func (l lively) Raise() bool            { return true }

// newStand makes a front end whose n-th process, from 1, is answered for by run; nil runs a person who agrees.
func newStand(name string, tells bool, run func(n int, c ipc.FileConn)) *stand {
	s := &stand{}
	s.Front = Front{Name: name, Tells: tells, Start: func(context.Context) (ipc.FileConn, func() error, error) {
		ours, theirs, err := ipc.Pair()
		if err != nil {
			return nil, nil, err
		}
		child, err := ipc.Adopt(theirs)
		if err != nil {
			return nil, nil, err
		}
		s.mu.Lock()
		s.started++
		n := s.started
		s.mu.Unlock()
		go run(n, child)
		return ours, func() error { child.Close(); return nil }, nil
	}}
	return s
}

func agreeing() *person {
	agree := func(context.Context, signing.Question) (signing.Decision, error) {
		return signing.Decision{Approved: true}, nil
	}
	return &person{decide: agree, pin: "1", shown: make(chan signing.Outcome, 1)}
}

// dies takes the question, says that it is on screen if shown, and is gone.
func dies(shown bool) func(int, ipc.FileConn) {
	return func(_ int, c ipc.FileConn) {
		c.Recv()
		if shown {
			c.Send([]byte(`{"jsonrpc":"2.0","method":"shown"}`))
			time.Sleep(20 * time.Millisecond)
		}
		c.Close()
	}
}

// agrees is a front end that works.
func agrees(_ int, c ipc.FileConn) {
	l := lively{agreeing(), make(chan struct{})}
	close(l.shown)
	Serve(context.Background(), c, l)
	c.Close()
}

func TestFronts(t *testing.T) {
	absent := errors.New("not installed")
	gone := func() *stand {
		s := &stand{}
		s.Front = Front{Name: "absent", Start: func(context.Context) (ipc.FileConn, func() error, error) { return nil, nil, absent }}
		return s
	}
	unable := func(_ int, c ipc.FileConn) {
		p := agreeing()
		p.decide = func(context.Context, signing.Question) (signing.Decision, error) {
			return signing.Decision{}, signing.ErrNoPrompt
		}
		Serve(context.Background(), c, p)
	}
	once := func(n int, c ipc.FileConn) {
		if n == 1 {
			dies(true)(n, c)
			return
		}
		agrees(n, c)
	}
	for name, c := range map[string]struct {
		ways    []*stand
		started []int
		err     error
	}{
		"works":                       {[]*stand{newStand("a", true, agrees), newStand("b", false, agrees)}, []int{1, 0}, nil},
		"not installed":               {[]*stand{gone(), newStand("b", false, agrees)}, []int{0, 1}, nil},
		"cannot ask":                  {[]*stand{newStand("a", true, unable), newStand("b", false, agrees)}, []int{1, 1}, nil},
		"dies before it is on screen": {[]*stand{newStand("a", true, dies(false)), newStand("b", false, agrees)}, []int{1, 1}, nil},
		"dies on screen once":         {[]*stand{newStand("a", true, once), newStand("b", false, agrees)}, []int{2, 0}, nil},
		"dies on screen twice":        {[]*stand{newStand("a", true, dies(true)), newStand("b", false, agrees)}, []int{2, 0}, signing.ErrPromptLost},
		"one that does not tell dies": {[]*stand{newStand("a", false, dies(false))}, []int{2}, signing.ErrPromptLost},
		"none left":                   {[]*stand{newStand("a", true, unable), newStand("b", true, dies(false))}, []int{1, 1}, signing.ErrNoPrompt},
	} {
		t.Run(name, func(t *testing.T) {
			var f Fronts
			for _, w := range c.ways {
				f.Ways = append(f.Ways, w.Front)
			}
			p, err := f.Ask(t.Context(), signing.Question{Kind: signing.KindSign})
			if err != nil {
				t.Fatal(err)
			}
			d, err := p.Decide(t.Context())
			if !errors.Is(err, c.err) || d.Approved != (c.err == nil) {
				t.Errorf("%+v, %v, want %v", d, err, c.err)
			}
			var started []int
			for _, w := range c.ways {
				started = append(started, w.count())
			}
			if !slices.Equal(started, c.started) {
				t.Errorf("started %v, want %v", started, c.started)
			}
			p.Close(signing.Outcome{})
		})
	}
}

// TestLostAfterYes: a process that ends after the yes is not started again, whatever is asked of it; a batch is told to stop.
func TestLostAfterYes(t *testing.T) {
	w := newStand("a", true, func(_ int, c ipc.FileConn) {
		c.Recv()
		c.Send([]byte(`{"jsonrpc":"2.0","method":"shown"}`))
		c.Send([]byte(`{"jsonrpc":"2.0","id":1,"result":{"decision":{"approved":true}}}`))
		c.Close()
	})
	ended := make(chan bool, 1)
	p, err := Fronts{Ways: []Front{w.Front}, Closed: func(_ signing.Question, _ signing.Outcome, inFront bool) { ended <- inFront }}.
		Ask(t.Context(), signing.Question{Kind: signing.KindSign})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := p.Decide(t.Context()); err != nil || !d.Approved {
		t.Fatalf("%+v, %v", d, err)
	}
	select {
	case <-p.(signing.Stopper).Stopped():
	case <-time.After(5 * time.Second):
		t.Error("a batch would go on unseen")
	}
	if _, err := p.PIN(t.Context(), token.PINRequest{}); !errors.Is(err, signing.ErrPromptLost) {
		t.Errorf("PIN: %v", err)
	}
	p.Close(signing.Outcome{Code: "prompt_lost"})
	if inFront := <-ended; inFront || w.count() != 1 {
		t.Errorf("in front %v, started %d times", inFront, w.count())
	}
}

// TestRaise: the window is raised and asked whether it is in front, and how it ended is told.
func TestRaise(t *testing.T) {
	ended := make(chan bool, 1)
	p, err := Fronts{Ways: []Front{newStand("a", true, agrees).Front}, Closed: func(_ signing.Question, _ signing.Outcome, inFront bool) { ended <- inFront }}.
		Ask(t.Context(), signing.Question{Kind: signing.KindSign})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Decide(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.(signing.Raiser).Raise() || !p.(interface{ InFront() bool }).InFront() {
		t.Error("a window that can be raised was not")
	}
	p.Close(signing.Outcome{})
	if !<-ended {
		t.Error("not seen in front")
	}
}

// TestSilentWindow: a process that shows nothing is ended, and the next front end asks.
func TestSilentWindow(t *testing.T) {
	l := newLink(t.Context(), Front{Tells: true}, func() error { return nil })
	defer l.mustAppear(10 * time.Millisecond)()
	select {
	case <-l.life.Done():
	case <-time.After(5 * time.Second):
		t.Error("it lives on")
	}
	shown := newLink(t.Context(), Front{Tells: true}, func() error { return nil })
	shown.show()
	defer shown.mustAppear(10 * time.Millisecond)()
	select {
	case <-shown.life.Done():
		t.Error("a window on screen was ended")
	case <-time.After(50 * time.Millisecond):
	}
}
