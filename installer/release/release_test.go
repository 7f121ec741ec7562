// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/browser"
	"persten/internal/update"
)

// do runs a command of the tool and returns what it says.
func do(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(args, &out)
	return strings.TrimSpace(out.String()), err
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := do(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// write makes files of a folder, by name.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPublish goes through RELEASE.md: keys, the list of keys, the description, and a program that believes it.
func TestPublish(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	root, first, second := must(t, "keygen", at("root.pem")), must(t, "keygen", at("first.pem")), must(t, "keygen", at("second.pem"))
	if fi, err := os.Stat(at("root.pem")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", fi, err)
	}
	if _, err := do(t, "keygen", at("root.pem")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key was replaced: %v", err)
	}
	must(t, "keys", "--root", at("root.pem"), "--serial", "3", "--threshold", "2", "--out", at("keys.json"), first, second)
	write(t, dir, map[string]string{
		"p/persten_1.2.3_amd64.deb": "a", "p/persten-desktop_1.2.3_amd64.deb": "b", "p/persten-1.2.3-1.x86_64.rpm": "c", "p/persten-1.2.3-x64.msi": "d", "p/persten-1.2.3-x64-user.msi": "e", "p/SHA256SUMS": "",
	})
	order := func(change ...string) []string {
		args := []string{"describe", "--dir", at("p"), "--url", "https://persten.example/get", "--version", "1.2.3", "--serial", "8", "--notes", "https://persten.example/news",
			"--keys", at("keys.json"), "--key", at("first.pem"), "--key", at("second.pem"), "--roots", root, "--out", at("update.json")}
		return append(args, change...)
	}
	must(t, order()...)
	data, err := os.ReadFile(at("update.json"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := publicKeys([]string{root})
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := update.Trust{Roots: public, Channel: "stable", Now: time.Now()}.Read(data)
	if err != nil || r.Version != "1.2.3" || len(r.Packages) != 5 || len(r.For("linux/amd64", "deb")) != 2 || len(r.For("windows/amd64", "msi")) != 1 || len(r.For("windows/amd64", "msiuser")) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, args := range map[string][]string{
		"one signature of two": {"describe", "--dir", at("p"), "--url", "https://persten.example/get", "--version", "1.2.3", "--serial", "8", "--notes", "https://persten.example/news", "--keys", at("keys.json"), "--key", at("first.pem"), "--roots", root, "--out", at("x")},
		"another root":         order("--roots", first, "--out", at("x")),
		"another version":      order("--version", "1.2.4", "--out", at("x")),
		"over http":            order("--url", "http://persten.example/get", "--out", at("x")),
		"for ever":             order("--days", "4000", "--out", at("x")),
		"no packages":          order("--dir", t.TempDir(), "--out", at("x")),
		"no serial":            order("--serial", "0", "--out", at("x")),
		"a list no key signs":  {"keys", "--root", at("root.pem"), "--serial", "4", "--threshold", "2", "--out", at("x"), first},
		"no public key":        {"keys", "--root", at("root.pem"), "--serial", "4", "--out", at("x"), "AAAA"},
		"a root that is none":  {"keys", "--root", at("keys.json"), "--serial", "4", "--out", at("x"), first},
		"an unknown command":   {"publish"},
		"an unknown flag":      order("--force"),
	} {
		if out, err := do(t, args...); err == nil {
			t.Errorf("%s: %s", name, out)
		}
		if _, err := os.Stat(at("x")); err == nil {
			t.Errorf("%s: a file was written", name)
		}
	}
}

// TestOpenSSLKey: a key that OpenSSL made, as from a device that exports one, signs as well.
func TestOpenSSLKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key.pem")
	if out, err := exec.Command("openssl", "genpkey", "-algorithm", "ed25519", "-out", file).CombinedOutput(); err != nil {
		t.Skipf("not run: openssl: %v: %s", err, out)
	}
	if key, err := readKey(file); err != nil || len(key) != ed25519.PrivateKeySize {
		t.Errorf("%d, %v", len(key), err)
	}
}

// tree is a small source tree that is fit to be published as 1.2.3.
func tree(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	write(t, ".", map[string]string{
		"proto/persten.openrpc.json": "{\n  \"openrpc\": \"1.3.2\",\n  \"info\": {\n    \"title\": \"Persten\",\n    \"version\": \"1.2.3\"\n  }\n}\n",
		"browserext/package.json":    `{ "name": "x", "version": "1.2.3" }`, "browserext/sdk/package.json": `{ "version": "1.2.3" }`, "browserext/manifest/base.json": `{ "manifest_version": 3, "version": "1.2.3" }`,
		"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-22\n\n- First.\n", ".gitignore": "/bin/\n",
	})
	git(t, "init", "-q")
	git(t, "add", ".")
	git(t, "-c", "user.name=a", "-c", "user.email=a@persten.example", "commit", "-qm", "a")
	git(t, "tag", "v1.2.3")
	write(t, "bin/.stamps", map[string]string{"tested": command("git", "rev-parse", "HEAD") + "\n"})
}

func git(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
}

// TestSource: a tree that is fit has no findings, and each fault has one of its own check.
func TestSource(t *testing.T) {
	bySource := checks[:4] // licences are looked at in the real tree
	tree(t)
	for _, c := range bySource {
		if problems := c.run("1.2.3"); len(problems) != 0 {
			t.Errorf("%s: %v", c.name, problems)
		}
	}
	for want, spoil := range map[string]func(){
		"versions agree": func() { write(t, ".", map[string]string{"browserext/sdk/package.json": `{ "version": "1.2.2" }`}) },
		"changelog": func() {
			write(t, ".", map[string]string{"CHANGELOG.md": "## [Unreleased]\n\n- Waits.\n\n## [1.2.3] - 2026-11-22\n"})
		},
		"work tree and tag": func() {
			git(t, "-c", "user.name=a", "-c", "user.email=a@persten.example", "commit", "-q", "--allow-empty", "-m", "b")
			write(t, "bin/.stamps", map[string]string{"tested": command("git", "rev-parse", "HEAD")})
		},
		"tests": func() { write(t, "bin/.stamps", map[string]string{"tested": "0000"}) },
	} {
		t.Run(want, func(t *testing.T) {
			tree(t)
			spoil()
			for _, c := range bySource {
				dirty := c.name == "work tree and tag" && (want == "versions agree" || want == "changelog") // a changed file is one, too
				if problems := c.run("1.2.3"); (len(problems) > 0) != (c.name == want) && !dirty {
					t.Errorf("%s: %v", c.name, problems)
				}
			}
		})
	}
}

// TestPackages: sums that do not hold, files that are missing or too many, and builds that differ are found.
func TestPackages(t *testing.T) {
	t.Chdir(t.TempDir())
	files := map[string]string{"a.deb": "a", "b.rpm": "b", "SHA256SUMS": ""}
	for _, name := range []string{"a.deb", "b.rpm"} {
		write(t, "sum", map[string]string{name: files[name]})
		_, sum, err := measure("sum/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files["SHA256SUMS"] += sum + "  " + name + "\n"
	}
	for name, c := range map[string]struct {
		change       map[string]string
		sums, unlike int
	}{
		"as they should be": {nil, 0, 0}, "changed": {map[string]string{"a.deb": "x"}, 1, 1}, "one more": {map[string]string{"c.msi": "c"}, 1, 1},
		"one less": {map[string]string{"SHA256SUMS": files["SHA256SUMS"] + strings.Repeat("0", 64) + "  c.msi\n"}, 1, 1},
	} {
		write(t, name+"/1", files)
		write(t, name+"/2", files)
		write(t, name+"/1", c.change)
		if problems := checksums(name + "/1"); len(problems) != c.sums {
			t.Errorf("%s: %v", name, problems)
		}
		if problems := differences(name+"/1", name+"/2"); len(problems) != c.unlike {
			t.Errorf("%s: %v", name, problems)
		}
	}
	for id, count := range map[string]int{browser.ExtensionID: 0, strings.Repeat("a", 32): 1} {
		write(t, "crx", map[string]string{"update.xml": `<app appid="` + id + `">`})
		if problems := foreignID("crx"); len(problems) != count {
			t.Errorf("%s: %v", id, problems)
		}
	}
	if problems := packages("sum", "1.2.3"); len(problems) < len(wanted) {
		t.Errorf("packages: %v", problems)
	}
}

// TestLicences: every module the programs link may be there, and one without a licence is found.
func TestLicences(t *testing.T) {
	if licenceOf(t.TempDir()) != "" {
		t.Error("an empty folder has a licence")
	}
	t.Chdir("../..")
	for _, problem := range licences("") {
		t.Error(problem)
	}
}

// TestWanted: the names that make package gives, all of them and no less.
func TestWanted(t *testing.T) {
	t.Chdir(t.TempDir())
	names := []string{
		"persten_1.2.3_amd64.deb", "persten-desktop_1.2.3_amd64.deb", "persten-1.2.3-1.x86_64.rpm", "persten-desktop-1.2.3-1.x86_64.rpm", "persten-1.2.3-x64.msi",
		"persten-1.2.3-x64-user.msi", "persten-chrome-1.2.3.zip", "persten-firefox-1.2.3.zip", "persten-sdk-1.2.3.tgz", "persten-1.2.3.cdx.json",
		"persten-desktop-1.2.3.cdx.json",
	}
	for _, name := range names {
		write(t, ".", map[string]string{name: name})
	}
	if problems := packages(".", "1.2.3"); len(problems) != 0 {
		t.Error(problems)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if problems := packages(".", "1.2.3"); len(problems) != 1 {
			t.Errorf("without %s: %v", name, problems)
		}
		write(t, ".", map[string]string{name: name})
	}
}
