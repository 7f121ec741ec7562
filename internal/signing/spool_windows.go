// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"math"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// spool makes a file that the system deletes when its last handle closes.
func spool(dir string) (w, r *os.File, err error) {
	name := filepath.Join(dir, "content-"+randomID())
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, nil, err
	}
	const share = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
	h, err := windows.CreateFile(wide, windows.GENERIC_WRITE, share, nil, windows.CREATE_NEW,
		windows.FILE_ATTRIBUTE_TEMPORARY, 0)
	if err != nil {
		return nil, nil, err
	}
	w = os.NewFile(uintptr(h), name)
	h, err = windows.CreateFile(wide, windows.GENERIC_READ, share, nil, windows.OPEN_EXISTING,
		windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	if err != nil {
		w.Close()
		os.Remove(name)
		return nil, nil, err
	}
	return w, os.NewFile(uintptr(h), name), nil
}

func diskFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}

// freeSpace is how much this user may still write below dir.
func freeSpace(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(free, math.MaxInt64)), nil
}

func reopen(r *os.File) (*os.File, error) {
	self := windows.CurrentProcess()
	var h windows.Handle
	err := windows.DuplicateHandle(self, windows.Handle(r.Fd()), self, &h, 0, false, windows.DUPLICATE_SAME_ACCESS)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(h), r.Name()), nil
}
