// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"persten/internal/browser"
	"persten/internal/config"
	"persten/internal/doctor"
	"persten/internal/ipc"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/proto"
)

// machine is this computer with what only the agent knows of it.
func (a *app) machine(keys token.Inventory) *doctor.Machine {
	m := doctor.This()
	m.Keys, m.Version, m.Socket = keys, version, config.SocketFile()
	m.Sharer, m.Copies = ipc.PortSocket, copies
	m.Program, _ = self()
	m.Desktop, _ = desktop()
	m.State, _ = a.statePath("")
	m.Config = func() (*config.Config, error) { return config.Load(a.configFile) }
	m.Status, m.Start = a.status, startSession
	a.remedies(m)
	m.Drivers, m.Reach = a.drivers, a.reach
	m.Display, m.Tray = display, trayShown
	if record, err := a.journalReader(); err == nil {
		m.Journal = record.Verify
	}
	m.Hosts = func() error {
		_, err := browser.Install(browser.Options{Executable: m.Program})
		return err
	}
	return m
}

// status asks the running session how it is.
func (a *app) status(ctx context.Context) (*proto.AgentStatusResult, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return ask[proto.AgentStatusResult](ctx, c, proto.MethodAgentStatus, proto.AgentStatusParams{})
}

// drivers are the libraries of the catalogue and those the configuration names.
func (a *app) drivers() (all []doctor.Driver) {
	for _, k := range pkcs11.Survey() {
		all = append(all, doctor.Driver{
			Name: k.Name, Vendor: k.Vendor, Tokens: k.Tokens, USB: k.USB, Soft: k.Soft, Path: k.Path, Fault: k.Fault,
		})
	}
	c, err := config.Load(a.configFile)
	if err != nil {
		return all
	}
	for _, named := range c.Modules {
		if named.Policy || c.OnlyModules == nil {
			all = append(all, doctor.Driver{Name: named.Name, Path: named.Path, Named: true})
		}
	}
	if c.OnlyModules == nil {
		return all
	}
	return slices.DeleteFunc(all, func(d doctor.Driver) bool { return !slices.Contains(c.OnlyModules, d.Name) })
}

// reach asks for an address as signatures would.
func (a *app) reach(ctx context.Context, address string) (time.Time, error) {
	c, err := config.Load(a.configFile)
	if err != nil {
		return time.Time{}, err
	}
	n, err := newNetwork(c, "", false)
	if err != nil {
		return time.Time{}, err
	}
	defer n.Close()
	clock, err := n.Reach(ctx, address, address == c.Trust.TSA)
	return clock, networkFault(err)
}

// display is what a window's process would have of its environment.
func display(ctx context.Context) map[string]string {
	env := map[string]string{}
	for _, v := range desktopEnv(ctx) {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	return env
}
