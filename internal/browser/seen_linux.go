// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
)

// confined are the folders below the home folder in which browsers from other kinds of packages keep everything.
var confined = []struct{ name, kind, dir string }{
	{"Chromium", "snap", "snap/chromium"},
	{"Firefox", "snap", "snap/firefox"},
	{"Opera", "snap", "snap/opera"},
	{"Brave", "snap", "snap/brave"},
	{"Chromium", "flatpak", ".var/app/org.chromium.Chromium"},
	{"Google Chrome", "flatpak", ".var/app/com.google.Chrome"},
	{"Microsoft Edge", "flatpak", ".var/app/com.microsoft.Edge"},
	{"Yandex Browser", "flatpak", ".var/app/ru.yandex.Browser"},
	{"Brave", "flatpak", ".var/app/com.brave.Browser"},
	{"Firefox", "flatpak", ".var/app/org.mozilla.firefox"},
}

var firefoxPolicies = []string{
	"/etc/firefox/policies/policies.json", "/usr/lib/firefox/distribution/policies.json",
	"/usr/lib/firefox-esr/distribution/policies.json", "/usr/lib64/firefox/distribution/policies.json",
}

// Look lists the browsers that are here. o.Executable is the program their manifests should name.
func Look(o Options) (all []Seen) {
	root := cmp.Or(o.Root, systemRoot)
	user, system := userTargets(), systemTargets(root)
	for i, t := range user {
		if !t.Found {
			continue
		}
		s := Seen{Name: t.Browser, Family: t.Family}
		if t.Family == Firefox {
			s.Profiles, s.Policy = firefoxProfiles(), firefoxPolicy(under(root, firefoxPolicies))
			s.Hosts = o.hostStates(append([]Target{t}, ofFamily(system, Firefox)...))
		} else {
			s.Profiles = chromiumProfiles(filepath.Dir(filepath.Dir(t.Path)))
			s.Policy = chromiumPolicy(filepath.Join(root, places[i].system, "policies", "managed"))
			s.Hosts = o.hostStates(append([]Target{t}, at(system, filepath.Join(root, places[i].system))...))
		}
		all = append(all, s)
	}
	return append(all, confinedBrowsers()...)
}

func under(root string, paths []string) (all []string) {
	for _, p := range paths {
		all = append(all, filepath.Join(root, p))
	}
	return all
}

func ofFamily(list []Target, f Family) []Target {
	return slices.DeleteFunc(slices.Clone(list), func(t Target) bool { return t.Family != f })
}

// at keeps the machine's place of browsers that share a folder.
func at(list []Target, dir string) []Target {
	return slices.DeleteFunc(slices.Clone(list), func(t Target) bool { return filepath.Dir(filepath.Dir(t.Path)) != dir })
}

func chromiumProfiles(dir string) (all []Profile) {
	found, _ := filepath.Glob(filepath.Join(dir, "*", "Preferences"))
	for _, f := range found {
		all = append(all, chromiumProfile(filepath.Dir(f)))
	}
	return all
}

func firefoxProfiles() (all []Profile) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	for _, dir := range firefoxFolders[:2] { // the others are confined ones'
		found, _ := filepath.Glob(filepath.Join(home, dir, "*", "extensions.json"))
		for _, f := range found {
			all = append(all, firefoxProfile(filepath.Dir(f)))
		}
	}
	return all
}

func confinedBrowsers() (all []Seen) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil
	}
	for _, c := range confined {
		if exists(filepath.Join(home, c.dir)) {
			all = append(all, Seen{Name: c.name, Confined: c.kind})
		}
	}
	return all
}
