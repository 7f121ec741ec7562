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

// readOwned is a file that only its owner (and root) can have written or put there: the file and its folder are owner's and no links, and
// nobody else may write to them or to a folder above. Anything else is proto.CodePolicyUnsafe; no file is neither.
func readOwned(file string, owner int) ([]byte, error) {
	why, err := unsafeFolder(filepath.Dir(file), owner)
	if why != "" {
		return nil, unsafePolicy(file, why)
	}
	s := source{file: file, policy: true}
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0) // a pipe in its place must not stop the agent
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, syscall.ELOOP):
		return nil, unsafePolicy(file, filepath.Base(file)+" is a link")
	case err != nil:
		return nil, s.fail(0, err, "it cannot be read by those it is for (chmod 644, and 755 for its folder)")
	}
	defer f.Close()
	fi, err := f.Stat() // of what was opened, not of what the name means by now
	if err != nil {
		return nil, unreadable(file, err)
	}
	if !fi.Mode().IsRegular() {
		return nil, unsafePolicy(file, "not a file")
	}
	if why := changeable(fi, owner); why != "" {
		return nil, unsafePolicy(file, why)
	}
	return s.readAll(f)
}

// unsafeFolder says how somebody other than owner and root could have put a folder there, or files into it.
func unsafeFolder(dir string, owner int) (why string, err error) {
	fi, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !fi.IsDir() {
		return fi.Name() + " is a link, or no folder", nil
	}
	if why = changeable(fi, owner); why != "" {
		return why, nil
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	for above := filepath.Dir(dir); above != dir; dir, above = above, filepath.Dir(above) {
		fi, err := os.Stat(above)
		if err != nil {
			return "", err
		}
		if fi.Mode()&fs.ModeSticky != 0 { // nobody takes away there what is another's
			continue
		}
		if why = changeable(fi, owner); why != "" && changeable(fi, policyOwner) != "" {
			return why, nil
		}
	}
	return "", nil
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
