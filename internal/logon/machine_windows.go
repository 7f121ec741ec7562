// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// stopTime is what a process gets to end by itself.
const stopTime = 5 * time.Second

// Machine starts "program args... --until EVENT" in the sessions of this machine. Only LocalSystem may. The process ends when
// the named event is set, see [Until], or, with the exit code [Wanted], when its person ends it.
func Machine(program string, args ...string) System { return &machine{program, args} }

type machine struct {
	program string
	args    []string
}

// Sessions leaves out the services' own session, and those where nobody is logged on.
func (m *machine) Sessions() ([]uint32, error) {
	var list *windows.WTS_SESSION_INFO
	var n uint32
	if err := windows.WTSEnumerateSessions(0, 0, 1, &list, &n); err != nil {
		return nil, fmt.Errorf("list logon sessions: %w", err)
	}
	defer windows.WTSFreeMemory(uintptr(unsafe.Pointer(list)))
	if n == 0 { // even session 0: wine, which lists none
		return consoleSession(), nil
	}
	var ids []uint32
	for _, s := range unsafe.Slice(list, n) {
		if s.SessionID != 0 && (s.State == windows.WTSActive || s.State == windows.WTSDisconnected) {
			ids = append(ids, s.SessionID)
		}
	}
	return ids, nil
}

func consoleSession() []uint32 {
	const none = 1<<32 - 1
	if id := windows.WTSGetActiveConsoleSessionId(); id != 0 && id != none {
		return []uint32{id}
	}
	return nil
}

// Run runs the process on the desktop of the session, with the environment of its user.
func (m *machine) Run(ctx context.Context, session uint32) error {
	var token windows.Token
	if err := windows.WTSQueryUserToken(session, &token); err != nil {
		return fmt.Errorf("user of session %d: %w", session, err)
	}
	defer token.Close()
	stop, name, err := stopEvent(token)
	if err != nil {
		return fmt.Errorf("stop event: %w", err)
	}
	defer windows.CloseHandle(stop)
	p, err := m.start(token, name)
	if err != nil {
		return fmt.Errorf("start in session %d: %w", session, err)
	}
	defer windows.CloseHandle(p)
	return wait(ctx, p, stop)
}

// wait returns when the process has ended; when ctx ends it sets stop, and has little patience from then on.
func wait(ctx context.Context, process, stop windows.Handle) error {
	ended := make(chan error, 1)
	go func() {
		_, err := windows.WaitForSingleObject(process, windows.INFINITE)
		ended <- err
	}()
	select {
	case err := <-ended:
		return errors.Join(err, exitError(process))
	case <-ctx.Done():
	}
	_ = windows.SetEvent(stop)
	select {
	case <-ended:
	case <-time.After(stopTime):
		_ = windows.TerminateProcess(process, 1)
		<-ended
	}
	return ctx.Err()
}

func exitError(process windows.Handle) error {
	var code uint32
	if err := windows.GetExitCodeProcess(process, &code); err != nil {
		return err
	}
	if code != Wanted {
		return fmt.Errorf("exit code %d", code)
	}
	return nil
}

func (m *machine) start(token windows.Token, event string) (windows.Handle, error) {
	var block *uint16
	if err := windows.CreateEnvironmentBlock(&block, token, false); err != nil {
		return 0, fmt.Errorf("environment: %w", err)
	}
	defer windows.DestroyEnvironmentBlock(block)
	home, err := token.GetUserProfileDirectory()
	if err != nil {
		return 0, fmt.Errorf("profile: %w", err)
	}
	var wide [4]*uint16
	line := windows.ComposeCommandLine(append(append([]string{m.program}, m.args...), "--until", event))
	for i, s := range []string{m.program, line, home, `winsta0\default`} {
		if wide[i], err = windows.UTF16PtrFromString(s); err != nil {
			return 0, err
		}
	}
	start := &windows.StartupInfo{Desktop: wide[3]}
	start.Cb = uint32(unsafe.Sizeof(*start))
	var made windows.ProcessInformation
	const flags = windows.CREATE_UNICODE_ENVIRONMENT | windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP
	if err := windows.CreateProcessAsUser(token, wide[0], wide[1], nil, nil, false, flags, block, wide[2], start, &made); err != nil {
		return 0, err
	}
	windows.CloseHandle(made.Thread)
	return made.Process, nil
}

// stopEvent makes an event that the token's user may wait for and we alone may set.
func stopEvent(token windows.Token) (windows.Handle, string, error) {
	user, err := token.GetTokenUser()
	if err != nil {
		return 0, "", err
	}
	sd, err := windows.SecurityDescriptorFromString("D:P(A;;GA;;;SY)(A;;0x100000;;;" + user.User.Sid.String() + ")") // SYNCHRONIZE
	if err != nil {
		return 0, "", err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	name := `Global\persten-stop-` + rand.Text()
	wide, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, "", err
	}
	h, err := windows.CreateEvent(sa, 1, 0, wide)
	return h, name, err
}

// Until calls stop when the event that [Machine] named is set.
func Until(event string, stop func()) error {
	wide, err := windows.UTF16PtrFromString(event)
	if err != nil {
		return err
	}
	h, err := windows.OpenEvent(windows.SYNCHRONIZE, false, wide)
	if err != nil {
		return fmt.Errorf("stop event: %w", err)
	}
	go func() {
		defer windows.CloseHandle(h)
		if s, err := windows.WaitForSingleObject(h, windows.INFINITE); err == nil && s == windows.WAIT_OBJECT_0 {
			stop()
		}
	}()
	return nil
}
