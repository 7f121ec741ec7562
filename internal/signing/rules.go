// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"persten/internal/journal"
	"persten/proto"
)

// Limit bounds what is signed, whoever approves it. 0 is no limit of a kind.
type Limit struct {
	Covers    func(origin, user string) bool // which requests it is about; origin is empty for programs
	PerHour   int                            // signatures in any hour
	PerDay    int                            // signatures in any day
	Documents int                            // in one request
	Size      int64                          // of a document, in bytes
}

// Rules are what machine policy says of who signs, and how much. They do not change under a request: each session reads them when
// it starts. A nil *Rules permits all. Rules are safe for concurrent use.
type Rules struct {
	withheld []proto.Right
	limits   []Limit

	mu      sync.Mutex
	used    []uses // by limit
	damaged error  // why the uses before this session cannot be counted
}

// NewRules counts what the journal at path knows of the last day, so that limits hold over restarts. Where it was damaged nothing
// is signed that is counted.
func NewRules(withheld []proto.Right, limits []Limit, path string) *Rules {
	r := &Rules{withheld: withheld, limits: limits, used: make([]uses, len(limits))}
	if !slices.ContainsFunc(limits, Limit.counts) {
		return r
	}
	r.damaged = journal.Recent(path, time.Now().Add(-day), func(l journal.Line) {
		if l.Type == journal.TypeBegin && l.Kind == string(KindSign) {
			r.add(l.Origin, l.User, l.Time, max(1, len(l.Documents)))
		}
	})
	if r.damaged != nil {
		slog.Error("nothing is signed that policy limits: the journal that it is counted by cannot be read", "cause", r.damaged)
	}
	return r
}

func (l Limit) counts() bool { return l.PerHour > 0 || l.PerDay > 0 }

func (r *Rules) add(origin, user string, at time.Time, n int) {
	for i, l := range r.limits {
		if l.counts() && l.Covers(origin, user) {
			r.used[i] = r.used[i].add(at, n)
		}
	}
}

// admit refuses what nobody needs to be asked about. decided says that policy itself approves.
func (r *Rules) admit(q Question, decided bool) error {
	if r == nil {
		return nil
	}
	hidden := slices.ContainsFunc(q.Documents, func(d Document) bool { return d.Hidden || d.Opaque })
	switch {
	case !decided && slices.Contains(r.withheld, proto.RightApprove):
		return missing(proto.RightApprove)
	case !decided && q.Kind == KindSign && hidden && slices.Contains(r.withheld, proto.RightHidden):
		return missing(proto.RightHidden)
	}
	for _, l := range r.limits {
		if err := l.fits(q); err != nil {
			return err
		}
	}
	return r.counted(q, false)
}

func missing(right proto.Right) error {
	return proto.E(proto.CodeRightMissing, nil, "right", string(right))
}

// fits checks one request by itself.
func (l Limit) fits(q Question) error {
	if q.Kind != KindSign || !l.Covers(q.Origin, q.User) {
		return nil
	}
	if l.Documents > 0 && len(q.Documents) > l.Documents {
		return proto.E(proto.CodeLimitDocuments, nil, "limit", strconv.Itoa(l.Documents))
	}
	if l.Size > 0 && slices.ContainsFunc(q.Documents, func(d Document) bool { return d.Size > l.Size }) {
		return proto.E(proto.CodeContentTooLarge, nil, "limit", strconv.FormatInt(l.Size, 10))
	}
	return nil
}

// use counts an approved request, before the key is touched. A use that then fails stays counted.
func (r *Rules) use(q Question) error {
	if r == nil {
		return nil
	}
	return r.counted(q, true)
}

// counted checks all limits that are about q and, when it is to be taken, counts it in all or none.
func (r *Rules) counted(q Question, take bool) error {
	if q.Kind != KindSign {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now, n := time.Now(), max(1, len(q.Documents))
	about := func(l Limit) bool { return l.counts() && l.Covers(q.Origin, q.User) }
	for i, l := range r.limits {
		if !about(l) {
			continue
		}
		if r.damaged != nil {
			return proto.E(proto.CodeJournalDamaged, r.damaged)
		}
		if err := r.used[i].room(now, n, l.PerHour, l.PerDay, proto.CodeLimitReached); err != nil {
			return err
		}
	}
	for i, l := range r.limits {
		if take && about(l) {
			r.used[i] = r.used[i].take(now, n, l.PerDay)
		}
	}
	return nil
}
