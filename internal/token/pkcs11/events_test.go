// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/token"
	"persten/internal/token/tokentest"
)

// TestEvents pulls the token and puts it back.
func TestEvents(t *testing.T) {
	s := newShim(t)
	gone := filepath.Join(s.dir, "gone")
	t.Setenv("FAULT_GONE", gone)
	o := s.options()
	o.Poll = 50 * time.Millisecond
	inv := newInventory(t, o)
	if _, err := inv.Tokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	events := inv.Events(ctx)
	time.Sleep(300 * time.Millisecond) // the first look
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { os.WriteFile(gone, nil, 0o600) }, token.Removed},
		{func() { os.Remove(gone) }, token.Inserted},
	} {
		step.do()
		e, open := <-events
		if !open || e.Kind != step.want || e.Token.Label != s.hsm.Label {
			t.Fatalf("event %+v, want %s", e, step.want)
		}
	}
	cancel()
	for range events { // is closed
	}
}

// TestListingIsCached counts how often the token's objects are read.
func TestListingIsCached(t *testing.T) {
	s := newShim(t)
	gone := filepath.Join(s.dir, "gone")
	t.Setenv("FAULT_GONE", gone)
	t.Setenv("FAULT", "C_FindObjectsInit:0:slow=100")
	inv := newInventory(t, s.options())
	reads := func() bool { // whether a listing read objects: three searches of 100 ms
		start := time.Now()
		if keys, err := inv.Keys(t.Context()); err != nil || len(keys) == 0 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		return time.Since(start) > 250*time.Millisecond
	}
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"first", func() {}, true},
		{"second", func() {}, false},
		{"refresh", inv.Refresh, true},
		{"reinserted", func() {
			os.WriteFile(gone, nil, 0o600)
			inv.Tokens(t.Context())
			os.Remove(gone)
		}, true},
		{"again", func() {}, false},
		{"child restarted", func() { inv.Close() }, true},
	} {
		step.do()
		if got := reads(); got != step.want {
			t.Errorf("%s: objects read %v, want %v", step.name, got, step.want)
		}
	}
}

// TestStderrOfVendors keeps what a library prints out of the protocol.
func TestStderrOfVendors(t *testing.T) {
	s := newShim(t)
	t.Setenv("FAULT", "nonsense")
	var out lockedLog
	o := s.options()
	o.Start = execWith(&out)
	inv := newInventory(t, o)
	if errs, _ := use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN); len(errs) > 0 {
		t.Errorf("%v", errs)
	}
	if !strings.Contains(out.String(), "cannot read FAULT") {
		t.Errorf("stderr: %q", out.String())
	}
}
