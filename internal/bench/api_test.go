// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"slices"
	"testing"
	"time"
)

// TestAPITargets: the bar is the sum of the parts' medians and what is allowed beyond them, and each way in has its own verdict.
func TestAPITargets(t *testing.T) {
	const ms = time.Millisecond
	list := []apiTurn{
		{raw: 2 * ms, fsyncs: ms, verify: ms, socket: 4 * ms, web: 5 * ms},
		{raw: 2 * ms, fsyncs: ms, verify: ms, socket: 4 * ms, web: 5 * ms},
		{raw: 90 * ms, fsyncs: 90 * ms, verify: 90 * ms, socket: 90 * ms, web: 90 * ms}, // the machine was busy
	}
	var got table
	got.add(hsmKey{name: "P-256"}, list)
	if len(got.rows) != 1 || !slices.Contains(got.rows[0], "4.40 ms") {
		t.Errorf("rows %q", got.rows)
	}
	var verdicts []bool
	for _, one := range got.targets {
		verdicts = append(verdicts, one.met())
	}
	if !slices.Equal(verdicts, []bool{true, false}) {
		t.Errorf("targets %v", got.targets)
	}
}
