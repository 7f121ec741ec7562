// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"errors"
	"syscall"
)

// isReset tells that the other end closed a connection with something unread in it.
func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isFull tells that a unix socket has as many waiting as it takes; more may come in a moment.
func isFull(err error) bool { return errors.Is(err, syscall.EAGAIN) }
