// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func keptFiles(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*"+entrySuffix))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCacheFiles: modes, damage and what is left by a process that died.
func TestCacheFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	k := &cache{dir: dir, size: 1 << 20}
	file := name("crl", "http://ca.example/a.crl", nil)
	whole := entry{Kind: "crl", URL: "http://ca.example/a.crl", Got: time.Now(), body: bytes.Repeat([]byte("a"), 20_000)}
	if err := k.put(file, &whole); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, file): 0o600} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, fi.Mode(), err)
		}
	}
	if e := k.get(file, 1<<20); e == nil || !bytes.Equal(e.body, whole.body) || e.URL != whole.URL {
		t.Fatalf("%+v", e)
	}
	good, _ := os.ReadFile(filepath.Join(dir, file))
	for at := 0; at < len(good); at += 97 {
		for what, bad := range map[string][]byte{"cut": good[:at], "flipped": flip(at)(good)} {
			os.WriteFile(filepath.Join(dir, file), bad, 0o600)
			if e := k.get(file, 1<<20); e != nil && !bytes.Equal(e.body, whole.body) {
				t.Errorf("%s at %d: taken", what, at)
			}
		}
	}
	os.WriteFile(filepath.Join(dir, file), good[:500], 0o600)
	if k.get(file, 1<<20) != nil || len(keptFiles(t, dir)) != 0 {
		t.Error("a damaged file stays")
	}
	os.WriteFile(filepath.Join(dir, file), good, 0o600)
	if k.get(file, 100) != nil {
		t.Error("a file over the limit is read")
	}
	left := filepath.Join(dir, ".new-1")
	os.WriteFile(left, nil, 0o600)
	os.Chtimes(left, time.Now(), time.Now().Add(-2*time.Hour))
	k.put(file, &whole)
	if _, err := os.Stat(left); err == nil {
		t.Error("a half written file stays")
	}
	os.Remove(filepath.Join(dir, file))
	os.Mkdir(filepath.Join(dir, file), 0o700)
	if k.get(file, 1<<20) != nil {
		t.Error("a folder is read")
	}
}

// TestEviction: the least recently used go first, and the size holds.
func TestEviction(t *testing.T) {
	dir := t.TempDir()
	k := &cache{dir: dir, size: 10_000}
	for i := range 20 {
		file := name("crl", fmt.Sprint(i), nil)
		if err := k.put(file, &entry{body: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-100) * time.Minute)
		os.Chtimes(filepath.Join(dir, file), at, at)
		if i >= 3 {
			k.get(name("crl", "3", nil), 1<<20) // used all the time
		}
	}
	var total int64
	for _, f := range keptFiles(t, dir) {
		fi, _ := os.Stat(f)
		total += fi.Size()
	}
	if total > k.size || total < k.size/2 {
		t.Errorf("%d bytes of %d", total, k.size)
	}
	for i, want := range map[int]bool{0: false, 1: false, 3: true, 19: true} {
		if (k.get(name("crl", fmt.Sprint(i), nil), 1<<20) != nil) != want {
			t.Errorf("%d: kept %v", i, !want)
		}
	}
}

// TestProcesses: many writers and readers of one file see whole entries.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	file := name("crl", "x", nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			k := &cache{dir: dir, size: 1 << 20} // as another process has its own
			body := bytes.Repeat([]byte{byte('a' + i)}, 5000)
			for range 50 {
				if err := k.put(file, &entry{body: body}); err != nil {
					t.Error(err)
				}
				if e := k.get(file, 1<<20); e != nil && bytes.Count(e.body, e.body[:1]) != 5000 {
					t.Error("a mixture")
				}
			}
		})
	}
	all.Wait()
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("%d files are left", len(list))
	}
}

// TestFlights: a hundred callers share one fetch; one who goes away does not end it; when all go, it ends.
func TestFlights(t *testing.T) {
	var asked atomic.Int64
	release, gone := make(chan struct{}), make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		select {
		case <-release:
			w.Write([]byte{0x30, 0})
		case <-r.Context().Done():
			gone <- struct{}{}
		}
	}))
	t.Cleanup(s.Close)
	c := here(t, Options{Dir: t.TempDir()})
	w := wanted{question: question{kind: kindCRL, url: s.URL}, read: func([]byte) (reading, error) { return reading{}, nil }}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			mine := t.Context()
			if i%2 == 0 {
				mine = ctx
			}
			e, err := c.load(mine, w)
			if i%2 == 0 && !errors.Is(err, context.Canceled) || i%2 == 1 && (err != nil || len(e.body) != 2) {
				t.Errorf("%d: %v, %v", i, e, err)
			}
		})
	}
	for range 1000 {
		c.flights.mu.Lock()
		n := 0
		for _, f := range c.flights.all {
			n += f.waiting
		}
		c.flights.mu.Unlock()
		if n == 100 && asked.Load() == 1 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	time.Sleep(20 * time.Millisecond)
	close(release)
	all.Wait()
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	release = make(chan struct{})
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := c.load(ctx, w); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	select {
	case <-gone:
	case <-time.After(3 * time.Second):
		t.Error("the fetch nobody waits for goes on")
	}
	if len(c.flights.all) != 0 {
		t.Errorf("%d flights are left", len(c.flights.all))
	}
}

// FuzzEntry: a file of the cache is whole or refused.
func FuzzEntry(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"kind":"crl","sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := parseEntry(data); err == nil && len(e.Sum) != 64 {
			t.Errorf("taken: %+v", e)
		}
	})
}

// FuzzURL: what passes leads to a host the rules know, on a port they allow.
func FuzzURL(f *testing.F) {
	for _, u := range hostile(8080) {
		f.Add(u)
	}
	f.Add("https://ca.example:8443/a?b=c")
	f.Fuzz(func(t *testing.T, raw string) {
		x, err := rules{}.target(raw)
		if err != nil {
			if !errors.Is(err, ErrRefused) {
				t.Fatal(err)
			}
			return
		}
		if x.literal.IsValid() && !public(x.literal) || !x.literal.IsValid() && (special(x.host) || endsInNumber(x.host)) || x.url.User != nil {
			t.Errorf("%q passed as %+v", raw, x)
		}
	})
}
