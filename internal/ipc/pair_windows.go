// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"fmt"
	"os"
)

// Pair is not there on Windows: sockets carry no handles. It returns [ErrUnsupported].
func Pair() (ours FileConn, theirs *os.File, err error) {
	return nil, nil, fmt.Errorf("socket pair: %w", ErrUnsupported)
}

// Inherited is not there on Windows. It returns [ErrUnsupported].
func Inherited(fd uintptr) (FileConn, error) {
	return nil, fmt.Errorf("inherited socket %d: %w", fd, ErrUnsupported)
}

// Adopt is not there on Windows. It closes f and returns [ErrUnsupported].
func Adopt(f *os.File) (FileConn, error) {
	f.Close()
	return nil, fmt.Errorf("adopt socket: %w", ErrUnsupported)
}
