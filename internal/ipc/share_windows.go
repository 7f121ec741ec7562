// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"fmt"
	"io/fs"
	"net"
)

// PortSocket is where the port service takes sessions.
const PortSocket = `\\.\pipe\persten-port`

// The hand-over of accepted connections is not there on Windows yet: no service shares the port.

func ownerOf(net.Listener) (func(net.Conn) (string, error), error) {
	return nil, fmt.Errorf("port service: %w", ErrUnsupported)
}

type giver struct{ user string }

func newGiver(net.Conn) (*giver, error) { return nil, fmt.Errorf("port service: %w", ErrUnsupported) }
func (*giver) hello(portHello) error    { return ErrUnsupported }
func (*giver) wait()                    {}
func (*giver) give(net.Conn) error      { return ErrUnsupported }

func dialPort(socket, _ string) (net.Listener, error) {
	return nil, fmt.Errorf("port service at %s: %w", socket, fs.ErrNotExist) // the port is the session's own
}

type taker struct{}

func (taker) Close() error            { return nil }
func (taker) take() (net.Conn, error) { return nil, ErrUnsupported }

func heldByOther(uint16) bool { return false }
