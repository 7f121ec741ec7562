// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"github.com/kardianos/service"
)

// newService addresses the Windows service manager. The service is installed and controlled, and runs idle: it does not
// yet start a session at each logon (DESIGN.md, departures), which the browser's native host does meanwhile.
func newService(o serviceOrder) (controller, error) { return windowsService(o) }

func windowsService(o serviceOrder) (service.Service, error) {
	c, err := serviceConfig(o.headless)
	if err != nil {
		return nil, err
	}
	c.Arguments = append([]string{"service", "run"}, c.Arguments[1:]...)
	s, err := service.New(serviceBody{}, c)
	if err != nil {
		return nil, serviceFailed(err)
	}
	return s, nil
}

// serviceRun is what the service manager calls.
func serviceRun(_ context.Context, o serviceOrder) error {
	s, err := windowsService(o)
	if err != nil {
		return err
	}
	return s.Run()
}
