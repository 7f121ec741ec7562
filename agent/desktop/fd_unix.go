// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package main

import "persten/internal/ipc"

// inherited is the connection to the session.
func inherited() (ipc.FileConn, error) { return ipc.Inherited(3) }
