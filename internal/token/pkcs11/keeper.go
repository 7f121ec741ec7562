// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token"
)

// listingLife is how long a listing is believed without reading the token again.
const listingLife = time.Minute

// keeper looks after one module: its child, and what is known of its tokens.
type keeper struct {
	m Module
	o *Options

	mu        sync.Mutex // also held while a child starts, so that one starts
	child     *child
	failures  int // in a row
	notBefore time.Time
	last      error
	open      int             // sessions
	places    map[uint]*place // by slot
	entries   map[listingKey]listing
}

// place is a slot and what is in it.
type place struct {
	serial, label string
	insertion     int // counts tokens that came
	present       bool
}

type listingKey struct {
	slot          uint
	serial, label string
	insertion     int
}

type listing struct {
	at      time.Time
	entries []entry
}

// entry is a certificate on a token, parsed once.
type entry struct {
	object object
	cert   *cert.Certificate
}

func newKeeper(m Module, o *Options) *keeper {
	return &keeper{m: m, o: o, places: map[uint]*place{}}
}

func (k *keeper) stop() {
	k.mu.Lock()
	c := k.child
	k.child, k.entries = nil, nil
	k.mu.Unlock()
	if c != nil {
		c.kill()
	}
}

func (k *keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.entries = nil
}

func (k *keeper) use(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open += n
}

func (k *keeper) inUse() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.open > 0
}

// slots asks which tokens are there.
func (k *keeper) slots(ctx context.Context) ([]slotInfo, error) {
	var r slotsReply
	err := k.call(ctx, request{method: methodSlots, params: nothing{}, reply: &r, deadline: k.o.ListTimeout, spare: true})
	if err != nil {
		return nil, err
	}
	k.note(r.Slots)
	return r.Slots, nil
}

// note counts insertions.
func (k *keeper) note(slots []slotInfo) {
	k.mu.Lock()
	defer k.mu.Unlock()
	gone := map[uint]bool{}
	for id := range k.places {
		gone[id] = true
	}
	for _, s := range slots {
		delete(gone, s.Slot)
		p := k.places[s.Slot]
		if p == nil {
			p = &place{}
			k.places[s.Slot] = p
		}
		if !p.present || p.serial != s.Serial || p.label != s.Label {
			p.insertion++
		}
		p.present, p.serial, p.label = true, s.Serial, s.Label
	}
	for id := range gone {
		k.places[id].present = false
	}
}

func (k *keeper) tokens(ctx context.Context) ([]token.Info, error) {
	slots, err := k.slots(ctx)
	var infos []token.Info
	for _, s := range slots {
		infos = append(infos, k.info(s))
	}
	return infos, err
}

// info says what the flags of a token mean.
func (k *keeper) info(s slotInfo) token.Info {
	has := func(flag uint) bool { return s.Flags&flag != 0 }
	i := token.Info{
		Module: k.m.Name, Path: k.m.Path, Slot: strconv.FormatUint(uint64(s.Slot), 10),
		Label: s.Label, Serial: s.Serial, Model: s.Model, Manufacturer: s.Manufacturer,
		LoginRequired: has(p11.CKF_LOGIN_REQUIRED), PINPad: has(p11.CKF_PROTECTED_AUTHENTICATION_PATH),
		Low: has(p11.CKF_USER_PIN_COUNT_LOW), Final: has(p11.CKF_USER_PIN_FINAL_TRY), Locked: has(p11.CKF_USER_PIN_LOCKED),
		Attempts: -1,
	}
	switch {
	case i.Locked:
		i.Attempts = 0
	case i.Final:
		i.Attempts = 1
	}
	return i
}

// keys lists the keys of all tokens of the module.
func (k *keeper) keys(ctx context.Context) ([]token.Key, error) {
	slots, err := k.slots(ctx)
	if err != nil {
		return nil, err
	}
	var all []token.Key
	var errs []error
	for _, s := range slots {
		entries, err := k.list(ctx, s)
		if err != nil && !errors.Is(err, token.ErrRemoved) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if key := k.key(s, e); key != nil {
				all = append(all, key)
			}
		}
	}
	return all, errors.Join(errs...)
}

// list returns the certificates of one token, from the cache while it is fresh.
func (k *keeper) list(ctx context.Context, s slotInfo) ([]entry, error) {
	at, cached := k.cached(s)
	if cached != nil && time.Since(cached.at) < listingLife {
		return cached.entries, nil
	}
	var r objectsReply
	err := k.call(ctx, request{
		method: methodObjects, params: slotParams{Slot: s.Slot}, reply: &r, deadline: k.o.ListTimeout, spare: true,
	})
	if err != nil {
		if cached != nil && errors.Is(err, token.ErrBusy) {
			return cached.entries, nil
		}
		return nil, err
	}
	entries := k.parse(r.Objects)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries == nil {
		k.entries = map[listingKey]listing{}
	}
	k.entries[at] = listing{at: time.Now(), entries: entries}
	return entries, nil
}

func (k *keeper) cached(s slotInfo) (listingKey, *listing) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := listingKey{slot: s.Slot, serial: s.Serial, label: s.Label}
	if p := k.places[s.Slot]; p != nil {
		at.insertion = p.insertion
	}
	if l, ok := k.entries[at]; ok {
		return at, &l
	}
	return at, nil
}

func (k *keeper) parse(objects []object) []entry {
	var entries []entry
	for _, o := range objects {
		c, err := cert.Parse(o.Certificate)
		if err != nil {
			k.o.Log.Debug("certificate on token skipped", "module", k.m.Name, "label", o.Label, "error", err)
			continue
		}
		entries = append(entries, entry{object: o, cert: c})
	}
	return entries
}

// key makes the key of a certificate, nil when the certificate is only there to complete a chain.
func (k *keeper) key(s slotInfo, e entry) token.Key {
	info := k.info(s)
	issuer := e.cert.X509 != nil && e.cert.X509.BasicConstraintsValid && e.cert.X509.IsCA
	if issuer && !e.object.Key {
		return nil
	}
	var algs []algo.ID
	// Before login a private key may hide, so its absence proves something only where no login is needed.
	if e.object.Key || info.LoginRequired {
		algs = usable(e.cert.Key, s.Mechanisms)
	}
	return &key{k: k, slot: s.Slot, info: info, entry: e, algorithms: algs}
}

// usable keeps the algorithms whose mechanism the token has.
func usable(public algo.PublicKey, mechanisms []uint) []algo.ID {
	if public == nil {
		return nil
	}
	var ids []algo.ID
	for _, id := range public.Algorithms() {
		if a, ok := algo.Lookup(id); ok && slices.Contains(mechanisms, a.Mechanism) {
			ids = append(ids, id)
		}
	}
	return ids
}
