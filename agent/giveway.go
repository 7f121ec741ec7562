// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"
)

// errGivesWay ends a session whose program was replaced; systemd starts the new one (RestartForceExitStatus in the units).
var errGivesWay = errors.New("a new version is installed")

// How often a session looks whether its programs were replaced, ten times as seldom where the system tells of changes; and how long
// after a change, which is seldom the only one, and then how often whether nobody needs it.
const (
	lookForNew  = time.Minute
	lookForIdle = 2 * time.Second
)

// giveWay returns true once the programs are other files than at the start and idle reports that nobody waits for anything, and
// false when ctx ends first. What runs is finished by the version that began it.
func giveWay(ctx context.Context, programs []string, idle func() bool, look, wait time.Duration) bool {
	changed := changes(ctx, programs) // before the first look, so that nothing is missed between
	began := stats(programs)
	if changed != nil {
		look *= 10 // a folder that was exchanged as a whole tells of nothing
	}
	tick := time.NewTimer(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-changed:
			tick.Reset(wait)
			continue
		case <-tick.C:
		}
		now := stats(programs)
		switch replaced := now != nil && !slices.EqualFunc(began, now, sameFile); {
		case replaced && idle():
			slog.Info("giving way to the version that was installed")
			return true
		case replaced:
			tick.Reset(wait)
		default:
			tick.Reset(look)
		}
	}
}

// programs are the files that a session and what it starts come from.
func programs() (all []string) {
	for _, find := range []func() (string, error){self, desktop} {
		if p, err := find(); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// stats is nil while one of the programs is missing: it is being replaced, or was removed and nothing could be started.
func stats(programs []string) (all []os.FileInfo) {
	for _, p := range programs {
		fi, err := os.Stat(p)
		if err != nil {
			return nil
		}
		all = append(all, fi)
	}
	return all
}

func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
