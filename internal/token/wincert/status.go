// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"encoding/json"
	"errors"
	"fmt"

	"persten/internal/rpc"
	"persten/internal/token"
)

// Statuses of our own, in the range that Windows leaves to applications.
const (
	statusPIN    = 0xE0000001 // the PIN cannot be read or given to this provider
	statusClosed = 0xE0000002 // open comes first
)

// meaning is what a status says about the key, for a caller that acts on it.
type meaning struct {
	name   string
	err    error  // of package token; nil: only a *token.ModuleError
	reason string // of that; the name when empty
}

// errPINRefused stands in the table for *token.PINError.
var errPINRefused = errors.New("PIN refused")

// meanings is the one place where statuses of Windows, its smart cards and the providers become errors of package token.
var meanings = map[uint32]meaning{
	0x8010006B: {"SCARD_W_WRONG_CHV", errPINRefused, ""},
	0x80090033: {"NTE_INCORRECT_PASSWORD", errPINRefused, ""},
	0x8010006C: {"SCARD_W_CHV_BLOCKED", token.ErrLocked, ""},

	0x8010006E: {"SCARD_W_CANCELLED_BY_USER", token.ErrUserCancelled, ""},
	0x80100002: {"SCARD_E_CANCELLED", token.ErrUserCancelled, ""},
	0x80090036: {"NTE_USER_CANCELLED", token.ErrUserCancelled, ""},
	0x800704C7: {"ERROR_CANCELLED", token.ErrUserCancelled, ""},
	0x000004C7: {"ERROR_CANCELLED", token.ErrUserCancelled, ""},

	0x80100069: {"SCARD_W_REMOVED_CARD", token.ErrRemoved, ""},
	0x8010000C: {"SCARD_E_NO_SMARTCARD", token.ErrRemoved, ""},
	0x80100009: {"SCARD_E_UNKNOWN_READER", token.ErrRemoved, ""},
	0x80100017: {"SCARD_E_READER_UNAVAILABLE", token.ErrRemoved, ""},
	0x8010002E: {"SCARD_E_NO_READERS_AVAILABLE", token.ErrRemoved, ""},
	0x80090030: {"NTE_DEVICE_NOT_READY", token.ErrRemoved, ""},
	0x80090035: {"NTE_DEVICE_NOT_FOUND", token.ErrRemoved, ""},

	0x80090016: {"NTE_BAD_KEYSET", token.ErrAbsent, ""},
	0x80090019: {"NTE_KEYSET_NOT_DEF", token.ErrAbsent, ""},
	0x8009000D: {"NTE_NO_KEY", token.ErrAbsent, ""},
	0x80090011: {"NTE_NOT_FOUND", token.ErrAbsent, ""},
	0x8009200B: {"CRYPT_E_NO_KEY_PROPERTY", token.ErrAbsent, ""},
	0x80092004: {"CRYPT_E_NOT_FOUND", token.ErrAbsent, ""},

	0x80090008: {"NTE_BAD_ALGID", token.ErrUnsupported, ""},
	0x80090029: {"NTE_NOT_SUPPORTED", token.ErrUnsupported, ""},

	0x8010000B: {"SCARD_E_SHARING_VIOLATION", token.ErrBusy, ""},

	0x8007065B: {"0x8007065B", nil, token.ReasonLicence},
	0x8007064A: {"0x8007064A", nil, token.ReasonLoad},
	0x80090017: {"NTE_PROV_TYPE_NOT_DEF", nil, token.ReasonLoad},
	0x80090018: {"NTE_PROV_TYPE_ENTRY_BAD", nil, token.ReasonLoad},
	0x8009001B: {"NTE_PROV_TYPE_NO_MATCH", nil, token.ReasonLoad},
	0x8009001D: {"NTE_PROVIDER_DLL_FAIL", nil, token.ReasonLoad},
	0x8009001E: {"NTE_PROV_DLL_NOT_FOUND", nil, token.ReasonLoad},

	0x80090022:   {"NTE_SILENT_CONTEXT", nil, ""},
	0x8009002E:   {"NTE_UI_REQUIRED", nil, ""},
	0x80090010:   {"NTE_PERM", nil, ""},
	statusPIN:    {"pin_unreadable", nil, ""},
	statusClosed: {"session_absent", token.ErrClosed, ""},
}

func (f *failure) name() string {
	if m, ok := meanings[f.Status]; ok {
		return m.name
	}
	return fmt.Sprintf("0x%08X", f.Status)
}

// typed is the failure as an error of package token. provider names whose it is.
func (f *failure) typed(provider string) error {
	m := meanings[f.Status]
	if m.err == errPINRefused {
		return &token.PINError{Attempts: -1}
	}
	cause := errors.New(printable(f.Function) + " failed")
	if m.err != nil {
		cause = fmt.Errorf("%s: %w", printable(f.Function), m.err)
	}
	reason := m.reason
	if reason == "" {
		reason = f.name()
	}
	return &token.ModuleError{Module: provider, Reason: reason, Err: cause}
}

// answered types an error that the process answered a call with.
func answered(wire *rpc.Error, provider string) error {
	var f failure
	if wire.Code == codeStatus && json.Unmarshal(wire.Data, &f) == nil {
		return f.typed(provider)
	}
	return &token.ModuleError{Module: provider, Reason: token.ReasonReply, Err: errors.New(printable(wire.Message))}
}
