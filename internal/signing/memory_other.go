// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package signing

import (
	"errors"
	"os"
)

func newMemoryFile() (*os.File, error) { return nil, errors.ErrUnsupported }

func sealMemoryFile(*os.File) error { return errors.ErrUnsupported }
