// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/update"
	"persten/proto"
)

// updateSite is a publisher with a server, and a program of theirs that asks it.
type updateSite struct {
	*httptest.Server
	root    ed25519.PrivateKey
	keys    update.Keys
	release update.Release
	edit    func([]byte) []byte // of what the server sends
	status  int
	asked   int
	config  string
}

const updateContent = "content of a package"

func newUpdateSite(t *testing.T) *updateSite {
	t.Helper()
	isolate(t)
	key := func(n byte) ed25519.PrivateKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	}
	s := &updateSite{root: key(1), edit: func(b []byte) []byte { return b }, status: http.StatusOK}
	now := time.Now().UTC().Truncate(time.Second)
	period := update.Period{Issued: now.Add(-time.Hour), Expires: now.AddDate(0, 1, 0)}
	s.keys = update.Keys{Serial: 1, Period: period, Threshold: 1, Keys: []ed25519.PublicKey{s.root.Public().(ed25519.PublicKey)}}
	s.release = update.Release{Channel: "stable", Serial: 7, Version: "0.2.0", Period: period, Notes: "https://persten.example/news"}
	sum := sha256.Sum256([]byte(updateContent))
	for kind, file := range map[string]string{"deb": "persten_0.2.0_amd64.deb", "rpm": "persten-0.2.0-1.x86_64.rpm", "msi": "persten-0.2.0.msi", "tgz": "persten-0.2.0.tgz"} {
		s.release.Packages = append(s.release.Packages, update.Package{
			Name: "persten", System: runtime.GOOS + "/" + runtime.GOARCH, Kind: kind, File: file, URL: "https://persten.example/get/" + file,
			Size: int64(len(updateContent)), SHA256: hex.EncodeToString(sum[:]),
		})
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(s.status)
		w.Write(s.edit(s.describe()))
	}))
	t.Cleanup(s.Close)
	setTogether(t, base64.StdEncoding.EncodeToString(s.keys.Keys[0]), "v0.1.0-3-gabcdef0")
	s.configure(t, "[update]\nurl = \""+s.URL+"/update.json\"\n[network]\nproxy = \"none\"\n")
	return s
}

// setTogether gives the program what the linker would.
func setTogether(t *testing.T, roots, ownVersion string) {
	oldRoots, oldVersion := updateRoots, version
	updateRoots, version = roots, ownVersion
	t.Cleanup(func() { updateRoots, version = oldRoots, oldVersion })
}

func (s *updateSite) describe() []byte {
	return update.Description{Keys: update.Seal(update.KeysType, s.keys, s.root), Release: update.Seal(update.ReleaseType, s.release, s.root)}.Encode()
}

func (s *updateSite) configure(t *testing.T, text string) {
	t.Helper()
	s.config = filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// persten runs `persten update ARGS` and returns both outputs and the exit code.
func (s *updateSite) persten(args ...string) (out, errOut string, code int) {
	var o, e bytes.Buffer
	code = run(append([]string{"--config", s.config, "update"}, args...), strings.NewReader(""), &o, &e)
	return o.String(), e.String(), code
}

// isolate gives a test folders of its own and English.
func isolate(t *testing.T) {
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, t.TempDir())
	}
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("LANGUAGE", "")
}

// TestUpdateCheck: the command tells in words and in JSON what there is and what to do, and remembers what it saw.
func TestUpdateCheck(t *testing.T) {
	s := newUpdateSite(t)
	for _, c := range []struct{ installed, state, words string }{
		{"v0.1.0-3-gabcdef0", "newer", "Persten 0.2.0 is out"}, {"0.2.0", "current", "the newest version"}, {"0.3.0", "ahead", "newer than what"},
		{"dev", "unknown", "not a release"},
	} {
		version = c.installed
		out, errOut, code := s.persten("check")
		if code != exitOK || !strings.Contains(out, c.words) {
			t.Errorf("%s: %d %s %s", c.installed, code, out, errOut)
		}
		offered := c.state == "newer" || c.state == "unknown"
		if strings.Contains(out, "persten update verify persten") != offered || strings.Contains(out, "https://persten.example/get/") != offered {
			t.Errorf("%s: %s", c.installed, out)
		}
		var news updateNews
		out, _, code = s.persten("check", "--json")
		if err := json.Unmarshal([]byte(out), &news); err != nil || code != exitOK || news.State != c.state || news.Latest != "0.2.0" || len(news.Packages) == 0 {
			t.Errorf("%s: %v %s", c.installed, err, out)
		}
	}
	t.Setenv("LC_ALL", "ru_RU.UTF-8")
	version = "0.1.0"
	if out, _, _ := s.persten("check"); !strings.Contains(out, "Вышла версия Persten 0.2.0") {
		t.Error(out)
	}
	fi, err := os.Stat(filepath.Join(os.Getenv("XDG_STATE_HOME"), "persten/update.json"))
	if err != nil || fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", fi, err)
	}
}

