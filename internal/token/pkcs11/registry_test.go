// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func trustAll(path string) error {
	_, err := os.Stat(path)
	return err
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRegistry reads p11-kit's files: which of them are for us, and that the administrator's replace the packages'.
func TestRegistry(t *testing.T) {
	dir := t.TempDir()
	packages, admin := filepath.Join(dir, "usr"), filepath.Join(dir, "etc")
	lib := func(name string) string { return write(t, filepath.Join(dir, "lib", name), "") }
	for name, text := range map[string]string{
		"good":     "# comment\nmodule: " + lib("good.so") + "\npriority: 3\n",
		"args":     "module:" + lib("args.so") + "\nx-init-reserved: configdir='sql:/x'\n",
		"trust":    "module: " + lib("trust.so") + "\ntrust-policy: yes\n",
		"remote":   "remote: |ssh user@host p11-kit remote\nmodule: " + lib("remote.so"),
		"others":   "module: " + lib("others.so") + "\nenable-in: firefox, seahorse\n",
		"ours":     "module: " + lib("ours.so") + "\nenable-in: firefox, persten\n",
		"never":    "module: " + lib("never.so") + "\ndisable-in: persten\n",
		"absent":   "module: " + filepath.Join(dir, "lib", "absent.so"),
		"broken":   "module " + lib("broken.so"),
		"twice":    "module: " + lib("twice.so") + "\nmodule: /x\n",
		"empty":    "",
		"replaced": "module: " + lib("replaced.so"),
		"huge":     "module: " + lib("huge.so") + "\n" + strings.Repeat("#\n", maxRegistryFile),
	} {
		write(t, filepath.Join(packages, name+".module"), text)
	}
	write(t, filepath.Join(packages, "other.conf"), "module: "+lib("conf.so"))
	write(t, filepath.Join(admin, "replaced.module"), "module: "+lib("admin.so"))
	got := map[string]Module{}
	for _, m := range catalogue(nil, []string{packages, admin}, trustAll) {
		got[m.Name] = m
	}
	for name, file := range map[string]string{"good": "good.so", "args": "args.so", "ours": "ours.so", "replaced": "admin.so"} {
		if filepath.Base(got[name].Path) != file || got[name].Rank != rankRegistry {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
	if len(got) != 4 || got["args"].Args != "configdir='sql:/x'" {
		t.Errorf("%+v", got)
	}
}

// TestCatalogueOrder takes one path of each vendor and each file once, the vendor's own before a general one.
func TestCatalogueOrder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not run: paths of Linux")
	}
	dir := t.TempDir()
	own := write(t, filepath.Join(dir, "own.so"), "")
	second := write(t, filepath.Join(dir, "own2.so"), "")
	general := write(t, filepath.Join(dir, "general.so"), "")
	link := filepath.Join(dir, "link.so")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	registry := filepath.Join(dir, "registry")
	write(t, filepath.Join(registry, "linked.module"), "module: "+link)
	write(t, filepath.Join(registry, "new.module"), "module: "+write(t, filepath.Join(dir, "new.so"), ""))
	list := []vendor{
		{Name: "general", Rank: 60, Linux: []string{general}},
		{Name: "own", Rank: 10, Linux: []string{"/nonexistent/own.so", own, second}},
		{Name: "gone", Rank: 10, Linux: []string{"/nonexistent/gone.so"}},
		{Name: "idle", Rank: 10, Linux: []string{second}, Needs: "/nonexistent/file"},
	}
	names := ""
	for _, m := range catalogue(list, []string{registry}, trustAll) {
		names += m.Name + " "
	}
	if names != "own new general " {
		t.Errorf("catalogue: %s", names)
	}
	inv := New(Options{Modules: []Module{{Name: "last", Path: general, Rank: 60}, {Name: "first", Path: own, Rank: 10}, {Name: "same", Path: link, Rank: 50}}})
	if len(inv.keepers) != 2 || inv.keepers[0].m.Name != "first" || inv.keepers[1].m.Name != "last" {
		t.Errorf("%d modules", len(inv.keepers))
	}
}

func TestFromConfig(t *testing.T) {
	t.Setenv("HOME", "/home/someone")
	if m := FromConfig("mine", "/opt/x/libsoftokn3.so"); !strings.Contains(m.Args, "sql:/home/someone/.pki/nssdb") || m.Rank != 40 {
		t.Errorf("NSS: %+v", m)
	}
	if m := FromConfig("mine", "/opt/x/other.so"); m.Args != "" || m.Rank != rankConfig {
		t.Errorf("unknown: %+v", m)
	}
	t.Setenv("HOME", "/home/o'brien")
	if m := FromConfig("mine", "/opt/x/libsoftokn3.so"); strings.Contains(m.Args, "o'brien") {
		t.Errorf("a quote in the home folder reaches the arguments: %q", m.Args)
	}
}

func FuzzRegistry(f *testing.F) {
	for _, seed := range []string{"module: /a.so\n", "# x\nmodule:a\nenable-in: persten\n", "\x00", "::\n", "module: a\nmodule: b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseRegistered(text)
		if err != nil {
			return
		}
		e.forUs()
		if p := e.path(trustAll); p == "" || strings.ContainsAny(p, "\x00\n") {
			t.Errorf("path %q", p)
		}
	})
}
