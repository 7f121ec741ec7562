// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
)

// maxPasted bounds what a paste may bring.
const maxPasted = 64 << 10

// pastedPath finds the first file a paste names: file managers put paths there, or file addresses one to a line, some of
// them below the word "copy" or "cut".
func pastedPath(s string) (string, bool) {
	if len(s) > maxPasted {
		return "", false
	}
	for line := range strings.Lines(s) {
		if path, ok := localPath(strings.Trim(strings.TrimSpace(line), `"`)); ok {
			return path, true
		}
	}
	return "", false
}

// localPath reads a path, or the address of a file on this machine.
func localPath(s string) (string, bool) {
	if strings.ContainsRune(s, 0) {
		return "", false
	}
	if filepath.IsAbs(s) {
		return filepath.Clean(s), true
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	path := u.Path
	if runtime.GOOS == "windows" {
		path = filepath.FromSlash(strings.TrimPrefix(path, "/"))
	}
	if strings.ContainsRune(path, 0) || !filepath.IsAbs(path) {
		return "", false
	}
	return filepath.Clean(path), true
}
