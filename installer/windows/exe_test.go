// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckProgram: what the build refuses, shown on small C programs. The two real ones go through the same check in make
// package-windows.
func TestCheckProgram(t *testing.T) {
	need(t, cross+"gcc", cross+"windres")
	dir := t.TempDir()
	v, p := parseVersion("v1.2.3"), programs[0]
	object, err := p.resources(v, dir)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "foreign.c"), "int foreign(void) { return 1; }\n")
	write(t, filepath.Join(dir, "main.c"), "#ifdef FOREIGN\nint foreign(void);\nint main(void) { return foreign(); }\n#elif defined PLANTABLE\n"+
		"int GetFileVersionInfoSizeA(const char *, unsigned *);\nint main(void) { return GetFileVersionInfoSizeA(0, 0); }\n#else\nint main(void) { return 0; }\n#endif\n")
	if err := tool(dir, cross+"gcc", "-shared", "-o", "foreign.dll", "foreign.c"); err != nil {
		t.Fatal(err)
	}
	defended := []string{"-Wl,--dynamicbase,--high-entropy-va,--nxcompat"}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"as it should be": {append(defended, "main.c", object), ""},
		"foreign library": {append(defended, "-DFOREIGN", "main.c", object, "foreign.dll"), "imports foreign.dll"},
		"plantable":       {append(defended, "-DPLANTABLE", "main.c", object, "-lversion"), "imports VERSION.dll"},
		"no resources":    {append(defended, "main.c"), "resources"},
		"no defences":     {[]string{"-Wl,--disable-dynamicbase,--disable-nxcompat", "main.c", object}, "may be loaded anywhere"},
	} {
		exe := filepath.Join(dir, p.Name)
		if err := tool(dir, cross+"gcc", append([]string{"-o", exe}, c.args...)...); err != nil {
			t.Fatal(err)
		}
		if err := checkProgram(exe); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
