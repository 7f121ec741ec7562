// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"debug/pe"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

// program is one of the two programs.
type program struct {
	Name, About, pkg string
	window           bool // no console
}

var programs = []program{
	{"persten.exe", "Persten signing agent", "./agent", false},
	{"persten-desktop.exe", "Persten windows and tray icon", "./agent/desktop", true},
}

var (
	//go:embed persten.rc
	rcText string
	//go:embed persten.manifest
	manifestText []byte

	rc = template.Must(template.New("persten.rc").Parse(rcText))
)

const cross = "x86_64-w64-mingw32-"

// build compiles the program, with its resources linked in, and checks the result.
func (p program) build(v version, work, exe string) error {
	object, err := p.resources(v, work)
	if err != nil {
		return err
	}
	ld := "-s -w -buildid= -X main.version=" + v.Full + updates() + " -linkmode=external -extldflags '-Wl,--no-insert-timestamp " + object + "'"
	if p.window {
		ld += " -H windowsgui"
	}
	abs, err := filepath.Abs(exe)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ld, "-o", abs, p.pkg)
	cmd.Dir = moduleRoot()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=windows", "GOARCH=amd64", "CC="+cross+"gcc")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w", p.Name, err)
	}
	return checkProgram(exe)
}

// updates tells the program whose descriptions of new versions it believes, and where they are: UPDATE_ROOTS and UPDATE_URL.
func updates() string {
	return " -X main.updateRoots=" + os.Getenv("UPDATE_ROOTS") + " -X main.updateURL=" + os.Getenv("UPDATE_URL")
}

// resources makes the object that carries icon, manifest and version.
func (p program) resources(v version, work string) (object string, err error) {
	dir, err := filepath.Abs(filepath.Join(work, strings.TrimSuffix(p.Name, ".exe")))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	var script bytes.Buffer
	if err := rc.Execute(&script, struct {
		program
		version
	}{p, v}); err != nil {
		return "", err
	}
	picture, err := icon()
	if err != nil {
		return "", err
	}
	for name, data := range map[string][]byte{"persten.rc": script.Bytes(), "persten.manifest": manifestText, "persten.ico": picture} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return "", err
		}
	}
	object = filepath.Join(dir, "resources.o")
	return object, tool(dir, cross+"windres", "persten.rc", object)
}

// knownLibraries are those that a program of ours may name in its import table: KnownDLLs, which Windows takes from its own
// folder whatever lies beside the program, and what it loads itself. Others are looked for beside the program first; the program
// opens them when it needs them, from the system's folder.
var knownLibraries = []string{
	"advapi32.dll", "gdi32.dll", "kernel32.dll", "msvcrt.dll", "ntdll.dll", "ole32.dll", "oleaut32.dll", "rpcrt4.dll",
	"shell32.dll", "shlwapi.dll", "user32.dll", "ws2_32.dll",
}

// What the loader of Windows is told about a program: load it anywhere, run no data.
const defences = pe.IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE | pe.IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA | pe.IMAGE_DLLCHARACTERISTICS_NX_COMPAT

// checkProgram refuses a program that imports anything that could be planted, or lacks its resources or defences.
func checkProgram(exe string) error {
	name := filepath.Base(exe)
	f, err := pe.Open(exe)
	if err != nil {
		return err
	}
	defer f.Close()
	header, ok := f.OptionalHeader.(*pe.OptionalHeader64)
	if !ok || header.DllCharacteristics&defences != defences {
		return fmt.Errorf("%s: not a 64-bit program that may be loaded anywhere and runs no data", name)
	}
	symbols, err := f.ImportedSymbols() // ImportedLibraries is empty for this format
	if err != nil {
		return err
	}
	for _, s := range symbols {
		if _, library, _ := strings.Cut(s, ":"); !slices.Contains(knownLibraries, strings.ToLower(library)) {
			return fmt.Errorf("%s imports %s, which may be looked for beside the program", name, library)
		}
	}
	section := f.Section(".rsrc")
	if len(symbols) == 0 || section == nil {
		return fmt.Errorf("%s: no imports or no resources", name)
	}
	data, err := section.Data()
	if err != nil {
		return err
	}
	for _, want := range [][]byte{manifestText, wide("FileVersion"), wide(name)} {
		if !bytes.Contains(data, want) {
			return fmt.Errorf("%s: its resources lack the manifest or the version", name)
		}
	}
	return nil
}

// wide is text as Windows stores it.
func wide(s string) (b []byte) {
	for _, c := range s {
		b = append(b, byte(c), byte(c>>8))
	}
	return b
}
