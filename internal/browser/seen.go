// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Seen is a browser that is here, and what it says of us.
type Seen struct {
	Name     string
	Family   Family
	Confined string        // "snap" or "flatpak": it is kept from starting programs of the computer
	Hosts    []TargetState // the places where it looks for the native host
	Profiles []Profile
	Policy   Policy
}

// Profile is one profile of a browser.
type Profile struct {
	Path    string
	State   ExtensionState
	Version string // of the extension, if it is there
}

// ExtensionState is how our extension stands in a profile.
type ExtensionState string

// The states.
const (
	ExtensionAbsent   ExtensionState = "absent"
	ExtensionOn       ExtensionState = "on"
	ExtensionOff      ExtensionState = "off"
	ExtensionOtherID  ExtensionState = "other_id" // loaded by hand, under an id that the native host does not know
	ExtensionUnsigned ExtensionState = "unsigned" // the browser refuses it for want of a signature
)

// Policy is what the machine's policy forbids us in a browser.
type Policy struct {
	Files     []string // those that say so
	Extension bool     // the extension may not be installed
	Host      bool     // the native host may not be started
	UserHost  bool     // manifests of the user do not count, only those of the machine
	Loopback  []string // patterns of sites that may not reach this computer
}

// maxProfileFile bounds what is read of a browser's own files; those of a busy profile have a few MiB.
const maxProfileFile = 32 << 20

// readJSON fills v from a file of others. A file that is too large or malformed counts as absent.
func readJSON(path string, v any) bool {
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxProfileFile {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxProfileFile))
	return err == nil && json.Unmarshal(b, v) == nil
}

// chromiumSettings are the members of Preferences and Secure Preferences that tell about extensions.
type chromiumSettings struct {
	Extensions struct {
		Settings map[string]json.RawMessage `json:"settings"`
	} `json:"extensions"`
}

type chromiumExtension struct {
	State    *int            `json:"state"`           // older versions: 1 is on
	Reasons  json.RawMessage `json:"disable_reasons"` // a number of bits, or a list
	Path     string          `json:"path"`
	Manifest struct {
		Version string `json:"version"`
	} `json:"manifest"`
}

func (e chromiumExtension) off() bool {
	reasons := strings.TrimSpace(string(e.Reasons))
	return e.State != nil && *e.State == 0 || !slices.Contains([]string{"", "0", "[]", "null"}, reasons)
}

// chromiumProfile looks for the extension in one profile of the Chromium family.
func chromiumProfile(dir string) Profile {
	p := Profile{Path: dir, State: ExtensionAbsent}
	for _, name := range []string{"Preferences", "Secure Preferences"} { // the latter goes before
		var s chromiumSettings
		if !readJSON(filepath.Join(dir, name), &s) {
			continue
		}
		for id, raw := range s.Extensions.Settings {
			var e chromiumExtension
			if json.Unmarshal(raw, &e) == nil {
				p.take(id, e)
			}
		}
	}
	return p
}

// take notes one extension of the profile, if it is ours. Ours by its id goes before a copy with another.
func (p *Profile) take(id string, e chromiumExtension) {
	m, _ := ourManifest(e.path(p.Path))
	switch {
	case id == ExtensionID && e.off():
		p.State = ExtensionOff
	case id == ExtensionID:
		p.State = ExtensionOn
	case p.State == ExtensionAbsent && m:
		p.State = ExtensionOtherID
	default:
		return
	}
	_, version := ourManifest(e.path(p.Path))
	p.Version = e.Manifest.Version
	if version != "" {
		p.Version = version
	}
}

// path is where the extension's files are; those from a store are named relative to the profile's own folder.
func (e chromiumExtension) path(profile string) string {
	if e.Path == "" || filepath.IsAbs(e.Path) {
		return e.Path
	}
	return filepath.Join(profile, "Extensions", filepath.Clean("/"+e.Path))
}

// ourManifest tells whether the extension in a folder is made of our files, by what only they have.
func ourManifest(dir string) (ours bool, version string) {
	var m struct {
		Key     string `json:"key"`
		Name    string `json:"name"`
		Version string `json:"version"`
		Action  struct {
			Popup string `json:"default_popup"`
		} `json:"action"`
		Permissions []string `json:"permissions"`
	}
	if dir == "" || !readJSON(filepath.Join(dir, "manifest.json"), &m) {
		return false, ""
	}
	ours = m.Name == "__MSG_extName__" && m.Action.Popup == "status/status.html" && slices.Contains(m.Permissions, "nativeMessaging")
	return ours, m.Version
}

