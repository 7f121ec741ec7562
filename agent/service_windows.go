// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unsafe"

	"github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/logon"
	"persten/internal/secret"
	"persten/proto"
)

// newService addresses the Windows service manager.
func newService(o serviceOrder) (controller, error) { return managed(o) }

// dropUnits is nothing: the service is the machine's.
func dropUnits() error { return nil }

func managed(o serviceOrder) (*scmService, error) {
	c, err := serviceConfig(o.headless)
	if err != nil {
		return nil, err
	}
	session := c.Arguments
	c.Arguments = append([]string{"service", "run"}, c.Arguments[1:]...)
	c.Option = service.KeyValue{"OnFailure": service.OnFailureRestart, "OnFailureDelayDuration": "1s", "OnFailureResetPeriod": 60}
	s, err := service.New(serviceBody{}, c)
	if err != nil {
		return nil, serviceFailed(err)
	}
	return &scmService{Service: s, program: c.Executable, machine: logon.Machine(c.Executable, session...)}, nil
}

// serviceRun is what the service manager calls.
func serviceRun(_ context.Context, o serviceOrder) error {
	s, err := managed(o)
	if err != nil {
		return err
	}
	return s.Run()
}

// scmService runs under the service manager whatever the library thinks has started it: that looks at the parent process, which
// is not everywhere what it expects, and would then never say that it runs.
type scmService struct {
	service.Service
	program string
	machine logon.System
}

// Run is the service: it keeps a session in every logon session, and knows nothing of what these do.
func (s scmService) Run() error {
	if l, err := eventlog.Open(serviceName); err == nil {
		defer l.Close()
		slog.SetDefault(slog.New(secret.Handler(slog.NewTextHandler(events{l}, &slog.HandlerOptions{Level: slog.LevelWarn}))))
	}
	if err := logon.Confine(); err != nil {
		return err
	}
	return svc.Run(serviceName, s)
}

// events is the Application log, for a process without any other place to write to.
type events struct{ *eventlog.Log }

func (e events) Write(line []byte) (int, error) {
	const warning = 2
	return len(line), e.Warning(warning, strings.TrimSpace(string(line)))
}

// stopping is how long the sessions may take to end, all at once.
const stopping = 10 * time.Second

// Execute obeys the service manager.
func (s scmService) Execute(_ []string, orders <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	ctx, cancel := context.WithCancel(context.Background())
	changed, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		s.keep(ctx, changed)
	}()
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptSessionChange}
	for o := range orders {
		switch o.Cmd {
		case svc.Interrogate:
			status <- o.CurrentStatus
		case svc.SessionChange:
			poke(changed)
		case svc.Stop, svc.Shutdown:
			status <- svc.Status{State: svc.StopPending, WaitHint: uint32(stopping.Milliseconds())}
			cancel()
			<-done
			return false, 0
		}
	}
	cancel()
	<-done
	return false, 0
}

// keep shares the port between the sessions and keeps one in every logon session. A session that started before the port was
// asked for would take it.
func (s scmService) keep(ctx context.Context, changed <-chan struct{}) {
	var port sync.WaitGroup
	asked := make(chan struct{})
	port.Go(func() { sharePort(ctx, sync.OnceFunc(func() { close(asked) })) })
	<-asked
	logon.Keep(ctx, s.machine, changed)
	port.Wait()
}

// portPause is how long the service waits before it asks for the port again.
const portPause = 10 * time.Second

// sharePort shares the port until ctx ends, and calls asked when it has the port or knows that another program has it.
func sharePort(ctx context.Context, asked func()) {
	known := ""
	for ctx.Err() == nil {
		web, sessions, err := ipc.OpenPort(config.DefaultWebSocket, ipc.PortSocket)
		asked()
		if err == nil {
			err = ipc.ServePort(ctx, web, sessions)
		}
		if err != nil && ctx.Err() == nil && err.Error() != known {
			known = err.Error()
			slog.Warn("the port is not shared", "cause", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(portPause):
		}
	}
}

// until calls stop when the service wants this session to end.
func until(event string, stop func()) error { return logon.Until(event, stop) }

// Install also has the service manager start the service with no privilege but those it needs.
func (s scmService) Install() error {
	if err := logon.Guarded(s.program); err != nil {
		return proto.E(proto.CodeServiceUnsafe, err, "file", s.program)
	}
	if err := s.Service.Install(); err != nil {
		return err
	}
	if err := requirePrivileges(logon.Privileges); err != nil {
		return errors.Join(err, s.Service.Uninstall())
	}
	return nil
}

func requirePrivileges(names []string) error {
	m, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	s, err := m.OpenService(serviceName)
	if err != nil {
		return err
	}
	defer s.Close()
	list := utf16.Encode([]rune(strings.Join(names, "\x00") + "\x00\x00"))
	info := struct{ names *uint16 }{&list[0]} // SERVICE_REQUIRED_PRIVILEGES_INFO
	err = windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, (*byte)(unsafe.Pointer(&info)))
	if errors.Is(err, windows.ERROR_INVALID_LEVEL) { // wine's manager; the service confines itself as well
		err = nil
	}
	return err
}
