// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows/registry"
)

// copies are the folders into which packages put this program: the computer's, and this person's. A package that found the other
// one refuses, but it does not see what another person installed.
func copies() (folders []string) {
	for _, root := range []registry.Key{registry.LOCAL_MACHINE, registry.CURRENT_USER} {
		k, err := registry.OpenKey(root, `Software\Persten`, registry.QUERY_VALUE|registry.WOW64_64KEY)
		if err != nil {
			continue
		}
		folder, _, err := k.GetStringValue("InstallDir")
		k.Close()
		if err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(folder, "persten.exe")); err == nil {
			folders = append(folders, filepath.Clean(folder))
		}
	}
	return folders
}
