// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"slices"
	"testing"
)

// TestStream sends one small document from a real browser; what the figures are is no matter here.
func TestStream(t *testing.T) {
	tree, err := root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := needed(tree); err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	w, err := newWorkbench(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	s, err := newStreamWork(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	table, err := s.whole(t.Context(), 2<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.rows) != 9 || len(table.targets) != 2 || table.targets[0].got <= 0 {
		t.Errorf("%+v", table)
	}
}

// The shares of the stages are of the whole, and the whole is held against the hash.
func TestStreamTable(t *testing.T) {
	s := &streamWork{s: &session{}}
	one := parts{hash: millis(500), read: millis(100), sink: millis(300), spool: millis(200)}
	one.signed = stages{Sent: 600, Waiting: 700, Signing: 750, Whole: 1000}
	got := s.table(1e6, []parts{one})
	var shares []string
	for _, row := range got.rows[:5] {
		shares = append(shares, row[3])
	}
	if want := []string{"100 %", "60 %", "10 %", "5 %", "25 %"}; !slices.Equal(shares, want) {
		t.Errorf("%q, want %q", shares, want)
	}
	if r := got.targets[0]; r.got != 2 || !r.met() {
		t.Errorf("%v", r)
	}
}
