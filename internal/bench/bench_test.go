// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the child that the experiments start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		exit(child(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func TestXML(t *testing.T) {
	for _, program := range []string{"cc", "pkg-config", "xmllint", "xmlsec1"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: 3 experiments: %v", err)
		}
	}
	out := filepath.Join(t.TempDir(), "B.md")
	if err := run(t.Context(), "xml", "0.2", 1, out); err != nil {
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
	e := experiment{
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
	if s, err := command("", true, "echo", "123456789").run(t.Context()); err != nil || s.work != 123456789 || s.process <= 0 || s.memory < 100<<10 {
		t.Errorf("echo: %+v, %v", s, err)
	}
	for _, c := range []contestant{command("", true, "true"), command("", false, "false"), command("", false, "/nonexistent")} {
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
	r := result{experiment{faster: 2, memory: 0.5, contestants: make([]contestant, 3)}, []sample{
		{work: 10 * ms, process: 20 * ms, memory: 30},
		{work: 50 * ms, process: 60 * ms, memory: 300},
		{process: 50 * ms, memory: 100},
	}}
	if speed, memory := r.worst(); speed != 2.5 || memory != 0.3 {
		t.Errorf("worst ratios %v and %v, want 2.5 (of whole processes) and 0.3", speed, memory)
	}
	if v := r.verdict(); strings.Count(v, "met,") != 2 {
		t.Error(v)
	}
	r.faster, r.memory = 3, 0.3
	if v := r.verdict(); strings.Count(v, "**missed**") != 2 {
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
