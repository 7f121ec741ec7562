// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package main

// copies are nothing here: a package manager installs a program once.
func copies() []string { return nil }
