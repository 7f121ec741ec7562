// SPDX-License-Identifier: GPL-3.0-or-later

// Package tokentest is the conformance suite that every token implementation passes, and the maker of the tokens that
// tests and demonstrations use: SoftHSM's, and those of the test module in testdata/p11/module.
//
// [Run] checks what package token promises: listing without login, signatures that verify, one question per attempt, a
// warning before the last one, a second caller that never rides on the first one's login, leases that come back, tokens
// that are pulled, libraries that crash and hang. An implementation calls it from its own tests with a function that opens
// a fresh token; the token's attempt counter is left full. [Table] writes what passed where.
package tokentest

import (
	"context"
	"sync"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/secret"
	"persten/internal/token"
)

// Fixture is a token to test. A check that needs what is not given is not applicable, and says so.
type Fixture struct {
	Inventory token.Inventory
	PIN       string // none: the token asks for nothing
	Wrong     string // a PIN the token refuses; none: no check may spend an attempt
	Want      []algo.ID
	Counted   bool   // the token tells how many attempts are left
	Label     string // what the label has to be, exactly

	Tries   int                                       // wrong PINs in a row that lock the token, which Restore undoes; 0: never lock it
	Restore func(t *testing.T)                        // makes the counter full again
	Remove  func(t *testing.T)                        // pulls the token
	Insert  func(t *testing.T)                        // puts it back
	Polled  time.Duration                             // how late a change may be noticed; 0: one second
	Broken  func(t *testing.T, fault string) *Fixture // the same token; the next signature goes wrong once. nil: cannot

	signed map[algo.ID]bool // what gave a signature that verified
}

// Algorithms are the names under which Run tells about them.
func Algorithms() []string {
	var names []string
	for _, id := range signing() {
		names = append(names, string(id))
	}
	return names
}

