// SPDX-License-Identifier: GPL-3.0-or-later

package token

import (
	"errors"
	"fmt"
	"slices"
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
	// ErrAskAgain is for Login.Try alone: there is no PIN to try, or no longer, and the person is to be asked.
	ErrAskAgain = errors.New("token state changed")
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

// ModuleError is a failure of the code behind a token: a library that does not load, crashed, hung, or answered with an
// error that has no meaning of its own. Reason is one of the words below or the name of a vendor's code, CKR_ and so on.
type ModuleError struct {
	Module, Path, Reason string
	Err                  error // the cause, may be nil
}

// Reasons of a ModuleError.
const (
	ReasonAbsent       = "absent"       // no such file
	ReasonDependency   = "dependency"   // another library it needs is missing or too old
	ReasonArchitecture = "architecture" // made for another processor
	ReasonNotPKCS11    = "not_pkcs11"   // some other kind of file
	ReasonInitialise   = "initialise"   // loaded, but C_Initialize refused: a service or a file of the vendor is missing
	ReasonLoad         = "load"         // did not load for another reason
	ReasonStart        = "start"        // its process did not start
	ReasonCrashed      = "crashed"
	ReasonTimeout      = "timeout"
	ReasonReply        = "reply"      // nonsense
	ReasonSelfCheck    = "self_check" // a signature that does not verify
	ReasonLicence      = "licence"    // of the vendor's program, which has ended
	ReasonVendor       = "vendor"     // only of Kind: any vendor's code
)

var reasons = []string{
	ReasonAbsent, ReasonDependency, ReasonArchitecture, ReasonNotPKCS11, ReasonInitialise, ReasonLoad, ReasonStart,
	ReasonCrashed, ReasonTimeout, ReasonReply, ReasonSelfCheck, ReasonLicence,
}

// Kind is Reason with all vendors' codes as one: a word a text can be found by.
func (e *ModuleError) Kind() string {
	if slices.Contains(reasons, e.Reason) {
		return e.Reason
	}
	return ReasonVendor
}

// Unloaded reports whether the library was not brought to life at all.
func (e *ModuleError) Unloaded() bool {
	switch e.Reason {
	case ReasonAbsent, ReasonDependency, ReasonArchitecture, ReasonNotPKCS11, ReasonInitialise, ReasonLoad:
		return true
	}
	return false
}

func (e *ModuleError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("module %s: %s", e.Module, e.Reason)
	}
	return fmt.Sprintf("module %s: %s: %v", e.Module, e.Reason, e.Err)
}

// Unwrap returns the cause.
func (e *ModuleError) Unwrap() error { return e.Err }
