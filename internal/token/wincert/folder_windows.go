// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"path/filepath"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

const providersKey = `SOFTWARE\Microsoft\Cryptography\Defaults\Provider\`

// folderOf is where the library of a CryptoAPI provider lies, "" when it is one of the system's. Administrators alone write that.
func folderOf(provider string) string {
	key, err := registry.OpenKey(registry.LOCAL_MACHINE, providersKey+provider, registry.QUERY_VALUE)
	if err != nil {
		return ""
	}
	defer key.Close()
	image, _, err := key.GetStringValue("Image Path")
	if err != nil || !filepath.IsAbs(image) {
		return ""
	}
	return filepath.Dir(image)
}

// openFolder lets a provider's library find those that lie beside it, which secret.SystemLibraries keeps every process from.
func openFolder(provider string) {
	if folder, err := windows.UTF16PtrFromString(folderOf(provider)); err == nil {
		windows.AddDllDirectory(folder) // without one it is refused
	}
}
