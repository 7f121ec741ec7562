// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peerSources are small programs that call the libraries of others.
//
//go:embed peer
var peerSources embed.FS

// workbench is where a group works: a folder of its own, and what it has built and started there.
type workbench struct {
	dir      string
	self     string // this program
	sizes    []int  // of the XML documents, in bytes
	agent    string // persten, once built
	launcher string // of peer/launch.c, once built
	sessions []*session
}

func newWorkbench(dir string, sizes []int) (*workbench, error) {
	self, err := os.Executable()
	return &workbench{dir: dir, self: self, sizes: sizes}, err
}

// close ends what still runs.
func (w *workbench) close() {
	for _, s := range w.sessions {
		s.stop()
	}
}

func (w *workbench) path(name ...string) string {
	return filepath.Join(append([]string{w.dir}, name...)...)
}

// persten builds the agent as it is shipped.
func (w *workbench) persten(ctx context.Context) (string, error) {
	if w.agent != "" {
		return w.agent, nil
	}
	path := w.path("persten")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", path, "persten/agent")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	w.agent = path
	return path, nil
}

// compile builds a program of peer/ with the libraries that the flags name: "-lfoo", "pkg:foo" for what pkg-config says of
// foo, or "pkcs11" for the header pkcs11go.h of our binding.
func (w *workbench) compile(ctx context.Context, name string, flags ...string) (string, error) {
	if err := w.unpack(); err != nil {
		return "", err
	}
	source := w.path("peer", name)
	compiler := "cc"
	if filepath.Ext(name) != ".c" {
		compiler = "c++"
	}
	program := strings.TrimSuffix(source, filepath.Ext(name)) + "-peer"
	args := []string{"-O2", "-Wall", "-o", program, source}
	for _, flag := range flags {
		more, err := meaning(ctx, flag)
		if err != nil {
			return "", fmt.Errorf("%s: %w: installer/deps.sh build test bench", flag, err)
		}
		args = append(args, more...)
	}
	if out, err := exec.CommandContext(ctx, compiler, args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s %s: %w: installer/deps.sh build test bench: %s", compiler, name, err, out)
	}
	return program, nil
}

// meaning is what a flag of compile stands for.
func meaning(ctx context.Context, flag string) ([]string, error) {
	if library, ok := strings.CutPrefix(flag, "pkg:"); ok {
		said, err := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", library).Output()
		return strings.Fields(string(said)), err
	}
	if flag == "pkcs11" {
		said, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/miekg/pkcs11").Output()
		return []string{"-I", strings.TrimSpace(string(said)), "-ldl"}, err
	}
	return []string{flag}, nil
}

// unpack writes the sources of the peers into the folder.
func (w *workbench) unpack() error {
	if _, err := os.Stat(w.path("peer")); err == nil {
		return nil
	}
	return os.CopyFS(w.dir, peerSources)
}
