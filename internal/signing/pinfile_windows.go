// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"os"
)

// openPINFile always fails: no machine policy is read on Windows, so no PIN file can be named.
func openPINFile(string) (*os.File, error) {
	return nil, errors.New("PIN files are not used on Windows")
}
