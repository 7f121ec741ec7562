// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// spool makes a file without a name and returns a writing and a reading descriptor of it.
func spool(dir string) (w, r *os.File, err error) {
	w, err = os.CreateTemp(dir, "content-")
	if err != nil {
		return nil, nil, err
	}
	r, err = os.Open(w.Name())
	if rmErr := os.Remove(w.Name()); err == nil {
		err = rmErr
	}
	if err != nil {
		w.Close()
		return nil, nil, err
	}
	return w, r, nil
}

func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// freeSpace is how much this user may still write below dir.
func freeSpace(dir string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(min(fs.Bavail, math.MaxInt64/uint64(fs.Bsize))) * int64(fs.Bsize), nil
}

// reopen makes a second file description of r, so that the receiver's reads do not move ours.
func reopen(r *os.File) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
}
