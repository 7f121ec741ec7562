// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/token/tokentest"
)

// TestMain lets the test binary be the child that the experiments start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		exit(child(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// needs skips the test, saying what was not run, without these programs.
func needs(t *testing.T, what string, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: %s: %v", what, err)
		}
	}
}

func TestXML(t *testing.T) {
	needs(t, "3 experiments", "cc", "pkg-config", "xmllint", "xmlsec1")
	out := filepath.Join(t.TempDir(), "B.md")
	if err := run(t.Context(), []string{"xml"}, "0.2", 1, out); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## XML\n", "### Parse and exclusive C14N, 0.2 MB\n", "### Enveloped signature, 0.2 MB\n", "### Verification, 0.2 MB\n",
		"\n| Persten, c14n.Run | ", "\n| xmlsec1 --verify | "} {
		if strings.Count(string(data), want) != 1 {
			t.Errorf("not once: %q in\n%s", want, data)
		}
	}
}

// TestDisagreement: a contestant with another result stops the run, before anything is timed.
func TestDisagreement(t *testing.T) {
	e := race{
		check: func(context.Context) error { return os.ErrInvalid },
		contestants: []contestant{{"nobody", func(context.Context) (sample, error) {
			t.Error("it ran")
			return sample{}, nil
		}}},
	}
	if _, err := e.measure(t.Context(), 1); err == nil {
		t.Error("measured")
	}
}

func TestCommand(t *testing.T) {
	w := testWorkbench(t)
	s, err := w.command("", true, "echo", "123456789").run(t.Context())
	if err != nil || s.work != 123456789 || s.process <= 0 || s.memory < 100<<10 || s.memory > 5<<20 {
		t.Errorf("echo: %+v, %v", s, err)
	}
	for _, c := range []contestant{w.command("", true, "true"), w.command("", false, "false"), w.command("", false, "/nonexistent")} {
		if s, err := c.run(t.Context()); err == nil {
			t.Errorf("no error, %+v", s)
		}
	}
}

func TestRatios(t *testing.T) {
	five := []sample{{memory: 9}, {memory: 1}, {memory: 5}, {memory: 100}, {memory: 2}}
	if m := medians(five); m.memory != 5 {
		t.Errorf("median %d, want 5", m.memory)
	}
	const ms = time.Millisecond
	r := result{race{faster: 2, memory: 0.5, contestants: make([]contestant, 3)}, []sample{
		{work: 10 * ms, process: 20 * ms, memory: 30},
		{work: 50 * ms, process: 60 * ms, memory: 300},
		{process: 50 * ms, memory: 100},
	}}
	if speed, memory := r.worst(); speed != 2.5 || memory != 0.3 {
		t.Errorf("worst ratios %v and %v, want 2.5 (of whole processes) and 0.3", speed, memory)
	}
	if v := r.table().markdown(); strings.Count(v, "met,") != 2 {
		t.Error(v)
	}
	r.faster, r.memory = 3, 0.2
	if v := r.table().markdown(); strings.Count(v, "**missed**") != 2 {
		t.Error(v)
	}
}

func TestReplaceSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "B.md")
	for _, step := range []struct{ title, text string }{{"A", "## A\n\nold\n"}, {"B", "## B\n\nb\n\n### of B\n"}, {"A", "## A\n\nnew\n"}} {
		if err := replaceSection(path, step.title, step.text); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if want := fileHead + "## A\n\nnew\n\n## B\n\nb\n\n### of B\n"; err != nil || string(got) != want {
		t.Errorf("%v, got\n%s", err, got)
	}
}

func TestDocumentIsFixed(t *testing.T) {
	var a, b strings.Builder
	if document(&a, 50_000, "") != nil || document(&b, 50_000, "") != nil || a.String() != b.String() {
		t.Error("two documents of one size differ")
	}
	if n := a.Len(); n < 50_000 || n > 55_000 {
		t.Errorf("%d bytes", n)
	}
}

// testWorkbench is a workbench in the test's folder.
func testWorkbench(t *testing.T) *workbench {
	t.Helper()
	dir, err := os.MkdirTemp("", "pb-") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWorkbench(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.close()
		os.RemoveAll(dir)
	})
	return w
}