// signing are the algorithms a token may offer.
func signing() []algo.ID {
	var ids []algo.ID
	for _, a := range algo.All() {
		if !a.Legacy && !a.Pure {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// The faults of Fixture.Broken.
const (
	Crash = "crash"
	Hang  = "hang" // until the deadline of a signature, which the fixture sets to HangDeadline
	Slow  = "slow" // by SlowBy
)

// How long faults last.
const (
	HangDeadline = 500 * time.Millisecond
	SlowBy       = 600 * time.Millisecond
)

// check is one thing every token has to do.
type check struct {
	Name  string
	needs func(f Fixture) string // what is missing for it, "" when nothing is
	run   func(t *testing.T, f Fixture)
}

func nothing(Fixture) string { return "" }

func wrongPIN(f Fixture) string {
	if f.Wrong == "" {
		return "no attempt may be spent"
	}
	return ""
}

func asking(f Fixture) string {
	if f.PIN == "" {
		return "asks for no PIN"
	}
	return ""
}

func locking(f Fixture) string {
	if f.Tries == 0 || f.Restore == nil {
		return "no PIN counter that can be restored"
	}
	return wrongPIN(f)
}

func hotplug(f Fixture) string {
	if f.Remove == nil || f.Insert == nil {
		return "cannot be pulled by a test"
	}
	return ""
}

func breaking(fault string) func(f Fixture) string {
	return func(f Fixture) string {
		if f.Broken == nil {
			return "no library that could " + fault
		}
		return ""
	}
}

// Checks are the names of all checks, in the order they run.
func Checks() []string {
	var names []string
	for _, c := range checks {
		names = append(names, c.Name)
	}
	return names
}

var checks = []check{
	{"list", nothing, list},
	{"describe", nothing, describe},
	{"sign", nothing, sign},
	{"wrong then right", wrongPIN, wrongThenRight},
	{"wrong twice", wrongPIN, wrongTwice},
	{"attempts", wrongPIN, attempts},
	{"counts down", locking, countsDown},
	{"final try warning", locking, finalTry},
	{"locked", locking, locked},
	{"second caller", wrongPIN, secondCaller},
	{"person cancels", asking, personCancels},
	{"caller cancels while asked", asking, callerCancels},
	{"cancelled sign", nothing, cancelledSign},
	{"two at once", nothing, twoAtOnce},
	{"two tokens at once", nothing, twoTokens},
	{"close", nothing, closeFrees},
	{"unknown algorithm", nothing, unknownAlgorithm},
	{"digest length", nothing, digestLength},
	{"empty PIN", asking, emptyPIN},
	{"removal", hotplug, removal},
	{"removal while logged in", hotplug, removalInSession},
	{"re-insertion", hotplug, reinsertion},
	{"crash", breaking(Crash), crash},
	{"hang", breaking(Hang), hang},
	{"slow", breaking(Slow), slow},
	{"cancel a slow signature", breaking(Slow), cancelSlow},
}

// Outcomes of a check.
const (
	Passed        = "ok"
	Failed        = "FAIL"
	NotApplicable = "–" // why is in the test's output
	NotRun        = "not run"
)

// Result is what became of one check.
type Result struct{ Check, Outcome string }

// Run runs the suite. open is called once per check, and may skip it. After the results of the checks come those of the
// algorithms, as far as keys of the token offer them.
func Run(t *testing.T, open func(t *testing.T) Fixture) []Result {
	t.Helper()
	var results []Result
	signed := map[algo.ID]bool{}
	for _, c := range checks {
		r := Result{c.Name, Failed}
		t.Run(c.Name, func(t *testing.T) {
			defer func() {
				if t.Skipped() {
					r.Outcome = NotApplicable
				} else if !t.Failed() {
					r.Outcome = Passed
				}
			}()
			f := open(t)
			f.signed = signed
			if missing := c.needs(f); missing != "" {
				t.Skip("not applicable: " + missing)
			}
			c.run(t, f)
			f.signs(t, f.key(t)) // whatever happened, the token still works
		})
		results = append(results, r)
	}
	for _, id := range signing() {
		r := Result{string(id), NotApplicable}
		if signed[id] {
			r.Outcome = Passed
		}
		results = append(results, r)
	}
	return results
}

// Answer is a person who types pins one after the other, the last one for ever.
type Answer struct {
	mu       sync.Mutex
	pins     []string
	Requests []token.PINRequest // what was asked
}

// Answers makes an Answer.
func Answers(pins ...string) *Answer { return &Answer{pins: pins} }

// PIN is the token.PINFunc.
func (a *Answer) PIN(_ context.Context, r token.PINRequest) (secret.PIN, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	pin := a.pins[min(len(a.Requests), len(a.pins)-1)]
	a.Requests = append(a.Requests, r)
	return PIN(pin)
}

// PIN makes a handle of a PIN that a test knows.
func PIN(digits string) (secret.PIN, error) {
	p, w, err := secret.Pipe()
	if err != nil {
		return secret.PIN{}, err
	}
	defer w.Close()
	_, err = w.WriteString(digits)
	return p, err
}

// Digest is some digest of the right length for id.
func Digest(id algo.ID) algo.Input {
	a, ok := algo.Lookup(id)
	if !ok {
		return algo.Input{Digest: make([]byte, 32)}
	}
	h := a.Digest.New()
	h.Write([]byte("content to be signed"))
	return algo.Input{Digest: h.Sum(nil)}
}

func (f Fixture) keys(t *testing.T) []token.Key {
	t.Helper()
	keys, err := f.Inventory.Keys(t.Context())
	if err != nil {
		t.Fatalf("Keys: %v", err)
	}
	return keys
}

// key is one that can sign.
func (f Fixture) key(t *testing.T) token.Key {
	t.Helper()
	for _, k := range f.keys(t) {
		if len(k.Algorithms()) > 0 && k.Certificate() != nil {
			return k
		}
	}
	t.Fatal("no key that can sign")
	return nil
}

func (f Fixture) open(t *testing.T, k token.Key) token.Session {
	t.Helper()
	s, err := k.Open(t.Context(), Answers(f.PIN).PIN)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (f Fixture) signs(t *testing.T, k token.Key) {
	t.Helper()
	s := f.open(t, k)
	defer s.Close()
	for _, id := range k.Algorithms() {
		in := Digest(id)
		sig, err := s.Sign(t.Context(), id, in)
		if err != nil {
			t.Fatalf("Sign %s: %v", id, err)
		}
		if err := k.Certificate().Key.Verify(id, in, sig); err != nil {
			t.Fatalf("%s: signature does not verify: %v", id, err)
		}
		if f.signed != nil {
			f.signed[id] = true
		}
	}
}
