// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"crypto/rand"
	"errors"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	advapi32              = windows.NewLazySystemDLL("advapi32.dll")
	createRestrictedToken = advapi32.NewProc("CreateRestrictedToken")
	accessCheck           = advapi32.NewProc("AccessCheck")
)

const (
	stranger      = "S-1-5-21-1-2-3-1001" // nobody here
	fileAllAccess = 0x1f01ff
)

// pipeAccess are lists of pipes and whether we get in.
var pipeAccess = []struct {
	name string
	sddl func(own string) string
	ask  windows.ACCESS_MASK
	in   bool
}{
	{"our pipe", pipeSDDL, fileAllAccess, true},
	{"another user's pipe", func(string) string { return pipeSDDL(stranger) }, windows.FILE_GENERIC_READ, false},
	{"a pipe that names us to deny", func(own string) string { return "D:P(D;;GA;;;" + own + ")(A;;GA;;;WD)" }, windows.FILE_GENERIC_READ, false},
	{"the sessions' pipe", systemPortSDDL, pipeUse, true},
	{"an instance of the sessions' pipe", systemPortSDDL, pipeUse | windows.FILE_APPEND_DATA, false},
	{"the list of the sessions' pipe", systemPortSDDL, windows.WRITE_DAC, false},
}

func systemPortSDDL(string) string { return portSDDL("S-1-5-18") }

// TestPipeAccess asks the system who gets into a pipe with our lists, and then tries: as ourselves, and with a token in which
// who we are and that we are logged on only serve to be denied by.
func TestPipeAccess(t *testing.T) {
	own, err := ownSID()
	if err != nil {
		t.Fatal(err)
	}
	for _, restricted := range []bool{false, true} {
		token := impersonation(t, own, restricted)
		for _, c := range pipeAccess {
			sd, err := windows.SecurityDescriptorFromString("O:" + stranger + "G:" + stranger + dacl(c.sddl(own.String())))
			if err != nil {
				t.Fatal(err)
			}
			want := c.in && !restricted
			if underWine() && restricted && c.name == "our pipe" {
				want = true // wine takes groups from a token, and not the user
			}
			if got := allowed(t, sd, token, c.ask); got != want {
				t.Errorf("%s, restricted %v: let in %v, want %v", c.name, restricted, got, want)
			}
			if got := opens(t, sd, token, c.ask); got != want {
				if !underWine() {
					t.Errorf("%s, restricted %v: opened %v, want %v", c.name, restricted, got, want)
				} else if !got {
					t.Errorf("%s, restricted %v: not opened", c.name, restricted)
				}
			}
		}
	}
	if underWine() {
		t.Log("NOT RUN: being refused by a pipe; wine 8 opens every pipe for everybody")
	}
}

// dacl is the list of an SDDL, without owner and group: an owner may always change the list.
func dacl(sddl string) string { return sddl[strings.Index(sddl, "D:"):] }

// allowed asks the system what it would do.
func allowed(t *testing.T, sd *windows.SECURITY_DESCRIPTOR, token windows.Token, ask windows.ACCESS_MASK) bool {
	t.Helper()
	mapping := [4]uint32{windows.FILE_GENERIC_READ, windows.FILE_GENERIC_WRITE, windows.FILE_GENERIC_EXECUTE, fileAllAccess}
	var privileges [64]uint32
	n := uint32(unsafe.Sizeof(privileges))
	var granted, yes uint32
	if r, _, err := accessCheck.Call(uintptr(unsafe.Pointer(sd)), uintptr(token), uintptr(ask), uintptr(unsafe.Pointer(&mapping)),
		uintptr(unsafe.Pointer(&privileges)), uintptr(unsafe.Pointer(&n)), uintptr(unsafe.Pointer(&granted)), uintptr(unsafe.Pointer(&yes))); r == 0 {
		t.Fatal("access check:", err)
	}
	return yes != 0
}

// opens makes a pipe with the list and tries to open it.
func opens(t *testing.T, sd *windows.SECURITY_DESCRIPTOR, token windows.Token, ask windows.ACCESS_MASK) bool {
	t.Helper()
	name, err := windows.UTF16PtrFromString(`\\.\pipe\persten-test-` + rand.Text())
	if err != nil {
		t.Fatal(err)
	}
	control, _, err := sd.Control()
	if err != nil || control&windows.SE_DACL_PRESENT == 0 {
		t.Fatal("no list", err)
	}
	list, err := windows.SecurityDescriptorFromString(dacl(sd.String())) // without an owner: it is ours
	if err != nil {
		t.Fatal(err)
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: list}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	pipe, err := windows.CreateNamedPipe(name, windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED, windows.PIPE_TYPE_BYTE, 1, firstRead, firstRead, 0, sa)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(pipe)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := windows.SetThreadToken(nil, token); err != nil {
		t.Fatal(err)
	}
	defer windows.RevertToSelf()
	h, err := windows.CreateFile(name, uint32(ask), 0, nil, windows.OPEN_EXISTING, windows.FILE_FLAG_OVERLAPPED, 0)
	if err == nil {
		windows.CloseHandle(h)
	} else if !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		t.Error(err)
	}
	return err == nil
}

// impersonation is our token for a thread; a restricted one is not us where something is allowed.
func impersonation(t *testing.T, user *windows.SID, restricted bool) (copied windows.Token) {
	t.Helper()
	var token windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ALL_ACCESS, &token); err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	if restricted {
		interactive, err := windows.CreateWellKnownSid(windows.WinInteractiveSid)
		if err != nil {
			t.Fatal(err)
		}
		off := [2]windows.SIDAndAttributes{{Sid: user}, {Sid: interactive}}
		var less windows.Token
		if r, _, err := createRestrictedToken.Call(uintptr(token), 0, uintptr(len(off)), uintptr(unsafe.Pointer(&off)), 0, 0, 0, 0, uintptr(unsafe.Pointer(&less))); r == 0 {
			t.Fatal("restricted token:", err)
		}
		defer less.Close()
		token = less
	}
	if err := windows.DuplicateTokenEx(token, windows.TOKEN_ALL_ACCESS, nil, windows.SecurityImpersonation, windows.TokenImpersonation, &copied); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { copied.Close() })
	return copied
}
