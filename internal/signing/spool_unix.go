// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing

import (
	"errors"
	"fmt"
	"os"
	"syscall"
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

// reopen makes a second file description of r, so that the receiver's reads do not move ours.
func reopen(r *os.File) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
}
