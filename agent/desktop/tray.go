// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"os"
	"strings"

	"persten/internal/text"
	"persten/internal/ui/tray"
)

// icon is the role of the panel icon. The toolkit keeps the main goroutine.
func icon() {
	conn, err := inherited()
	if err != nil {
		exit(err)
	}
	exit(tray.Run(untilSignalled(), conn, language()))
}

// language is the person's, as the session or the desktop set it.
func language() text.Lang {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "ru") {
				return "ru"
			}
			return "en"
		}
	}
	return "ru"
}
