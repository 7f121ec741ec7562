// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

//go:embed modules.json
var modulesJSON []byte

// vendor is a row of the catalogue, modules.json.
type vendor struct {
	Name       string   `json:"name"`
	Vendor     string   `json:"vendor"`
	Tokens     string   `json:"tokens"` // what people call them
	Rank       int      `json:"rank"`
	Args       string   `json:"args"`  // of C_Initialize
	Needs      string   `json:"needs"` // a file without which the module has nothing to show
	Linux      []string `json:"linux"`
	Darwin     []string `json:"darwin"`
	Windows    []string `json:"windows"`
	Unverified bool     `json:"unverified"` // the paths are from documents only
	USB        []string `json:"usb"`        // vendor ids of tokens that need this library and no other
	Soft       bool     `json:"soft"`       // keys are in files or in the computer
}

// Ranks of modules the catalogue does not know.
const (
	rankConfig   = 5  // named by the user: before all we know
	rankRegistry = 50 // p11-kit's: after vendors' own, before OpenSC
)

var vendors = func() []vendor {
	var list struct {
		Modules []vendor `json:"modules"`
	}
	if err := json.Unmarshal(modulesJSON, &list); err != nil {
		panic("pkcs11: modules.json: " + err.Error()) // caught by every test
	}
	return list.Modules
}()

func (v vendor) paths() []string {
	switch runtime.GOOS {
	case "windows":
		return v.Windows
	case "darwin":
		return v.Darwin
	}
	return v.Linux
}

// Catalogue returns the libraries installed here that are in the built-in list or in p11-kit's registry, one path each and
// each file once. A file that somebody other than the administrator could have put there is left out.
func Catalogue() []Module {
	return catalogue(vendors, registryDirs, Trusted)
}

func catalogue(vendors []vendor, registry []string, trusted func(string) error) []Module {
	var found []Module
	seen := map[string]bool{}
	add := func(m Module) bool {
		if trusted(m.Path) != nil {
			return false
		}
		if file := realPath(m.Path); !seen[file] {
			seen[file] = true
			found = append(found, m)
		}
		return true
	}
	for _, v := range vendors {
		if v.Needs != "" && !exists(expand(v.Needs)[0]) {
			continue
		}
		for _, p := range v.paths() {
			if slices.ContainsFunc(expand(p), func(p string) bool { return add(v.module(p)) }) {
				break
			}
		}
	}
	for _, m := range registered(registry, trusted) {
		add(m)
	}
	slices.SortStableFunc(found, func(a, b Module) int { return cmp.Compare(a.Rank, b.Rank) })
	return found
}

// Known is a row of the built-in catalogue, with what is installed here.
type Known struct {
	Name, Vendor, Tokens string
	USB                  []string // vendor ids of tokens that need this library and no other; four lower hex digits
	Soft                 bool     // keys are in files or in the computer
	Path                 string   // of the library, empty when it is not here
	Fault                error    // why the library that is here is not used
}

// Survey tells of every library of the built-in catalogue whether it is here. The first that can be used goes before others.
func Survey() (all []Known) {
	for _, v := range vendors {
		k := Known{Name: v.Name, Vendor: v.Vendor, Tokens: v.Tokens, USB: v.USB, Soft: v.Soft}
		for _, p := range v.paths() {
			for _, path := range expand(p) {
				if fault := Trusted(path); exists(path) && (k.Path == "" || fault == nil && k.Fault != nil) {
					k.Path, k.Fault = path, fault
				}
			}
		}
		all = append(all, k)
	}
	return all
}

func (v vendor) module(path string) Module {
	m := Module{Name: v.Name, Path: path, Rank: v.Rank}
	if v.Args != "" {
		m.Args = expand(v.Args)[0]
	}
	return m
}

// FromConfig is a module that the user or the administrator named. What the catalogue knows of such a file applies to it.
func FromConfig(name, path string) Module {
	m := Module{Name: name, Path: path, Rank: rankConfig}
	for _, v := range vendors {
		if slices.ContainsFunc(v.paths(), func(p string) bool { return base(p) == base(path) }) {
			known := v.module(path)
			m.Args, m.Rank = known.Args, known.Rank
		}
	}
	return m
}

// base is the last element of a path of any system.
func base(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// expand replaces the names in braces; {lib} stands for several folders.
func expand(path string) []string {
	home, err := os.UserHomeDir()
	if err != nil || strings.ContainsAny(home, `'"`) {
		home = "/nonexistent"
	}
	path = strings.NewReplacer(
		"{home}", home,
		"{system}", filepath.Join(os.Getenv("SystemRoot"), "System32"),
		"{programs}", os.Getenv("ProgramFiles"),
	).Replace(path)
	if !strings.HasPrefix(path, "{lib}") {
		return []string{path}
	}
	var all []string
	for _, dir := range libraryDirs[runtime.GOARCH] {
		all = append(all, strings.Replace(path, "{lib}", dir, 1))
	}
	return all
}

// libraryDirs are where distributions keep libraries, by processor.
var libraryDirs = map[string][]string{
	"amd64": {"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"},
	"arm64": {"/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"},
}

// Trusted reports why the library at path should not be loaded without being named by its user: it is not absolute, not
// there, or writable by others than the administrator.
func Trusted(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s: not an absolute path", path)
	}
	if isProxy(path) {
		return fmt.Errorf("%s: p11-kit-proxy is never loaded", path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New(path + ": not a file")
	}
	return administered(real)
}
