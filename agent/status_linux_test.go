// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/proto"
)

// TestStatusCheck: a monitoring system hears in one line and by the exit code how a session is.
func TestStatusCheck(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	line := regexp.MustCompile(`^PERSTEN (OK|WARNING|CRITICAL|UNKNOWN): .+ \| tokens=1 prompts=0 days_left=\d+\n$`)
	check := func(want level, args ...string) {
		t.Helper()
		out, stderr, code := d.run(append([]string{"status", "--check"}, args...)...)
		m := line.FindStringSubmatch(out)
		if m == nil || code != int(want) || m[1] != levelNames[want] || stderr != "" {
			t.Errorf("%v: exit code %d, want %d: %s%s", args, code, want, out, stderr)
		}
	}
	check(levelOK, "--warn-days", "1", "--critical-days", "1")
	check(levelWarning, "--warn-days", "100000")
	check(levelCritical, "--warn-days", "100000", "--critical-days", "100000")
	if _, _, code := d.run("status", "--check", "--warn-days", "1", "--critical-days", "2"); code != exitUsage {
		t.Errorf("limits the wrong way round: exit code %d", code)
	}
	d.shape("status-check.json", "status", "--check", "--warn-days", "100000")
	d.stop()
	if out, _, code := d.run("status", "--check"); code != int(levelCritical) || !strings.Contains(out, string(proto.CodeAgentNotRunning)) {
		t.Errorf("without a session: exit code %d: %s", code, out)
	}
}

// TestStatusProblems: what hinders signing is critical, what does not is a warning.
func TestStatusProblems(t *testing.T) {
	for _, c := range []struct {
		p      proto.Problem
		tokens int
		want   level
	}{
		{proto.Problem{Code: proto.CodeForwardFailed}, 0, levelWarning},
		{proto.Problem{Code: proto.CodePortTaken}, 1, levelWarning},
		{proto.Problem{Code: proto.CodeModuleFailed, Args: map[string]string{"reason": "crashed"}}, 1, levelCritical},
		{proto.Problem{Code: proto.CodeModuleNotStarted, Args: map[string]string{"reason": "initialise"}}, 1, levelWarning},
		{proto.Problem{Code: proto.CodeModuleNotStarted, Args: map[string]string{"reason": "initialise"}}, 0, levelCritical},
		{proto.Problem{Code: proto.CodeJournalUnwritable}, 1, levelCritical},
	} {
		if got := problemLevel(c.p, c.tokens); got != c.want {
			t.Errorf("%s %v with %d tokens: %s, want %s", c.p.Code, c.p.Args, c.tokens, levelNames[got], levelNames[c.want])
		}
	}
	h := health{Level: "OK"}
	now := time.Now()
	h.left(proto.Certificate{Thumbprint: strings.Repeat("a", 40), NotAfter: now.Add(-time.Hour)}, checkLimits{30, 7}, now)
	h.left(proto.Certificate{Thumbprint: strings.Repeat("b", 40), NotAfter: now.AddDate(1, 0, 0), SignUntil: now.AddDate(0, 0, 3)}, checkLimits{30, 7}, now)
	if h.level != levelCritical || h.DaysLeft == nil || *h.DaysLeft > 3 || len(h.Reasons) != 1 {
		t.Errorf("a key that ends before its certificate: %+v", h)
	}
}

// TestStatusJSON holds what programs read from persten status --json: fields are added, never changed.
func TestStatusJSON(t *testing.T) {
	d := newDaemon(t, setting{})
	config, err := os.ReadFile(d.path("config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("config.toml", string(config)+"[[module]]\nname = \"broken\"\npath = \"/proc/version\"\n") // for a problem in the list
	d.start(setting{})
	d.shape("status.json", "status")
}

// shape compares the JSON a command prints with a file of testdata/fleet: names of fields with the kinds of their values.
func (d *daemon) shape(file string, args ...string) {
	d.t.Helper()
	out, _, _ := d.run(append(args, "--json")...)
	var got any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		d.t.Fatalf("%v: %s", err, out)
	}
	golden, err := os.ReadFile("../testdata/fleet/" + file)
	if err != nil {
		d.t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(golden, &want); err != nil {
		d.t.Fatal(err)
	}
	if kinds := kindsOf(got); !reflect.DeepEqual(kinds, want) {
		text, _ := json.MarshalIndent(kinds, "", "  ")
		d.t.Errorf("%v has this form:\n%s\nand %s another", args, text, file)
	}
}

// kindsOf puts kinds in the place of values; of a list, that of its first element.
func kindsOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			m[k] = kindsOf(v[k])
		}
		return m
	case []any:
		if len(v) == 0 {
			return []any{}
		}
		return []any{kindsOf(v[0])}
	case float64:
		return "number"
	case bool:
		return "boolean"
	}
	return "string"
}
