// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const noFollow = 0

// checkDir leaves the rights to the folder's inherited access list: the user's profile is the user's alone.
func checkDir(string) error { return nil }

func checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a plain file")
	}
	return nil
}

// syncDir has no counterpart: NTFS journals names itself.
func syncDir(string) error { return nil }

// tryLock locks one byte far behind any record, since Windows keeps others from reading what is locked.
func tryLock(f *os.File, exclusive bool) (bool, error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	at := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// unlock gives the lock back before the file is closed.
func unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{OffsetHigh: 1 << 30})
}
