// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"

	"persten/internal/ipc"
)

// argsVariable hands Module.Args to the child, and tells Serve that the process is its own.
const argsVariable = "PERSTEN_MODULE_ARGS"

// Exec returns a Start that runs "program args... PATH" for each module, which must call Serve on the inherited socket.
// What vendor code prints goes to stderr; nil discards it.
func Exec(stderr io.Writer, program string, args ...string) func(context.Context, Module) (ipc.FileConn, Process, error) {
	return func(_ context.Context, m Module) (ipc.FileConn, Process, error) {
		ours, theirs, err := ipc.Pair()
		if err != nil {
			return nil, nil, fmt.Errorf("module socket: %w", err)
		}
		defer theirs.Close()
		cmd := exec.Command(program, append(append([]string{}, args...), m.Path)...)
		cmd.Env = append(os.Environ(), argsVariable+"="+m.Args)
		cmd.Stderr = stderr
		cmd.WaitDelay = killWait
		apart(cmd)
		theirs.Give(cmd)
		if err := cmd.Start(); err != nil {
			ours.Close()
			return nil, nil, fmt.Errorf("module process: %w", err)
		}
		return ours, command{cmd}, nil
	}
}

// command is a started child.
type command struct{ cmd *exec.Cmd }

func (c command) PID() int    { return c.cmd.Process.Pid }
func (c command) Kill() error { return c.cmd.Process.Kill() }
func (c command) Wait() error { return c.cmd.Wait() }
