// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestCredential: %d/NAME is a file of the folder that systemd names, and of no other.
func TestCredential(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, _, err := pinFromFile("%d/pin"); err == nil {
		t.Error("a PIN without credentials")
	}
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if _, _, err := pinFromFile("%d/pin"); err == nil {
		t.Error("a PIN of a credential that is not there")
	}
	if err := os.WriteFile(filepath.Join(dir, "pin"), []byte("1234\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	pin, _, err := pinFromFile("%d/pin")
	if err != nil {
		t.Fatal(err)
	}
	b, err := pin.Read()
	if err != nil || string(b.Bytes()) != "1234" {
		t.Errorf("another PIN, %v", err)
	}
	b.Wipe()
}

// TestCredentialClosed: the group's right counts for nothing only in a credential of root and root's group.
func TestCredentialClosed(t *testing.T) {
	for _, c := range []struct {
		uid, gid uint32
		mode     os.FileMode
		given    bool
		want     bool
	}{
		{0, 0, 0o400, true, true}, {0, 0, 0o440, true, true}, {0, 0, 0o460, true, false}, {0, 0, 0o444, true, false}, {0, 0, 0o441, true, false},
		{0, 5, 0o440, true, false}, {1000, 0, 0o440, true, false}, {1000, 1000, 0o440, true, false}, {1000, 1000, 0o400, true, true},
		{0, 0, 0o440, false, false}, {0, 0, 0o400, false, true},
	} {
		if got := c.mode&others(&syscall.Stat_t{Uid: c.uid, Gid: c.gid}, c.given) == 0; got != c.want {
			t.Errorf("%d:%d %04o %v: %v, want %v", c.uid, c.gid, c.mode, c.given, got, c.want)
		}
	}
}
