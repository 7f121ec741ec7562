// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/ipc"
	"persten/internal/token"
)

// Module is a PKCS#11 library. Catalogue and FromConfig make them.
type Module struct {
	Name string // for people and logs
	Path string // absolute
	Args string // of C_Initialize, for the few that want some
	Rank int    // of several modules that show the same token, the lowest is used
}

// PINCache lets the child keep a PIN after a login, in locked memory: for Sliding since its last use, and for Hard at
// most. The zero value keeps none. A kept PIN is gone with the token, the first failure and the child, and on Forget.
type PINCache struct{ Sliding, Hard time.Duration }

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
	Poll                                   time.Duration // of Events, where a module does not tell by itself: 1 s

	PINCache PINCache // by policy only
}

// Inventory lists the tokens of all modules. Close it to end the children.
type Inventory struct {
	keepers []*keeper
	poll    time.Duration
	log     *slog.Logger
	idle    atomic.Bool // nobody is watching
}

// New returns an inventory of the modules. Children start at the first use.
func New(o Options) *Inventory {
	fill(&o)
	inv := &Inventory{poll: o.Poll, log: o.Log}
	modules := slices.Clone(o.Modules)
	slices.SortStableFunc(modules, func(a, b Module) int { return cmp.Compare(a.Rank, b.Rank) })
	seen := map[string]bool{}
	for _, m := range modules {
		if isProxy(m.Path) {
			o.Log.Warn("module ignored", "module", m.Name, "reason", "p11-kit-proxy is never loaded")
			continue
		}
		if file := realPath(m.Path); !seen[file] {
			seen[file] = true
			inv.keepers = append(inv.keepers, newKeeper(m, &o))
		}
	}
	return inv
}

// realPath is where path leads, or path itself when it leads nowhere.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

func fill(o *Options) {
	for _, d := range []struct {
		at    *time.Duration
		value time.Duration
	}{
		{&o.ListTimeout, 5 * time.Second}, {&o.LoginTimeout, time.Minute}, {&o.SignTimeout, 30 * time.Second},
		{&o.LeaseWait, token.LeaseWait}, {&o.Poll, time.Second},
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

// Restarts counts, by the name of the module, how often a child had to be started again.
func (inv *Inventory) Restarts() map[string]int {
	counts := map[string]int{}
	for _, k := range inv.keepers {
		k.mu.Lock()
		if k.starts > 0 {
			counts[k.m.Name] += k.starts - 1
		}
		k.mu.Unlock()
	}
	return counts
}

// Forget drops the PINs kept by policy, as when the screen is locked or the machine sleeps.
func (inv *Inventory) Forget(ctx context.Context) {
	var wg sync.WaitGroup
	for _, k := range inv.keepers {
		wg.Go(func() { k.dropPINs(ctx) })
	}
	wg.Wait()
}
