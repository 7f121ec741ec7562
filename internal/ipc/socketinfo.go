// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/binary"
	"fmt"
)

// socketInfoSize is that of WSAPROTOCOL_INFOW, by which Windows hands an open socket to another process.
const socketInfoSize = 628

// checkSocketInfo makes sure that b is one of a TCP connection over IPv4.
func checkSocketInfo(b []byte) error {
	if len(b) != socketInfoSize {
		return fmt.Errorf("%w: %d bytes for a connection", ErrProtocol, len(b))
	}
	const inet, stream, tcp = 2, 1, 6
	field := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	if f, t, p := field(76), field(88), field(92); f != inet || t != stream || p != tcp {
		return fmt.Errorf("%w: given a socket of family %d, type %d, protocol %d", ErrProtocol, f, t, p)
	}
	return nil
}
