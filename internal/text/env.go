// SPDX-License-Identifier: GPL-3.0-or-later

package text

import "os"

// FromEnv returns the language of the person: the first of LC_ALL, LC_MESSAGES and LANG that is set, else what the
// system says, else English.
func FromEnv() Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := os.Getenv(name); locale != "" {
			return Parse(locale)
		}
	}
	return Parse(systemLocale())
}
