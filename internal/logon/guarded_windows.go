// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"fmt"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// What changes a file or folder, whatever it is; what changes a folder's files; and what only makes new ones in it, which harms the
// folder of the program, where a library can be planted.
const (
	changes     = windows.DELETE | windows.WRITE_DAC | windows.WRITE_OWNER | windows.GENERIC_WRITE | windows.GENERIC_ALL
	writesFile  = changes | windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA
	deleteChild = 0x40 // FILE_DELETE_CHILD
	plantsFile  = windows.FILE_WRITE_DATA
)

// administrators may change programs: Windows itself, administrators, the service that updates Windows, and whoever owns what they make.
var administrators = []string{"S-1-5-18", "S-1-5-32-544", "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464", "S-1-3-0"}

// Guarded makes sure that nobody but administrators and the user who asks can change the program, its folder, or put another in their
// place: what a service runs as the system must not be an ordinary user's to choose.
func Guarded(program string) error {
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	trusted := map[string]bool{me.User.Sid.String(): true}
	for _, sid := range administrators {
		trusted[sid] = true
	}
	wrong := windows.ACCESS_MASK(writesFile)
	for at := program; ; at = filepath.Dir(at) {
		if err := guarded(at, wrong, trusted); err != nil {
			return err
		}
		if at == filepath.Dir(at) {
			return nil
		}
		wrong = changes | deleteChild
		if at == program {
			wrong |= plantsFile
		}
	}
}

// guarded makes sure that only trusted users own path or have one of the wrong rights to it.
func guarded(path string, wrong windows.ACCESS_MASK, trusted map[string]bool) error {
	sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	owner, _, err := sd.Owner()
	if err != nil || !trusted[owner.String()] {
		return fmt.Errorf("%s belongs to %v: %w", path, owner, windows.ERROR_ACCESS_DENIED)
	}
	acl, _, err := sd.DACL()
	if err != nil || acl == nil { // no list is everybody's
		return fmt.Errorf("%s: no access list: %w", path, windows.ERROR_ACCESS_DENIED)
	}
	for i := range uint32(acl.AceCount) {
		var ace *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(acl, i, &ace); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if ace.Header.AceType == windows.ACCESS_DENIED_ACE_TYPE || ace.Header.AceFlags&windows.INHERIT_ONLY_ACE != 0 || ace.Mask&wrong == 0 {
			continue
		}
		sid := (*windows.SID)(unsafe.Pointer(&ace.SidStart))
		if ace.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || !trusted[sid.String()] {
			return fmt.Errorf("%s: %v may change it: %w", path, sid, windows.ERROR_ACCESS_DENIED)
		}
	}
	return nil
}
