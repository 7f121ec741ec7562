// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"persten/internal/browser"
)

func seen(m *Machine) []browser.Seen {
	return browser.Look(browser.Options{Executable: m.Program, Root: m.Root})
}

// unless is how much a browser's finding hinders: little, when another browser does without it.
func unless(another bool) Level {
	if another {
		return Note
	}
	return Problem
}

// checkExtension looks for our extension in the profiles of every browser.
func checkExtension(_ context.Context, m *Machine) (list []Finding) {
	all := seen(m)
	if len(all) == 0 {
		return []Finding{note("browser_none", "")}
	}
	good := slices.ContainsFunc(all, func(b browser.Seen) bool { return !b.Policy.Extension && best(b).State == browser.ExtensionOn })
	for _, b := range all {
		list = append(list, judgeExtension(m, b, good)...)
	}
	return list
}

// best is the profile in which the extension stands best.
func best(b browser.Seen) browser.Profile {
	order := []browser.ExtensionState{
		browser.ExtensionOn, browser.ExtensionOff, browser.ExtensionUnsigned, browser.ExtensionOtherID, browser.ExtensionAbsent,
	}
	found := browser.Profile{State: browser.ExtensionAbsent}
	for _, p := range b.Profiles {
		if slices.Index(order, p.State) < slices.Index(order, found.State) {
			found = p
		}
	}
	return found
}

func judgeExtension(m *Machine, b browser.Seen, good bool) []Finding {
	if b.Confined != "" || runtime.GOOS == "windows" { // profiles are not read there
		return nil
	}
	p, level := best(b), unless(good)
	switch {
	case b.Policy.Extension:
		return []Finding{found(level, "extension_blocked", b.Name, "file", strings.Join(b.Policy.Files, ", "))}
	case p.State == browser.ExtensionOff:
		return []Finding{found(level, "extension_off", b.Name)}
	case p.State == browser.ExtensionUnsigned:
		return []Finding{found(level, "extension_unsigned", b.Name)}
	case p.State == browser.ExtensionOtherID:
		return []Finding{found(level, "extension_other_id", b.Name)}
	case p.State == browser.ExtensionAbsent:
		return []Finding{found(level, "extension_missing", b.Name)}
	case older(p.Version, m.Version):
		return []Finding{warning("extension_old", b.Name, "version", p.Version, "program", m.Version)}
	}
	return nil
}

// older compares the first two numbers of two versions. What is no version is not older.
func older(a, b string) bool {
	x, y := release(a), release(b)
	return len(x) == 2 && len(y) == 2 && slices.Compare(x, y) < 0
}

func release(version string) (list []int) {
	for _, part := range strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil || len(list) == 2 {
			break
		}
		list = append(list, n)
	}
	return list
}

// checkHosts looks whether each browser can start the native host.
func checkHosts(_ context.Context, m *Machine) (list []Finding) {
	all := seen(m)
	good := slices.ContainsFunc(all, func(b browser.Seen) bool { return !b.Policy.Host && len(usable(b)) > 0 })
	for _, b := range all {
		switch {
		case b.Confined != "":
			list = append(list, found(min2(Warning, good), "browser_confined", b.Name, "kind", b.Confined))
		case b.Policy.Host:
			list = append(list, problem("host_blocked", b.Name, "file", strings.Join(b.Policy.Files, ", ")))
		case len(usable(b)) == 0:
			list = append(list, judgeHosts(b, good))
		default:
			list = append(list, otherProgram(m, b)...)
		}
	}
	return list
}

// min2 is l, or a note when another browser serves.
func min2(l Level, another bool) Level {
	if another {
		return Note
	}
	return l
}

// usable are the manifests by which the browser can start the native host.
func usable(b browser.Seen) (list []browser.TargetState) {
	for _, h := range b.Hosts {
		if h.Ours && startable(h.Executable) && (h.System || !b.Policy.UserHost) {
			list = append(list, h)
		}
	}
	return list
}

func startable(program string) bool {
	fi, err := os.Stat(program)
	return err == nil && fi.Mode().IsRegular() && (fi.Mode()&0o111 != 0 || !checksModes)
}

// judgeHosts says why none of the manifests serves.
func judgeHosts(b browser.Seen, good bool) Finding {
	for _, h := range b.Hosts {
		switch {
		case h.State == browser.Absent:
		case h.Executable == "":
			return problem("host_damaged", b.Name, "file", h.Path).by("install_hosts")
		case !startable(h.Executable):
			return problem("host_program_absent", b.Name, "file", h.Path, "program", h.Executable).by("install_hosts")
		case !h.Ours:
			return problem("host_other_ids", b.Name, "file", h.Path, "id", browser.ExtensionID).by("install_hosts")
		case b.Policy.UserHost:
			return problem("host_user_only", b.Name, "file", strings.Join(b.Policy.Files, ", "))
		}
	}
	return found(unless(good), "host_missing", b.Name).by("install_hosts")
}

// otherProgram notes that the browser starts another installation than this one.
func otherProgram(m *Machine, b browser.Seen) []Finding {
	for _, h := range usable(b) {
		if same(h.Executable, m.Program) {
			return nil
		}
	}
	h := usable(b)[0]
	return []Finding{warning("host_other_program", b.Name, "program", h.Executable, "own", m.Program, "file", h.Path).by("install_hosts")}
}

func same(a, b string) bool {
	x, err := filepath.EvalSymlinks(a)
	y, other := filepath.EvalSymlinks(b)
	return err == nil && other == nil && x == y
}

func installHosts(_ context.Context, m *Machine, _ map[string]string) error {
	if m.Hosts == nil {
		return os.ErrInvalid
	}
	return m.Hosts()
}

// checkLoopback looks for policies that keep pages from reaching this computer. What the person answered a browser's own
// question stands in its profile, site by site, and is for the site's page to tell.
func checkLoopback(_ context.Context, m *Machine) (list []Finding) {
	for _, b := range seen(m) {
		if sites := b.Policy.Loopback; len(sites) > 0 {
			list = append(list, warning("loopback_blocked", b.Name, "sites", strings.Join(sites[:min(len(sites), 8)], ", "),
				"file", strings.Join(b.Policy.Files, ", ")))
		}
	}
	return list
}
