// SPDX-License-Identifier: GPL-3.0-or-later

package terminal

import (
	"os"

	"golang.org/x/term"
)

// device is the controlling terminal.
type device struct {
	in, out *os.File
}

func (d device) Read(b []byte) (int, error)  { return d.in.Read(b) }
func (d device) Write(b []byte) (int, error) { return d.out.Write(b) }

func (d device) Close() error {
	if d.out != d.in {
		d.out.Close()
	}
	return d.in.Close()
}

// Quiet puts the terminal in raw mode.
func (d device) Quiet() (func(), error) {
	rc, err := d.in.SyscallConn()
	if err != nil {
		return nil, err
	}
	var old *term.State
	var inner error
	err = rc.Control(func(fd uintptr) { old, inner = term.MakeRaw(int(fd)) })
	if err != nil || inner != nil {
		return nil, firstError(err, inner)
	}
	return func() { rc.Control(func(fd uintptr) { term.Restore(int(fd), old) }) }, nil
}

func firstError(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}
