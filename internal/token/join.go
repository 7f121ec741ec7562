// SPDX-License-Identifier: GPL-3.0-or-later

package token

import (
	"context"
	"errors"
	"strings"
	"sync"
)

// Join merges inventories. A certificate that several of them show is one entry, the first one's.
func Join(inventories ...Inventory) Inventory { return joined(inventories) }

type joined []Inventory

// Keys asks all inventories at once, so that a hanging module delays the answer by one deadline, not by several.
func (j joined) Keys(ctx context.Context) ([]Key, error) {
	lists, err := gather(j, func(i Inventory) ([]Key, error) { return i.Keys(ctx) })
	return UniqueKeys(lists), err
}

// Tokens lists the tokens of all inventories; a token seen through several modules is one entry.
func (j joined) Tokens(ctx context.Context) ([]Info, error) {
	lists, err := gather(j, func(i Inventory) ([]Info, error) { return i.Tokens(ctx) })
	return UniqueTokens(lists), err
}

// Events merges the events of all inventories.
func (j joined) Events(ctx context.Context) <-chan Event {
	out := make(chan Event, 16)
	var wg sync.WaitGroup
	for _, i := range j {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for e := range i.Events(ctx) {
				select {
				case out <- e:
				default:
				}
			}
		}()
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}

// Find asks those before the first that could have the key and cannot tell.
func (j joined) Find(ctx context.Context, wanted func(Key) bool) Key {
	for _, i := range j {
		f, ok := i.(Finder)
		if !ok {
			return nil
		}
		if k := f.Find(ctx, wanted); k != nil {
			return k
		}
	}
	return nil
}

// Refresh drops the caches of the inventories that have one.
func (j joined) Refresh() {
	for _, i := range j {
		if r, ok := i.(Refresher); ok {
			r.Refresh()
		}
	}
}

func gather[T any](from []Inventory, list func(Inventory) ([]T, error)) ([][]T, error) {
	lists, errs := make([][]T, len(from)), make([]error, len(from))
	var wg sync.WaitGroup
	for n, i := range from {
		wg.Go(func() { lists[n], errs[n] = list(i) })
	}
	wg.Wait()
	return lists, errors.Join(errs...)
}

// UniqueKeys flattens lists, keeping one key per certificate: the first that can sign, else the first.
func UniqueKeys(lists [][]Key) []Key {
	var out []Key
	at := map[string]int{}
	for _, list := range lists {
		for _, k := range list {
			n, seen := at[k.ID()]
			switch {
			case !seen:
				at[k.ID()] = len(out)
				out = append(out, k)
			case len(out[n].Algorithms()) == 0 && len(k.Algorithms()) > 0:
				out[n] = k
			}
		}
	}
	return out
}

// UniqueTokens flattens the lists of several modules. A token that more than one of them shows, by serial number and
// label, is one entry, the first one's; two tokens of one module are two, however alike they are.
func UniqueTokens(lists [][]Info) []Info {
	var out []Info
	seen := map[[2]string]bool{}
	for _, list := range lists {
		var ids [][2]string
		for _, i := range list {
			id := [2]string{i.Serial, i.PlainLabel()}
			if i.Serial != "" && seen[id] {
				continue
			}
			ids = append(ids, id)
			out = append(out, i)
		}
		for _, id := range ids {
			seen[id] = true
		}
	}
	return out
}

// PlainLabel is the label without the name of the PIN in brackets that OpenSC adds, so that the same token has the same
// one in every module.
func (i Info) PlainLabel() string {
	at := strings.LastIndex(i.Label, " (")
	if at > 0 && (strings.HasSuffix(i.Label, ")") || len(i.Label) == labelSize) {
		return i.Label[:at]
	}
	return i.Label
}

// labelSize is where PKCS#11 cuts labels off.
const labelSize = 32
