// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/token/keyfile"
	"persten/proto"
)

// runs runs a command that has to succeed and reads its answer.
func runs[R any](d *daemon, args ...string) R {
	d.t.Helper()
	out, errOut, code := d.run(append(args, "--json")...)
	if code != 0 {
		d.t.Fatalf("%q: %s", args, errOut)
	}
	var r R
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		d.t.Fatalf("%q: %v: %s", args, err, out)
	}
	return r
}

// TestKeyFileAsToken: a person adds a file, its password asked for in a prompt; its certificate is tried with a test signature,
// in the language of the settings; the file goes, and so does the token.
func TestKeyFileAsToken(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	made, err := keyfile.OpenDemo(filepath.Join(t.TempDir(), "made"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(made.CAFile()), "gost256.p12"))
	if err != nil {
		t.Fatal(err)
	}
	path := d.path("home", "my.p12")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}

	d.answers("my.p12 | reject |")
	if _, errOut, code := d.run("keyfile", "add", path); code != exitRefused {
		t.Errorf("refused: %d %s", code, errOut)
	}
	d.answers("my.p12 | approve | wrong " + keyfile.DemoPIN)
	added := runs[proto.KeyFile](d, "keyfile", "add", path)
	if len(added.Certificates) != 1 || !added.Present || added.Path != path {
		t.Fatalf("%+v", added)
	}
	if d.count("GETPIN", "Password of the file my.p12") != 2 || d.count("CONFIRM", "Password of the key file") != 2 {
		t.Errorf("asked %+v", d.asked())
	}
	if again := runs[proto.KeyfilesListResult](d, "keyfile", "list"); len(again.Files) != 1 || again.Files[0].Certificates[0] != added.Certificates[0] {
		t.Errorf("%+v", again)
	}
	id := added.Certificates[0]
	d.answers("my.p12 | approve | " + keyfile.DemoPIN)
	r := runs[proto.SignTestResult](d, "sign", "test", "--cert", id)
	if !r.Report.Valid || r.Algorithm != "gost2012-256" || r.Certificate.ID != id {
		t.Errorf("%+v", r)
	}
	runs[proto.Settings](d, "settings", "--language", "ru")
	d.answers(" | approve | " + keyfile.DemoPIN) // in Russian the name of the file is on a second page
	runs[proto.SignTestResult](d, "sign", "test", "--cert", id)
	if d.count("CONFIRM", "Test signature") != 1 || d.count("CONFIRM", "Тестовая подпись") == 0 || d.count("GETPIN", "Пароль файла my.p12") != 1 {
		t.Errorf("asked %+v", d.asked())
	}
	d.keyFileGoes(path, id)
}

func (d *daemon) keyFileGoes(path, id string) {
	d.t.Helper()
	if err := os.Remove(path); err != nil {
		d.t.Fatal(err)
	}
	p := d.webPage(webSite) // somebody is there, so that files are looked at each second
	d.eventually(5*time.Second, "the token is told of as removed", func() bool {
		return strings.Contains(d.log.String(), "event=removed label=my.p12")
	})
	for _, c := range p.certificates() {
		if c.ID == id {
			d.t.Error("the certificate of a file that is gone is listed")
		}
	}
	if _, errOut, code := d.run("sign", "test", "--cert", id); code != exitFailed || !strings.HasPrefix(errOut, "certificate_absent: ") {
		d.t.Errorf("%d %s", code, errOut)
	}
	tests := 0
	for _, r := range d.journal() {
		if r.Type == "begin" && r.Kind == "test" && r.Result == "ok" {
			tests++
		}
	}
	if tests != 2 {
		d.t.Errorf("%d tests in the journal", tests)
	}
}
