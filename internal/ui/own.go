// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"persten/internal/signing"
)

// executable is this program's own file, empty when that cannot be told.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}

// own reports whether Persten's main window asks: the desktop program in the folder of self, run by the same user, whom nobody
// else's socket lets in. It calms the words and nothing else: the person is asked all the same.
func own(self string, q signing.Question) bool {
	beside := filepath.Join(filepath.Dir(self), "persten-desktop"+filepath.Ext(self))
	return self != "" && q.Origin == "" && q.Via == signing.ViaSocket && q.Program == beside && runs(q.PID, beside)
}

// runs reports whether a process runs this very file: a path alone may be another file in the process's own namespace.
func runs(pid int, path string) bool {
	if runtime.GOOS == "windows" {
		return true // paths are the same for all
	}
	theirs, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return false
	}
	ours, err := os.Stat(path)
	return err == nil && os.SameFile(theirs, ours)
}
