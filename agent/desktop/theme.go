// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"

	"persten/proto"
)

// themeVariable names the environment variable by which the session tells its children the look of its settings: light or dark.
// Anything else leaves the choice to the desktop.
const themeVariable = "PERSTEN_THEME"

// dark tells whether a choice of colours means dark windows.
func dark(choice proto.Theme) bool {
	return choice == proto.ThemeDark || choice == proto.ThemeSystem && darkDesktop()
}

// darkDesktop tells whether windows are to be dark.
func darkDesktop() bool {
	switch os.Getenv(themeVariable) {
	case "dark":
		return true
	case "light":
		return false
	}
	return prefersDark()
}
