// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"os"
	"os/exec"
	"path/filepath"
)

// firefoxFolders hold the profiles of Firefox below the home folder: its own, the newer one, a snap's and a Flatpak's.
var firefoxFolders = []string{
	".mozilla/firefox", ".config/mozilla/firefox", "snap/firefox/common/.mozilla/firefox", ".var/app/org.mozilla.firefox/.mozilla/firefox",
}

// chromiumSnap is the store of the snap, which does not see the home folder's.
const chromiumSnap = "snap/chromium/current/.pki/nssdb"

// trustStores lists the NSS databases of this user's browsers. The first is that of all of Chromium's kind.
// Without the tool there is nothing to be done about them.
func trustStores() ([]string, error) {
	if _, missing := exec.LookPath("certutil"); missing != nil {
		return nil, ErrNoTrustTool
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	list := []string{filepath.Join(home, ".pki/nssdb")}
	if snap := filepath.Join(home, chromiumSnap); exists(snap) {
		list = append(list, snap)
	}
	for _, f := range firefoxFolders {
		list = append(list, profilesIn(filepath.Join(home, f))...)
	}
	return list, nil
}
