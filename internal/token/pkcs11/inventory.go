// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"persten/internal/ipc"
	"persten/internal/token"
)

// Module is a PKCS#11 library: a name for people and logs, and an absolute path.
type Module struct{ Name, Path string }

// Process is the handle of a module child. *os.Process of a started command serves, see Exec.
type Process interface {
	PID() int
	Kill() error
	Wait() error // until it is gone; called once
}

// Options configure an Inventory. Zero deadlines mean the defaults.
type Options struct {
	Modules []Module
	// Start runs Serve for m somewhere else, usually in a child process, and returns the socket to it.
	Start  func(ctx context.Context, m Module) (ipc.FileConn, Process, error)
	Leases *token.Leases // shared with other inventories that reach the same tokens; nil for none
	Log    *slog.Logger

	ListTimeout, LoginTimeout, SignTimeout time.Duration // 5 s, 60 s, 30 s
	LeaseWait                              time.Duration // token.LeaseWait
	Poll                                   time.Duration // of Events, 2 s
}

// Inventory lists the tokens of all modules. Close it to end the children.
type Inventory struct {
	keepers []*keeper
	poll    time.Duration
}

// New returns an inventory of the modules. Children start at the first use.
func New(o Options) *Inventory {
	fill(&o)
	inv := &Inventory{poll: o.Poll}
	seen := map[string]bool{}
	for _, m := range o.Modules {
		if isProxy(m.Path) {
			o.Log.Warn("module ignored", "module", m.Name, "reason", "p11-kit-proxy is never loaded")
			continue
		}
		if !seen[m.Path] {
			seen[m.Path] = true
			inv.keepers = append(inv.keepers, newKeeper(m, &o))
		}
	}
	return inv
}

func fill(o *Options) {
	for _, d := range []struct {
		at    *time.Duration
		value time.Duration
	}{
		{&o.ListTimeout, 5 * time.Second}, {&o.LoginTimeout, time.Minute}, {&o.SignTimeout, 30 * time.Second},
		{&o.LeaseWait, token.LeaseWait}, {&o.Poll, 2 * time.Second},
	} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	if o.Leases == nil {
		o.Leases = &token.Leases{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Keys implements token.Inventory. Modules are asked at once.
func (inv *Inventory) Keys(ctx context.Context) ([]token.Key, error) {
	lists, err := each(inv, func(k *keeper) ([]token.Key, error) { return k.keys(ctx) })
	return token.UniqueKeys(lists), err
}

// Tokens implements token.Inventory.
func (inv *Inventory) Tokens(ctx context.Context) ([]token.Info, error) {
	lists, err := each(inv, func(k *keeper) ([]token.Info, error) { return k.tokens(ctx) })
	return token.UniqueTokens(lists), err
}

func each[T any](inv *Inventory, list func(*keeper) ([]T, error)) ([][]T, error) {
	lists, errs := make([][]T, len(inv.keepers)), make([]error, len(inv.keepers))
	var wg sync.WaitGroup
	for n, k := range inv.keepers {
		wg.Go(func() { lists[n], errs[n] = list(k) })
	}
	wg.Wait()
	return lists, errors.Join(errs...)
}

// Refresh implements token.Refresher.
func (inv *Inventory) Refresh() {
	for _, k := range inv.keepers {
		k.forget()
	}
}

// Close ends the children. The inventory starts new ones when used again.
func (inv *Inventory) Close() error {
	for _, k := range inv.keepers {
		k.stop()
	}
	return nil
}

// Events implements token.Inventory by looking at the slots every few seconds: waiting inside a module
// (C_WaitForSlotEvent) blocks other calls in some of them.
func (inv *Inventory) Events(ctx context.Context) <-chan token.Event {
	out := make(chan token.Event, 16)
	go func() {
		defer close(out)
		t := time.NewTicker(inv.poll)
		defer t.Stop()
		known := map[string]token.Info{}
		for first := true; ; first = false {
			now := inv.snapshot(ctx, known)
			if !first {
				report(out, known, now)
			}
			known = now
			select {
			case <-ctx.Done():
				return
			case <-t.C:
			}
		}
	}()
	return out
}

// snapshot is the tokens by place; a module that fails to answer keeps what it last had.
func (inv *Inventory) snapshot(ctx context.Context, last map[string]token.Info) map[string]token.Info {
	now := map[string]token.Info{}
	for _, k := range inv.keepers {
		infos, err := k.tokens(ctx)
		if err != nil {
			for at, i := range last {
				if i.Path == k.m.Path {
					now[at] = i
				}
			}
			continue
		}
		for _, i := range infos {
			now[i.Path+"#"+i.Slot+"#"+i.Serial] = i
		}
	}
	return now
}

func report(out chan<- token.Event, before, now map[string]token.Info) {
	send := func(kind string, i token.Info) {
		select {
		case out <- token.Event{Kind: kind, Token: i}:
		default: // a slow reader loses events, not the token
		}
	}
	for at, i := range before {
		if _, still := now[at]; !still {
			send(token.Removed, i)
		}
	}
	for at, i := range now {
		switch was, known := before[at]; {
		case !known:
			send(token.Inserted, i)
		case was != i:
			send(token.Changed, i)
		}
	}
}
