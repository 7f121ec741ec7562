// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows/registry"
)

func userTargets() []Target {
	base, err := os.UserCacheDir() // %LocalAppData%
	if err != nil {
		return nil
	}
	return targetsIn(filepath.Join(base, "Persten", "native"), false)
}

func systemTargets(string) []Target {
	base := os.Getenv("ProgramFiles")
	if base == "" {
		base = `C:\Program Files`
	}
	return targetsIn(filepath.Join(base, "Persten", "native"), true)
}

func targetsIn(dir string, system bool) []Target {
	var all []Target
	for _, p := range registryPlaces {
		all = append(all, Target{
			Browser: p.name, Family: p.family, System: system,
			Found: keyExists(registry.CURRENT_USER, `Software\`+p.key) || keyExists(registry.LOCAL_MACHINE, `Software\`+p.key),
			Path:  filepath.Join(dir, Name+"."+string(p.family)+".json"),
			Key:   `Software\` + p.key + `\NativeMessagingHosts\` + Name,
		})
	}
	return all
}

// profileTarget: on Windows a profile folder of its own changes nothing, so it is Chromium's key of the user.
func profileTarget(o Options) Target {
	return Target{Browser: "Chromium", Family: Chromium, Found: true,
		Path: filepath.Join(o.UserDataDir, Name+".json"), Key: `Software\Chromium\NativeMessagingHosts\` + Name}
}

func (t Target) root() registry.Key {
	if t.System {
		return registry.LOCAL_MACHINE
	}
	return registry.CURRENT_USER
}

func keyExists(root registry.Key, path string) bool {
	k, err := registry.OpenKey(root, path, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	k.Close()
	return true
}

func put(t Target, b []byte) error {
	if err := writeFile(t.Path, b); err != nil {
		return err
	}
	k, _, err := registry.CreateKey(t.root(), t.Key, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("registry key: %w", err)
	}
	defer k.Close()
	return k.SetStringValue("", t.Path)
}

// get reads the manifest the browser would read: the one the registry names.
func get(t Target) ([]byte, error) {
	k, err := registry.OpenKey(t.root(), t.Key, registry.QUERY_VALUE)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("registry key: %w", err)
	}
	defer k.Close()
	path, _, err := k.GetStringValue("")
	if err != nil {
		return []byte{}, nil // a key without a value is a broken installation, not an error
	}
	b, err := readFile(path)
	if b == nil && err == nil {
		b = []byte{}
	}
	return b, err
}

// remove deletes the key; the file goes too, for every browser of its family is removed with it.
func remove(t Target) (bool, error) {
	err := registry.DeleteKey(t.root(), t.Key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("registry key: %w", err)
	}
	_, ferr := removeFile(t.Path)
	return err == nil, ferr
}
