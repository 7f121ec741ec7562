// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"

	"persten/internal/text"
	"persten/proto"
)

const serviceName = "persten"

// errServiceCrashed is a Status: installed, and given up on after failing again and again.
var errServiceCrashed = errors.New("service in failed state")

// serviceActions are the words after `persten service`. "run" is what the service manager calls.
var serviceActions = []string{"install", "uninstall", "start", "stop", "restart", "status", "run"}

// serviceOrder is a parsed `persten service` command line.
type serviceOrder struct {
	action   string
	headless bool // the session gets --headless: no tray, no window, policy decides
	system   bool // the service of all users, which shares the port; on Windows there is no other
}

// controller is a service under the system's service manager.
type controller interface {
	Install() error
	Uninstall() error // what is already gone is no error
	Start() error
	Stop() error
	Restart() error
	Status() (service.Status, error)
}

// runService does `persten service ACTION [--headless] [--system]` and prints one line of what it did. Its errors are of the
// catalogue: usage, service_unavailable where there is no service manager to talk to, service_absent when it is not
// installed, service_root for somebody who may not, service_failed with the manager's words.
func runService(ctx context.Context, args []string) error {
	order, err := parseService(args)
	if err != nil {
		return err
	}
	if order.action == "run" {
		return serviceFailed(serviceRun(ctx, order))
	}
	s, err := newService(order)
	if err != nil {
		return err
	}
	if order.action == "status" {
		return printServiceStatus(s, order.system)
	}
	done := map[string]func() error{
		"install": s.Install, "uninstall": s.Uninstall, "start": s.Start, "stop": s.Stop, "restart": s.Restart,
	}[order.action]
	if err := done(); err != nil {
		return serviceFailed(err)
	}
	sayService(order.action)
	return nil
}

func parseService(args []string) (serviceOrder, error) {
	var o serviceOrder
	for _, a := range args {
		switch {
		case a == "--headless":
			o.headless = true
		case a == "--system":
			o.system = true
		case o.action == "" && slices.Contains(serviceActions, a):
			o.action = a
		default:
			return o, proto.E("usage", nil, "detail", "service: "+a)
		}
	}
	if o.action == "" || (o.headless && o.action != "install" && o.action != "run") {
		return o, proto.E("usage", nil, "detail", "service install [--headless] | uninstall | start | stop | restart | status [--system]")
	}
	return o, nil
}

// serviceConfig describes the session to the service manager. The program is the one that runs now, by its real path,
// so that a link in PATH may change without changing what starts at logon.
func serviceConfig(headless bool) (*service.Config, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, serviceFailed(err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return nil, serviceFailed(err)
	}
	c := &service.Config{
		Name:        serviceName,
		DisplayName: "Persten",
		Description: "Persten local signing agent",
		Executable:  exe,
		Arguments:   []string{"session"},
	}
	if headless {
		c.Arguments = append(c.Arguments, "--headless")
	}
	return c, nil
}

func printServiceStatus(s controller, system bool) error {
	status, err := s.Status()
	key := "service.status.running"
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		key = "service.status.absent"
	case errors.Is(err, errServiceCrashed) && system:
		key = "service.status.crashed.system"
	case errors.Is(err, errServiceCrashed):
		key = "service.status.crashed"
	case err != nil:
		return serviceFailed(err)
	case status != service.StatusRunning:
		key = "service.status.stopped"
	}
	fmt.Println(text.Get(text.FromEnv(), key, nil))
	return nil
}

func sayService(action string) {
	fmt.Println(text.Get(text.FromEnv(), "service.done."+action, nil))
}

// serviceFailed gives an error of the service manager its place in the catalogue; errors that have one keep it.
func serviceFailed(err error) error {
	var e *proto.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return proto.E("service_failed", err, "detail", err.Error())
}

// serviceBody is what kardianos/service asks for to run under the Windows service manager. On Linux systemd starts
// `persten session` itself and never calls it.
type serviceBody struct{}

func (serviceBody) Start(service.Service) error { return nil }
func (serviceBody) Stop(service.Service) error  { return nil }

// serviceCommand hands its words to runService as they are. Uninstalling also takes back what browsers were told to trust; a
// session that is installed again tells them anew.
func (a *app) serviceCommand() *cobra.Command {
	var headless, system bool
	c := &cobra.Command{
		Use: "service install|uninstall|start|stop|restart|status", Short: a.t("cli.service.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if headless {
				args = append(args, "--headless")
			}
			if system {
				args = append(args, "--system")
			}
			if args[0] == "run" {
				a.logTo(a.errOut, a.sessionLevel())
			}
			err := runService(cmd.Context(), args)
			if args[0] == "uninstall" && !system {
				err = errors.Join(err, a.clearLoopback(cmd.Context()))
			}
			return err
		},
	}
	c.Flags().BoolVar(&headless, "headless", false, a.t("cli.session.headless"))
	c.Flags().BoolVar(&system, "system", false, a.t("cli.service.system"))
	return c
}
