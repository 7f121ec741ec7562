// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package doctor

import "syscall"

// nonblock lets a pipe in a file's place stop nobody.
const nonblock = syscall.O_NONBLOCK
