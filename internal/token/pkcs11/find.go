// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"time"

	"persten/internal/token"
)

// Find implements token.Finder: of all modules only the one that has listed the key lately is asked, and only for its token.
func (inv *Inventory) Find(ctx context.Context, wanted func(token.Key) bool) token.Key {
	for _, k := range inv.keepers {
		var only *key
		for _, found := range k.remembered() {
			if !wanted(found) || len(found.Algorithms()) == 0 {
				continue
			}
			if only != nil {
				return nil // on two tokens: which one comes first, Keys knows
			}
			only = found.(*key)
		}
		switch {
		case only == nil:
		case only.unchanged(ctx):
			return only
		default:
			return nil
		}
	}
	return nil
}

// unchanged reports whether the token of k is there, in the state it was listed in.
func (k *key) unchanged(ctx context.Context) bool {
	i, err := k.now(ctx)
	return err == nil && k.k.info(i) == k.info
}

// remembered are the keys listed lately.
func (k *keeper) remembered() (all []token.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.entries {
		if time.Since(l.at) > listingLife {
			continue
		}
		l.mu.Lock()
		if !l.stale.Load() {
			all = append(all, l.made...)
		}
		l.mu.Unlock()
	}
	return all
}
