// SPDX-License-Identifier: GPL-3.0-or-later

// Package installer holds the files that put Persten on a machine, so that packages and `persten service install` write
// the same ones.
package installer

import (
	_ "embed"
	"strings"
)

// ExecStart is the command of [Service] as packages install it. Whoever installs the program elsewhere replaces it.
const ExecStart = "/usr/bin/persten session"

// Service is the systemd user unit of the agent.
//
//go:embed linux/persten.service
var Service string

// Socket is the systemd user unit of the agent's socket, which starts Service.
//
//go:embed linux/persten.socket
var Socket string

// PortExecStart is the command of [PortService] as packages install it.
const PortExecStart = "/usr/bin/persten service run"

// PortService is the systemd unit that hands connections to the port of all users to their sessions.
//
//go:embed linux/persten-port.service
var PortService string

// PortSocket is the systemd unit that holds that port, and starts PortService.
//
//go:embed linux/persten-port.socket
var PortSocket string

// The lines of Service that need unprivileged user namespaces stand between these two.
const (
	sandboxBegin = "# sandbox begins"
	sandboxEnd   = "# sandbox ends\n"
)

// SplitSandbox takes the sandbox section out of a unit: what is left, and the section's directives ("Name=value") in
// their order. A unit without a section comes back as it was.
func SplitSandbox(unit string) (rest string, directives []string) {
	before, after, ok := strings.Cut(unit, sandboxBegin)
	section, after, closed := strings.Cut(after, sandboxEnd)
	if !ok || !closed {
		return unit, nil
	}
	for line := range strings.Lines(section) {
		if name, _, ok := strings.Cut(line, "="); ok && !strings.ContainsAny(name, "# ,") {
			directives = append(directives, strings.TrimSpace(line))
		}
	}
	return before + strings.TrimLeft(after, "\n"), directives
}

// ServerPolicy is the example of a policy for a server that signs without people.
//
//go:embed examples/server/policy.toml
var ServerPolicy string
