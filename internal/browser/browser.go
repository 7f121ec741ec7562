// SPDX-License-Identifier: GPL-3.0-or-later

// Package browser tells browsers where the native host is, and tells the native host which browser started it.
//
// # Native messaging
//
// A browser starts a native host only if a manifest names it: a JSON file in a folder the browser knows (Linux) or one
// that the registry points at (Windows). The manifest holds the program's absolute path, without arguments, and the ids of
// the extensions that may start it: exactly ours. So the program is started as itself, with what the browser adds:
//
//	persten chrome-extension://ID/ [--parent-window=N]      Chromium and its family
//	persten /path/persten.agent.json GECKO-ID               Firefox
//
// [HostCaller] recognises these and checks the id once more, since a manifest can be written by anyone who is the user.
//
// # Targets
//
// A [Target] is one place one browser looks: of the user, or of the machine. [Install] writes the user's places for the
// browsers that are found there, and with System all places of the machine, whether or not the browser is there yet.
// Browsers that share a place share the target. A browser run with a profile folder of its own looks only inside that
// (Options.UserDataDir). Manifests are replaced whole, never edited; [Uninstall] removes ours and nothing else.
//
// Functions here may be called concurrently; two calls of Install write the same bytes.
package browser

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Name is the native host's name, as extensions connect to it.
const Name = "persten.agent"

// Ids of our extension. The first is derived from the public key in browserext/manifest.
const (
	ExtensionID = "ldofnahphfbbgmklgggghnhbadlgdgmj"
	GeckoID     = "agent@persten.example"
)

// Family is the kind of manifest a browser reads.
type Family string

// The families.
const (
	Chromium Family = "chromium"
	Firefox  Family = "firefox"
)

// Target is one place a browser looks for manifests.
type Target struct {
	Browser string // the browser's name, or the names of those that share the place
	Family  Family
	Path    string // the manifest file
	Key     string // Windows: registry key that points at it, below HKCU or HKLM
	System  bool   // for every user of the machine
	Found   bool   // the browser has been seen here
}

// Options say what to install and where.
type Options struct {
	Executable  string   // absolute path of persten
	Extensions  []string // ids to allow; empty means ours. Chromium and Gecko ids are told apart by their form
	UserDataDir string   // only this Chromium profile folder
	System      bool     // the machine's places instead of the user's
	Root        string   // folder that stands before the machine's places; empty for this computer itself
}

// State is what stands in one place.
type State string

// The states.
const (
	Absent    State = "absent"
	Installed State = "installed"
	Different State = "different" // a manifest of ours with another program or other ids
)

// TargetState is the state of one target.
type TargetState struct {
	Target
	State      State
	Executable string // what the manifest names
	Ours       bool   // it lets our extension in
}

type manifest struct {
	Name              string   `json:"name"`
	Description       string   `json:"description"`
	Path              string   `json:"path"`
	Type              string   `json:"type"`
	AllowedOrigins    []string `json:"allowed_origins,omitempty"`
	AllowedExtensions []string `json:"allowed_extensions,omitempty"`
}

// Install writes the manifests and returns where. When no browser is found it returns none and no error. It goes on past
// a place it cannot write and joins the errors.
func Install(o Options) ([]Target, error) {
	if !filepath.IsAbs(o.Executable) {
		return nil, fmt.Errorf("executable %q: path is not absolute", o.Executable)
	}
	for _, id := range o.Extensions {
		if !chromeID(id) && !geckoID(id) {
			return nil, fmt.Errorf("extension %q: not an id", id)
		}
	}
	var done []Target
	var errs []error
	for _, t := range o.targets() {
		if !t.Found && !t.System {
			continue
		}
		b, ok := o.Manifest(t.Family)
		if !ok {
			continue
		}
		if err := put(t, b); err != nil {
			errs = append(errs, fmt.Errorf("install for %s: %w", t.Browser, err))
			continue
		}
		done = append(done, t)
	}
	return done, errors.Join(errs...)
}

// Uninstall removes the manifests, whatever they hold, and returns where there were any.
func Uninstall(o Options) ([]Target, error) {
	var done []Target
	var errs []error
	for _, t := range o.targets() {
		switch removed, err := remove(t); {
		case err != nil:
			errs = append(errs, fmt.Errorf("uninstall for %s: %w", t.Browser, err))
		case removed:
			done = append(done, t)
		}
	}
	return done, errors.Join(errs...)
}

