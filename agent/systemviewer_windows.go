// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"golang.org/x/sys/windows"
)

// openInSystem asks the shell to open a file with the program the person chose for its kind.
func openInSystem(_ context.Context, path string) error {
	verb, err := windows.UTF16PtrFromString("open")
	if err != nil {
		return err
	}
	file, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	return windows.ShellExecute(0, verb, file, nil, nil, windows.SW_SHOWNORMAL)
}
