// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// registryDirs hold p11-kit's *.module files: what packages installed, and what the administrator changed. A file in the
// later folder replaces one of the same name in the earlier. The user's own folder is not read: the config file is for that.
var registryDirs = []string{"/usr/share/p11-kit/modules", "/etc/pkcs11/modules"}

// relativeDirs are where p11-kit looks for a module whose path is not absolute.
var relativeDirs = []string{"{lib}/pkcs11"}

// Limits of the registry.
const (
	maxRegistryFile  = 64 << 10
	maxRegistryFiles = 256
)

// us is the program name that enable-in and disable-in of the registry mean by Persten.
const us = "persten"

var errRegistry = errors.New("not a p11-kit module file")

// registered reads the registry. Files that others than the administrator may change, or that are malformed, are left out.
func registered(dirs []string, trusted func(string) error) []Module {
	files := map[string]string{} // path by name
	for _, dir := range dirs {
		list, _ := filepath.Glob(filepath.Join(dir, "*.module"))
		for _, path := range list[:min(len(list), maxRegistryFiles)] {
			files[filepath.Base(path)] = path
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []Module
	for _, name := range names {
		path := files[name]
		if trusted(path) != nil {
			continue
		}
		text, err := readSome(path, maxRegistryFile)
		if err != nil {
			continue
		}
		e, err := parseRegistered(text)
		if err != nil || !e.forUs() {
			continue
		}
		out = append(out, Module{
			Name: strings.TrimSuffix(name, ".module"), Path: e.path(trusted), Args: e["x-init-reserved"], Rank: rankRegistry,
		})
	}
	return out
}

func readSome(path string, most int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if int64(len(b)) > most {
		return "", fmt.Errorf("%s: %w: larger than %d bytes", path, errRegistry, most)
	}
	return string(b), err
}

// registryEntry is a module file's fields by name.
type registryEntry map[string]string

// parseRegistered reads "name: value" lines; # begins a comment line. A field given twice makes the file invalid.
func parseRegistered(text string) (registryEntry, error) {
	if len(text) > maxRegistryFile || strings.ContainsRune(text, 0) {
		return nil, errRegistry
	}
	e := registryEntry{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		if _, twice := e[name]; !ok || name == "" || twice || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, fmt.Errorf("%w: %.40q", errRegistry, line)
		}
		e[name] = strings.TrimSpace(value)
	}
	if e["module"] == "" {
		return nil, errRegistry
	}
	return e, nil
}

// forUs reports whether the entry is one to load here: a library with keys, not only trust anchors, not remote, and not
// switched off for us.
func (e registryEntry) forUs() bool {
	named := func(field string) bool {
		return slices.Contains(strings.FieldsFunc(e[field], func(r rune) bool { return r == ',' || unicode.IsSpace(r) }), us)
	}
	_, only := e["enable-in"]
	return e["remote"] == "" && e["trust-policy"] != "yes" && (!only || named("enable-in")) && !named("disable-in")
}

// path makes the module's path absolute.
func (e registryEntry) path(trusted func(string) error) string {
	path := e["module"]
	if filepath.IsAbs(path) {
		return path
	}
	for _, dir := range relativeDirs {
		for _, d := range expand(dir) {
			if p := filepath.Join(d, filepath.Clean("/"+path)); trusted(p) == nil {
				return p
			}
		}
	}
	return path
}
