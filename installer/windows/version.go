// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"regexp"
	"strings"
)

// version is one version in the forms Windows wants.
type version struct {
	Full   string // as git describe tells it
	Number string // three numbers: what Windows Installer compares
	File   string // four numbers: of the programs; the last one counts commits since the tag
}

var describe = regexp.MustCompile(`^v?(\d{1,3})\.(\d{1,3})\.(\d{1,5})(?:-(\d{1,5})-g[0-9a-f]+)?`)

// parseVersion reads what git describe tells. Without a tag it is 0.0.1, below every release.
func parseVersion(full string) version {
	m := describe.FindStringSubmatch(full)
	if m == nil {
		return version{full, "0.0.1", "0.0.1.0"}
	}
	number := strings.Join(m[1:4], ".")
	commits := m[4]
	if commits == "" {
		commits = "0"
	}
	return version{full, number, number + "." + commits}
}

// Commas is File as resource scripts write it.
func (v version) Commas() string { return strings.ReplaceAll(v.File, ".", ",") }
