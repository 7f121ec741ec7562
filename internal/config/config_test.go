// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"persten/proto"
)

// fingerprint64 stands for a certificate.
var fingerprint64 = strings.Repeat("0123456789abcdef", 4)

const module1 = "[[module]]\nname = \"a\"\npath = \"/a.so\"\n"

// read reads a document as the person's file or as policy.
func read(text string, policy bool) (*Config, error) {
	c := defaults()
	return c, c.merge("test.toml", []byte(text), policy)
}

// malformed holds documents with the line of the error and a part of what is said. A line of 0 is the whole file.
var malformed = []struct {
	text   string
	policy bool
	line   int
	detail string
}{
	// unknown keys
	{"colour = 1\n", false, 1, "unknown key colour"},
	{"\n\nmodul = []\n", false, 3, "unknown key modul"},
	{"[ui]\napprover = \"window\"\ncolour = \"red\"\n", false, 3, "unknown key ui.colour"},
	{"[ui]\n[uix]\na = 1\n", false, 2, "unknown key uix"},
	{"[ui.deep]\na = 1\n", false, 1, "unknown key ui.deep"},
	{"ui.colour = 1\n", false, 1, "unknown key ui.colour"},
	{module1 + "slot = 1\n", false, 4, "unknown key module.slot"},
	{"module = [\n {name=\"a\", path=\"/a\"},\n {name=\"b\", pth=\"/b\"},\n]\n", false, 3, "unknown key module.pth"},
	{"[origins]\nallow = []\ndeny = []\n", false, 3, "only the machine policy may set origins.deny"},
	{"[trust]\nroot = []\n", false, 2, "unknown key trust.root"},
	{"[[unattended]]\npin = \"1234\"\n", true, 2, "unknown key unattended.pin"},
	{"\"\" = 1\n", false, 1, `unknown key ""`},
	{"\"a\\u0000b\" = 1\n", false, 1, `unknown key "a\x00b"`},
	{strings.Repeat("k", 500) + " = 1\n", false, 1, "unknown key kkk"},
	// a key in another case
	{"[UI]\nlanguage = \"ru\"\n", false, 1, "unknown key UI: keys are written in lower case"},
	{"[ui]\nLanguage = \"ru\"\n", false, 2, "unknown key ui.Language"},
	{"[trust]\nocsp = true\n\nOCSP = false\n", false, 4, ""},
	{"ui = {\n Language = \"ru\"}\n", false, 2, "unknown key ui.Language"},
	// not TOML
	{"=\n", false, 1, ""},
	{"[ui\n", false, 1, ""},
	{"[ui]\nlanguage\n", false, 2, ""},
	{"[ui]\nlanguage = \n", false, 2, ""},
	{"[ui]\nlanguage = ru\n", false, 2, ""},
	{"[ui]\nlanguage = \"ru\n", false, 2, ""},
	{"[ui]\nlanguage = \"ru\" x\n", false, 2, ""},
	{"[ui]\nlanguage = \"\\q\"\n", false, 2, ""},
	{"[origins]\nallow = [\"https://a.example\"\n", false, 2, ""},
	{"[origins]\nallow = [\n\"https://a.example\"\n\"https://b.example\"]\n", false, 4, ""},
	{"[trust]\nocsp = tru\n", false, 2, ""},
	{"[ui]\nlanguage = \"ru\"\nlanguage = \"en\"\n", false, 3, ""},
	{"[ui]\n[trust]\n[ui]\n", false, 3, ""},
	{"[listen]\nwebsocket = \"off\"\nlisten.websocket = 1\n", false, 3, ""},
	{"[ui]\nlanguage = \"r\xffu\"\n", false, 2, "UTF-8"},
	{"\xff\xfe[\x00u\x00i\x00]\x00", false, 1, "UTF-8"},
	{"[ui]\n\x00\n", false, 2, ""},
	{"keyfiles = " + strings.Repeat("[", 100000), false, 1, ""},
	// a value of another type
	{"[ui]\nlanguage = 1\n", false, 2, "ui.language has a value of the wrong kind"},
	{"[ui]\napprover = [\"window\"]\n", false, 2, "wrong kind"},
	{"[trust]\n\nocsp = \"yes\"\n", false, 3, "trust.ocsp has a value of the wrong kind"},
	{"[trust]\nroots = \"/a\"\n", false, 2, "wrong kind"},
	{"[trust]\nroots = [\"/a\",\n1]\n", false, 3, "wrong kind"},
	{"\n[module]\nname = \"a\"\npath = \"/a\"\n", false, 2, "must stand under [[module]]"},
	{"[module]\n", false, 1, "must stand under [[module]]"},
	{"module = {name = \"a\", path = \"/a\"}\n", false, 1, "must stand under"},
	{"module.name = \"a\"\nmodule.path = \"/a\"\n", false, 1, "must stand under [[module]]"},
	{"[[ui]]\nlanguage = \"ru\"\n", false, 1, ""},
	{"ui = []\n", false, 1, ""},
	{"ui = 3\n", false, 1, "wrong kind"},
	{"[listen]\nwebsocket = 24117\n", false, 2, "wrong kind"},
	{"[[unattended]]\nuser = \"u\"\nper_day = 1.5\n", true, 3, "wrong kind"},
	{"[[unattended]]\nuser = \"u\"\nper_day = 99999999999999999999\n", true, 3, ""},
	// modules
	{"[[module]]\n", false, 1, "needs name"},
	{"# c\n[[module]]\nname = \"a\"\n", false, 2, "needs path"},
	{module1 + "\n[[module]]\npath = \"/b.so\"\n", false, 5, "needs name"},
	{"[[module]]\nname = \"\"\npath = \"/a.so\"\n", false, 2, "name is empty"},
	{"[[module]]\nname = \"a\"\npath = \"lib/a.so\"\n", false, 3, "must be absolute"},
	{"[[module]]\nname = \"a\"\npath = \"~/a.so\"\n", false, 3, "must be absolute"},
	{"[[module]]\nname = \"a\\u0007\"\npath = \"/a.so\"\n", false, 2, "control characters"},
	{module1 + module1, false, 5, "the same name"},
	{"module = [{name = \"a\", path = \"/a\"},\n{name = \"b\"}]\n", false, 2, "needs path"},
	// choices
	{"[ui]\napprover = \"yes\"\n", false, 2, `must be "window", "pinentry", "terminal"`},
	{"[ui]\napprover = \"\"\n", false, 2, "must be"},
	{"[ui]\n\nlanguage = \"de\"\n", false, 3, `must be "ru", "en"`},
	{"ui = {approver = \"terminal\",\n language = \"RU\"}\n", false, 2, "must be"},
	{"[ui]\npinentry = \"pinentry\"\n", false, 2, "absolute"},
	{"[trust]\ntsa = \"http://127.1/tsp\"\n", false, 2, "the host name cannot be used"},
	{"[trust]\ntsa = \"http://2130706433/tsp\"\n", false, 2, "the host name cannot be used"},
	// network
	{"[network]\noffline = 1\n", false, 2, "wrong kind"},
	{"[network]\nproxy = \"auto\"\n", false, 2, `must be "system", "none" or http://HOST:PORT`},
	{"[network]\nproxy = \"socks5://proxy.example:1080\"\n", false, 2, "must be"},
	{"[network]\nproxy = \"http://ivanov:secret@proxy.example:3128\"\n", false, 2, "without a user name"},
	{"[network]\nproxy = \"http://proxy.example:3128/path\"\n", false, 2, "must be"},
	{"[network]\nproxy = \"http://proxy.example:3128/?q\"\n", false, 2, "must be"},
	{"[network]\nproxy = \"http://прокси.example:3128\"\n", false, 2, "must be"},
	{"[network]\n\npac = \"http://wpad.example/wpad.dat\"\n", false, 3, "PAC scripts are not run: set proxy"},
	{"[network]\nallow = \"10.0.0.0/8\"\n", false, 2, "wrong kind"},
	{"[network]\nallow = [\"10.0.0.0/8\",\n\"10.0.0.0/33\"]\n", false, 3, "must be a range"},
	{"[network]\nallow = [\"*.example\"]\n", false, 2, "must be a range"},
	{"[network]\nallow = [\"http://tsa.example\"]\n", false, 2, "must be a range"},
	{"[network]\nallow = [\"tsa.example:8080\"]\n", false, 2, "must be a range"},
	{"[network]\nallow = [\"\"]\n", false, 2, "must be a range"},
	{"[network]\nallow = [\"127.1\"]\n", false, 2, "must be a range"},
	{"[network]\nallow = [\"0x7f000001\"]\n", false, 2, "must be a range"},
	{"[network]\nallow = [\"fe80::1%eth0\"]\n", false, 2, "must be a range"},
	{"[network]\nallow = [" + strings.Repeat("\"a.example\",", 1025) + "]\n", false, 2, "too many entries"},
	// paths
	{"[keyfiles]\ndirs = [\"keys\"]\n", false, 2, "absolute or begin with ~/"},
	{"[keyfiles]\ndirs = [\n \"/a\",\n \"\",\n]\n", false, 4, "absolute"},
	{"[keyfiles]\ndirs = [\"~other/keys\"]\n", false, 2, "absolute"},
	{"[trust]\ncrls = [\"/a\\u0000\"]\n", false, 2, "control characters"},
	{"[trust]\nroots = [\"/" + strings.Repeat("a", 5000) + "\"]\n", false, 2, "too long"},
	{"[trust]\nroots = [" + strings.Repeat("\"/a\",", 1025) + "]\n", false, 2, "too many"},
	// addresses
	{"[trust]\ntsa = \"ftp://tsa.example\"\n", false, 2, "http or https"},
	{"[trust]\ntsa = \"http://u:p@tsa.example\"\n", false, 2, "user name"},
	{"[trust]\ntsa = \"http://\"\n", false, 2, "http or https"},
	{"[trust]\ntsa = \"tsa.example\"\n", false, 2, "http or https"},
	{"[listen]\nwebsocket = \"0.0.0.0:24117\"\n", false, 2, "127.0.0.1:PORT"},
	{"[listen]\nwebsocket = \"localhost:24117\"\n", false, 2, "127.0.0.1:PORT"},
	{"[listen]\nwebsocket = \"127.0.0.2:24117\"\n", false, 2, "127.0.0.1:PORT"},
	{"[listen]\nwebsocket = \"[::1]:24117\"\n", false, 2, "127.0.0.1:PORT"},
	{"[listen]\nwebsocket = \"127.0.0.1\"\n", false, 2, "127.0.0.1:PORT"},
	{"[listen]\nwebsocket = \"127.0.0.1:65536\"\n", false, 2, "127.0.0.1:PORT"},
	// origins
	{"[origins]\nallow = [\"https://a.example/\"]\n", false, 2, "has a path"},
	{"[origins]\nallow = [\n\"https://a.example\",\n\"http://b.example\",\n]\n", false, 4, "need https"},
	{"[origins]\nallow = [\"https://*.a.example\"]\n", false, 2, "only machine policy"},
	{"[origins]\nallow = [\"*\"]\n", false, 2, "only machine policy"},
	{"[origins]\nallow = [\"*\"]\n", true, 2, "https://*.DOMAIN"},
	{"[origins]\nallow = [\"https://*\"]\n", true, 2, "https://*.DOMAIN"},
	{"[origins]\nallow = [\"https://*.com\"]\n", true, 2, "somebody can register"},
	{"[origins]\nallow = [\"https://*.co.uk\"]\n", true, 2, "somebody can register"},
	{"[origins]\nallow = [\"https://*.github.io\"]\n", true, 2, "somebody can register"},
	{"[origins]\nallow = [\"https://*.a.example:8443\"]\n", true, 2, "https://*.DOMAIN"},
	{"[origins]\nallow = [\"https://*.*.example\"]\n", true, 2, "https://*.DOMAIN"},
	{"[origins]\nallow = [\"https://a*.example\"]\n", true, 2, "https://*.DOMAIN"},
	{"[origins]\nallow = [\"http://*.a.example\"]\n", true, 2, "https://*.DOMAIN"},
	{"[origins]\nallow = [\"https://*.10.0.0.1\"]\n", true, 2, "before an address"},
	{"[origins]\nallow = [\"https://*.a.example/x\"]\n", true, 2, "has a path"},
	// unattended signing
	{grant("user = \"robot\"", "per_day = 1"), false, 1, "only the machine policy"},
	{"[pin]\ncache_seconds = 60\nlimit_seconds = 600\n", false, 1, "only the machine policy"},
	{"[pin]\ncache_seconds = 60\n", true, 1, "go together"},
	{"[keyfiles]\nforbid = true\n", false, 2, "only the machine policy"},
	{"[origins]\nvisible = true\n", false, 2, "only the machine policy"},
	{"[pin]\ncache_seconds = 301\nlimit_seconds = 600\n", true, 2, "from 0 to 300"},
	{"[pin]\ncache_seconds = 60\nlimit_seconds = -1\n", true, 3, "from 0 to 3600"},
	{"[content]\nmax_mib = 0\n", false, 2, "from 1 to 1048576"},
	{"[content]\nmax_mib = -1\n", true, 2, "from 1 to"},
	{"[content]\n\nchannel_mib = 1048577\n", true, 3, "from 1 to"},
	{"[content]\nmax_mib = \"1 GiB\"\n", false, 2, "wrong kind"},
	{"[content]\nmax_mib = 1.5\n", false, 2, "wrong kind"},
	{"[content]\nmax = 1\n", false, 2, "unknown key content.max"},
	{"[[unattended]]\ncertificate = \"00\"\n", true, 2, "64 or 40"},
	{grant("user = \"robot\"", "origin = \"https://a.example\"", "per_day = 1"), true, 1, "either origin or user"},
	{grant("user = \"\"", "per_day = 1"), true, 2, "user is empty"},
	{grant("origin = \"https://*.a.example\"", "per_day = 1"), true, 2, "wildcards are not allowed"},
	{grant("origin = \"a.example\"", "per_day = 1"), true, 2, "https://"},
	{grant("user = \"robot\""), true, 1, "needs per_hour or per_day"},
	{grant("user = \"robot\"", "per_day = 0"), true, 4, "from 1 to"},
	{grant("user = \"robot\"", "per_day = 5", "per_hour = -1"), true, 5, "from 1 to"},
	{grant("user = \"robot\"", "per_day = 5", "pin_file = \"pin\""), true, 5, "absolute"},
	{grant("user = \"robot\"", "per_day = 5", "pin_file = \"%d/\""), true, 5, "absolute"},
	{grant("user = \"robot\"", "per_day = 5", "pin_file = \"%d/../pin\""), true, 5, "absolute"},
	{"[[unattended]]\nuser = \"u\"\nper_day = 1\n", true, 1, "needs certificate"},
	{"[[unattended]]\nuser = \"u\"\nper_day = 1\ncertificate = \"0123\"\n", true, 4, "64 or 40"},
	{grant("user = \"a\"", "per_day = 1") + "[[unattended]]\nper_day = 1\n", true, 5, "needs certificate"},
}

