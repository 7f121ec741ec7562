// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux && !amd64 && !arm64

package view

const architecture = 0

var older []uint32

var forking []uint32
