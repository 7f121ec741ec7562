// SPDX-License-Identifier: GPL-3.0-or-later

package main

import "golang.org/x/sys/windows/registry"

// prefersDark asks the person's settings of Windows.
func prefersDark() bool {
	k, err := registry.OpenKey(registry.CURRENT_USER, `Software\Microsoft\Windows\CurrentVersion\Themes\Personalize`, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer k.Close()
	light, _, err := k.GetIntegerValue("AppsUseLightTheme")
	return err == nil && light == 0
}
