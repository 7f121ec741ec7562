// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestShowInSystem has the desktop's own xdg-open choose a program for a document, and looks at what that program gets.
func TestShowInSystem(t *testing.T) {
	if _, err := exec.LookPath("xdg-open"); err != nil {
		t.Skip("xdg-open is not installed: the system's viewer was not tried")
	}
	home, run := t.TempDir(), t.TempDir()
	if err := os.Chmod(run, 0o700); err != nil {
		t.Fatal(err)
	}
	note, apps := filepath.Join(home, "note"), filepath.Join(home, ".local/share/applications")
	for path, content := range map[string]string{
		filepath.Join(home, "viewer.sh"):             "#!/bin/sh\nstat -c '%a' \"$1\" > " + note + ".part; cat \"$1\" >> " + note + ".part; mv " + note + ".part " + note + "\n",
		filepath.Join(apps, "viewer.desktop"):        "[Desktop Entry]\nType=Application\nName=Viewer\nExec=" + filepath.Join(home, "viewer.sh") + " %f\nMimeType=text/plain;text/rtf;application/rtf;\n",
		filepath.Join(home, ".config/mimeapps.list"): "[Default Applications]\ntext/plain=viewer.desktop\ntext/rtf=viewer.desktop\napplication/rtf=viewer.desktop\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{
		"HOME": home, "XDG_RUNTIME_DIR": run, "XDG_CONFIG_HOME": "", "XDG_DATA_HOME": "", "XDG_CURRENT_DESKTOP": "", "DESKTOP_SESSION": "",
		"DISPLAY": ":0", "DBUS_SESSION_BUS_ADDRESS": "unix:path=" + filepath.Join(run, "none"), "INVOCATION_ID": "",
	} {
		t.Setenv(name, value)
	}
	document := filepath.Join(home, "document")
	if err := os.WriteFile(document, []byte(`{\rtf1 secret}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(document)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	remove, err := showInSystem(t.Context(), f, "rtf")
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for range 500 {
		if got, err = os.ReadFile(note); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if strings.TrimSpace(string(got)) != "400\n{\\rtf1 secret}" {
		t.Errorf("the viewer got %q", got)
	}
	remove()
	if left, err := filepath.Glob(filepath.Join(run, "persten", "view-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
