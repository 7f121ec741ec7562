// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"slices"
	"strconv"
	"time"

	"persten/proto"
)

const day = 24 * time.Hour

// uses are the moments at which a key was used, in order, as nanoseconds of the wall clock: they are compared with those of
// the journal, which other sessions wrote. A moment counts for as long on both sides of now, so that a clock set back
// forgets nothing, and one that was once far ahead does not block for ever.
type uses []int64

// usesKey names who uses which key.
func usesKey(origin, user, thumbprint string) string {
	if origin != "" {
		return "origin " + origin + " " + thumbprint
	}
	return "user " + user + " " + thumbprint
}

// add puts n uses at a moment.
func (u uses) add(at time.Time, n int) uses {
	t := at.UnixNano()
	i, _ := slices.BinarySearch(u, t)
	return slices.Insert(u, i, slices.Repeat([]int64{t}, n)...)
}

// within counts the uses less than span away from now.
func (u uses) within(now time.Time, span time.Duration) int {
	from, _ := slices.BinarySearch(u, now.Add(-span).UnixNano()+1)
	to, _ := slices.BinarySearch(u, now.Add(span).UnixNano())
	return to - from
}

// room is over when n uses now would be more than a limit lets; 0 is no limit.
func (u uses) room(now time.Time, n, perHour, perDay int, over proto.Code) error {
	for _, l := range []struct {
		most int
		span time.Duration
	}{{perHour, time.Hour}, {perDay, day}} {
		if l.most > 0 && u.within(now, l.span)+n > l.most {
			return proto.E(over, nil, "limit", strconv.Itoa(l.most), "hours", strconv.Itoa(int(l.span/time.Hour)))
		}
	}
	return nil
}

// take adds n uses now. What no limit needs is forgotten.
func (u uses) take(now time.Time, n, perDay int) uses {
	keep := time.Hour
	if perDay > 0 {
		keep = day
	}
	old, _ := slices.BinarySearch(u, now.Add(-keep).UnixNano()+1)
	return u[old:].add(now, n)
}
