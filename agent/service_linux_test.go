// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"persten/installer"
	"persten/proto"
)

func TestServiceWithoutSystemd(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for _, action := range []string{"install", "uninstall", "start", "stop", "restart", "status"} {
		if err := runService(t.Context(), []string{action}); !errors.Is(err, proto.Code("service_unavailable")) {
			t.Errorf("%s: %v, want service_unavailable", action, err)
		}
	}
}

func TestUnitTemplate(t *testing.T) {
	got := unitTemplate(installer.Service)
	if !strings.Contains(got, "ExecStart={{Path | cmdEscape}}{{range Arguments}} {{. | cmd}}{{end}}\n") || strings.Contains(got, installer.ExecStart) {
		t.Error("the unit has no place for the command")
	}
}

func TestSplitSandbox(t *testing.T) {
	rest, directives := installer.SplitSandbox(installer.Service)
	if len(directives) < 10 {
		t.Fatalf("only %d directives: %q", len(directives), directives)
	}
	for _, d := range directives {
		if !regexp.MustCompile(`^[A-Z][A-Za-z]+=`).MatchString(d) {
			t.Errorf("%q is no directive", d)
		}
		if strings.Contains(rest, d) {
			t.Errorf("%q is still there", d)
		}
	}
	for _, want := range []string{"NoNewPrivileges=yes", "LimitCORE=0", "SystemCallFilter=", "[Install]\nWantedBy=default.target"} {
		if !strings.Contains(rest, want) {
			t.Errorf("%q went with the sandbox", want)
		}
	}
	if again, none := installer.SplitSandbox(rest); again != rest || none != nil {
		t.Error("a unit without the section did not come back as it was")
	}
}

// TestUnitExposure asks systemd-analyze, which works without a running systemd, for its score: 0 is shut, 10 is open.
func TestUnitExposure(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: the scores of the units were not checked")
	}
	units, err := filepath.Glob("../installer/linux/*.service")
	if err != nil || len(units) < 3 {
		t.Fatalf("%d units, %v", len(units), err)
	}
	for _, unit := range units {
		out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", unit).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", unit, err, out)
		}
		m := regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`).FindSubmatch(out)
		if m == nil {
			t.Fatalf("%s: no score in %s", unit, out)
		}
		if score, err := strconv.ParseFloat(string(m[1]), 64); err != nil || score > 2.0 {
			t.Errorf("%s: exposure %s, want at most 2.0", unit, m[1])
		}
		t.Logf("%s: exposure %s", unit, m[1])
	}
}

// TestServiceProgramGuarded: everybody's connections go through the program of the shared port, so one that its owner alone can
// change, or that lies where others may write, is not installed.
func TestServiceProgramGuarded(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "persten")
	if err := os.WriteFile(mine, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var pe *proto.Error
	if err := guarded(mine); !errors.As(err, &pe) || pe.Code != proto.CodeServiceUnsafe {
		t.Errorf("%s: %v", mine, err)
	}
	if err := guarded("/bin/sh"); err != nil {
		t.Errorf("/bin/sh: %v", err)
	}
}
