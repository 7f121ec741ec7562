// SPDX-License-Identifier: GPL-3.0-or-later

package token

import (
	"errors"
	"fmt"
)

// What can go wrong with a token, as far as a caller acts on it.
var (
	ErrAbsent      = errors.New("no such key or token")
	ErrBusy        = errors.New("token in use by another request")
	ErrRemoved     = errors.New("token removed")
	ErrLocked      = errors.New("PIN locked")
	ErrUnsupported = errors.New("algorithm not supported by the token")
	ErrClosed      = errors.New("token session closed")
	// ErrUserCancelled is a person giving up at the reader's keypad. A PINFunc may return it as well.
	ErrUserCancelled = errors.New("cancelled at the PIN entry")
)

// PINError is a PIN the token refused.
type PINError struct {
	Attempts int  // left, -1 when unknown
	Final    bool // the next wrong one locks the token
}

func (e *PINError) Error() string {
	if e.Attempts < 0 {
		return "PIN incorrect"
	}
	return fmt.Sprintf("PIN incorrect, %d attempts left", e.Attempts)
}

// ReasonLoad is the Reason of a library that did not load or start, and so never showed anything.
const ReasonLoad = "load"

// ModuleError is a failure of the code behind a token: a library that crashed, hung, or answered with an error that
// has no meaning of its own. Reason is one lower_snake word: crashed, timeout, load, reply, self_check, or a CKR_ name.
type ModuleError struct {
	Module, Path, Reason string
	Err                  error // the cause, may be nil
}

func (e *ModuleError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("module %s: %s", e.Module, e.Reason)
	}
	return fmt.Sprintf("module %s: %s: %v", e.Module, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *ModuleError) Unwrap() error { return e.Err }
