// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile waits for the lock of a file made for nothing else.
func lockFile(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, new(windows.Overlapped))
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil // closing unlocks
}

// foreignFile leaves the owner to the access list of the user's profile.
func foreignFile(fi fs.FileInfo) string {
	if !fi.Mode().IsRegular() {
		return "not a file"
	}
	return ""
}

const noFollow = 0 // who may make links in the user's profile is the user

// readableFile leaves readers to the access list of the user's profile, too.
func readableFile(fi fs.FileInfo) string { return foreignFile(fi) }

func syncFolder(string) error { return nil } // a folder cannot be flushed here
