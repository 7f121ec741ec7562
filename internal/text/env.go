// SPDX-License-Identifier: GPL-3.0-or-later

package text

import "os"

// Variable names the environment variable by which the session tells its children the language of its settings.
const Variable = "PERSTEN_LANG"

// FromEnv returns the language of the person: the first of PERSTEN_LANG, LC_ALL, LC_MESSAGES and LANG that is set, else
// what the system says, else English.
func FromEnv() Lang {
	for _, name := range []string{Variable, "LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := os.Getenv(name); locale != "" {
			return Parse(locale)
		}
	}
	return Parse(systemLocale())
}