// grant is an entry for unattended signing: the lines given, the certificate in third place.
func grant(lines ...string) string {
	all := append([]string{"[[unattended]]", lines[0], `certificate = "` + fingerprint64 + `"`}, lines[1:]...)
	return strings.Join(all, "\n") + "\n"
}

// invalid is the code of a file that cannot be used.
func invalid(policy bool) proto.Code {
	if policy {
		return proto.CodePolicyInvalid
	}
	return proto.CodeConfigInvalid
}

func TestMalformed(t *testing.T) {
	if len(malformed) < 50 {
		t.Fatalf("only %d cases", len(malformed))
	}
	for i, m := range malformed {
		_, err := read(m.text, m.policy)
		var e *proto.Error
		if !errors.As(err, &e) || e.Code != invalid(m.policy) {
			t.Errorf("%d %.60q: error %v, want %s", i, m.text, err, invalid(m.policy))
			continue
		}
		want := strconv.Itoa(m.line)
		if e.Args["file"] != "test.toml" || e.Args["line"] != want || !strings.Contains(e.Args["detail"], m.detail) {
			t.Errorf("%d %.60q: %v, want line %s and %q", i, m.text, e.Args, want, m.detail)
		}
		if d := e.Args["detail"]; d == "" || len(d) > 200 || strings.ContainsAny(d, "\n\x00") || strings.Contains(d, "Table") {
			t.Errorf("%d %.60q: detail %q is not a short sentence", i, m.text, d)
		}
	}
}

