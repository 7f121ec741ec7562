// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxSocket is the longest path of a socket (sun_path with its final zero is 108 bytes on Linux).
const maxSocket = 107

func configHome() (string, error) { return xdg("XDG_CONFIG_HOME", ".config") }
func stateHome() (string, error)  { return xdg("XDG_STATE_HOME", ".local/state") }

// xdg is a folder of the XDG Base Directory Specification; a relative value counts as unset there.
func xdg(name, fallback string) (string, error) {
	if v := os.Getenv(name); filepath.IsAbs(v) {
		return v, nil
	}
	home, err := homeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, fallback), nil
}

func runtimePath() string {
	if v := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(v) && ownFolder(v, 0o022) == nil {
		return filepath.Join(v, appName)
	}
	return filepath.Join(os.TempDir(), appName+"-"+strconv.Itoa(os.Getuid()))
}

func usualSocket() (string, error) {
	dir, err := RuntimeDir()
	return filepath.Join(dir, "session.sock"), err
}

func checkSocket(path string) error {
	if !filepath.IsAbs(path) {
		return errors.New("the path of the socket must be absolute")
	}
	if len(path) > maxSocket {
		return fmt.Errorf("the path of the socket is longer than %d bytes", maxSocket)
	}
	return nil
}

// ownFolder makes sure that dir is a folder, not a link, that it is this user's, and that no mode bit of forbidden is set.
func ownFolder(dir string, forbidden fs.FileMode) error {
	fi, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.IsDir():
		return fmt.Errorf("%s is not a folder: %w", dir, fs.ErrPermission)
	case !ok || int(st.Uid) != os.Getuid():
		return fmt.Errorf("%s belongs to another user: %w", dir, fs.ErrPermission)
	case fi.Mode().Perm()&forbidden != 0:
		return fmt.Errorf("%s has mode %04o, which lets others in: %w", dir, fi.Mode().Perm(), fs.ErrPermission)
	}
	return nil
}
