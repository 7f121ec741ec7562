// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"io"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/secret"
	"persten/internal/ui"
	"persten/proto"
)

// hostPatience is how long a host waits for the session it has just started.
const hostPatience = 10 * time.Second

func (a *app) hostCommand() *cobra.Command {
	var extension string
	c := &cobra.Command{
		Use: "host", Short: a.t("cli.host.short"), Args: noArgs, Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := secret.Harden(); err != nil { // documents pass through here
				return err
			}
			session, err := dialHost(cmd.Context(), extension)
			if err != nil {
				return err
			}
			err = ipc.HostPipe(ipc.Stdio(a.in, nopCloser{a.out}, ipc.MaxFrame), session, extension)
			if err != nil {
				return proto.E(proto.CodeAgentLost, err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&extension, "extension", "", a.t("cli.host.extension"))
	return c
}

// dialHost connects to the user's session and starts one when none answers.
func dialHost(ctx context.Context, extension string) (ipc.Conn, error) {
	socket, err := config.SocketPath()
	if err != nil {
		return nil, err
	}
	quick, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if c, err := ipc.DialHost(quick, socket, extension); err == nil {
		return c, nil
	}
	if err := startSession(); err != nil {
		return nil, proto.E(proto.CodeAgentNotRunning, err)
	}
	slow, cancel := context.WithTimeout(ctx, hostPatience)
	defer cancel()
	c, err := ipc.DialHost(slow, socket, extension)
	if err != nil {
		return nil, proto.E(proto.CodeAgentNotRunning, err)
	}
	return c, nil
}

// startSession starts a session that outlives the browser.
func startSession() error {
	me, err := self()
	if err != nil {
		return err
	}
	cmd := exec.Command(me, "session")
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

func (a *app) moduleCommand() *cobra.Command {
	return &cobra.Command{
		Use: "module PATH", Short: a.t("cli.module.short"), Args: exactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := inherited()
			if err != nil {
				return err
			}
			return serveModule(cmd.Context(), conn, args[0])
		},
	}
}

func (a *app) promptCommand() *cobra.Command {
	return &cobra.Command{
		Use: "prompt pinentry|terminal [PROGRAM]", Short: a.t("cli.prompt.short"), Hidden: true,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := inherited()
			if err != nil {
				return err
			}
			b, err := body(args[0], append(args, "")[1])
			if err != nil {
				return err
			}
			return ui.Serve(cmd.Context(), conn, b)
		},
	}
}

// inherited is the socket a role is started with; such a process handles secrets and is hardened first.
func inherited() (ipc.FileConn, error) {
	if err := secret.Harden(); err != nil {
		return nil, err
	}
	return ipc.Inherited()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
