// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package text

// systemLocale has nothing to add to the environment.
func systemLocale() string { return "" }
