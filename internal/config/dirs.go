// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"persten/proto"
)

const appName = "persten"

// ConfigDir is the folder of the person's configuration, $XDG_CONFIG_HOME/persten or %AppData%\persten. It is not made.
func ConfigDir() (string, error) {
	base, err := configHome()
	if err != nil {
		return "", fmt.Errorf("configuration folder: %w", err)
	}
	return filepath.Join(base, appName), nil
}

// StateDir is the folder of the journal and the person's decisions, $XDG_STATE_HOME/persten or %LocalAppData%\persten. It
// is made 0700 when missing; a folder of somebody else, or one others may write to, is an error.
func StateDir() (string, error) {
	base, err := stateHome()
	if err != nil {
		return "", fmt.Errorf("state folder: %w", err)
	}
	dir := filepath.Join(base, appName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("state folder: %w", err)
	}
	if err := ownFolder(dir, 0o022); err != nil {
		return "", fmt.Errorf("state folder: %w", err)
	}
	return dir, nil
}

// StateExists reports whether this user has a folder of state. It makes none.
func StateExists() bool {
	base, err := stateHome()
	if err != nil {
		return false
	}
	_, err = os.Lstat(filepath.Join(base, appName))
	return err == nil
}

// RuntimeDir is the folder of sockets, $XDG_RUNTIME_DIR/persten. Where that variable is missing or names a folder that is
// not this user's alone to write, it is persten-UID under the folder of temporary files. It is made 0700 when missing;
// one that is not the user's, or that others may enter, is an error. On Windows it is persten under the user's own
// folder of temporary files.
func RuntimeDir() (string, error) {
	dir := runtimePath()
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("folder of sockets: %w", err)
	}
	if err := ownFolder(dir, 0o077); err != nil {
		return "", fmt.Errorf("folder of sockets: %w", err)
	}
	return dir, nil
}

// SocketPath is where the user's session listens: PERSTEN_SOCKET when set, else session.sock in [RuntimeDir]; on Windows
// the named pipe \\.\pipe\persten-SID-SESSION. An address that cannot be used is proto.CodeSocketFailed.
func SocketPath() (string, error) {
	path, err := os.Getenv("PERSTEN_SOCKET"), error(nil)
	if path == "" {
		path, err = usualSocket()
	}
	if err == nil {
		err = checkSocket(path)
	}
	if err != nil {
		return "", proto.E(proto.CodeSocketFailed, err, "detail", err.Error())
	}
	return path, nil
}

// SocketFile is the path that [SocketPath] gives or refuses, whatever is there: for whoever tells what is wrong with it.
func SocketFile() string {
	if path := os.Getenv("PERSTEN_SOCKET"); path != "" {
		return path
	}
	return filepath.Join(runtimePath(), "session.sock")
}

// homeDir is the user's home, also for a program started without HOME.
func homeDir() (string, error) {
	if h, err := os.UserHomeDir(); err == nil && filepath.IsAbs(h) {
		return h, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(u.HomeDir) {
		return "", errors.New("no home folder")
	}
	return u.HomeDir, nil
}
