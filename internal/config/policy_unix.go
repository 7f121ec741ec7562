// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"persten/proto"
)

const (
	policyFile  = "/etc/persten/policy.toml"
	policyOwner = 0 // root
)

// readOwned is a file that only its owner can have written: the file and its folder are owner's and nobody else may write to
// them. Anything else is proto.CodePolicyUnsafe; no file is neither.
func readOwned(file string, owner int) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place must not stop the agent
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(file, err)
	}
	defer f.Close()
	fi, err := f.Stat() // of what was opened, not of what the name means by now
	if err != nil {
		return nil, unreadable(file, err)
	}
	dir, err := os.Stat(filepath.Dir(file))
	if err != nil {
		return nil, unreadable(file, err)
	}
	if !fi.Mode().IsRegular() {
		return nil, unsafePolicy(file, "not a file")
	}
	for _, i := range []fs.FileInfo{fi, dir} {
		if why := changeable(i, owner); why != "" {
			return nil, unsafePolicy(file, why)
		}
	}
	return readAll(file, f)
}

func unsafePolicy(file, why string) error {
	return proto.E(proto.CodePolicyUnsafe, errors.New(why), "file", file, "detail", why)
}

// changeable says how somebody other than owner could have changed a file or folder.
func changeable(fi fs.FileInfo, owner int) string {
	st, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !ok || int(st.Uid) != owner && !(owner == policyOwner && nobodys(st.Uid)):
		return fmt.Sprintf("%s does not belong to user %d", fi.Name(), owner)
	case fi.Mode().Perm()&0o022 != 0:
		return fmt.Sprintf("others may write to %s (mode %04o)", fi.Name(), fi.Mode().Perm())
	}
	return ""
}

// overflow is the user whom the kernel names where the real one has no number.
const overflow = 65534

// nobodys reports whether a file can be root's although it does not look so: in the user namespace that systemd gives a
// sandboxed user unit, root has no number. Nobody else gets a file into a folder of /etc that others may not write to.
func nobodys(uid uint32) bool {
	if uid != overflow {
		return false
	}
	table, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !mapsRoot(string(table))
}

// mapsRoot reads uid_map: lines of the first number here, the first number outside and how many.
func mapsRoot(table string) bool {
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) != 3 || f[0] == "0" {
			return true
		}
	}
	return false
}

// looseFile warns of a person's file that others may change: it names libraries to load.
func looseFile(f *os.File) string {
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() { // a pipe from the shell has no such owner
		return ""
	}
	why := changeable(fi, os.Getuid())
	if why == "" || changeable(fi, policyOwner) == "" {
		return ""
	}
	return fmt.Sprintf("configuration %s: %s", f.Name(), why)
}

func sameName(whole, named string) bool { return whole == named }

// registryPolicy is nothing: there is no registry.
func registryPolicy() (*registryKey, error) { return nil, nil }
