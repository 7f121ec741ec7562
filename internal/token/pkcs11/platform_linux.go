// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// overflow is the user whom the kernel names where the real one has no number: root, in the user namespace of a sandboxed unit.
const overflow = 65534

// administered checks that root owns the file and every folder above it, and that nobody else may write there. Who owns the topmost
// folder is root, under whatever number it has here.
func administered(path string) error {
	root, err := owner("/")
	if err == nil && root != 0 && root != overflow {
		err = fs.ErrPermission
	}
	for p := path; err == nil; p = filepath.Dir(p) {
		var who int
		if who, err = owner(p); err == nil && who != root {
			err = fs.ErrPermission
		}
		if err != nil {
			return fmt.Errorf("%s: %s may be changed by others than root: %w", path, p, err)
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
	return err
}

// owner is whose a file or folder is; one that others may write to is nobody's.
func owner(path string) (int, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode().Perm()&0o022 != 0 {
		return 0, fs.ErrPermission
	}
	return int(st.Uid), nil
}

// terminate ends the process at once, without what libraries registered to run at exit.
func terminate() { os.Exit(1) }
