// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"persten/proto"
)

// TestPolicyOwnership: a policy counts only when nobody but its owner can have written it, and without it nothing runs.
func TestPolicyOwnership(t *testing.T) {
	me := os.Getuid()
	for _, c := range []struct {
		name             string
		fileMode, folder os.FileMode
		owner            int
		counts           bool
	}{
		{"private", 0o600, 0o700, me, true},
		{"readable", 0o644, 0o755, me, true},
		{"group may write", 0o664, 0o755, me, false},
		{"others may write", 0o646, 0o755, me, false},
		{"group may write to the folder", 0o644, 0o775, me, false},
		{"others may write to the folder", 0o644, 0o777, me, false},
		{"sticky folder", 0o644, 0o777 | os.ModeSticky, me, false},
		{"another owner", 0o644, 0o755, me + 1, false},
	} {
		dir := filepath.Join(t.TempDir(), "persten")
		policy, user := filepath.Join(dir, "policy.toml"), filepath.Join(t.TempDir(), "config.toml")
		writeFile(t, policy, "[ui]\nlanguage = \"en\"\n", c.fileMode)
		writeFile(t, user, "[ui]\nlanguage = \"ru\"\n", 0o600)
		if err := os.Chmod(dir, c.folder); err != nil {
			t.Fatal(err)
		}
		got, err := load(user, policy, c.owner)
		if counts := err == nil && got.UI.Language == "en" && got.Managed; counts != c.counts || !counts && !errors.Is(err, proto.CodePolicyUnsafe) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// TestPolicyForeignFile needs root, who alone can give files away.
func TestPolicyForeignFile(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root: a policy that belongs to another user was not tried (1 case)")
	}
	policy := filepath.Join(t.TempDir(), "policy.toml")
	writeFile(t, policy, "[ui]\nlanguage = \"en\"\n", 0o644)
	if err := os.Chown(policy, 1, 0); err != nil {
		t.Fatal(err)
	}
	if data, err := readOwned(policy, policyOwner); data != nil || !errors.Is(err, proto.CodePolicyUnsafe) {
		t.Errorf("%q, %v", data, err)
	}
}

func TestPolicyOddities(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := readOwned(pipe, os.Getuid()); data != nil || !errors.Is(err, proto.CodePolicyUnsafe) {
		t.Errorf("pipe: %q, %v", data, err)
	}
	if data, err := readOwned(dir, os.Getuid()); data != nil || !errors.Is(err, proto.CodePolicyUnsafe) {
		t.Errorf("folder: %q, %v", data, err)
	}
	user := filepath.Join(dir, "config.toml")
	writeFile(t, user, "", 0o600)
	bad := filepath.Join(dir, "policy.toml")
	writeFile(t, bad, "\n[ui]\nlanguage = 1\n", 0o644)
	_, err := load(user, bad, os.Getuid())
	if e := proto.AsError(err); e == nil || e.Code != proto.CodePolicyInvalid || e.Args["file"] != bad || e.Args["line"] != "3" {
		t.Errorf("wrong policy: %v", err)
	}
}

// TestPolicyPlace: a policy that somebody else could exchange, or take away, does not count, and is not passed over.
func TestPolicyPlace(t *testing.T) {
	const good = "[ui]\nlanguage = \"en\"\n"
	for name, c := range map[string]struct {
		make func(top, policy string) error
		code proto.Code // empty: it counts
	}{
		"as it should be": {func(string, string) error { return nil }, ""},
		"a link to a good file": {func(top, policy string) error {
			return errors.Join(os.Rename(policy, top+"/real.toml"), os.Symlink(top+"/real.toml", policy))
		}, proto.CodePolicyUnsafe},
		"a link to nothing": {func(top, policy string) error {
			return errors.Join(os.Remove(policy), os.Symlink(top+"/none.toml", policy))
		}, proto.CodePolicyUnsafe},
		"a folder that is a link": {func(top, policy string) error {
			return errors.Join(os.Rename(filepath.Dir(policy), top+"/real"), os.Symlink("real", filepath.Dir(policy)))
		}, proto.CodePolicyUnsafe},
		"a folder that is a link to nothing": {func(top, policy string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(policy)), os.Symlink("real", filepath.Dir(policy)))
		}, proto.CodePolicyUnsafe},
		"a file in the folder's place": {func(_, policy string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(policy)), os.WriteFile(filepath.Dir(policy), nil, 0o644))
		}, proto.CodePolicyUnsafe},
		"a folder above that others write to":   {func(top, _ string) error { return os.Chmod(top, 0o777) }, proto.CodePolicyUnsafe},
		"a folder above that a group writes to": {func(top, _ string) error { return os.Chmod(top, 0o775) }, proto.CodePolicyUnsafe},
		"a sticky folder above":                 {func(top, _ string) error { return os.Chmod(top, 0o777|os.ModeSticky) }, ""},
		"ten megabytes": {func(_, policy string) error {
			return os.WriteFile(policy, []byte(good+strings.Repeat("# "+strings.Repeat("x", 1021)+"\n", 10<<10)), 0o644)
		}, proto.CodePolicyInvalid},
	} {
		top := filepath.Join(t.TempDir(), "etc")
		policy := filepath.Join(top, "persten", "policy.toml")
		writeFile(t, policy, good, 0o644)
		if err := errors.Join(os.Chmod(top, 0o755), os.Chmod(filepath.Dir(policy), 0o755), c.make(top, policy)); err != nil {
			t.Fatal(err)
		}
		got, err := load(os.DevNull, policy, os.Getuid())
		if c.code == "" && (err != nil || got.UI.Language != "en") || c.code != "" && !errors.Is(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPolicyUnreadable: a policy that the user may not read stops the agent, too.
func TestPolicyUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything: a policy without rights was not tried (2 cases)")
	}
	for _, mode := range [][2]os.FileMode{{0o200, 0o755}, {0o644, 0o600}} {
		policy := filepath.Join(t.TempDir(), "persten", "policy.toml")
		writeFile(t, policy, "", 0o644)
		if err := errors.Join(os.Chmod(policy, mode[0]), os.Chmod(filepath.Dir(policy), mode[1])); err != nil {
			t.Fatal(err)
		}
		if _, err := load(os.DevNull, policy, os.Getuid()); !errors.Is(err, proto.CodePolicyInvalid) {
			t.Errorf("%v: %v", mode, err)
		}
		os.Chmod(filepath.Dir(policy), 0o700)
	}
}

