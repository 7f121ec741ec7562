// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Privileges are what [Machine] needs: to ask for the token of who is logged on, and to start a process with it.
var Privileges = []string{"SeTcbPrivilege", "SeAssignPrimaryTokenPrivilege", "SeIncreaseQuotaPrivilege"}

// always belongs to every process: without it each folder on the way to a file is asked.
const always = "SeChangeNotifyPrivilege"

// Confine takes all other privileges from this process for good, whatever it was installed with.
func Confine() error {
	var kept []windows.LUID
	for _, name := range append(slices.Clone(Privileges), always) {
		wide, err := windows.UTF16PtrFromString(name)
		if err != nil {
			return err
		}
		var id windows.LUID
		if err := windows.LookupPrivilegeValue(nil, wide, &id); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		kept = append(kept, id)
	}
	var token windows.Token
	if err := windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_QUERY|windows.TOKEN_ADJUST_PRIVILEGES, &token); err != nil {
		return fmt.Errorf("own token: %w", err)
	}
	defer token.Close()
	held, err := privileges(token)
	if err != nil {
		return fmt.Errorf("own privileges: %w", err)
	}
	for i := range held.AllPrivileges() {
		p := &held.AllPrivileges()[i]
		if !slices.Contains(kept, p.Luid) {
			p.Attributes = windows.SE_PRIVILEGE_REMOVED
		}
	}
	if err := windows.AdjustTokenPrivileges(token, false, held, 0, nil, nil); err != nil {
		return fmt.Errorf("give up privileges: %w", err)
	}
	return nil
}

// privileges are those of a token. The answer lies in memory of words, for the system aligns it so.
func privileges(token windows.Token) (*windows.Tokenprivileges, error) {
	var n uint32
	err := windows.GetTokenInformation(token, windows.TokenPrivileges, nil, 0, &n)
	if n == 0 {
		return nil, err
	}
	b := make([]uint64, (n+7)/8)
	if err := windows.GetTokenInformation(token, windows.TokenPrivileges, (*byte)(unsafe.Pointer(&b[0])), n, &n); err != nil {
		return nil, err
	}
	return (*windows.Tokenprivileges)(unsafe.Pointer(&b[0])), nil
}
