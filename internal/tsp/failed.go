// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"errors"
	"sync"
	"time"
)

const (
	failedFor = 30 * time.Second
	maxFailed = 256
)

// failed remembers for a moment who could not be reached, so that a hundred signatures do not each wait for the same dead
// server.
type failed struct {
	mu  sync.Mutex
	all map[string]failedOnce
}

type failedOnce struct {
	at  time.Time
	err error
}

// last is why what is kept in file could not be had a moment ago, or nil.
func (f *failed) last(file string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.all[file]; ok && time.Since(one.at) < failedFor {
		return one.err
	}
	return nil
}

// note remembers err when it means that nobody was there.
func (f *failed) note(file string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !errors.Is(err, ErrUnreachable) && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrProxy) {
		delete(f.all, file)
		return
	}
	if f.all == nil || len(f.all) >= maxFailed {
		f.all = map[string]failedOnce{}
	}
	f.all[file] = failedOnce{time.Now(), err}
}
