// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "github.com/kardianos/service"

// newService addresses the Windows service manager. The service is installed and controlled, and runs idle: it does not
// yet start a session at each logon (DESIGN.md, departures), which the browser's native host does meanwhile.
func newService(headless bool) (service.Service, error) {
	c, err := serviceConfig(headless)
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

func installService(s service.Service, _ bool) error { return s.Install() }
func uninstallService(s service.Service) error       { return s.Uninstall() }
func startService(s service.Service) error           { return s.Start() }
func stopService(s service.Service) error            { return s.Stop() }
