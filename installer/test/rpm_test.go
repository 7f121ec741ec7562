// SPDX-License-Identifier: GPL-3.0-or-later

package test

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRPM installs the .rpm into an empty root: it brings what the .deb brings, names every library that it links, and takes
// everything away again.
func TestRPM(t *testing.T) {
	now, _ := folders(t)
	root := t.TempDir()
	packages, err := filepath.Glob(filepath.Join(now, "*.rpm"))
	if err != nil || len(packages) != 2 {
		t.Fatalf("%v, %v", packages, err)
	}
	rpm := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("rpm", append([]string{"--root", root, "--dbpath", "/var/lib/rpm"}, args...)...).Output()
		if err != nil {
			t.Fatalf("rpm %v: %v", args, err)
		}
		return string(out)
	}
	rpm("--initdb")
	// What it needs is looked at below, and its scripts have no shell here; they are those of the .deb.
	rpm(append([]string{"--install", "--nodeps", "--noscripts"}, packages...)...)
	for _, program := range []string{"persten", "persten-desktop"} {
		f, err := elf.Open(filepath.Join(root, "usr/bin", program))
		if err != nil {
			t.Fatal(err)
		}
		libraries, err := f.ImportedLibraries()
		f.Close()
		if err != nil || len(libraries) == 0 {
			t.Fatalf("%s links %v, %v", program, libraries, err)
		}
		needs := rpm("--query", "--requires", program)
		for _, l := range libraries {
			if !slices.Contains(glibc, l) && !strings.Contains(needs, l+"()(64bit)\n") || !strings.Contains(needs, "libc.so.6(GLIBC_2.28)(64bit)\n") {
				t.Errorf("%s links %s and needs\n%s", program, l, needs)
			}
		}
	}
	brought := rpm("--query", "--list", "persten", "persten-desktop")
	for _, f := range debFiles(t, now) {
		if f = strings.Replace(f, "/vendor-completions/", "/site-functions/", 1); !strings.Contains(brought, f+"\n") {
			t.Errorf("the .rpm has no %s", f)
		}
	}
	rpm("--erase", "--nodeps", "--noscripts", "persten-desktop", "persten")
	for f := range strings.Lines(brought) {
		if _, err := os.Lstat(filepath.Join(root, strings.TrimSpace(f))); err == nil {
			t.Errorf("%s was left", strings.TrimSpace(f))
		}
	}
}

// glibc is one package, whose version is named.
var glibc = []string{"libc.so.6", "libdl.so.2", "libpthread.so.0", "libresolv.so.2", "libm.so.6"}

// debFiles lists what the .deb files bring, without folders.
func debFiles(t *testing.T, dir string) (files []string) {
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(packages) != 2 {
		t.Fatalf("%v, %v", packages, err)
	}
	for _, p := range packages {
		out, err := exec.Command("dpkg-deb", "--contents", p).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			f := strings.Fields(line)
			if name := f[len(f)-1]; !strings.HasSuffix(name, "/") {
				files = append(files, strings.TrimPrefix(name, "."))
			}
		}
	}
	return files
}
