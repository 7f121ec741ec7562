// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"persten/internal/text"
	"persten/proto"
)

// A check that hangs, one that panics and one that finds too much hinder neither the others nor the order.
func TestRunBadChecks(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	d := &Doctor{m: &Machine{}, patience: 200 * time.Millisecond, checks: []Check{
		{Code: "config", Run: func(context.Context, *Machine) []Finding { <-never; return nil }},
		{Code: "agent", Run: func(context.Context, *Machine) []Finding { panic("canary") }},
		{Code: "journal", Run: func(context.Context, *Machine) []Finding { return make([]Finding, 10_000) }},
		{Code: "disk", Fault: proto.DoctorFaultPortal, Run: func(context.Context, *Machine) []Finding { return nil }},
	}}
	var ended []string
	start := time.Now()
	list, err := d.Run(t.Context(), proto.DoctorRunParams{}, "en", func(check string, done, total int) {
		ended = append(ended, check)
		if done != len(ended) || total != 4 {
			t.Errorf("%s: %d of %d", check, done, total)
		}
	})
	if err != nil || time.Since(start) > 5*time.Second {
		t.Fatal(err, time.Since(start))
	}
	if len(list) != 3+maxFindings || list[0].Code != "check_hung" || list[1].Code != "check_failed" {
		t.Errorf("%d findings: %+v", len(list), list[:2])
	}
	last := list[len(list)-1]
	if last.Code != "disk" || last.Level != proto.DoctorLevelOK || last.Fault != proto.DoctorFaultPortal || last.Text.Next != "" {
		t.Errorf("%+v", last)
	}
	slices.Sort(ended)
	if !slices.Equal(ended, []string{"agent", "config", "disk", "journal"}) {
		t.Error(ended)
	}
}

func TestRunCancelled(t *testing.T) {
	d := &Doctor{m: &Machine{}, patience: time.Minute, checks: []Check{
		{Code: "config", Run: func(ctx context.Context, _ *Machine) []Finding { <-ctx.Done(); return nil }},
	}}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := d.Run(ctx, proto.DoctorRunParams{}, "en", nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestUnknown(t *testing.T) {
	d := New(&Machine{})
	if _, err := d.Run(t.Context(), proto.DoctorRunParams{Checks: []string{"config", "none"}}, "en", nil); !errors.Is(err, proto.CodeRequestInvalid) {
		t.Error(err)
	}
	if _, err := d.Fix(t.Context(), proto.DoctorFixParams{ID: "none"}, "en"); !errors.Is(err, proto.CodeRequestInvalid) {
		t.Error(err)
	}
}

// On an empty machine of which nothing else is known nothing is found but that: what cannot be looked at is no finding.
func TestNothingKnown(t *testing.T) {
	m := This()
	m.Root, m.Env = t.TempDir(), func(string) string { return "" }
	t.Setenv("HOME", m.Root)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("PATH", "")
	list, err := New(m).run(t.Context(), proto.DoctorRunParams{}, nil)
	if err != nil || len(list) != len(checks) {
		t.Fatal(err, len(list))
	}
	for _, f := range list {
		if f.Level != OK && f.Code != "browser_none" {
			t.Errorf("%+v", f)
		}
	}
}

// causes reads from the sources every code with its level that a check may find.
func causes(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			fn, _ := call.Fun.(*ast.Ident)
			if fn == nil || !slices.Contains([]string{"problem", "warning", "note", "found"}, fn.Name) {
				return true
			}
			code := call.Args[0]
			if fn.Name == "found" {
				code = call.Args[1]
			}
			if lit, ok := code.(*ast.BasicLit); ok {
				code, _ := strconv.Unquote(lit.Value)
				all[code] = true
			}
			return true
		})
	}
	if len(all) < 5 {
		t.Fatalf("%d causes: the test looked in the wrong place", len(all))
	}
	return all
}

// Every check, cause and repair has its words.
func TestWords(t *testing.T) {
	for _, c := range checks {
		if !text.Has(key(c.Code, "ok")) || !text.Has(key(c.Code, "title")) {
			t.Errorf("check %s has no words", c.Code)
		}
	}
	for _, f := range fixes {
		label := New(&Machine{}).button(Finding{Fix: f.ID}, text.English).Label
		if strings.HasPrefix(label, "doctor.") || !slices.ContainsFunc(checks, func(c Check) bool { return c.Code == f.Check }) {
			t.Errorf("repair %s: label %q, check %s", f.ID, label, f.Check)
		}
	}
	for _, lang := range []text.Lang{text.Russian, text.English} {
		if b := New(&Machine{}).button(Finding{Fix: "import_root", agree: true}, lang); b.Needs != proto.DoctorNeedConsent || strings.HasPrefix(b.Label, "doctor.") {
			t.Errorf("the yes to a root: %+v", b)
		}
	}
	for code := range causes(t) {
		_, listed := proto.Lookup(proto.Code(code))
		if !listed && (!text.Has(key(code, "what")) || !text.Has(key(code, "next"))) {
			t.Errorf("cause %s has no words", code)
		}
	}
}

// What stands in the socket's way is put aside, not removed; a folder that is open is closed.
func TestSocketRepairs(t *testing.T) {
	if !checksModes {
		t.Skip("modes mean nothing here")
	}
	dir := t.TempDir()
	m := This()
	m.Root = dir
	m.Socket = filepath.Join(dir, "run", "session.sock")
	m.Status = func(context.Context) (*proto.AgentStatusResult, error) {
		return nil, proto.E(proto.CodeAgentNotRunning, nil)
	}
	if err := os.Mkdir(filepath.Dir(m.Socket), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.Socket, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct{ code, fix string }{
		{"agent_folder_open", "close_folder"}, {"agent_socket_blocked", "clear_socket"}, {"agent_stopped", ""},
	} {
		list, err := New(m).run(t.Context(), proto.DoctorRunParams{Checks: []string{"agent"}}, nil)
		if err != nil || len(list) != 1 || list[0].Code != want.code {
			t.Fatalf("%+v, %v, want %s", list, err, want.code)
		}
		if want.fix == "" {
			break
		}
		if _, err := New(m).Fix(t.Context(), proto.DoctorFixParams{ID: want.fix}, "en"); err != nil {
			t.Fatal(err)
		}
	}
	aside, _ := filepath.Glob(m.Socket + ".aside-*")
	if len(aside) != 1 {
		t.Errorf("put aside: %v", aside)
	}
}
