// SPDX-License-Identifier: GPL-3.0-or-later

package view

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_AARCH64

// older are calls that only older processors have, but for one.
var older = []uint32{unix.SYS_RENAMEAT}

var forking []uint32
