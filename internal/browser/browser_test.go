// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package browser

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// home gives the test an empty user and an empty machine.
func home(t *testing.T, browsers ...string) string {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("PATH", "")
	was := systemRoot
	systemRoot = filepath.Join(dir, "machine")
	t.Cleanup(func() { systemRoot = was })
	for _, b := range browsers {
		if err := os.MkdirAll(filepath.Join(dir, b), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestInstallUser(t *testing.T) {
	dir := home(t, ".config/chromium", ".config/yandex-browser", ".mozilla")
	o := Options{Executable: "/usr/bin/persten"}
	for range 2 { // again is the same
		done, err := Install(o)
		if err != nil || len(done) != 3 {
			t.Fatalf("installed %v, %v", done, err)
		}
	}
	for path, want := range map[string]map[string]any{
		".config/chromium/NativeMessagingHosts/persten.agent.json": {
			"allowed_origins": []any{"chrome-extension://" + ExtensionID + "/"}},
		".mozilla/native-messaging-hosts/persten.agent.json": {"allowed_extensions": []any{GeckoID}},
	} {
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		want["name"], want["description"], want["path"], want["type"] = "persten.agent", "Persten signing agent", "/usr/bin/persten", "stdio"
		var got map[string]any
		if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s holds %s", path, b)
		}
	}
	states := map[State]int{}
	all, err := Status(o)
	for _, s := range all {
		states[s.State]++
	}
	if err != nil || states[Installed] != 3 || states[Different] != 0 {
		t.Errorf("states %v, %v", states, err)
	}
	all, _ = Status(Options{Executable: "/opt/other"})
	for _, s := range all {
		if s.State == Installed || s.State == Different && s.Executable != "/usr/bin/persten" {
			t.Errorf("%s: %s %s", s.Browser, s.State, s.Executable)
		}
	}
	gone, err := Uninstall(o)
	if err != nil || len(gone) != 3 {
		t.Errorf("removed %v, %v", gone, err)
	}
	if gone, err := Uninstall(o); err != nil || len(gone) != 0 {
		t.Errorf("removed again %v, %v", gone, err)
	}
}

func TestInstallWhereFound(t *testing.T) {
	dir := home(t, ".config/mozilla/firefox", ".config/yandex-browser-beta")
	done, err := Install(Options{Executable: "/usr/bin/persten"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range done {
		rel, _ := filepath.Rel(dir, d.Path)
		got = append(got, filepath.Dir(rel))
	}
	want := []string{".config/yandex-browser-beta/NativeMessagingHosts", ".mozilla/native-messaging-hosts"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestInstallSystem(t *testing.T) {
	dir := home(t)
	done, err := Install(Options{Executable: "/usr/bin/persten", System: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range done {
		rel, _ := filepath.Rel(filepath.Join(dir, "machine"), d.Path)
		got = append(got, filepath.Dir(rel))
	}
	want := []string{"etc/chromium/native-messaging-hosts", "etc/opt/chrome/native-messaging-hosts", "etc/opt/edge/native-messaging-hosts",
		"etc/opt/yandex/browser/native-messaging-hosts", "etc/chromium-gost/native-messaging-hosts", "usr/lib/mozilla/native-messaging-hosts"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if !strings.Contains(done[0].Browser, "Brave") {
		t.Errorf("Brave shares no place: %q", done[0].Browser)
	}
}

func TestInstallProfile(t *testing.T) {
	dir := home(t)
	id := strings.Repeat("ab", 16)
	done, err := Install(Options{Executable: "/p", UserDataDir: dir, Extensions: []string{id}})
	if err != nil || len(done) != 1 || done[0].Path != filepath.Join(dir, "NativeMessagingHosts", "persten.agent.json") {
		t.Fatalf("installed %v, %v", done, err)
	}
	b, _ := os.ReadFile(done[0].Path)
	if !strings.Contains(string(b), `"chrome-extension://`+id+`/"`) || strings.Contains(string(b), ExtensionID) {
		t.Errorf("manifest holds %s", b)
	}
}

func TestInstallRefuses(t *testing.T) {
	home(t, ".config/chromium")
	for _, o := range []Options{
		{Executable: "persten"}, {},
		{Executable: "/p", Extensions: []string{"*"}},
		{Executable: "/p", Extensions: []string{"chrome-extension://*/"}},
		{Executable: "/p", Extensions: []string{ExtensionID, ""}},
	} {
		if done, err := Install(o); err == nil || len(done) != 0 {
			t.Errorf("%+v installed %v", o, done)
		}
	}
	if done, err := Install(Options{Executable: "/p", Extensions: []string{GeckoID}}); err != nil || len(done) != 0 {
		t.Errorf("a Gecko id alone was given to Chromium: %v %v", done, err)
	}
}

func TestInstallReportsUnwritable(t *testing.T) {
	dir := home(t, ".config/chromium", ".config/opera")
	if err := os.WriteFile(filepath.Join(dir, ".config/opera/NativeMessagingHosts"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	done, err := Install(Options{Executable: "/p"})
	if err == nil || !strings.Contains(err.Error(), "Opera") || len(done) != 1 {
		t.Errorf("installed %v, %v", done, err)
	}
}

func TestHostCaller(t *testing.T) {
	ours := "chrome-extension://" + ExtensionID + "/"
	foreign := "chrome-extension://" + strings.Repeat("a", 32) + "/"
	path := "/home/u/.mozilla/native-messaging-hosts/persten.agent.json"
	for _, c := range []struct {
		args    []string
		id      string
		browser bool
	}{
		{[]string{ours}, ExtensionID, true},
		{[]string{ours, "--parent-window=0"}, ExtensionID, true},
		{[]string{path, GeckoID}, GeckoID, true},
		{nil, "", false},
		{[]string{"session"}, "", false},
		{[]string{"sign", "cms"}, "", false},
		{[]string{"verify", "/tmp/file.json"}, "", false},
		{[]string{foreign}, "", true},
		{[]string{ours, "sign"}, "", true},
		{[]string{strings.TrimSuffix(ours, "/")}, "", true},
		{[]string{ours + "x"}, "", true},
		{[]string{strings.ToUpper(ours)}, "", false},
		{[]string{"moz-extension://" + ExtensionID + "/"}, "", true},
		{[]string{path, "evil@addon.example"}, "", true},
		{[]string{path, GeckoID, "x"}, "", false},
		{[]string{"persten.agent.json", GeckoID}, "", false},
		{[]string{path}, "", false},
	} {
		id, ok := HostCaller(c.args)
		if id != c.id || ok != (c.id != "") || StartedByBrowser(c.args) != c.browser {
			t.Errorf("%q: %q %v, browser %v", c.args, id, ok, StartedByBrowser(c.args))
		}
	}
}

func TestTargetsAreDistinct(t *testing.T) {
	home(t)
	seen := map[string]string{}
	for _, target := range append(userTargets(), systemTargets("")...) {
		if was, ok := seen[target.Path]; ok {
			t.Errorf("%s and %s share %s", was, target.Browser, target.Path)
		}
		seen[target.Path] = target.Browser
	}
	if len(seen) < 15 {
		t.Errorf("only %d targets", len(seen))
	}
}
