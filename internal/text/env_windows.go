// SPDX-License-Identifier: GPL-3.0-or-later

package text

import "golang.org/x/sys/windows"

// systemLocale returns the first of the languages the person chose for Windows.
func systemLocale() string {
	names, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil || len(names) == 0 {
		return ""
	}
	return names[0]
}