// Status compares what stands in each place with what Install would write.
func Status(o Options) ([]TargetState, error) {
	var all []TargetState
	var errs []error
	for _, t := range o.targets() {
		s, err := o.state(t)
		if err != nil {
			errs = append(errs, fmt.Errorf("status for %s: %w", t.Browser, err))
			continue
		}
		all = append(all, s)
	}
	return all, errors.Join(errs...)
}

// state is what stands in one place.
func (o Options) state(t Target) (TargetState, error) {
	s := TargetState{Target: t, State: Absent}
	b, err := get(t)
	if err != nil || b == nil {
		return s, err
	}
	s.State = Different
	var m manifest
	if json.Unmarshal(b, &m) != nil {
		return s, nil
	}
	if t.Key != "" && !filepath.IsAbs(m.Path) { // Windows' packages name the program relative to the manifest
		m.Path = filepath.Join(filepath.Dir(t.Path), m.Path)
		b, _ = m.bytes()
	}
	s.Executable = m.Path
	s.Ours = slices.Contains(m.AllowedOrigins, "chrome-extension://"+ExtensionID+"/") || slices.Contains(m.AllowedExtensions, GeckoID)
	if want, ok := o.Manifest(t.Family); ok && string(want) == string(b) {
		s.State = Installed
	}
	return s, nil
}

func (o Options) targets() []Target {
	switch {
	case o.UserDataDir != "":
		return []Target{profileTarget(o)}
	case o.System:
		return systemTargets(o.Root)
	}
	return userTargets()
}

// Manifest is the file for one family; false when no allowed extension is of that family.
func (o Options) Manifest(f Family) ([]byte, bool) {
	ids := o.Extensions
	if len(ids) == 0 {
		ids = []string{ExtensionID, GeckoID}
	}
	m := manifest{Name: Name, Description: "Persten signing agent", Path: o.Executable, Type: "stdio"}
	for _, id := range ids {
		switch {
		case f == Chromium && chromeID(id):
			m.AllowedOrigins = append(m.AllowedOrigins, "chrome-extension://"+id+"/")
		case f == Firefox && !chromeID(id):
			m.AllowedExtensions = append(m.AllowedExtensions, id)
		}
	}
	if len(m.AllowedOrigins)+len(m.AllowedExtensions) == 0 {
		return nil, false
	}
	b, err := m.bytes()
	return b, err == nil
}

func (m manifest) bytes() ([]byte, error) {
	b, err := json.MarshalIndent(m, "", "  ")
	return append(b, '\n'), err
}

// HostCaller reports whether a browser started this process as the native host, and for which extension. args is the
// command line without the program. An id that is not ours is refused.
func HostCaller(args []string) (extension string, ok bool) {
	switch {
	case len(args) == 0:
		return "", false
	case args[0] == "chrome-extension://"+ExtensionID+"/" && !slices.ContainsFunc(args[1:], notOption):
		return ExtensionID, true
	case len(args) == 2 && filepath.IsAbs(args[0]) && filepath.Ext(args[0]) == ".json" && args[1] == GeckoID:
		return GeckoID, true
	}
	return "", false
}

// StartedByBrowser reports whether the command line has the form browsers use, ours or not: such a process must never be
// taken for a command.
func StartedByBrowser(args []string) bool {
	if len(args) == 0 {
		return false
	}
	if strings.Contains(args[0], "-extension://") {
		return true
	}
	return len(args) == 2 && filepath.IsAbs(args[0]) && filepath.Ext(args[0]) == ".json" && geckoID(args[1])
}

// notOption: Chromium adds options such as --parent-window=N and nothing else.
func notOption(arg string) bool { return !strings.HasPrefix(arg, "--") }

func chromeID(id string) bool {
	return len(id) == 32 && strings.Trim(id, "abcdefghijklmnop") == ""
}

// geckoID accepts name@domain and {UUID}, as Firefox does.
func geckoID(id string) bool {
	if len(id) > 80 {
		return false
	}
	at := strings.IndexByte(id, '@')
	braces := strings.HasPrefix(id, "{") && strings.HasSuffix(id, "}") && len(id) == 38
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._@{}"
	return (at >= 0 && at < len(id)-1 || braces) && strings.Trim(id, letters) == ""
}
