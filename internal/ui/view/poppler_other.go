// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package view

import (
	"errors"
	"io"
)

// usePoppler says that there are no such programs of the system here.
func usePoppler() bool { return false }

func openPoppler(io.ReaderAt) (pager, error) { return nil, errors.ErrUnsupported }