func TestLooseFileWarns(t *testing.T) {
	p := filepath.Join(t.TempDir(), "c.toml")
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o644: 0, 0o664: 1, 0o666: 1} {
		writeFile(t, p, "", mode)
		if c, err := load(p, "", 0); err != nil || len(c.Warnings) != want {
			t.Errorf("%04o: %q, %v", mode, c.Warnings, err)
		}
	}
}

// TestAnswersOthersMayWrite: sites are refused when somebody else could have allowed them.
func TestAnswersOthersMayWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	o := openOrigins(t, file, nil)
	if err := o.Allow("https://a.example"); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("written with %v, %v", fi.Mode(), err)
	}
	if err := os.Chmod(file, 0o622); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenOrigins(file, nil); !errors.Is(err, proto.CodeConfigInvalid) {
		t.Errorf("error %v", err)
	}
}

func TestXDG(t *testing.T) {
	home := t.TempDir()
	other := t.TempDir()
	t.Setenv("HOME", home)
	for _, c := range []struct{ value, config, state string }{
		{"", home + "/.config/persten", home + "/.local/state/persten"},
		{"relative", home + "/.config/persten", home + "/.local/state/persten"}, // the specification: ignore
		{other, other + "/persten", other + "/persten"},
	} {
		t.Setenv("XDG_CONFIG_HOME", c.value)
		t.Setenv("XDG_STATE_HOME", c.value)
		if got, err := ConfigDir(); got != c.config || err != nil {
			t.Errorf("%q: %s, %v", c.value, got, err)
		}
		if _, err := os.Stat(c.config); c.value == "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the configuration folder was made: %v", err)
		}
		if got, err := StateDir(); got != c.state || err != nil {
			t.Errorf("%q: %s, %v", c.value, got, err)
		}
		wantMode(t, c.state, 0o700)
	}
	if err := os.Chmod(other+"/persten", 0o770); err != nil {
		t.Fatal(err)
	}
	if got, err := StateDir(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("a folder the group may write: %s, %v", got, err)
	}
}

func wantMode(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() || fi.Mode().Perm() != mode {
		t.Errorf("%s: %v, %v", dir, fi, err)
	}
}

// TestRuntimeDir: the folder of XDG_RUNTIME_DIR when it is this user's own, else one under the temporary folder.
func TestRuntimeDir(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("PERSTEN_SOCKET", "")
	fallback := filepath.Join(tmp, "persten-"+strconv.Itoa(os.Getuid()))
	own, open := t.TempDir(), t.TempDir()
	for dir, mode := range map[string]fs.FileMode{own: 0o700, open: 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
	}
	for value, want := range map[string]string{
		own: own + "/persten", "": fallback, "relative": fallback, tmp + "/missing": fallback, open: fallback, "/proc/1/fd/0": fallback,
	} {
		t.Setenv("XDG_RUNTIME_DIR", value)
		got, err := RuntimeDir()
		if got != want || err != nil {
			t.Errorf("%q: %s, %v; want %s", value, got, err, want)
			continue
		}
		wantMode(t, got, 0o700)
		if s, err := SocketPath(); s != want+"/session.sock" || err != nil {
			t.Errorf("%q: %s, %v", value, s, err)
		}
	}
}

// TestRuntimeDirTaken: what somebody else put in the place of the fallback is not used.
func TestRuntimeDirTaken(t *testing.T) {
	for name, take := range map[string]func(string) error{
		"link":          func(p string) error { return os.Symlink(os.TempDir(), p) },
		"dangling link": func(p string) error { return os.Symlink(p+"-none", p) },
		"file":          func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"open folder":   func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o711)) },
		"own folder of another user": func(p string) error {
			if os.Getuid() != 0 {
				return errors.ErrUnsupported
			}
			return errors.Join(os.Mkdir(p, 0o700), os.Chown(p, 1, 1))
		},
	} {
		tmp := t.TempDir()
		t.Setenv("TMPDIR", tmp)
		t.Setenv("XDG_RUNTIME_DIR", "")
		t.Setenv("PERSTEN_SOCKET", "")
		err := take(filepath.Join(tmp, "persten-"+strconv.Itoa(os.Getuid())))
		if errors.Is(err, errors.ErrUnsupported) {
			t.Logf("not root: %s was not tried (1 case)", name)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := RuntimeDir(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if got, err := SocketPath(); got != "" || !errors.Is(err, proto.CodeSocketFailed) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestSocketVariable(t *testing.T) {
	for value, ok := range map[string]bool{
		"/tmp/demo/session.sock":       true,
		"session.sock":                 false,
		"/" + strings.Repeat("a", 106): true,
		"/" + strings.Repeat("a", 107): false,
	} {
		t.Setenv("PERSTEN_SOCKET", value)
		got, err := SocketPath()
		if ok && (got != value || err != nil) || !ok && !errors.Is(err, proto.CodeSocketFailed) {
			t.Errorf("%q: %q, %v", value, got, err)
		}
	}
}
