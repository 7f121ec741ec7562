// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"persten/internal/cert"
	"persten/internal/token"
)

// Inventory lists the current user's store.
type Inventory struct {
	o     Options
	lease *token.Lease
}

// New returns an inventory. The store is read when it is asked for.
func New(o Options) *Inventory { return &Inventory{o: o, lease: token.NewLease()} }

func (inv *Inventory) info() token.Info {
	return token.Info{
		Module: token.WindowsStore, Slot: storeName, Label: inv.o.Label, Manufacturer: "Microsoft", Attempts: -1,
	}
}

// Keys implements token.Inventory.
func (inv *Inventory) Keys(context.Context) (keys []token.Key, err error) {
	err = each(func(e entry) bool {
		if c, err := cert.Parse(e.der); err == nil {
			keys = append(keys, &key{inv, c, e.from})
		} else {
			slog.Debug("certificate of the store skipped", "error", err)
		}
		return true
	})
	return keys, storeError(err)
}

// Tokens implements token.Inventory. A store without keys is no token.
func (inv *Inventory) Tokens(context.Context) (list []token.Info, err error) {
	err = each(func(entry) bool {
		list = []token.Info{inv.info()}
		return false
	})
	return list, storeError(err)
}

// still reports whether the certificate is still in the store.
func (inv *Inventory) still(id string) error {
	gone := token.ErrRemoved
	err := each(func(e entry) bool {
		if e.id() == id {
			gone = nil
		}
		return gone != nil
	})
	if err != nil {
		return storeError(err)
	}
	return gone
}

// lookEvery is how often Events looks at the store. Windows can tell of changes, wine 8 cannot; a look costs about a millisecond.
const lookEvery = 5 * time.Second

// Events implements token.Inventory: certificates that come and go. The token stays.
func (inv *Inventory) Events(ctx context.Context) <-chan token.Event {
	out := make(chan token.Event, 1)
	before := ids()
	go func() {
		defer close(out)
		look := time.NewTicker(lookEvery)
		defer look.Stop()
		for {
			select {
			case <-look.C:
			case <-ctx.Done():
				return
			}
			now := ids()
			if slices.Equal(before, now) {
				continue
			}
			before = now
			select {
			case out <- token.Event{Kind: token.Changed, Token: inv.info()}:
			default:
			}
		}
	}()
	return out
}

// ids are those of the certificates in the store.
func ids() (all []string) {
	err := each(func(e entry) bool {
		all = append(all, e.id())
		return true
	})
	if err != nil {
		slog.Debug("certificate store", "error", err)
	}
	return all
}

func storeError(err error) error {
	if f, ok := err.(*failure); ok {
		return f.typed(token.WindowsStore)
	}
	return err
}
