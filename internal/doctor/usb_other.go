// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package doctor

func devices(*Machine, map[string]bool) []device { return nil }
