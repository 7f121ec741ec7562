// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// endPrograms ends every process of the programs but this one. They may be killed at any time, see the journal.
func endPrograms(programs []string) error {
	list, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	defer windows.CloseHandle(list)
	p := windows.ProcessEntry32{}
	p.Size = uint32(unsafe.Sizeof(p))
	for err = windows.Process32First(list, &p); err == nil; err = windows.Process32Next(list, &p) {
		if p.ProcessID != windows.GetCurrentProcessId() {
			endProcess(p.ProcessID, programs)
		}
	}
	if !errors.Is(err, windows.ERROR_NO_MORE_FILES) {
		return fmt.Errorf("processes: %w", err)
	}
	return nil
}

// endProcess ends a process if it is of one of the programs, and waits for it. Others' processes, which may not be asked, are not.
func endProcess(id uint32, programs []string) {
	const patience = 5000 // ms
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION|windows.PROCESS_TERMINATE|windows.SYNCHRONIZE, false, id)
	if err != nil {
		return
	}
	defer windows.CloseHandle(h)
	name := make([]uint16, windows.MAX_LONG_PATH)
	n := uint32(len(name))
	if windows.QueryFullProcessImageName(h, 0, &name[0], &n) != nil {
		return
	}
	path := windows.UTF16ToString(name[:n])
	if slices.ContainsFunc(programs, func(p string) bool { return strings.EqualFold(p, path) }) {
		_ = windows.TerminateProcess(h, 1)
		_, _ = windows.WaitForSingleObject(h, patience)
	}
}

const profileList = `SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList`

// forgetEverybody asks the list of profiles, which administrators alone can change.
func forgetEverybody(patterns []string) error {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, profileList, registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if err != nil {
		return fmt.Errorf("profiles: %w", err)
	}
	defer k.Close()
	people, err := k.ReadSubKeyNames(-1)
	for _, sid := range people {
		if home := profile(k, sid); filepath.IsAbs(home) {
			err = errors.Join(err, forget(home, `AppData\Local\persten`, patterns))
		}
	}
	return err
}

func profile(list registry.Key, sid string) string {
	k, err := registry.OpenKey(list, sid, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer k.Close()
	path, _, err := k.GetStringValue("ProfileImagePath")
	if err != nil {
		return ""
	}
	if full, err := registry.ExpandString(path); err == nil {
		path = full
	}
	return path
}

// wine 8 cannot delete by way of a folder's handle. It has no other users to beware of, so there it is done by path.
func wine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

func removeAll(root *os.Root, name string) error {
	if !wine() {
		return root.RemoveAll(name)
	}
	path := filepath.Join(root.Name(), name)
	list, _ := os.ReadDir(path)
	var errs []error
	for _, e := range list {
		errs = append(errs, removeAll(root, filepath.Join(name, e.Name())))
	}
	return errors.Join(append(errs, os.Remove(path))...)
}

func removeEmpty(root *os.Root, name string) {
	if !wine() {
		_ = root.Remove(name)
		return
	}
	os.Remove(filepath.Join(root.Name(), name))
}
