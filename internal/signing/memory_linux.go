// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"os"

	"golang.org/x/sys/unix"
)

// newMemoryFile makes an empty file in memory. Its bytes may be swapped out, like those of any file.
func newMemoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("content", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "content"), nil
}

// sealMemoryFile fixes what is in the file, for every descriptor of it: a reading one could be opened anew for writing by way of
// /proc.
func sealMemoryFile(f *os.File) error {
	_, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	return err
}
