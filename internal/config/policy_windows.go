// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/windows/registry"
)

// There is no policy file on Windows, see the package comment.
const (
	policyFile  = ""
	policyOwner = 0
)

func readOwned(string, int) ([]byte, error) { return nil, nil }

func looseFile(*os.File) string { return "" }

// maxRegistry bounds the keys of a policy, all in all.
const maxRegistry = 4096

// registryPolicy is the machine's policy, nil when there is none.
func registryPolicy() (*registryKey, error) {
	left := maxRegistry
	k, err := readRegistry(registry.LOCAL_MACHINE, `Software\Policies\Persten`, &left)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(registryRoot, err)
	}
	return k, nil
}

// readRegistry reads a key and all below it, left keys at most.
func readRegistry(parent registry.Key, name string, left *int) (*registryKey, error) {
	if *left--; *left < 0 {
		return nil, errors.New("too many keys")
	}
	k, err := registry.OpenKey(parent, name, registry.QUERY_VALUE|registry.ENUMERATE_SUB_KEYS|registry.WOW64_64KEY)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	out := &registryKey{values: map[string]any{}, keys: map[string]*registryKey{}}
	values, err := k.ReadValueNames(-1)
	if err != nil {
		return nil, err
	}
	for _, name := range values {
		out.values[strings.ToLower(name)] = registryData(k, name)
	}
	keys, err := k.ReadSubKeyNames(-1)
	if err != nil {
		return nil, err
	}
	for _, name := range keys {
		if out.keys[strings.ToLower(name)], err = readRegistry(k, name, left); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// registryData is a value as registryKey holds it. A type that is none of these, REG_EXPAND_SZ among them, is nil.
func registryData(k registry.Key, name string) any {
	if n, _, err := k.GetIntegerValue(name); err == nil {
		return n
	}
	if s, kind, err := k.GetStringValue(name); err == nil && kind == registry.SZ {
		return s
	}
	return nil
}

// sameName compares names of users and groups: DOMAIN\NAME is also NAME.
func sameName(whole, named string) bool {
	short := whole[strings.LastIndexByte(whole, '\\')+1:]
	return strings.EqualFold(whole, named) || strings.EqualFold(short, named)
}
