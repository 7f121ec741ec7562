// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// lockFile waits for the lock of a file made for nothing else; it stays when the lock is released, since removing it would
// let two processes hold two locks of one name.
func lockFile(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// foreignFile says why a file's content may be somebody else's.
func foreignFile(fi fs.FileInfo) string {
	if !fi.Mode().IsRegular() {
		return "not a file"
	}
	return changeable(fi, os.Getuid())
}

// noFollow opens no link, and does not wait for a pipe's other end.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// readableFile says how somebody else could have read a file, or put it there.
func readableFile(fi fs.FileInfo) string {
	if why := foreignFile(fi); why != "" {
		return why
	}
	if mode := fi.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Sprintf("mode %04o", mode)
	}
	return ""
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems have nothing to sync
		return err
	}
	return nil
}