// TestGOST: the contestants agree, and each is timed.
func TestGOST(t *testing.T) {
	g := &gostWork{workbench: testWorkbench(t), slice: time.Millisecond}
	needs(t, "3 experiments", "cc", "c++", "pkg-config", "openssl")
	if err := exec.Command("pkg-config", "--exists", "botan-2", "libgcrypt", "libcrypto").Run(); err != nil {
		t.Skipf("NOT RUN: 3 experiments: headers of Botan, libgcrypt or OpenSSL: %v", err)
	}
	if err := g.prepare(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	k, err := g.newKey(t.Context(), "CryptoProA")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []rates{g.streebog("512"), k.signing(), k.verification()} {
		table, err := r.measure(t.Context(), 1)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
			continue
		}
		if len(table.rows) != len(r.racers) || len(table.rows) < 5 || len(table.targets) == 0 {
			t.Errorf("%s: %d rows, %d targets", r.name, len(table.rows), len(table.targets))
		}
	}
	other, err := g.newKey(t.Context(), "CryptoProA") // OpenSSL, which reads the file, has this one now
	if err != nil {
		t.Fatal(err)
	}
	k.signed = other.signed
	if err := k.accepted(t.Context()); err == nil {
		t.Error("contestants with two keys agree")
	}
}

func TestListing(t *testing.T) {
	l := &listingWork{workbench: testWorkbench(t), tokens: 2, each: 3}
	needs(t, "1 experiment", "cc", "softhsm2-util", "pkcs11-tool")
	if err := l.fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	table, err := l.measure(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.rows) != 4 || strings.Contains(table.markdown(), "–") {
		t.Errorf("a time is missing:\n%s", table.markdown())
	}
	l.each++
	if _, err := l.measure(t.Context(), 1); err == nil {
		t.Error("a wrong number of certificates is not noticed")
	}
}

func TestIdle(t *testing.T) {
	w := &idleWork{testWorkbench(t), 0, 100 * time.Millisecond}
	if _, err := tokentest.BuildModule(); errors.Is(err, tokentest.ErrNoModule) {
		t.Skipf("NOT RUN: 2 experiments: %v", err)
	}
	table, err := w.firstAnswer(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if ms := table.targets[0].got; ms <= 0 || ms > 60_000 {
		t.Errorf("first answer after %v ms", ms)
	}
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: the idle session, which needs root and a mount namespace: %v: %s", err, out)
	}
	if table, err = w.idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(table.rows) != 11 || table.targets[0].got < 1 {
		t.Errorf("no memory:\n%s", table.markdown())
	}
}

func TestTarget(t *testing.T) {
	for _, c := range []struct {
		target
		want string
	}{
		{target{"speed", 2.5, 2, false, "×"}, "Target: speed: at least 2 ×: met, 2.5."},
		{target{"speed", 1.999, 2, false, "×"}, "Target: speed: at least 2 ×: **missed**, 2."},
		{target{"memory", 30, 25, true, "MiB"}, "Target: memory: at most 25 MiB: **missed**, 30."},
		{target{"memory", 25, 25, true, "MiB"}, "Target: memory: at most 25 MiB: met, 25."},
	} {
		if got := c.target.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestChosen(t *testing.T) {
	if g, err := chosen([]string{"idle", "xml"}); err != nil || len(g) != 2 {
		t.Errorf("%v, %v", g, err)
	}
	if g, err := chosen([]string{"all"}); err != nil || len(g) != len(groups) {
		t.Errorf("%v, %v", g, err)
	}
	for _, names := range [][]string{nil, {"nothing"}, {"xml", "nothing"}} {
		if _, err := chosen(names); err == nil {
			t.Errorf("%q: no error", names)
		}
	}
}

func TestPercentile(t *testing.T) {
	same := func(d time.Duration) time.Duration { return d }
	all := []time.Duration{30, 10, 40, 20}
	for p, want := range map[int]time.Duration{1: 10, 25: 10, 50: 20, 75: 30, 95: 40, 100: 40} {
		if got := percentile(all, p, same); got != want {
			t.Errorf("%d: %d, want %d", p, got, want)
		}
	}
	if m := median(all, same); m != 25 {
		t.Errorf("median %d", m)
	}
	if median(nil, same) != 0 || percentile(nil, 95, same) != 0 {
		t.Error("nothing has a median")
	}
}