// TestUpdateOnServer: who has no window is offered none.
func TestUpdateOnServer(t *testing.T) {
	list := []update.Package{{Name: "persten"}, {Name: "persten-desktop"}}
	t.Setenv("PERSTEN_DESKTOP", "")
	if got := installedOf(slices.Clone(list)); len(got) != 1 || got[0].Name != "persten" {
		t.Errorf("%v", got)
	}
	t.Setenv("PERSTEN_DESKTOP", "/usr/bin/persten-desktop")
	if got := installedOf(slices.Clone(list)); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// TestUpdateRefused: what is wrong is named by its code, exits with 1, and leaves what was seen as it was.
func TestUpdateRefused(t *testing.T) {
	s := newUpdateSite(t)
	if _, errOut, code := s.persten("check"); code != exitOK {
		t.Fatal(errOut)
	}
	good := s.release
	for _, c := range []struct {
		name, code string
		set        func()
	}{
		{"older", "update_rollback", func() { s.release.Serial = 6 }},
		{"other content", "update_untrusted", func() { s.release.Notes += "x" }},
		{"ended", "update_outdated", func() {
			s.release.Serial, s.release.Expires = 8, time.Now().UTC().Add(-time.Second).Truncate(time.Second)
		}},
		{"changed", "update_untrusted", func() { s.edit = func(b []byte) []byte { b[len(b)/2] ^= 1; return b } }},
		{"too large", "network_answer", func() { s.edit = func([]byte) []byte { return make([]byte, update.MaxSize+1) } }},
		{"broken server", "network_answer", func() { s.status = http.StatusBadGateway }},
		{"not yet", "update_outdated", func() { s.release.Serial, s.release.Issued = 8, s.release.Issued.AddDate(0, 0, 9) }},
		{"other channel", "update_untrusted", func() { s.release.Serial, s.release.Channel = 8, "beta" }},
	} {
		s.release, s.edit, s.status = good, func(b []byte) []byte { return b }, http.StatusOK
		c.set()
		if out, errOut, code := s.persten("check"); code != exitFailed || out != "" || !strings.HasPrefix(errOut, c.code+": ") {
			t.Errorf("%s: %d %s%s", c.name, code, out, errOut)
		}
	}
	s.release, s.edit, s.status = good, func(b []byte) []byte { return b }, http.StatusOK
	if _, errOut, code := s.persten("check"); code != exitOK {
		t.Errorf("the good one again: %s", errOut)
	}
	state := filepath.Join(os.Getenv("XDG_STATE_HOME"), "persten/update.json")
	if err := os.WriteFile(state, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errOut, code := s.persten("check"); code != exitFailed || !strings.HasPrefix(errOut, "update_state: ") {
		t.Errorf("damaged: %s", errOut)
	}
}

// TestUpdateForbidden: no request is made when policy or settings say so, or the build has no keys.
func TestUpdateForbidden(t *testing.T) {
	s := newUpdateSite(t)
	url := "url = \"" + s.URL + "\"\n"
	for config, code := range map[string]string{
		"[update]\ncheck = \"off\"\n" + url:                "update_off",
		"[update]\n" + url + "[network]\noffline = true\n": "network_offline",
		"":                                   "update_unavailable", // no address is built in
		"[update]\ncheck = \"beta\"\n" + url: "config_invalid",
		"[update]\nurl = \"ftp://persten.example/update.json\"": "config_invalid",
		"[update]\nauto = true\n":                               "config_invalid",
	} {
		s.configure(t, config)
		if out, errOut, exit := s.persten("check"); exit != exitFailed || out != "" || !strings.HasPrefix(errOut, code+": ") {
			t.Errorf("%q: %d %s%s", config, exit, out, errOut)
		}
	}
	s.configure(t, "[update]\n"+url)
	for _, roots := range []string{"", "AAAA", "!"} {
		updateRoots = roots
		if _, errOut, _ := s.persten("check"); !strings.HasPrefix(errOut, "update_unavailable: ") {
			t.Errorf("%q: %s", roots, errOut)
		}
	}
	if s.asked != 0 {
		t.Errorf("%d requests", s.asked)
	}
}

// TestUpdateByNoMethod: what pages and programs can call knows nothing of updates; the command is the only way.
func TestUpdateByNoMethod(t *testing.T) {
	for _, method := range proto.Methods() {
		if strings.Contains(method, "update") {
			t.Errorf("a method %s", method)
		}
	}
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Imports}}", "persten/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	importers := 0
	for line := range strings.Lines(string(out)) {
		who, imports, _ := strings.Cut(line, " ")
		if strings.Contains(imports, "persten/internal/update") {
			importers++
			if who != "persten/agent" && who != "persten/installer/release" {
				t.Errorf("%s imports it", who)
			}
		}
	}
	if importers != 2 {
		t.Errorf("%d importers", importers)
	}
}

// TestUpdateFromFile: without a network the description and the package come by hand, and are checked the same way.
func TestUpdateFromFile(t *testing.T) {
	s := newUpdateSite(t)
	s.configure(t, "[network]\noffline = true\n")
	dir := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	from := write("update.json", string(s.describe()))
	if out, errOut, code := s.persten("check", "--from", from); code != exitOK || !strings.Contains(out, "0.2.0") {
		t.Errorf("%s%s", out, errOut)
	}
	for name, c := range map[string]struct {
		content string
		code    int
		says    string
	}{"renamed.bin": {updateContent, exitOK, "is persten 0.2.0"}, "persten_0.2.0_amd64.deb": {updateContent + " ", exitFailed, "update_mismatch: "}} {
		out, errOut, code := s.persten("verify", write(name, c.content), "--from", from)
		if code != c.code || !strings.Contains(out+errOut, c.says) {
			t.Errorf("%s: %d %s%s", name, code, out, errOut)
		}
	}
	if _, errOut, _ := s.persten("check", "--from", filepath.Join(dir, "absent")); !strings.HasPrefix(errOut, "file_unreadable: ") {
		t.Error(errOut)
	}
	if s.asked != 0 {
		t.Errorf("%d requests", s.asked)
	}
}
