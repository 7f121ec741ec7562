// SPDX-License-Identifier: GPL-3.0-or-later

package persten

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// layers is the import policy of the whole module: "a: b c" means package a may import packages b and c of this module.
// Names are relative to internal/ when such a package exists there. "-" is nothing, "*" is everything, "x/*" is every
// package below x, and "+ x y" is x, what x itself may import, and y.
//
// Do not loosen a row to make a build pass. A package that needs another row's import is usually two packages, or wants
// a small interface declared where it is used and wired in agent.
const layers = `
	proto: -
	algo: algo/streebog algo/gost3410
	algo/openssltest: -
	algo/streebog: -
	algo/gost3410: algo/streebog
	ipc: -
	ipc/ipctest: -
	secret: -
	logon: -
	proto/gen: -
	browserext: -
	installer: -
	installer/windows: browser config
	installer/sbom: -
	installer/test: -
	browserext/sdk/recipes/login: -

	cert: algo
	rpc: ipc
	token: algo cert secret
	token/*: token algo cert secret rpc ipc

	cms: algo cert
	xmldsig: algo cert cms xmldsig/xml xmldsig/c14n
	xmldsig/xml: -
	xmldsig/c14n: xmldsig/xml
	tsp: algo cert cms

	update: -
	installer/release: update browser

	text: proto
	journal: proto
	config: proto
	config/reference: config
	browser: config
	fleet: proto journal config
	fleet/fleettest: -

	client: proto rpc ipc
	signing: proto algo cert token cms xmldsig xmldsig/xml journal secret
	server: proto signing rpc ipc config
	server/compat: proto server ipc
	ui: proto signing token cert text rpc secret ipc
	ui/look: text
	ui/window: + ui ui/look ui/display
	ui/home: + ui ui/look client
	ui/*: + ui
	ui/view/viewtest: -
	doctor: cert token config browser proto text

	agent: *
	agent/desktop: *
	bench: *
`

// owners names the packages that may import each third-party module; "C" is cgo. Every direct requirement of go.mod has
// a row. golang.org/x/sys counts as the standard library. "test" allows the test files of every package, "a_test" those of a.
const owners = `
	C: token/pkcs11
	github.com/miekg/pkcs11: token/pkcs11
	github.com/ddulesov/gogost: algo algo/streebog_test algo/gost3410_test bench
	github.com/gorilla/websocket: ipc rpc_test server_test agent_test bench
	github.com/Microsoft/go-winio: ipc
	github.com/pelletier/go-toml/v2: config
	github.com/fsnotify/fsnotify: agent
	github.com/kardianos/service: agent
	github.com/godbus/dbus/v5: agent agent/desktop ui/tray
	github.com/spf13/cobra: agent
	github.com/getlantern/systray: ui/tray
	gioui.org: ui/look ui/window ui/home
	github.com/jezek/xgb: ui/display agent/desktop_test
	codeberg.org/go-pdf/fpdf: ui/report
	golang.org/x/image: ui/look ui/tray ui/report ui/view
	github.com/klippa-app/go-pdfium: ui/view
	github.com/tetratelabs/wazero: ui/view
	golang.org/x/crypto: cert cms tsp
	golang.org/x/net: ui config ui/report_test
	golang.org/x/term: ui/terminal agent
	golang.org/x/text: text xmldsig/xml cert
	go.opentelemetry.io/proto/slim/otlp: fleet_test fleet/fleettest
	google.golang.org/protobuf: fleet fleet/fleettest
	golang.org/x/sys: *
	github.com/rogpeppe/go-internal: test
	github.com/santhosh-tekuri/jsonschema/v6: test
`

// gui lists what persten, the daemon, must never link: it runs on servers that have no such libraries.
var gui = []string{"gioui.org", "github.com/getlantern/systray", "github.com/gotk3", "persten/internal/ui/window", "persten/internal/ui/tray", "persten/internal/ui/view"}

