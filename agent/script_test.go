// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"persten/browserext"
	"persten/proto"
)

// TestScripts runs the command line as a person or a shell script would: each file of testdata/scripts is one story, and
// persten is a process of its own in it. What a script can use beside testscript's own commands is in scriptCommands.
func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not run: the scripts use a Unix shell and descriptors")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "../testdata/scripts",
		Setup:               scriptSetup,
		Cmds:                scriptCommands,
		Condition:           scriptCondition,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// scriptSetup gives a script a home of its own, English, and no display.
func scriptSetup(e *testscript.Env) error {
	for name, dir := range map[string]string{"HOME": "home", "XDG_CONFIG_HOME": "config", "XDG_STATE_HOME": "state", "XDG_RUNTIME_DIR": "run"} {
		path := filepath.Join(e.WorkDir, dir)
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		e.Setenv(name, path)
	}
	conf := filepath.Join(e.WorkDir, "softhsm2.conf") // no token is plugged in
	tokens := filepath.Join(e.WorkDir, "no-tokens")
	if err := os.MkdirAll(tokens, 0o700); err != nil {
		return err
	}
	e.Setenv("SOFTHSM2_CONF", conf)
	e.Setenv("OPENSSL_CONF", filepath.Join(e.WorkDir, "openssl.cnf"))
	for _, unset := range []string{"LC_ALL", "LC_MESSAGES", "LANGUAGE", "DISPLAY", "WAYLAND_DISPLAY", "PERSTEN_SOCKET", "PERSTEN_CONFIG"} {
		e.Setenv(unset, "")
	}
	e.Setenv("LANG", "C.UTF-8")
	if err := os.WriteFile(filepath.Join(e.WorkDir, "openssl.cnf"), []byte(opensslConf), 0o600); err != nil {
		return err
	}
	return os.WriteFile(conf, []byte("directories.tokendir = "+tokens+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600)
}

// opensslConf lets OpenSSL do GOST; where its engine is not installed OpenSSL refuses the file.
const opensslConf = `openssl_conf = conf
[conf]
engines = engines
[engines]
gost = gost
[gost]
engine_id = gost
default_algorithms = ALL
[req]
distinguished_name = dn
[dn]
`

// scriptCondition knows the independent programs: [openssl], OpenSSL with its GOST engine, and [xmlsec1]; and [pages], what npm builds.
func scriptCondition(cond string) (bool, error) {
	switch cond {
	case "openssl":
		return opensslMissing() == "", nil
	case "xmlsec1":
		_, err := exec.LookPath("xmlsec1")
		return err == nil, nil
	case "pages":
		_, err := fs.Stat(browserext.Help(), "index.html")
		return err == nil, nil
	}
	return false, nil
}

// opensslMissing says what of OpenSSL is not installed, or nothing.
func opensslMissing() string {
	if _, err := exec.LookPath("openssl"); err != nil {
		return "openssl is not installed"
	}
	if engines, _ := filepath.Glob("/usr/lib/*/engines-3/gost.so"); len(engines) == 0 {
		return "libengine-gost-openssl is not installed"
	}
	return ""
}

// scriptCommands are:
//
//	certs         read the output of "persten certs --json"; set $rsa2048, $p256, $gost256, $gost512 to certificate ids
//	flip FILE N   flip one bit of byte N, counted from the end when negative
//	json PATH WANT   check a value in the last standard output or, with PATH beginning with 2:, in the last line of standard error
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"certs": func(ts *testscript.TestScript, _ bool, _ []string) {
		var list proto.CertificatesListResult
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
		for _, c := range list.Certificates {
			ts.Setenv(scriptKinds[c.Algorithm], c.ID)
		}
	},
	"flip": func(ts *testscript.TestScript, _ bool, args []string) {
		if len(args) != 2 {
			ts.Fatalf("usage: flip FILE N")
		}
		var n int
		ts.Check(json.Unmarshal([]byte(args[1]), &n))
		path := ts.MkAbs(args[0])
		b, err := os.ReadFile(path)
		ts.Check(err)
		if n < 0 {
			n += len(b)
		}
		b[n] ^= 1
		ts.Check(os.WriteFile(path, b, 0o600))
	},
	"json": func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) != 2 {
			ts.Fatalf("usage: json PATH WANT")
		}
		from, path := "stdout", args[0]
		if p, ok := strings.CutPrefix(path, "2:"); ok {
			from, path = "stderr", p
		}
		text := strings.TrimSpace(ts.ReadFile(from))
		if from == "stderr" { // what went wrong is the last line; the log may have said something before
			text = text[strings.LastIndexByte(text, '\n')+1:]
		}
		var v any
		ts.Check(json.Unmarshal([]byte(text), &v))
		got, err := json.Marshal(jsonAt(v, strings.Split(path, ".")))
		ts.Check(err)
		if equal := strings.Trim(string(got), `"`) == args[1]; equal == neg {
			ts.Fatalf("%s is %s", path, got)
		}
	},
}

// scriptKinds are the names scripts know keys by.
var scriptKinds = map[string]string{
	"rsa-sha256": "rsa2048", "ecdsa-sha256": "p256", "gost2012-256": "gost256", "gost2012-512": "gost512",
}

// jsonAt walks members, and indexes that are numbers; "len" is the length of an array.
func jsonAt(v any, path []string) any {
	for _, name := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			var n int
			if name == "len" {
				v = len(at)
				continue
			}
			if json.Unmarshal([]byte(name), &n) != nil || n < 0 || n >= len(at) {
				return nil
			}
			v = at[n]
		default:
			return nil
		}
	}
	return v
}
