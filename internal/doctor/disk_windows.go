// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import "golang.org/x/sys/windows"

// free is how many bytes this user may still write where path is.
func free(path string) (uint64, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var free uint64
	err = windows.GetDiskFreeSpaceEx(name, &free, nil, nil)
	return free, err
}
