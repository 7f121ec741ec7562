// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"persten/internal/browser"
	"persten/internal/text"
	"persten/proto"
)

// What may leave this computer in an archive for support. Everything here is an allowlist: a value goes through when it is
// of a kind that names nobody, and is left out otherwise. There is no list of what is secret, because nobody can write one.

var (
	aNumber  = regexp.MustCompile(`^\d{1,6}$`) // too short for the number of a person
	aVersion = regexp.MustCompile(`^v?\d{1,5}(\.\d{1,5}){1,3}([-+~](dev|rc|beta)\d{0,3})?$`)
)

// numeric and versioned are arguments of findings whose values are what the names say.
var (
	numeric   = []string{"line", "port", "number", "free", "needed", "days", "hours", "minutes", "attempts", "limit", "count", "seconds"}
	versioned = []string{"running", "installed", "version"}
)

// safeFinding is what the archive tells of a finding: codes, but no words, names or folders.
type safeFinding struct {
	Check string            `json:"check"`
	Code  string            `json:"code"`
	Level Level             `json:"level"`
	Fix   string            `json:"fix,omitempty"`
	Args  map[string]string `json:"args,omitempty"`
}

func allowedFindings(list []Finding) []safeFinding {
	out := []safeFinding{}
	for _, f := range list {
		safe := safeFinding{Check: f.Check, Code: f.Code, Level: f.Level, Fix: f.Fix, Args: map[string]string{}}
		for name, value := range f.Args {
			if slices.Contains(numeric, name) && aNumber.MatchString(value) || slices.Contains(versioned, name) && versionOf(value) != "" || name == "reason" && isReason(value) {
				safe.Args[name] = value
			}
		}
		out = append(out, safe)
	}
	return out
}

// isReason tells the words a driver's failure is described with.
func isReason(word string) bool {
	return text.Has("module.reason." + strings.ReplaceAll(word, "_", ""))
}

// versionOf returns a version, or nothing for what is none.
func versionOf(s string) string {
	if s == "dev" || aVersion.MatchString(s) {
		return s
	}
	return ""
}

// systems are the ids of distributions that say something to support.
var systems = []string{"debian", "ubuntu", "astra", "altlinux", "redos", "rosa", "fedora", "rhel", "centos", "almalinux", "rocky", "arch", "opensuse-leap", "opensuse-tumbleweed", "linuxmint", "mos", "calculate"}

func allowedVersions(m *Machine) map[string]string {
	out := map[string]string{"persten": versionOf(m.Version), "protocol": proto.Protocol, "system": runtime.GOOS, "architecture": runtime.GOARCH, "go": versionOf(strings.TrimPrefix(runtime.Version(), "go"))}
	data, _ := m.read("/etc/os-release")
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"`)
		switch {
		case name == "ID" && slices.Contains(systems, value):
			out["distribution"] = value
		case name == "VERSION_ID" && (aNumber.MatchString(value) || versionOf(value) != ""):
			out["release"] = value
		}
	}
	data, _ = m.read("/proc/sys/kernel/osrelease")
	if v := regexp.MustCompile(`^\d{1,3}\.\d{1,3}`).FindString(string(data)); v != "" {
		out["kernel"] = v
	}
	return out
}

// allowedSettings are how the agent is set up: which switches, and how many of what, but not whom they name.
func allowedSettings(m *Machine) map[string]any {
	if m.Config == nil {
		return nil
	}
	c, err := m.Config()
	if err != nil {
		return map[string]any{"valid": false}
	}
	port := ""
	if i := strings.LastIndex(c.Listen.WebSocket, ":"); i >= 0 && aNumber.MatchString(c.Listen.WebSocket[i+1:]) {
		port = c.Listen.WebSocket[i+1:]
	}
	return map[string]any{
		"valid": true, "warnings": len(c.Warnings), "modules": len(c.Modules),
		"keyfileFolders": len(c.Keyfiles.Dirs), "keyfilesForbidden": c.Keyfiles.Forbid,
		"approver": oneOf(c.UI.Approver, "window", "pinentry", "terminal"), "language": oneOf(c.UI.Language, "ru", "en"),
		"sitesAllowed": len(c.Origins.Allow), "sitesByPolicy": len(c.Origins.Policy), "visibleOnly": c.Origins.Visible,
		"roots": len(c.Trust.Roots), "revocationLists": len(c.Trust.CRLs), "timestamps": c.Trust.TSA != "", "ocsp": c.Trust.OCSP, "systemRoots": c.Trust.System,
		"offline": c.Network.Offline, "proxy": c.Network.Proxy != "", "port": port,
		"unattendedRules": len(c.Unattended), "pinKeptSeconds": int(c.PIN.Cache.Seconds()),
	}
}