// full says everything a person's file can.
const full = `# settings
[[module]]
name = "softhsm"
path = "/usr/lib/softhsm/../softhsm/libsofthsm2.so"
[[module]]
name = "other"
path = "/opt/other.so"
[keyfiles]
dirs = ["~/keys", "/srv/keys/", "~"]
[ui]
approver = "pinentry"
pinentry = "/usr/bin/pinentry"
language = "ru"
[origins]
allow = ["https://Portal.Example:443", "https://portal.example", "http://127.0.0.1:8080"]
[trust]
roots = ["/etc/roots"]
crls = []
tsa = "http://127.0.0.1:2020/tsa"
ocsp = false
[network]
offline = true
proxy = "http://proxy.example:3128"
allow = ["10.1.2.3/8", "192.168.7.7", "fd00::/8", "TSA.Corp.Example.", "метка.пример.рф"]
[listen]
websocket = "127.0.0.1:4000"
[content]
max_mib = 1024
channel_mib = 3072
`

func TestFull(t *testing.T) {
	t.Setenv("HOME", "/home/person")
	for _, text := range []string{full, "\ufeff" + full, strings.ReplaceAll(full, "\n", "\r\n")} {
		got, err := read(text, false)
		if err != nil {
			t.Fatal(err)
		}
		want := &Config{
			Modules:  []Module{{"softhsm", "/usr/lib/softhsm/libsofthsm2.so", false}, {"other", "/opt/other.so", false}},
			Keyfiles: Keyfiles{Dirs: []string{"/home/person/keys", "/srv/keys", "/home/person"}},
			UI:       UI{Approver: "pinentry", Pinentry: "/usr/bin/pinentry", Language: "ru"},
			Origins:  OriginRules{Allow: []string{"https://portal.example", "http://127.0.0.1:8080"}},
			Trust:    Trust{Roots: []string{"/etc/roots"}, CRLs: []string{}, TSA: "http://127.0.0.1:2020/tsa"},
			Listen:   Listen{WebSocket: "127.0.0.1:4000"},
			Network: Network{Offline: true, Proxy: "http://proxy.example:3128", Allow: []string{
				"10.0.0.0/8", "192.168.7.7", "fd00::/8", "tsa.corp.example", "xn--80ajpg5a.xn--e1afmkfd.xn--p1ai",
			}},
			Content: Content{Max: 1 << 30, Channel: 3 << 30},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

func TestEmptyIsDefault(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "[ui]\n[listen]\n[origins]\nallow = []\n"} {
		c, err := read(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if c.UI.Approver != "window" || c.Listen.WebSocket != "127.0.0.1:24117" || !c.Trust.OCSP || len(c.Modules) != 0 {
			t.Errorf("%q: %+v", text, c)
		}
	}
	for _, off := range []string{"", "off"} {
		if c, err := read("[listen]\nwebsocket = \""+off+"\"\n", false); err != nil || c.Listen.WebSocket != "" {
			t.Errorf("%q: %+v, %v", off, c.Listen, err)
		}
	}
}

// TestPolicyWins: what policy sets replaces, what it does not set stays, modules and sites add up.
func TestPolicyWins(t *testing.T) {
	t.Setenv("HOME", "/home/person")
	c, err := read(full, false)
	if err != nil {
		t.Fatal(err)
	}
	policy := "[[module]]\nname = \"softhsm\"\npath = \"/corp/softhsm.so\"\n" +
		"[ui]\napprover = \"window\"\n[trust]\nocsp = true\nroots = [\"/corp/roots\"]\ntsa = \"\"\n[listen]\nwebsocket = \"off\"\n" +
		"[network]\noffline = false\nallow = []\n" +
		"[content]\nmax_mib = 64\nchannel_mib = 9000\n" +
		"[origins]\nallow = [\"https://*.Corp.Example\", \"https://one.example\"]\n" +
		grant("user = \"robot\"", "per_hour = 2", "pin_file = \"/etc/persten/pin\"") +
		grant("origin = \"https://A.example\"", "per_day = 3")
	if err := c.merge("policy.toml", []byte(policy), true); err != nil {
		t.Fatal(err)
	}
	check := func(name string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	check("modules", c.Modules, []Module{{"other", "/opt/other.so", false}, {"softhsm", "/corp/softhsm.so", true}})
	check("ui", c.UI, UI{Approver: "window", Pinentry: "/usr/bin/pinentry", Language: "ru"})
	check("trust", c.Trust, Trust{Roots: []string{"/corp/roots"}, CRLs: []string{}, OCSP: true})
	check("listen", c.Listen, Listen{})
	check("network", c.Network, Network{Proxy: "http://proxy.example:3128", Allow: []string{}})
	check("content", c.Content, Content{Max: 64 << 20, Channel: 3 << 30})
	check("origins", c.Origins, OriginRules{
		Allow:  []string{"https://portal.example", "http://127.0.0.1:8080"},
		Policy: []string{"https://*.corp.example", "https://one.example"},
	})
	check("unattended", c.Unattended, []Unattended{
		{User: "robot", Certificate: fingerprint64, PerHour: 2, PINFile: "/etc/persten/pin"},
		{Origin: "https://a.example", Certificate: fingerprint64, PerDay: 3},
	})
}

// TestLoadFinds: the named file, PERSTEN_CONFIG, the usual file, in this order; only the usual one may be absent.
func TestLoadFinds(t *testing.T) {
	dir := t.TempDir()
	write := func(name, language string) string {
		p := filepath.Join(dir, name)
		writeFile(t, p, "[ui]\nlanguage = \""+language+"\"\n", 0o600)
		return p
	}
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("PERSTEN_CONFIG", "")
	noPolicy := filepath.Join(dir, "none", "policy.toml")
	if c, err := load("", noPolicy, os.Getuid()); err != nil || c.UI.Language != "" {
		t.Fatalf("no file: %+v, %v", c, err)
	}
	write("persten/config.toml", "ru")
	if c, err := load("", noPolicy, os.Getuid()); err != nil || c.UI.Language != "ru" {
		t.Fatalf("usual file: %+v, %v", c, err)
	}
	t.Setenv("PERSTEN_CONFIG", write("env.toml", "en"))
	if c, err := load("", noPolicy, os.Getuid()); err != nil || c.UI.Language != "en" {
		t.Fatalf("PERSTEN_CONFIG: %+v, %v", c, err)
	}
	if c, err := load(write("named.toml", "ru"), noPolicy, os.Getuid()); err != nil || c.UI.Language != "ru" {
		t.Fatalf("named: %+v, %v", c, err)
	}
	missing := filepath.Join(dir, "missing.toml")
	if _, err := load(missing, noPolicy, os.Getuid()); !errors.Is(err, proto.CodeFileUnreadable) {
		t.Errorf("missing named file: %v", err)
	}
	t.Setenv("PERSTEN_CONFIG", missing)
	if _, err := load("", noPolicy, os.Getuid()); !errors.Is(err, proto.CodeFileUnreadable) {
		t.Errorf("missing PERSTEN_CONFIG: %v", err)
	}
	if _, err := load(dir, noPolicy, os.Getuid()); !errors.Is(err, proto.CodeFileUnreadable) {
		t.Errorf("a folder: %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	p := filepath.Join(t.TempDir(), "c.toml")
	writeFile(t, p, strings.Repeat("#", maxFile), 0o600)
	if _, err := load(p, "", os.Getuid()); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	writeFile(t, p, strings.Repeat("#", maxFile+1), 0o600)
	if _, err := load(p, "", os.Getuid()); !errors.Is(err, proto.CodeConfigInvalid) {
		t.Errorf("above the limit: %v", err)
	}
}

// TestHostileForms: a file at its limit whose form is costly is refused like any other, soon and without much memory.
func TestHostileForms(t *testing.T) {
	n := maxFile / 4
	for name, text := range map[string]string{
		"a long name of a long list": strings.Repeat("k", 2*n) + " = [" + strings.Repeat("1,", n) + "]\n",
		"lists in lists":             "a = " + strings.Repeat("[", n) + strings.Repeat("]", n) + "\n",
		"tables in tables":           "a = " + strings.Repeat("{a=", n) + "1" + strings.Repeat("}", n) + "\n",
		"a name of many parts":       strings.Repeat("a.", 2*n) + "a = 1\n",
		"many tables":                strings.Repeat("[[a]]\n", maxFile/6),
		"many tables in tables":      strings.Repeat("[[a.a.a.a.a.a]]\n", maxFile/16),
		"many entries":               "limit = [" + strings.Repeat("{},", n) + "]\n",
	} {
		begin := time.Now()
		_, err := read(text, true)
		if !errors.Is(err, proto.CodePolicyInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		} else {
			t.Logf("%s: %v, %.80v", name, took, err)
		}
	}
}

// writeFile writes a file and gives it exactly this mode, whatever the umask.
func writeFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// FuzzLoad: any bytes give a configuration that holds to its own rules, or a typed error.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(full), false)
	f.Add([]byte(grant("user = \"robot\"", "per_day = 1")), true)
	for _, m := range malformed {
		f.Add([]byte(m.text), m.policy)
	}
	f.Fuzz(func(t *testing.T, data []byte, policy bool) {
		if len(data) > maxFile {
			return
		}
		c, err := read(string(data), policy)
		if err != nil {
			if !errors.Is(err, invalid(policy)) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		for _, m := range c.Modules {
			if !filepath.IsAbs(m.Path) || m.Name == "" {
				t.Errorf("module %+v", m)
			}
		}
		for _, o := range c.Origins.Allow {
			if again, err := ParseOrigin(o); err != nil || again != o {
				t.Errorf("origin %q", o)
			}
		}
		if len(c.Unattended)+len(c.Origins.Policy) > 0 && !policy {
			t.Errorf("the person's file set what only policy may: %+v", c)
		}
		if w := c.Listen.WebSocket; w != "" && !strings.HasPrefix(w, "127.0.0.1:") {
			t.Errorf("listens on %q", w)
		}
	})
}

// TestTSAHost: the host of an authority's address is written in ASCII.
func TestTSAHost(t *testing.T) {
	for text, want := range map[string]string{
		"http://метка.пример.рф/tsp":       "http://xn--80ajpg5a.xn--e1afmkfd.xn--p1ai/tsp",
		"https://метка.пример.рф:8443/a?b": "https://xn--80ajpg5a.xn--e1afmkfd.xn--p1ai:8443/a?b",
		"http://[2001:db8::1]:3000/":       "http://[2001:db8::1]:3000/",
	} {
		if c, err := read("[trust]\ntsa = \""+text+"\"\n", false); err != nil || c.Trust.TSA != want {
			t.Errorf("%s: %q, %v", text, c.Trust.TSA, err)
		}
	}
}
