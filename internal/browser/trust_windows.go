// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"os"
	"path/filepath"
)

// trustStores lists the NSS databases of this user's browsers: Firefox's. Others use the store of Windows, which is not changed.
func trustStores() ([]string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, err
	}
	return profilesIn(filepath.Join(dir, "Mozilla", "Firefox", "Profiles")), nil
}
