// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"

	"persten/internal/ipc"
)

// inherited is the connection to the session.
func inherited() (ipc.FileConn, error) { return ipc.Inherited(3) }

// document is the file to show: children get no numbered descriptors here.
func document() *os.File { return os.Stdin }
