// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/token"
)

// listingLife is how long a listing is believed without reading the token again.
const listingLife = time.Minute

// maxCalls is how many requests one child gets at a time, well under rpc.MaxInFlight.
const maxCalls = 32

// maxListing is how much of one token is kept, in bytes of certificates.
const maxListing = 64 << 20

// keeper looks after one module: its child, and what is known of its tokens.
type keeper struct {
	m Module
	o *Options

	looks   merged[[]slotInfo]
	reading sync.Mutex    // one listing at a time
	calls   chan struct{} // room for requests under way: the child takes no more at a time

	mu        sync.Mutex // also held while a child starts, so that one starts
	child     *child
	failures  int // in a row
	starts    int // of children
	notBefore time.Time
	last      error
	open      int             // sessions
	seen      map[uint]sight  // by slot
	places    map[uint]*place // by slot
	entries   map[listingKey]*listing
	layouts   map[algo.ID]layout // byte orders learnt
	pulse     chan struct{}      // closed and made anew when a token came or went
	watched   *child             // the child that tells when that happens
	blind     bool               // the module cannot tell
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

// listing is what was read from a token.
type listing struct {
	at      time.Time
	entries []*entry

	mu         sync.Mutex
	made       []token.Key // of the entries, for this state of the token
	info       token.Info
	mechanisms []uint
	stale      atomic.Bool // an entry turned out to lack its key
}

// entry is a certificate or a key on a token, parsed once.
type entry struct {
	object object
	cert   *cert.Certificate // nil for a key without one
	public algo.PublicKey    // nil when of a kind we do not know
	id     string
	lacks  atomic.Bool             // a login showed that the private key is not here
	named  atomic.Bool             // the last login showed that the id names the private key, and no other
	proved atomic.Pointer[algo.ID] // the algorithm in which that key was last asked for, and signed
}

func (e *entry) keyless() bool { return e.lacks.Load() }

func newKeeper(m Module, o *Options) *keeper {
	return &keeper{m: m, o: o, places: map[uint]*place{}, seen: map[uint]sight{}, pulse: make(chan struct{}), calls: make(chan struct{}, maxCalls)}
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

// forget drops what is cached. A library that did not load gets a new chance at once.
func (k *keeper) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.entries = nil
	if k.unloaded() {
		k.notBefore = time.Time{}
	}
}

// unloaded reports whether the last failure was in loading the library. The caller holds k.mu.
func (k *keeper) unloaded() bool {
	var m *token.ModuleError
	return errors.As(k.last, &m) && m.Unloaded()
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

// listed is like slots, for callers who can share an answer with others that asked a moment earlier.
func (k *keeper) listed(ctx context.Context) ([]slotInfo, error) { return k.looks.do(ctx, k.slots) }

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

// sightLife is how long a look at a token is remembered: as long as a pulled token may go unnoticed anyway where a module does
// not tell. The child looks again before each login.
const sightLife = time.Second

// sight is a look at a token.
type sight struct {
	at   time.Time
	info slotInfo
}

// look asks for the token in a slot. Under token.Remembering an answer of lately will do, if nobody has logged in since.
func (k *keeper) look(ctx context.Context, slot uint) (slotInfo, error) {
	k.mu.Lock()
	last := k.seen[slot]
	k.mu.Unlock()
	if token.Remembers(ctx) && time.Since(last.at) < sightLife {
		return last.info, nil
	}
	var r tokenReply
	err := k.call(ctx, request{method: methodToken, params: tokenParams{slot}, reply: &r, deadline: k.o.ListTimeout, spare: true})
	if err != nil {
		return slotInfo{}, err
	}
	k.met(r.slotInfo)
	return r.slotInfo, nil
}

// overlook makes the next look a real one.
func (k *keeper) overlook(slot uint) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.seen, slot)
}

// met notes what a look or a login found, unless a wrong PIN was tried on the token lately, or one may be kept: that changes
// at any time.
func (k *keeper) met(i slotInfo) {
	if i.Flags&(p11.CKF_USER_PIN_COUNT_LOW|p11.CKF_USER_PIN_FINAL_TRY|p11.CKF_USER_PIN_LOCKED) != 0 || k.o.PINCache.Sliding > 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen[i.Slot] = sight{time.Now(), i}
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
	slots, err := k.listed(ctx)
	var infos []token.Info
	for _, s := range slots {
		infos = append(infos, k.info(s))
	}
	return infos, err
}

// info says what the flags of a token mean.
func (k *keeper) info(s slotInfo) token.Info {
	i := flagged(s)
	i.Module, i.Path, i.Slot = k.m.Name, k.m.Path, strconv.FormatUint(uint64(s.Slot), 10)
	return i
}

func flagged(s slotInfo) token.Info {
	has := func(flag uint) bool { return s.Flags&flag != 0 }
	i := token.Info{
		Label: s.Label, Serial: s.Serial, Model: s.Model, Manufacturer: s.Manufacturer,
		LoginRequired: has(p11.CKF_LOGIN_REQUIRED), PINPad: has(p11.CKF_PROTECTED_AUTHENTICATION_PATH),
		Low: has(p11.CKF_USER_PIN_COUNT_LOW), Final: has(p11.CKF_USER_PIN_FINAL_TRY), Locked: has(p11.CKF_USER_PIN_LOCKED),
		Issued: has(p11.CKF_USER_PIN_TO_BE_CHANGED), Attempts: -1, Touch: touches(s.Model),
	}
	switch {
	case i.Locked:
		i.Attempts = 0
	case i.Final:
		i.Attempts = 1
	}
	return i
}

