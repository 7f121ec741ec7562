// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"
)

// TestPipeSDDL: the owner alone may open the user's pipe, and nobody from another machine.
func TestPipeSDDL(t *testing.T) {
	const sid = "S-1-5-21-1-2-3-1001"
	sd, err := windows.SecurityDescriptorFromString(pipeSDDL(sid))
	if err != nil {
		t.Fatal(err)
	}
	owner, _, err := sd.Owner()
	if err != nil || owner.String() != sid {
		t.Errorf("owner %v, %v", owner, err)
	}
	if control, _, err := sd.Control(); err != nil || control&windows.SE_DACL_PROTECTED == 0 {
		t.Errorf("control %#x, %v", control, err)
	}
	var got []string
	for ace := range strings.SplitSeq(strings.TrimSuffix(strings.SplitN(pipeSDDL(sid), "D:P(", 2)[1], ")"), ")(") {
		got = append(got, ace)
	}
	if strings.Join(got, " ") != "D;;GA;;;NU A;;GA;;;"+sid {
		t.Errorf("entries %q", got)
	}
}

func underWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// TestUserPipeIsOurs: a second listener is refused.
func TestUserPipeIsOurs(t *testing.T) {
	if underWine() {
		t.Skip("NOT RUN: wine 8 lets everybody add instances to a pipe")
	}
	const path = `\\.\pipe\persten-test-first`
	l, err := ListenUser(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if second, err := ListenUser(path); !errors.Is(err, ErrInUse) {
		if err == nil {
			second.Close()
		}
		t.Error("second listener:", err)
	}
}

// TestPortIsExclusive: who asks for SO_REUSEADDR does not get in beside us.
func TestPortIsExclusive(t *testing.T) {
	p, err := ListenPages("127.0.0.1:0", PageOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	squat := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var inner error
		err := c.Control(func(fd uintptr) {
			inner = windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
		})
		return errors.Join(err, inner)
	}}
	if l, err := squat.Listen(context.Background(), "tcp4", p.Addr().String()); err == nil {
		l.Close()
		t.Error("another listener got in")
	}
}
