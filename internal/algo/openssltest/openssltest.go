// SPDX-License-Identifier: GPL-3.0-or-later

// Package openssltest runs the openssl program with its GOST engine: the maker and judge in tests that is not ours.
package openssltest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// config loads the engine by its path: Debian's openssl does not look where its package puts it.
const config = "openssl_conf=a\n[a]\nengines=b\n[b]\ngost=c\n[c]\nengine_id=gost\ndynamic_path=ENGINE\ndefault_algorithms=ALL\n"

// Folder is a temporary folder that openssl works in. Its methods may be called from several goroutines, those that end the test
// only from the test's own.
type Folder struct {
	t   testing.TB
	dir string
}

// New returns an empty folder. Where openssl or its engine is not installed, the test is skipped and says what was not run.
func New(t testing.TB, notRun string) *Folder {
	t.Helper()
	engines, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so")
	if _, err := exec.LookPath("openssl"); err != nil || len(engines) == 0 {
		t.Skip("openssl with libengine-gost-openssl is not installed: " + notRun)
	}
	f := &Folder{t, t.TempDir()}
	f.Write("openssl.cnf", []byte(strings.ReplaceAll(config, "ENGINE", engines[0])))
	return f
}

// Path returns the whole name of a file in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.dir, name) }

// Write writes a file in the folder; failing ends the test.
func (f *Folder) Write(name string, data []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.Path(name), data, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// Read reads a file in the folder; failing ends the test.
func (f *Folder) Read(name string) []byte {
	f.t.Helper()
	data, err := os.ReadFile(f.Path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return data
}

// Try runs openssl in the folder and returns all it said.
func (f *Folder) Try(args ...string) (string, error) {
	cmd := exec.Command("openssl", args...)
	cmd.Dir = f.dir
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+f.Path("openssl.cnf"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Run is Try whose failure ends the test.
func (f *Folder) Run(args ...string) string {
	f.t.Helper()
	out, err := f.Try(args...)
	if err != nil {
		f.t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}
