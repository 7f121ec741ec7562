// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"
)

// TestGuarded: a program that everybody may change, or whose folder takes files of everybody, is no service's.
func TestGuarded(t *testing.T) {
	temp, err := os.MkdirTemp("", "guarded") // wine 8 cannot remove a whole folder as t.TempDir does
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(temp, "Persten")
	program := filepath.Join(dir, "persten.exe")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(program, []byte("MZ"), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := Guarded(program); err != nil {
		t.Fatalf("one's own: %v", err)
	}
	defer func() { _, _, _ = os.Remove(program), os.Remove(dir), os.Remove(temp) }()
	for _, c := range []struct{ path, rights string }{
		{program, "D:P(A;;FA;;;SY)(A;;FA;;;WD)"}, {program, "D:P(A;;FA;;;SY)(A;;0x12019f;;;WD)"}, {dir, "D:P(A;;FA;;;SY)(A;;0x1301bf;;;WD)"},
	} {
		before, err := windows.GetNamedSecurityInfo(c.path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		open, err := windows.SecurityDescriptorFromString(c.rights)
		if err != nil {
			t.Fatal(err)
		}
		setDACL(t, c.path, open)
		if err := Guarded(program); !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			t.Errorf("%s with %s: %v", c.path, c.rights, err)
		}
		setDACL(t, c.path, before)
	}
	if err := Guarded(program); err != nil {
		t.Errorf("as it was: %v", err)
	}
	if err := Guarded(filepath.Join(dir, "absent.exe")); err == nil {
		t.Error("a program that is not there is guarded")
	}
}

func setDACL(t *testing.T, path string, sd *windows.SECURITY_DESCRIPTOR) {
	t.Helper()
	acl, _, err := sd.DACL()
	if err == nil {
		err = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, acl, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}