// firefoxProfile looks for the extension in one profile of Firefox.
func firefoxProfile(dir string) Profile {
	p := Profile{Path: dir, State: ExtensionAbsent}
	var list struct {
		Addons []struct {
			ID          string `json:"id"`
			Version     string `json:"version"`
			Active      bool   `json:"active"`
			AppDisabled bool   `json:"appDisabled"`
		} `json:"addons"`
	}
	readJSON(filepath.Join(dir, "extensions.json"), &list)
	for _, a := range list.Addons {
		if a.ID != GeckoID {
			continue
		}
		p.Version = a.Version
		switch {
		case a.Active:
			p.State = ExtensionOn
		case a.AppDisabled:
			p.State = ExtensionUnsigned
		default:
			p.State = ExtensionOff
		}
	}
	return p
}

// rule is what a policy says of an extension.
type rule struct {
	Mode string `json:"installation_mode"`
}

func (r rule) blocks() bool { return r.Mode == "blocked" || r.Mode == "removed" }

type chromiumRules struct {
	Blocklist   []string        `json:"ExtensionInstallBlocklist"`
	Allowlist   []string        `json:"ExtensionInstallAllowlist"`
	Forcelist   []string        `json:"ExtensionInstallForcelist"`
	Settings    map[string]rule `json:"ExtensionSettings"`
	HostsNo     []string        `json:"NativeMessagingBlocklist"`
	HostsYes    []string        `json:"NativeMessagingAllowlist"`
	UserHosts   *bool           `json:"NativeMessagingUserLevelHosts"`
	LoopbackNo  []string        `json:"LoopbackNetworkBlockedForUrls"`
	LoopbackYes []string        `json:"LoopbackNetworkAllowedForUrls"`
	LocalNo     []string        `json:"LocalNetworkAccessBlockedForUrls"`
}

// chromiumPolicy joins the files of a policy folder as the browser does: of one name in several files the last one counts.
func chromiumPolicy(dir string) Policy {
	files, _ := filepath.Glob(filepath.Join(dir, "*.json")) // sorted
	var r chromiumRules
	var p Policy
	for _, f := range files {
		if before := r; readJSON(f, &r) && r.blocks() && !before.blocks() {
			p.Files = append(p.Files, f)
		}
	}
	p.Extension, p.Host, p.UserHost, p.Loopback = r.extension(), r.host(), r.UserHosts != nil && !*r.UserHosts, r.loopback()
	return p
}

func (r chromiumRules) blocks() bool {
	return r.extension() || r.host() || r.UserHosts != nil && !*r.UserHosts || len(r.loopback()) > 0
}

func (r chromiumRules) extension() bool {
	if own, ok := r.Settings[ExtensionID]; ok {
		return own.blocks()
	}
	forced := slices.ContainsFunc(r.Forcelist, func(s string) bool { return strings.HasPrefix(s, ExtensionID) })
	if forced || slices.Contains(r.Allowlist, ExtensionID) {
		return false
	}
	return r.Settings["*"].blocks() || slices.Contains(r.Blocklist, "*") || slices.Contains(r.Blocklist, ExtensionID)
}

func (r chromiumRules) host() bool {
	return !slices.Contains(r.HostsYes, Name) && (slices.Contains(r.HostsNo, "*") || slices.Contains(r.HostsNo, Name))
}

// loopback is which sites may not reach this computer; a site of both lists may not.
func (r chromiumRules) loopback() []string {
	if len(r.LoopbackYes) > 0 {
		return r.LoopbackNo
	}
	return slices.Concat(r.LoopbackNo, r.LocalNo)
}

// firefoxPolicy reads the first policies.json that is there.
func firefoxPolicy(files []string) (p Policy) {
	var r struct {
		Policies struct {
			Settings map[string]rule `json:"ExtensionSettings"`
		} `json:"policies"`
	}
	for _, f := range files {
		if !readJSON(f, &r) {
			continue
		}
		own, named := r.Policies.Settings[GeckoID]
		if p.Extension = own.blocks() || !named && r.Policies.Settings["*"].blocks(); p.Extension {
			p.Files = []string{f}
		}
		break
	}
	return p
}

// hostStates is what stands in the places where one browser looks for the native host.
func (o Options) hostStates(targets []Target) []TargetState {
	var all []TargetState
	for _, t := range targets {
		s, err := o.state(t)
		if err == nil || errors.Is(err, os.ErrPermission) {
			all = append(all, s)
		}
	}
	return all
}
