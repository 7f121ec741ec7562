// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// flat runs work and reports how much the heap grew at most while it ran, sampled.
func flat(work func() error) (peak uint64, err error) {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan error, 1)
	go func() { done <- work() }()
	for {
		select {
		case err = <-done:
			return peak, err
		case <-time.After(5 * time.Millisecond):
			runtime.ReadMemStats(&now)
			if now.HeapInuse > before.HeapInuse {
				peak = max(peak, now.HeapInuse-before.HeapInuse)
			}
		}
	}
}

// TestGigabyte signs, adds to, countersigns, extends and verifies an attached document, 1 GiB with PERSTEN_LONG and 32 MiB without,
// through files. The heap grows by less than 16 MiB at any time.
func TestGigabyte(t *testing.T) {
	size := int64(32 << 20)
	if os.Getenv("PERSTEN_LONG") != "" {
		size = 1 << 30
	} else {
		t.Log("32 MiB; 1 GiB with PERSTEN_LONG")
	}
	a, b := ownerOf(t, "p256"), ownerOf(t, "gost256")
	dir := t.TempDir()
	step := func(name string, made, from string, work func(w io.Writer, r *os.File) error) {
		t.Helper()
		var r *os.File
		if from != "" {
			f, err := os.Open(filepath.Join(dir, from))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r = f
		}
		w, err := os.Create(filepath.Join(dir, made))
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		began := time.Now()
		peak, err := flat(func() error { return work(w, r) })
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if peak > 16<<20 {
			t.Errorf("%s: the heap grew by %d bytes", name, peak)
		}
		t.Logf("%s: %v, heap up by %d KiB", name, time.Since(began).Round(time.Millisecond), peak>>10)
		if from != "" {
			os.Remove(filepath.Join(dir, from))
		}
	}
	ctx := context.Background()
	step("Sign", "1", "", func(w io.Writer, _ *os.File) error { return Sign(ctx, w, &zeros{n: size}, a, Options{Attached: true}) })
	step("Add", "2", "1", func(w io.Writer, r *os.File) error { return Add(ctx, w, r, nil, b, Options{}) })
	step("Countersign", "3", "2", func(w io.Writer, r *os.File) error { return Countersign(ctx, w, r, 0, b, Options{}) })
	step("Extend", "4", "3", func(w io.Writer, r *os.File) error { return Extend(ctx, w, r, newAuthority(t, "p256")) })
	step("Verify", "5", "4", func(_ io.Writer, r *os.File) error {
		rep, err := Verify(ctx, r, nil, join(a.trust(), b.trust()))
		if err == nil && (!rep.Trusted() || rep.Content.Size != size || len(rep.Signers) != 2 || rep.Signers[0].Format != FormatCAdEST) {
			err = errors.New("not what was made")
		}
		return err
	})
}
