// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// portPatience is how long a program on this computer may take to answer.
const portPatience = 2 * time.Second

// What our port answers at /health, to its own user and to others; package ipc writes it.
const (
	health        = "persten\n"
	foreignHealth = "another user's persten\n"
)

// Who answers instead.
var (
	errOther   = errors.New("not the answer of Persten")
	errForeign = errors.New("the Persten of another user")
)

// checkPort looks whether pages reach our port, and who has it when they do not.
func checkPort(ctx context.Context, m *Machine) []Finding {
	if m.Config == nil {
		return nil
	}
	c, err := m.Config()
	if err != nil {
		return nil // checkConfig's
	}
	address := c.Listen.WebSocket
	if address == "" {
		return []Finding{note("port_off", "")}
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return nil
	}
	return judgePort(ctx, m, port, m.knock(ctx, address))
}

// knock asks the port who is there.
func (m *Machine) knock(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, portPatience)
	defer cancel()
	conn, err := m.Dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(portPatience))
	if _, err := fmt.Fprintf(conn, "GET /health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", address); err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(conn, 4096))
	ok := strings.HasPrefix(string(answer), "HTTP/1.1 200 ")
	switch _, text, _ := strings.Cut(string(answer), "\r\n\r\n"); {
	case ok && text == health:
		return nil
	case text == foreignHealth:
		return errForeign
	case len(answer) > 0:
		return errOther
	case err != nil:
		return err
	}
	return io.EOF
}

// judgePort makes a finding of what knocking brought.
func judgePort(ctx context.Context, m *Machine, port string, knocked error) []Finding {
	h, known := listener(m, port)
	switch {
	case known && h.system && m.Sharer != "" && m.exists(m.Sharer) && !errors.Is(knocked, errForeign):
		return nil // whether connections come, the session knows: checkAgent asks it
	case knocked == nil && known && h.foreign, errors.Is(knocked, errForeign):
		return []Finding{warning("port_other_user", port, "user", h.user())}
	case knocked == nil:
		return nil
	case known && !h.ours, !known && errors.Is(knocked, errOther):
		return []Finding{warning("port_taken_by", port, "program", h.name, "pid", h.number())}
	case !m.answers(ctx):
		return nil // nobody is there to listen, or to answer, which checkAgent says
	case !known && errors.Is(knocked, syscall.ECONNREFUSED):
		return []Finding{warning("port_closed", port)}
	}
	return []Finding{problem("port_blocked", port, "program", m.Program)}
}

// answers tells whether a session runs.
func (m *Machine) answers(ctx context.Context) bool {
	if m.Status == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	_, err := m.Status(ctx)
	return err == nil
}

// holder is who listens on a port.
type holder struct {
	name    string // of the program, empty when /proc does not tell
	pid     int
	uid     int
	ours    bool
	foreign bool // another user's
	system  bool // the system's own
}

func (h holder) user() string {
	if !h.foreign {
		return ""
	}
	return strconv.Itoa(h.uid)
}

func (h holder) number() string {
	if h.pid == 0 {
		return ""
	}
	return strconv.Itoa(h.pid)
}
