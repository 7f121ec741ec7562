// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"
)

func configHome() (string, error) { return os.UserConfigDir() }
func stateHome() (string, error)  { return os.UserCacheDir() } // %LocalAppData%: must not roam

func runtimePath() string { return filepath.Join(os.TempDir(), appName) }

// usualSocket has the SID in its name, so that users cannot meet, and the session, so that a user's two logons do not.
func usualSocket() (string, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("own user: %w", err)
	}
	var session uint32
	if err := windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &session); err != nil {
		return "", fmt.Errorf("own session: %w", err)
	}
	return fmt.Sprintf(`%s%s-%s-%d`, pipePrefix, appName, u.User.Sid, session), nil
}

const pipePrefix = `\\.\pipe\`

func checkSocket(path string) error {
	if name, ok := strings.CutPrefix(path, pipePrefix); !ok || name == "" || len(name) > 240 || strings.Contains(name, `\`) {
		return errors.New(`the address must be \\.\pipe\NAME`)
	}
	return nil
}

// ownFolder checks the kind alone: the folders are in the user's profile, whose access list lets nobody else in.
func ownFolder(dir string, _ fs.FileMode) error {
	fi, err := os.Lstat(dir)
	if err == nil && !fi.IsDir() {
		err = fmt.Errorf("%s is not a folder: %w", dir, fs.ErrPermission)
	}
	return err
}
