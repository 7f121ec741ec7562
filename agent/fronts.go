// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"

	"golang.org/x/term"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/ui"
)

// The reasons why a way to ask is not there.
var (
	errNoDisplay  = errors.New("no display to open a window on")
	errNoTerminal = errors.New("the session has no terminal")
)

// fronts asks people in a process of their own: with the body the configuration names, and in place of the window also with
// pinentry or on the session's terminal.
func (a *app) fronts(s *config.Settings) (ui.Fronts, error) {
	c, err := a.config()
	if err != nil {
		return ui.Fronts{}, err
	}
	starting := func(command func(env []string) (*exec.Cmd, error)) ui.Start { return starting(command, s) }
	window := ui.Front{Name: "window", Start: starting(windowPrompt), Tells: true}
	pinentry := ui.Front{Name: "pinentry", Start: starting(pinentryPrompt(c.UI))}
	terminal := ui.Front{Name: "terminal", Start: starting(foregroundPrompt)}
	switch c.UI.Approver {
	case "pinentry":
		return ui.Fronts{Ways: []ui.Front{pinentry}}, nil
	case "terminal":
		terminal.Start = starting(terminalPrompt)
		return ui.Fronts{Ways: []ui.Front{terminal}}, nil
	}
	return ui.Fronts{Ways: []ui.Front{window, pinentry, terminal}, Show: showInSystem}, nil
}

// starting makes a prompt process of a command that is made for each question anew, as the settings say then.
func starting(command func(env []string) (*exec.Cmd, error), s *config.Settings) ui.Start {
	return func(ctx context.Context) (ipc.FileConn, func() error, error) {
		env := append(desktopEnv(ctx), chosenEnv(s.Get())...)
		cmd, err := command(env)
		if err != nil {
			return nil, nil, err
		}
		cmd.Env = env
		child, err := startChild(cmd)
		if err != nil {
			return nil, nil, err
		}
		child.reap()
		return child.conn, child.kill, nil
	}
}

func windowPrompt(env []string) (*exec.Cmd, error) {
	if !displayed(env) {
		return nil, errNoDisplay
	}
	program, err := desktop()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "prompt")
	detach(cmd)
	return cmd, nil
}

// pinentryPrompt runs the program of the configuration, or the one the system calls pinentry.
func pinentryPrompt(c config.UI) func([]string) (*exec.Cmd, error) {
	return func([]string) (*exec.Cmd, error) {
		program, err := exec.LookPath(cmp.Or(c.Pinentry, "pinentry"))
		if err != nil {
			return nil, err
		}
		cmd, err := ownPrompt("pinentry", program)
		if err == nil {
			detach(cmd)
		}
		return cmd, err
	}
}

// terminalPrompt is the one body that shares our terminal.
func terminalPrompt([]string) (*exec.Cmd, error) { return ownPrompt("terminal", "") }

// foregroundPrompt is terminalPrompt for a session that somebody looks at. One in the background of a desktop has no terminal.
func foregroundPrompt(env []string) (*exec.Cmd, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, errNoTerminal
	}
	return terminalPrompt(env)
}

func ownPrompt(kind, program string) (*exec.Cmd, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	return exec.Command(me, "prompt", kind, program), nil
}
