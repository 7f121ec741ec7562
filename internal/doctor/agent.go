// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"persten/proto"
)

// answerLimit is how long a session that works may take to say how it is, its tokens read.
const answerLimit = 8 * time.Second

// checkConfig reads the configuration and the machine's policy.
func checkConfig(_ context.Context, m *Machine) (list []Finding) {
	if m.Config == nil {
		return nil
	}
	c, err := m.Config()
	if err != nil {
		return []Finding{failure(err)}
	}
	for _, w := range c.Warnings {
		list = append(list, warning("config_loose", "", "detail", w))
	}
	return list
}

// failure is a problem that has its place in the error catalogue already.
func failure(err error) Finding {
	e := proto.AsError(err)
	f := problem(string(e.Code), e.Args["file"])
	for name, value := range e.Args {
		f.Args[name] = value
	}
	return f
}

// checkAgent asks the session how it is, and finds out why it does not answer.
func checkAgent(ctx context.Context, m *Machine) []Finding {
	if m.Status == nil {
		return nil
	}
	list := append(checkCopies(m), checkSessions(m)...)
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	switch s, err := m.Status(ctx); {
	case err == nil:
		return append(list, judgeStatus(m, s)...)
	case ctx.Err() != nil:
		return append(list, problem("agent_silent", m.Socket))
	case errors.Is(err, proto.CodeAgentNotRunning), errors.Is(err, proto.CodeAgentLost), errors.Is(err, proto.CodeSocketFailed):
		return append(list, checkSocket(m, err))
	default:
		return append(list, failure(err))
	}
}

func judgeStatus(m *Machine, s *proto.AgentStatusResult) (list []Finding) {
	if s.Version != m.Version {
		list = append(list, warning("agent_version", "", "running", s.Version, "installed", m.Version))
	}
	if s.State == proto.StatePaused {
		list = append(list, warning("agent_paused", ""))
	}
	for _, p := range s.Problems {
		if p.Args["module"] == "" && !m.ownPort(p) { // other checks say more about these
			list = append(list, failure(&proto.Error{Code: p.Code, Args: p.Args}))
		}
	}
	return list
}

// ownPort tells that a problem is about the port for sites.
func (m *Machine) ownPort(p proto.Problem) bool {
	if p.Code != proto.CodePortTaken && p.Code != proto.CodePortOtherUser || m.Config == nil {
		return false
	}
	c, err := m.Config()
	return err == nil && strings.HasSuffix(c.Listen.WebSocket, ":"+p.Args["port"])
}

// checkSocket says what stands where the session should listen; err is why it could not be reached.
func checkSocket(m *Machine, err error) Finding {
	dir, absent := os.Lstat(filepath.Dir(m.Socket))
	if absent == nil && dir.Mode().Perm()&0o077 != 0 && checksModes {
		return problem("agent_folder_open", filepath.Dir(m.Socket)).by("close_folder")
	}
	if fi, absent := os.Lstat(m.Socket); absent == nil && fi.Mode().Type() != fs.ModeSocket && checksModes {
		return problem("agent_socket_blocked", m.Socket).by("clear_socket")
	}
	if errors.Is(err, proto.CodeSocketFailed) {
		return failure(err)
	}
	return problem("agent_stopped", "").by("start_agent")
}

// checkSessions counts the sessions of this user: one answers, others were left by an update or another installation.
func checkSessions(m *Machine) []Finding {
	if pids := sessions(m); len(pids) > 1 {
		return []Finding{warning("agents_several", "", "number", strconv.Itoa(len(pids)), "pids", joined(pids))}
	}
	return nil
}

// checkCopies tells of a second installation, which keeps its version and its place in the browsers when this one is updated.
func checkCopies(m *Machine) []Finding {
	if m.Copies == nil {
		return nil
	}
	if folders := m.Copies(); len(folders) > 1 {
		return []Finding{warning("agent_copies", "", "folders", strings.Join(folders, ", "))}
	}
	return nil
}

func startAgent(ctx context.Context, m *Machine, _ map[string]string) error {
	if m.Start == nil || m.Status == nil {
		return proto.E(proto.CodeAgentNotRunning, nil)
	}
	if err := m.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	for {
		_, err := m.Status(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// clearSocket puts what is in the socket's place aside, under a name of its own: it may be somebody's file.
func clearSocket(_ context.Context, m *Machine, _ map[string]string) error {
	return os.Rename(m.Socket, m.Socket+".aside-"+m.Now().Format("20060102-150405"))
}

func closeFolder(_ context.Context, m *Machine, _ map[string]string) error {
	return os.Chmod(filepath.Dir(m.Socket), 0o700)
}
