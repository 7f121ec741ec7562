// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/algo/openssltest"
	"persten/internal/token"
	"persten/internal/token/tokentest"
)

// filed is an inventory of the demo token's four files: two were added, two lie in a folder.
func filed(t *testing.T, folder string) *Files {
	t.Helper()
	d, dir := newDemo(t), t.TempDir()
	f := OpenFiles([]string{folder}, filepath.Join(dir, "keyfiles.json"))
	for i, k := range demoKeys {
		from, to := filepath.Join(d.dir, k.kind+".p12"), filepath.Join(dir, k.kind+".p12")
		if i >= 2 {
			to = filepath.Join(folder, k.kind+".PFX")
		}
		copyFile(t, from, to)
		if i < 2 {
			add(t, f, to, DemoPIN)
		}
	}
	return f
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, f *Files, path, password string) Known {
	t.Helper()
	pin, err := tokentest.PIN(password)
	if err != nil {
		t.Fatal(err)
	}
	k, err := f.Add(path, pin)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return k
}

func TestFilesSuite(t *testing.T) {
	folder := t.TempDir()
	f := filed(t, folder)
	file := filepath.Join(folder, demoKeys[2].kind+".PFX")
	tokentest.Run(t, func(t *testing.T) tokentest.Fixture {
		fresh := OpenFiles(f.dirs, f.list) // as after a start
		return tokentest.Fixture{Inventory: fresh, PIN: DemoPIN, Wrong: wrongPIN}
	})
	t.Run("one file", func(t *testing.T) {
		tokentest.Run(t, func(t *testing.T) tokentest.Fixture {
			one := t.TempDir()
			copyFile(t, file, filepath.Join(one, "k.p12"))
			return tokentest.Fixture{
				Inventory: OpenFiles([]string{one}, filepath.Join(t.TempDir(), "l")), PIN: DemoPIN, Wrong: wrongPIN, Label: "k.p12",
				Remove: func(t *testing.T) { rename(t, filepath.Join(one, "k.p12"), filepath.Join(one, "away")) },
				Insert: func(t *testing.T) { copyFile(t, file, filepath.Join(one, "k.p12")) },
				Polled: 2 * lookOften,
			}
		})
	})
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// A file whose certificates are encrypted: OpenSSL makes such by itself. It is known after it was added, its password is not
// kept, and a file that was changed has to be added again.
func TestSealedFile(t *testing.T) {
	o := openssltest.New(t, "files whose certificates are encrypted were not read")
	o.Run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k.key", "-out", "k.crt", "-subj", "/CN=one")
	export := func(name string, more ...string) string {
		o.Run(append([]string{"pkcs12", "-export", "-inkey", "k.key", "-in", "k.crt", "-out", name, "-passout", "pass:" + DemoPIN}, more...)...)
		return o.Path(name)
	}
	path := export("k.p12")
	list := filepath.Join(t.TempDir(), "list.json")
	f := OpenFiles([]string{filepath.Dir(path)}, list)
	if keys, err := f.Keys(t.Context()); err != nil || len(keys) != 0 {
		t.Fatalf("sealed: %d keys, %v", len(keys), err)
	}
	if tokens, err := f.Tokens(t.Context()); err != nil || len(tokens) != 1 || tokens[0].Module != token.KeyFile {
		t.Fatalf("sealed: %+v, %v", tokens, err)
	}
	if k := add(t, f, path, DemoPIN); len(k.Certificates) != 1 || !k.Fixed || k.Fault != nil {
		t.Errorf("%+v", k)
	}
	written, err := os.ReadFile(list)
	if err != nil || strings.Contains(string(written), DemoPIN) {
		t.Errorf("the list: %v", err)
	}
	tokentest.Run(t, func(t *testing.T) tokentest.Fixture {
		return tokentest.Fixture{Inventory: OpenFiles(nil, list), PIN: DemoPIN, Wrong: wrongPIN, Label: "k.p12"}
	})
	export("k.p12", "-iter", "3000")
	if keys, err := f.Keys(t.Context()); err != nil || len(keys) != 0 {
		t.Errorf("changed: %d keys, %v", len(keys), err)
	}
}

func TestFilesErrors(t *testing.T) {
	folder := t.TempDir()
	f := filed(t, folder)
	for name, content := range map[string]string{"bad.p12": "nonsense", ".hidden.p12": "nonsense", "letter.txt": "nonsense"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.pfx"), 0o700); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, k := range f.List() {
		names = append(names, filepath.Base(k.Path))
		var bad *FormatError
		if odd := strings.HasPrefix(names[len(names)-1], "bad") || strings.HasPrefix(names[len(names)-1], "folder"); odd != errors.As(k.Fault, &bad) || odd == (len(k.Certificates) > 0) {
			t.Errorf("%+v", k)
		}
	}
	if len(names) != 6 || slices.Contains(names, ".hidden.p12") {
		t.Errorf("%q", names)
	}
	if keys, err := f.Keys(t.Context()); err != nil || len(keys) != 4 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for path, check := range map[string]func(error) bool{
		filepath.Join(folder, "bad.p12"):  func(err error) bool { return errors.As(err, new(*FormatError)) },
		filepath.Join(folder, "none.p12"): func(err error) bool { return errors.Is(err, os.ErrNotExist) },
	} {
		pin, _ := tokentest.PIN(DemoPIN)
		if _, err := f.Add(path, pin); !check(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	pin, _ := tokentest.PIN(wrongPIN)
	if _, err := f.Add(filepath.Join(folder, demoKeys[2].kind+".PFX"), pin); !errors.As(err, new(*token.PINError)) {
		t.Error(err)
	}
}

// Files that come and go are told of, by the file's own name.
func TestFilesEvents(t *testing.T) {
	folder := t.TempDir()
	f := filed(t, folder)
	events := f.Events(t.Context())
	file := filepath.Join(folder, demoKeys[3].kind+".PFX")
	expect := func(kind string) {
		t.Helper()
		select {
		case e := <-events:
			if e.Kind != kind || e.Token.Path != file {
				t.Errorf("%+v, want %s", e, kind)
			}
		case <-time.After(5 * lookOften):
			t.Fatalf("nothing said of %s", kind)
		}
	}
	rename(t, file, file+".away")
	expect(token.Removed)
	f.Watched(false)
	time.Sleep(10 * time.Millisecond)
	rename(t, file+".away", file)
	f.Watched(true) // looks at once
	expect(token.Inserted)
	added := f.List()[slices.IndexFunc(f.List(), func(k Known) bool { return !k.Fixed })]
	if err := f.Remove(added.Path); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-events:
		if e.Kind != token.Removed {
			t.Errorf("%+v", e)
		}
	case <-time.After(5 * lookOften):
		t.Error("nothing said of a file that was forgotten")
	}
}

func FuzzFileList(f *testing.F) {
	f.Add([]byte(`{"version":1,"files":{"/k.p12":{"sha256":"00","certificates":[{"der":"MAA="}]}}}`))
	f.Add([]byte(`{"version":1,"files":{"k":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := parseList(data)
		if err != nil {
			return
		}
		for path, a := range l.Files {
			if a == nil || !filepath.IsAbs(path) {
				t.Errorf("%q: %+v", path, a)
			}
			(&File{path: path}).recall(a) // the file is not that one
		}
		if _, err := json.Marshal(l); err != nil {
			t.Error(err)
		}
	})
}
