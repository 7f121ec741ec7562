// SPDX-License-Identifier: GPL-3.0-or-later

// Package logon keeps one process running in each logon session of a machine. A service needs it that has no desktop of its
// own: what shows windows, and sees the readers of a remote desktop, must run where the person is.
//
// [Keep] decides what is started and stopped, and when; [Machine] does it on Windows. [Away] tells such a process that its
// person left the desk.
package logon

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// System is the machine.
type System interface {
	// Sessions are the logon sessions with somebody in them.
	Sessions() ([]uint32, error)
	// Run runs the process in one of them, as whoever is logged on there, and returns when it has ended; nil means that its
	// person wanted it to. When ctx ends the process is asked to end, and is ended if it does not.
	Run(ctx context.Context, session uint32) error
}

// Wanted is the exit code of a process that its person ended. It is not 0, with which some tools end others' processes.
const Wanted = 10

// When a process is started again after it failed, and when sessions are looked at without being told of a change.
var (
	restartSoon = time.Second
	restartLate = time.Minute
	lookAgain   = time.Minute
)

// Keep keeps a process in every session until ctx ends, and then stops them all. One that failed is started again, ever later
// when it keeps failing; one that its person ended is not, until the next logon. Changed tells that somebody may have come or
// gone.
func Keep(ctx context.Context, s System, changed <-chan struct{}) {
	kept := map[uint32]context.CancelFunc{}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for ctx.Err() == nil {
		now, err := s.Sessions()
		if err != nil {
			slog.Warn("logon sessions", "cause", err)
		} else {
			for _, id := range gone(kept, now) {
				kept[id]()
				delete(kept, id)
			}
			for _, id := range now {
				if kept[id] == nil {
					var one context.Context
					one, kept[id] = context.WithCancel(ctx)
					wg.Go(func() { keepOne(one, s, id) })
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(lookAgain):
		}
	}
}

// gone are the sessions that were kept and are over.
func gone(kept map[uint32]context.CancelFunc, now []uint32) (ids []uint32) {
	for id := range kept {
		if !slices.Contains(now, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// keepOne keeps the process of one session.
func keepOne(ctx context.Context, s System, session uint32) {
	pause := restartSoon
	for {
		began := time.Now()
		err := s.Run(ctx, session)
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(began) > restartLate {
			pause = restartSoon
		}
		slog.Warn("the session's process ended", "session", session, "cause", err, "again", pause)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, restartLate)
	}
}
