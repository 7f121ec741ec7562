// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"persten/internal/secret"
)

// openPINFile opens a file that holds a PIN: a plain file, no link, of this user or root, closed to everybody else. %d/NAME is
// a credential that systemd gives to the service.
func openPINFile(path string) (*os.File, error) {
	path, given, err := credential(path)
	if err != nil {
		return nil, err
	}
	// Without O_NONBLOCK a pipe in its place would stop the request.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	i, err := f.Stat()
	if err == nil {
		err = checkPINFile(i, given)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// credential is the path that %d/NAME stands for, as in unit files.
func credential(path string) (file string, given bool, err error) {
	name, given := strings.CutPrefix(path, "%d/")
	if !given {
		return path, false, nil
	}
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if !filepath.IsAbs(dir) {
		return "", true, errors.New("systemd gives this session no credentials: LoadCredential= in its unit")
	}
	return filepath.Join(dir, name), true, nil
}

// others is the rights nobody else may have. In a credential of root and its group the group's bit is the mask of an access list,
// by which systemd lets the service's account read it.
func others(st *syscall.Stat_t, given bool) os.FileMode {
	if given && st.Uid == 0 && st.Gid == 0 {
		return 0o037
	}
	return 0o077
}

func checkPINFile(i os.FileInfo, given bool) error {
	st, ok := i.Sys().(*syscall.Stat_t)
	switch {
	case !i.Mode().IsRegular():
		return errors.New("not a plain file")
	case !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return errors.New("belongs to another user")
	case i.Mode().Perm()&others(st, given) != 0:
		return fmt.Errorf("mode %04o lets others in", i.Mode().Perm())
	case i.Size() == 0:
		return errors.New("empty")
	case i.Size() > secret.MaxLen:
		return fmt.Errorf("larger than %d bytes", secret.MaxLen)
	}
	return nil
}