// touches tells whether a model may wait for a finger; PKCS#11 has no word for it. Whether a key of it does is set when the
// key is made, and cannot be asked.
func touches(model string) bool {
	return strings.Contains(model, "YubiKey") || strings.Contains(strings.ToLower(model), "touch")
}

// keys lists the keys of all tokens of the module.
func (k *keeper) keys(ctx context.Context) ([]token.Key, error) {
	slots, err := k.listed(ctx)
	if err != nil {
		return nil, err
	}
	var all []token.Key
	var errs []error
	for _, s := range slots {
		l, err := k.list(ctx, s)
		if err != nil && !errors.Is(err, token.ErrRemoved) {
			errs = append(errs, err)
		}
		if l != nil {
			all = append(all, l.keys(k, s)...)
		}
	}
	return all, errors.Join(errs...)
}

// keys makes the keys of a listing, or gives those it made for the same state of the token.
func (l *listing) keys(k *keeper, s slotInfo) []token.Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made != nil && l.info == k.info(s) && slices.Equal(l.mechanisms, s.Mechanisms) && !l.stale.Swap(false) {
		return l.made
	}
	l.info, l.mechanisms, l.made = k.info(s), s.Mechanisms, []token.Key{}
	for _, e := range l.entries {
		if key := k.key(s, e, &l.stale); key != nil {
			l.made = append(l.made, key)
		}
	}
	return l.made
}

// list returns the entries of one token, from the cache while it is fresh.
func (k *keeper) list(ctx context.Context, s slotInfo) (*listing, error) {
	at, cached := k.cached(s)
	if cached != nil && time.Since(cached.at) < listingLife {
		return cached, nil
	}
	k.reading.Lock()
	defer k.reading.Unlock()
	if at, cached = k.cached(s); cached != nil && time.Since(cached.at) < listingLife {
		return cached, nil // somebody else was quicker
	}
	objects, err := k.read(ctx, s.Slot)
	if err != nil {
		if cached != nil && errors.Is(err, token.ErrBusy) {
			return cached, nil
		}
		return nil, err
	}
	l := &listing{at: time.Now(), entries: k.parse(objects)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.entries == nil {
		k.entries = map[listingKey]*listing{}
	}
	for old := range k.entries {
		if old.slot == at.slot {
			delete(k.entries, old) // of what was in the slot before
		}
	}
	k.entries[at] = l
	return l, nil
}

// read takes a listing from the child, page by page. The caller holds k.reading.
func (k *keeper) read(ctx context.Context, slot uint) ([]object, error) {
	var all []object
	p, size := objectsParams{Slot: slot}, 0
	for {
		var r objectsReply
		err := k.call(ctx, request{method: methodObjects, params: p, reply: &r, deadline: k.o.ListTimeout, spare: true})
		if err != nil {
			return nil, err
		}
		for i := range r.Objects {
			size += r.Objects[i].size()
		}
		all = append(all, r.Objects...)
		if len(r.Objects) == 0 || len(all) >= r.Total || size > maxListing {
			return all, nil
		}
		p.Listing, p.From = r.Listing, len(all)
	}
}

func (k *keeper) cached(s slotInfo) (listingKey, *listing) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := listingKey{slot: s.Slot, serial: s.Serial, label: s.Label}
	if p := k.places[s.Slot]; p != nil {
		at.insertion = p.insertion
	}
	return at, k.entries[at]
}

// parse reads certificates on all processors: a token may hold thousands.
func (k *keeper) parse(objects []object) []*entry {
	parsed := make([]*entry, len(objects))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+len(objects)/64) {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(objects); n = int(next.Add(1)) - 1 {
				parsed[n] = k.entry(objects[n])
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(parsed, func(e *entry) bool { return e == nil })
}

func (k *keeper) entry(o object) *entry {
	e := &entry{object: o}
	var err error
	if len(o.Certificate) > 0 {
		if e.cert, err = cert.Parse(o.Certificate); err == nil {
			e.public, e.id = e.cert.Key, e.cert.ID()
		}
	} else if e.public, err = algo.ParsePublicKey(o.SPKI); err == nil {
		sum := sha256.Sum256(e.public.SPKI())
		e.id = hex.EncodeToString(sum[:])
	}
	if err != nil {
		k.o.Log.Debug("object on token skipped", "module", k.m.Name, "label", o.Label, "error", err)
		return nil
	}
	return e
}

// key makes the key of an entry, nil when the certificate is only there to complete a chain.
func (k *keeper) key(s slotInfo, e *entry, stale *atomic.Bool) token.Key {
	info := k.info(s)
	c := e.cert
	if c != nil && c.X509 != nil && c.X509.BasicConstraintsValid && c.X509.IsCA && !e.object.Key {
		return nil
	}
	var algs []algo.ID
	// Before login a private key may hide, so its absence proves something only where no login is needed.
	if (e.object.Key || info.LoginRequired) && !e.keyless() {
		algs = usable(e.public, s.Mechanisms, e.object.Type)
	}
	return &key{k: k, slot: s.Slot, info: info, entry: e, mechanisms: s.Mechanisms, algorithms: algs, stale: stale}
}