// oneOf returns a word that is among the known ones, "other" for another, and nothing for none.
func oneOf(word string, known ...string) string {
	if word == "" || slices.Contains(known, word) {
		return word
	}
	return "other"
}

type safeBrowser struct {
	Name  string        `json:"name"` // of our own table
	State browser.State `json:"state"`
	Found bool          `json:"found"`
}

func allowedBrowsers(m *Machine) []safeBrowser {
	out := []safeBrowser{}
	if m.Program == "" {
		return out
	}
	all, _ := browser.Status(browser.Options{Executable: m.Program})
	for _, t := range all {
		if t.Found || t.State != browser.Absent {
			out = append(out, safeBrowser{t.Browser, t.State, t.Found})
		}
	}
	return out
}

type safeModule struct {
	Name      string `json:"name"` // of the catalogue; what the configuration names is "configured"
	Installed bool   `json:"installed"`
	Failed    bool   `json:"failed,omitempty"`
}

func allowedModules(m *Machine) []safeModule {
	out := []safeModule{}
	if m.Drivers == nil {
		return out
	}
	for _, d := range m.Drivers() {
		name := d.Name
		if d.Named {
			name = "configured"
		}
		out = append(out, safeModule{name, d.Path != "", d.Fault != nil})
	}
	return out
}

// safeToken is how a token stands; its label, serial number and maker's words stay here.
type safeToken struct {
	Attempts     int             `json:"attempts"`
	Low          bool            `json:"low,omitempty"`
	Final        bool            `json:"final,omitempty"`
	Locked       bool            `json:"locked,omitempty"`
	Demo         bool            `json:"demo,omitempty"`
	PINPad       bool            `json:"pinPad,omitempty"`
	Certificates []safeOwnership `json:"certificates"`
}

// safeOwnership is what a certificate is, and not whose.
type safeOwnership struct {
	Key    string `json:"key"`
	Holder string `json:"holder"`
	Signs  int    `json:"signs"` // algorithms
	Code   string `json:"code,omitempty"`
}

func allowedTokens(ctx context.Context, m *Machine) []safeToken {
	out := []safeToken{}
	if m.Keys == nil {
		return out
	}
	keys := m.keys(ctx)
	all, _ := m.Keys.Tokens(ctx)
	for _, t := range all {
		safe := safeToken{Attempts: t.Attempts, Low: t.Low, Final: t.Final, Locked: t.Locked, Demo: t.Demo, PINPad: t.PINPad, Certificates: []safeOwnership{}}
		for _, k := range keys {
			c, on := k.Certificate(), k.Token()
			if c != nil && on.Module == t.Module && on.Slot == t.Slot && on.Serial == t.Serial {
				safe.Certificates = append(safe.Certificates, safeOwnership{c.Algorithm().Key, string(c.Subject().Holder()), len(k.Algorithms()), periodCode(c, m.now())})
			}
		}
		out = append(out, safe)
	}
	return out
}

//go:embed logged.txt
var logged string

var logLine = regexp.MustCompile(`^time=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\S* level=([A-Z]{4,5}) msg=(?:"([^"]*)"|(\S+))`)

// allowedLog are the last lines of the session's log whose words are ours, without what stands after them.
func allowedLog(ctx context.Context, m *Machine) []string {
	out := []string{}
	if m.Command == nil || runtime.GOOS != "linux" {
		return out
	}
	known := strings.Split(strings.TrimSpace(logged), "\n")
	data, _ := m.Command(ctx, "journalctl", "--user", "--unit", "persten.service", "--lines", "200", "--output", "cat", "--no-pager", "--quiet")
	for s := bufio.NewScanner(bytes.NewReader(data)); s.Scan(); {
		if f := logLine.FindStringSubmatch(s.Text()); f != nil && slices.Contains(known, f[3]+f[4]) {
			out = append(out, f[1]+" "+f[2]+" "+f[3]+f[4])
		}
	}
	return out
}
