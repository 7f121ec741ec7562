// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

// scheme is a portal that knows one setting.
type scheme uint32

func (s scheme) Read(namespace, key string) (dbus.Variant, *dbus.Error) {
	if namespace != "org.freedesktop.appearance" || key != "color-scheme" {
		return dbus.Variant{}, dbus.MakeFailedError(os.ErrNotExist)
	}
	return dbus.MakeVariant(dbus.MakeVariant(uint32(s))), nil
}

// ownBus starts a session bus and leaves its address in the environment of the test.
func ownBus(t *testing.T) {
	t.Helper()
	cmd := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("dbus-daemon: %v: no portal was asked", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
}

func TestDarkByThePortal(t *testing.T) {
	ownBus(t)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("GTK_THEME", "")
	t.Setenv(themeVariable, "")
	if darkDesktop() {
		t.Error("dark with nobody to ask")
	}
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.RequestName("org.freedesktop.portal.Desktop", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	for _, value := range []scheme{0, 1, 77, 2} {
		want := value == 1
		if err := conn.Export(value, "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Settings"); err != nil {
			t.Fatal(err)
		}
		if got := darkDesktop(); got != want {
			t.Errorf("color-scheme %d: dark %v", value, got)
		}
	}
	for value, want := range map[string]bool{"dark": true, "light": false, "system": false} {
		t.Setenv(themeVariable, value)
		if got := darkDesktop(); got != want {
			t.Errorf("%s=%s: dark %v", themeVariable, value, got)
		}
	}
}

func TestDarkByGTK(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv(themeVariable, "system")
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	if err := os.MkdirAll(filepath.Join(dir, "gtk-3.0"), 0o700); err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]bool{
		"": false, "[Settings]\ngtk-theme-name = Adwaita-dark\n": true, "[Settings]\ngtk-theme-name=Adwaita\n": false,
		"gtk-theme-name=Adwaita\ngtk-application-prefer-dark-theme=1\n": true,
		"gtk-theme-name=X-dark\ngtk-application-prefer-dark-theme=0\n":  false,
		strings.Repeat("x", 1<<20):                                      false,
	} {
		if err := os.WriteFile(filepath.Join(dir, "gtk-3.0", "settings.ini"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := darkDesktop(); got != want {
			t.Errorf("%.60q: dark %v", content, got)
		}
	}
}
