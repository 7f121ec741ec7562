// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package main

import (
	"errors"
	"os"
)

// endPrograms leaves that to the packages' scripts, which do it before the program is asked.
func endPrograms([]string) error { return nil }

// forgetEverybody is of Windows alone: here packages run the command with each person's own rights.
func forgetEverybody([]string) error { return usage(errors.ErrUnsupported) }

func removeAll(root *os.Root, name string) error { return root.RemoveAll(name) }

func removeEmpty(root *os.Root, name string) { _ = root.Remove(name) }
