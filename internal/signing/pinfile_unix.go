// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"persten/internal/secret"
)

// openPINFile opens a file that holds a PIN: a plain file, no link, of this user or root, closed to everybody else.
func openPINFile(path string) (*os.File, error) {
	// Without O_NONBLOCK a pipe in its place would stop the request.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	i, err := f.Stat()
	if err == nil {
		err = checkPINFile(i)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func checkPINFile(i os.FileInfo) error {
	st, ok := i.Sys().(*syscall.Stat_t)
	switch {
	case !i.Mode().IsRegular():
		return errors.New("not a plain file")
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return errors.New("belongs to another user")
	case i.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("mode %04o lets others in", i.Mode().Perm())
	case i.Size() == 0:
		return errors.New("empty")
	case i.Size() > secret.MaxLen:
		return fmt.Errorf("larger than %d bytes", secret.MaxLen)
	}
	return nil
}
