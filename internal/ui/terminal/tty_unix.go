// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package terminal

import "os"

func openTTY() (TTY, error) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return device{in: f, out: f}, nil
}
