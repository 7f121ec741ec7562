// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// TestGiveWay: a session ends when its program was replaced and nobody needs it, and for no other reason.
func TestGiveWay(t *testing.T) {
	program := filepath.Join(t.TempDir(), "persten")
	install := func(version string) {
		next := program + ".next"
		if err := os.WriteFile(next, []byte(version), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, program); err != nil {
			t.Fatal(err)
		}
	}
	install("one")
	var idle atomic.Bool
	var looked atomic.Int32
	gave := make(chan bool, 1)
	ctx, cancel := context.WithCancel(t.Context())
	start := func() {
		began := make(chan struct{})
		go func() {
			close(began)
			gave <- giveWay(ctx, []string{program}, func() bool { looked.Add(1); return idle.Load() }, time.Millisecond, time.Millisecond)
		}()
		<-began
		time.Sleep(20 * time.Millisecond)
	}
	start()
	if looked.Load() != 0 {
		t.Fatal("it thought of ending although nothing was installed")
	}
	os.Remove(program)
	time.Sleep(20 * time.Millisecond)
	if looked.Load() != 0 {
		t.Fatal("it would end although there is nothing to start")
	}
	install("two")
	for looked.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	if len(gave) != 0 {
		t.Fatal("it ended although somebody waits")
	}
	idle.Store(true)
	if !<-gave {
		t.Error("it did not give way")
	}
	start()
	cancel()
	if <-gave {
		t.Error("told to end, it said that it gives way")
	}
}
