// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

const ourFiles = `{"name": "__MSG_extName__", "version": "0.3.1", "permissions": ["nativeMessaging", "storage"], "action": {"default_popup": "status/status.html"}}`

// A profile says of the extension what Chromium wrote there, in its older and newer forms.
func TestChromiumProfile(t *testing.T) {
	for name, c := range map[string]struct {
		prefs, secure string
		want          ExtensionState
		version       string
	}{
		"on":        {`{"extensions":{"settings":{"` + ExtensionID + `":{"disable_reasons":[],"location":8,"path":"EXT"}}}}`, "", ExtensionOn, "0.3.1"},
		"store":     {"{}", `{"extensions":{"settings":{"` + ExtensionID + `":{"state":1,"manifest":{"version":"0.2"},"path":"` + ExtensionID + `/0.2_0"}}}}`, ExtensionOn, "0.2"},
		"off":       {`{"extensions":{"settings":{"` + ExtensionID + `":{"disable_reasons":[1],"path":"EXT"}}}}`, "", ExtensionOff, "0.3.1"},
		"off, old":  {`{"extensions":{"settings":{"` + ExtensionID + `":{"state":0}}}}`, "", ExtensionOff, ""},
		"off, bits": {`{"extensions":{"settings":{"` + ExtensionID + `":{"state":1,"disable_reasons":8192}}}}`, "", ExtensionOff, ""},
		"other id":  {`{"extensions":{"settings":{"aaaabbbbccccddddeeeeffffgggghhhh":{"path":"EXT"}}}}`, "", ExtensionOtherID, "0.3.1"},
		"another":   {`{"extensions":{"settings":{"aaaabbbbccccddddeeeeffffgggghhhh":{"path":"/nonexistent"}}}}`, "", ExtensionAbsent, ""},
		"hostile":   {`{"extensions":{"settings":{"` + ExtensionID + `":[1],"x":null,"y":{"path":"../../../etc"}}}}`, `{"extensions":7}`, ExtensionAbsent, ""},
		"cut":       {`{"extensions":{"sett`, "", ExtensionAbsent, ""},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "ext/manifest.json"), ourFiles)
		write(t, filepath.Join(dir, "p/Preferences"), strings.ReplaceAll(c.prefs, "EXT", filepath.Join(dir, "ext")))
		if c.secure != "" {
			write(t, filepath.Join(dir, "p/Secure Preferences"), c.secure)
		}
		if p := chromiumProfile(filepath.Join(dir, "p")); p.State != c.want || p.Version != c.version {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestPolicies(t *testing.T) {
	for text, want := range map[string]Policy{
		`{}`:                                   {},
		`{"ExtensionInstallBlocklist": ["*"]}`: {Extension: true},
		`{"ExtensionInstallBlocklist": ["*"], "ExtensionInstallAllowlist": ["` + ExtensionID + `"]}`:                              {},
		`{"ExtensionInstallBlocklist": ["*"], "ExtensionInstallForcelist": ["` + ExtensionID + `;https://x"]}`:                    {},
		`{"ExtensionSettings": {"*": {"installation_mode": "blocked"}}}`:                                                          {Extension: true},
		`{"ExtensionSettings": {"*": {"installation_mode": "blocked"}, "` + ExtensionID + `": {"installation_mode": "allowed"}}}`: {},
		`{"ExtensionSettings": {"` + ExtensionID + `": {"installation_mode": "removed"}}}`:                                        {Extension: true},
		`{"NativeMessagingBlocklist": ["*"]}`:                                                                                     {Host: true},
		`{"NativeMessagingBlocklist": ["*"], "NativeMessagingAllowlist": ["persten.agent"]}`:                                      {},
		`{"NativeMessagingUserLevelHosts": false}`:                                                                                {UserHost: true},
		`{"ExtensionInstallBlocklist": "x", "a": `:                                                                                {},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.json"), text)
		got := chromiumPolicy(dir)
		if got.Extension != want.Extension || got.Host != want.Host || got.UserHost != want.UserHost || (len(got.Files) > 0) != (want.Extension || want.Host || want.UserHost) {
			t.Errorf("%s: %+v", text, got)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.json"), `{"LoopbackNetworkBlockedForUrls": ["*"]}`)
	write(t, filepath.Join(dir, "b.json"), `{"LocalNetworkAccessBlockedForUrls": ["https://a.example"]}`)
	if p := chromiumPolicy(dir); len(p.Loopback) != 2 {
		t.Errorf("%+v", p)
	}
}

func FuzzProfile(f *testing.F) {
	f.Add(`{"extensions":{"settings":{"`+ExtensionID+`":{"disable_reasons":[],"path":"x"}}}}`, `{"ExtensionInstallBlocklist": ["*"]}`)
	f.Add(`{"addons": [{"id": "agent@persten.example", "active": true}]}`, `{"policies": {"ExtensionSettings": {"*": {"installation_mode": "blocked"}}}}`)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, profile, policy string) {
		for _, name := range []string{"Preferences", "Secure Preferences", "extensions.json"} {
			write(t, filepath.Join(dir, name), profile)
		}
		write(t, filepath.Join(dir, "policy", "a.json"), policy)
		for _, p := range []Profile{chromiumProfile(dir), firefoxProfile(dir)} {
			if p.State == "" {
				t.Errorf("%+v", p)
			}
		}
		chromiumPolicy(filepath.Join(dir, "policy"))
		firefoxPolicy([]string{filepath.Join(dir, "policy", "a.json")})
	})
}
