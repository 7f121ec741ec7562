// SPDX-License-Identifier: GPL-3.0-or-later

package terminal

import "os"

func openTTY() (TTY, error) {
	in, err := os.OpenFile("CONIN$", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		in.Close()
		return nil, err
	}
	return device{in: in, out: out}, nil
}