func TestLayers(t *testing.T) {
	sources, err := readSources(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 2 {
		t.Fatalf("only %d Go files found: the test looked in the wrong place", len(sources))
	}
	for _, problem := range checkLayers(sources) {
		t.Error(problem)
	}
}

func TestOwnersCoverRequirements(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	known := parseTable(owners)
	for _, m := range directRequirements(string(mod)) {
		if _, ok := known[m]; !ok {
			t.Errorf("go.mod requires %s, which has no owner in layers_test.go", m)
		}
	}
}

func TestAgentLinksNoGUI(t *testing.T) {
	for _, goos := range []string{"linux", "windows"} {
		deps := listDeps(t, goos, "./agent")
		if !slices.Contains(deps, "persten/agent") {
			t.Fatalf("GOOS=%s: go list names %d packages and not persten/agent", goos, len(deps))
		}
		for _, bad := range guiAmong(deps) {
			t.Errorf("GOOS=%s: persten links %s", goos, bad)
		}
	}
}

// TestLayersChecker holds the checker itself to account: each of these imports is wrong and must be reported.
func TestLayersChecker(t *testing.T) {
	for _, c := range []struct{ file, imports, want string }{
		{"internal/cms/x.go", `"persten/internal/token"`, "cms may not import token"},
		{"internal/token/keyfile/x.go", `"persten/internal/signing"`, "token/keyfile may not import signing"},
		{"internal/token/x.go", `"persten/internal/token/pkcs11"`, "token may not import token/pkcs11"},
		{"internal/proto/x.go", `"fmt"`, "internal/proto has no row"},
		{"internal/util/x.go", `"fmt"`, "util has no row"},
		{"internal/server/x.go", `"persten/agent"`, "server may not import agent"},
		{"internal/cert/x.go", `"github.com/ddulesov/gogost/gost3410"`, "cert may not import github.com/ddulesov/gogost"},
		{"internal/cms/x_test.go", `"github.com/ddulesov/gogost/gost3410"`, "cms may not import github.com/ddulesov/gogost"},
		{"internal/secret/x_linux.go", `"C"`, "secret may not import C"},
		{"internal/algo/x.go", `"example.org/other"`, "algo imports example.org/other, which has no owner"},
		{"agent/x.go", `"github.com/rogpeppe/go-internal/testscript"`, "agent may not import github.com/rogpeppe/go-internal"},
		{"internal/rpc/x.go", `"github.com/gorilla/websocket"`, "rpc may not import github.com/gorilla/websocket"},
		{"internal/rpc/x.go", `"gioui.org/app"`, "rpc may not import gioui.org"},
		{"internal/cms/x_windows.go", `"persten/internal/ipc"`, "cms may not import ipc"},
	} {
		got := checkFixture(t, c.file, c.imports)
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s importing %s: got %q, want one problem with %q", c.file, c.imports, got, c.want)
		}
	}
	for _, c := range []struct{ file, imports string }{
		{"internal/cms/x.go", `"persten/internal/cert"`},
		{"internal/cms/x_test.go", `"persten/internal/token/keyfile"`},
		{"internal/ui/window/x.go", `"persten/internal/ui"; "persten/internal/ipc"; "gioui.org/app"`},
		{"agent/desktop/x.go", `"persten/internal/ui/window"`},
		{"agent/x_test.go", `"github.com/rogpeppe/go-internal/testscript"`},
		{"internal/rpc/x_test.go", `"github.com/gorilla/websocket"`},
		{"internal/secret/x.go", `"golang.org/x/sys/unix"; "os"`},
	} {
		if got := checkFixture(t, c.file, c.imports); len(got) != 0 {
			t.Errorf("%s importing %s: got %q, want no problem", c.file, c.imports, got)
		}
	}
	deps := []string{"fmt", "gioui.org/app", "persten/internal/ui", "persten/internal/ui/window"}
	if got := guiAmong(deps); len(got) != 2 {
		t.Errorf("guiAmong(%q) = %q, want two", deps, got)
	}
}

func checkFixture(t *testing.T, file, imports string) []string {
	t.Helper()
	src := "package x\nimport (" + imports + ")\n"
	sources, err := readSources(fstest.MapFS{file: {Data: []byte(src)}})
	if err != nil {
		t.Fatal(err)
	}
	return checkLayers(sources)
}

// source is one Go file: where it is and what it imports. Build tags are not looked at, so that a wrong import in a
// Windows file is found on Linux.
type source struct {
	file, pkg string
	test      bool
	imports   []string
}

func readSources(root fs.FS) ([]source, error) {
	var all []source
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(d.Name())
		}
		if !strings.HasSuffix(name, ".go") || path.Dir(name) == "." {
			return nil
		}
		s, err := readSource(root, name)
		all = append(all, s)
		return err
	})
	return all, err
}

