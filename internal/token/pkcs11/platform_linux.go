// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// administered checks that root owns the file and every folder above it, and that nobody else may write there.
func administered(path string) error {
	for p := path; ; p = filepath.Dir(p) {
		info, err := os.Lstat(p)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || st.Uid != 0 || info.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("%s: %s may be changed by others than root", path, p)
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}

// terminate ends the process at once, without what libraries registered to run at exit.
func terminate() { os.Exit(1) }
