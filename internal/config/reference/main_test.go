// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"strings"
	"testing"

	"persten/internal/config"
)

// TestUpToDate: ADMIN.md says what the table says.
func TestUpToDate(t *testing.T) {
	t.Chdir("../../..")
	if err := run(true); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Sections() {
		for _, k := range s.Knobs {
			if k.Example != "" && !strings.Contains(string(text), "#### `"+s.Name+"."+k.Name+"`") {
				t.Errorf("%s.%s has no paragraph", s.Name, k.Name)
			}
		}
	}
}

// TestPlainExamples: the lines for the file are a policy, all of them together.
func TestPlainExamples(t *testing.T) {
	t.Chdir("../../..")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var policy strings.Builder
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "- `/etc/persten/policy.toml`: `"); ok {
			policy.WriteString(strings.TrimSuffix(rest, "`\n") + "\n")
		}
	}
	path := t.TempDir() + "/policy.toml"
	if err := os.WriteFile(path, []byte(policy.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.CheckPolicy(path); err != nil || strings.Count(policy.String(), "\n") < 30 {
		t.Errorf("%v\n%s", err, policy.String())
	}
}

func TestNoPlace(t *testing.T) {
	for _, text := range []string{"", begin, end + begin, "text\n"} {
		if _, err := insert([]byte(text)); err == nil {
			t.Errorf("%q has a place", text)
		}
	}
}