func skipDir(name string) error {
	if name == "testdata" || name == "node_modules" || name == "bin" || (strings.HasPrefix(name, ".") && name != ".") {
		return fs.SkipDir
	}
	return nil
}

func readSource(root fs.FS, name string) (source, error) {
	s := source{file: name, pkg: short(path.Dir(name)), test: strings.HasSuffix(name, "_test.go")}
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return s, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ImportsOnly)
	if err != nil {
		return s, err
	}
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return s, err
		}
		s.imports = append(s.imports, p)
	}
	return s, nil
}

// short turns a folder of the module into the name the table uses. The folders outside internal/ keep theirs, and
// internal/proto stays long, so that it cannot pass for proto.
func short(dir string) string {
	name, ok := strings.CutPrefix(dir, "internal/")
	if !ok || name == "proto" || strings.HasPrefix(name, "agent") || name == "browserext" || name == "installer" {
		return dir
	}
	return name
}

func checkLayers(sources []source) (problems []string) {
	rows, third := parseTable(layers), parseTable(owners)
	for _, s := range sources {
		allowed, ok := allowedFor(rows, s.pkg)
		if !ok {
			problems = append(problems, fmt.Sprintf("%s: %s has no row in layers_test.go", s.file, s.pkg))
			continue
		}
		for _, imp := range s.imports {
			if p := judge(s, imp, allowed, third); p != "" {
				problems = append(problems, s.file+": "+p)
			}
		}
	}
	return problems
}

func judge(s source, imp string, allowed []string, third map[string][]string) string {
	if own, ok := strings.CutPrefix(imp, "persten/"); ok {
		return judgeOwn(s, short(own), allowed)
	}
	if first, _, _ := strings.Cut(imp, "/"); imp != "C" && !strings.Contains(first, ".") {
		return ""
	}
	for module, who := range third {
		if imp != module && !strings.HasPrefix(imp, module+"/") {
			continue
		}
		if slices.Contains(who, s.pkg) || slices.Contains(who, "*") || (s.test && (slices.Contains(who, "test") || slices.Contains(who, s.pkg+"_test"))) {
			return ""
		}
		return fmt.Sprintf("%s may not import %s", s.pkg, module)
	}
	return fmt.Sprintf("%s imports %s, which has no owner in layers_test.go", s.pkg, imp)
}

// judgeOwn lets tests reach further than the code they test, but never into the programs.
func judgeOwn(s source, imp string, allowed []string) string {
	program := imp == "agent" || strings.HasPrefix(imp, "agent/")
	switch {
	case imp == s.pkg, slices.Contains(allowed, imp), slices.Contains(allowed, "*"), s.test && !program:
		return ""
	}
	return fmt.Sprintf("%s may not import %s", s.pkg, imp)
}

// allowedFor finds the row of pkg: its own, or the one of its parent's "parent/*".
func allowedFor(rows map[string][]string, pkg string) ([]string, bool) {
	row, ok := rows[pkg]
	if !ok {
		row, ok = rows[path.Dir(pkg)+"/*"]
	}
	if len(row) > 1 && row[0] == "+" {
		return slices.Concat(row[1:], rows[row[1]]), ok
	}
	return row, ok
}

func parseTable(table string) map[string][]string {
	rows := map[string][]string{}
	for line := range strings.Lines(table) {
		if name, list, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			rows[name] = strings.Fields(list)
		}
	}
	return rows
}

func directRequirements(mod string) (modules []string) {
	for line := range strings.Lines(mod) {
		f := strings.Fields(line)
		if len(f) > 0 && f[0] == "require" {
			f = f[1:]
		}
		if len(f) == 2 && strings.HasPrefix(f[1], "v") && strings.Contains(f[0], ".") {
			modules = append(modules, f[0])
		}
	}
	return modules
}

func listDeps(t *testing.T, goos, pkg string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", pkg)
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH=amd64", "CGO_ENABLED=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

func guiAmong(deps []string) (bad []string) {
	for _, d := range deps {
		for _, g := range gui {
			if d == g || strings.HasPrefix(d, g+"/") {
				bad = append(bad, d)
			}
		}
	}
	return bad
}
