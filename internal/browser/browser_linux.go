// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// place is where one browser of the Chromium family keeps its things on Linux.
type place struct {
	name    string
	config  string   // below the configuration folder; the manifest's folder is NativeMessagingHosts in it
	system  string   // the machine's folder with native-messaging-hosts, which several may share
	program []string // names it is started by
}

var places = []place{
	{"Chromium", "chromium", "/etc/chromium", []string{"chromium", "chromium-browser"}},
	{"Google Chrome", "google-chrome", "/etc/opt/chrome", []string{"google-chrome", "google-chrome-stable"}},
	{"Google Chrome Beta", "google-chrome-beta", "/etc/opt/chrome", []string{"google-chrome-beta"}},
	{"Microsoft Edge", "microsoft-edge", "/etc/opt/edge", []string{"microsoft-edge", "microsoft-edge-stable"}},
	{"Microsoft Edge Beta", "microsoft-edge-beta", "/etc/opt/edge", []string{"microsoft-edge-beta"}},
	{"Yandex Browser", "yandex-browser", "/etc/opt/yandex/browser", []string{"yandex-browser", "yandex-browser-stable", "yandex-browser-corporate"}},
	{"Yandex Browser Beta", "yandex-browser-beta", "/etc/opt/yandex/browser", []string{"yandex-browser-beta"}},
	{"Chromium-Gost", "chromium-gost", "/etc/chromium-gost", []string{"chromium-gost", "chromium-gost-stable"}},
	{"Brave", "BraveSoftware/Brave-Browser", "/etc/chromium", []string{"brave-browser", "brave"}},
	{"Opera", "opera", "/etc/chromium", []string{"opera"}},
	{"Vivaldi", "vivaldi", "/etc/chromium", []string{"vivaldi", "vivaldi-stable"}},
}

var firefoxPrograms = []string{"firefox", "firefox-esr"}

var firefoxSystem = []string{"/usr/lib/mozilla/native-messaging-hosts", "/usr/lib64/mozilla/native-messaging-hosts"}

func userTargets() []Target {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil // nobody to install for
	}
	config := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) {
		config = filepath.Join(home, ".config")
	}
	var all []Target
	for _, p := range places {
		dir := filepath.Join(config, p.config)
		all = append(all, Target{Browser: p.name, Family: Chromium, Found: exists(dir) || inPath(p.program),
			Path: filepath.Join(dir, "NativeMessagingHosts", Name+".json")})
	}
	// Firefox may keep its profiles below the configuration folder, and still looks for manifests here.
	mozilla := filepath.Join(home, ".mozilla")
	found := exists(mozilla) || exists(filepath.Join(config, "mozilla")) || inPath(firefoxPrograms)
	return append(all, Target{Browser: "Firefox", Family: Firefox, Found: found,
		Path: filepath.Join(mozilla, "native-messaging-hosts", Name+".json")})
}

func systemTargets(root string) []Target {
	root = cmp.Or(root, systemRoot)
	var all []Target
	for _, p := range places {
		path, found := filepath.Join(root, p.system, "native-messaging-hosts", Name+".json"), inPath(p.program)
		if i := slices.IndexFunc(all, func(t Target) bool { return t.Path == path }); i >= 0 {
			all[i].Browser += ", " + p.name
			all[i].Found = all[i].Found || found
			continue
		}
		all = append(all, Target{Browser: p.name, Family: Chromium, System: true, Found: found, Path: path})
	}
	for _, dir := range firefoxSystem {
		if strings.HasPrefix(dir, "/usr/lib64") && !exists(filepath.Join(root, "/usr/lib64")) {
			continue // not a system of that layout
		}
		all = append(all, Target{Browser: "Firefox", Family: Firefox, System: true, Found: inPath(firefoxPrograms),
			Path: filepath.Join(root, dir, Name+".json")})
	}
	return all
}

var systemRoot = "/" // another folder in tests

func profileTarget(o Options) Target {
	return Target{Browser: "Chromium", Family: Chromium, Found: true,
		Path: filepath.Join(o.UserDataDir, "NativeMessagingHosts", Name+".json")}
}

func inPath(programs []string) bool {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		for _, p := range programs {
			if fi, err := os.Stat(filepath.Join(dir, p)); err == nil && !fi.IsDir() && fi.Mode()&0o111 != 0 {
				return true
			}
		}
	}
	return false
}

func put(t Target, b []byte) error  { return writeFile(t.Path, b) }
func get(t Target) ([]byte, error)  { return readFile(t.Path) }
func remove(t Target) (bool, error) { return removeFile(t.Path) }
