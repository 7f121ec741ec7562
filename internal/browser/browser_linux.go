// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"os"
	"path/filepath"
	"strings"
)

// place is where one browser keeps its things on Linux.
type place struct {
	name    string
	config  string   // below the configuration folder; the manifest's folder is NativeMessagingHosts in it
	system  string   // the machine's manifest folder; empty where the browser is built with Chromium's own
	program []string // names it is started by
}

var places = []place{
	{"Chromium", "chromium", "/etc/chromium/native-messaging-hosts", []string{"chromium", "chromium-browser"}},
	{"Google Chrome", "google-chrome", "/etc/opt/chrome/native-messaging-hosts", []string{"google-chrome", "google-chrome-stable"}},
	{"Microsoft Edge", "microsoft-edge", "/etc/opt/edge/native-messaging-hosts", []string{"microsoft-edge", "microsoft-edge-stable"}},
	{"Yandex Browser", "yandex-browser", "/etc/opt/yandex/browser/native-messaging-hosts", []string{"yandex-browser", "yandex-browser-stable", "yandex-browser-corporate"}},
	{"Chromium-Gost", "chromium-gost", "/etc/chromium-gost/native-messaging-hosts", []string{"chromium-gost", "chromium-gost-stable"}},
	{"Brave", "BraveSoftware/Brave-Browser", "", []string{"brave-browser", "brave"}},
	{"Opera", "opera", "", []string{"opera"}},
	{"Vivaldi", "vivaldi", "", []string{"vivaldi", "vivaldi-stable"}},
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
	mozilla := filepath.Join(home, ".mozilla")
	return append(all, Target{Browser: "Firefox", Family: Firefox, Found: exists(mozilla) || inPath(firefoxPrograms),
		Path: filepath.Join(mozilla, "native-messaging-hosts", Name+".json")})
}

func systemTargets() []Target {
	var all []Target
	for _, p := range places {
		if p.system == "" { // shares Chromium's
			all[0].Browser += ", " + p.name
			all[0].Found = all[0].Found || inPath(p.program)
			continue
		}
		all = append(all, Target{Browser: p.name, Family: Chromium, System: true, Found: inPath(p.program),
			Path: filepath.Join(systemRoot, p.system, Name+".json")})
	}
	for _, dir := range firefoxSystem {
		if strings.HasPrefix(dir, "/usr/lib64") && !exists(filepath.Join(systemRoot, "/usr/lib64")) {
			continue // not a system of that layout
		}
		all = append(all, Target{Browser: "Firefox", Family: Firefox, System: true, Found: inPath(firefoxPrograms),
			Path: filepath.Join(systemRoot, dir, Name+".json")})
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
