// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"encoding/json"
	"errors"
	"fmt"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/rpc"
	"persten/internal/token"
)

// Values of the shim, beside the standard's. They match shim.h.
const (
	rvBadLength  = 0xFFFFFFF0
	rvNoFunction = 0xFFFFFFF1
)

// errPINRefused stands in the table for *token.PINError, which carries the attempts left.
var errPINRefused = errors.New("PIN refused")

// meaning is what a return value says about the token, for a caller that acts on it.
type meaning struct {
	rv   uint
	name string
	err  error // nil: only a *token.ModuleError with the name
}

// meanings is the one place where return values become errors of package token. Values that are not listed, vendors'
// own among them, are a *token.ModuleError with the number.
var meanings = []meaning{
	{p11.CKR_HOST_MEMORY, "CKR_HOST_MEMORY", nil},
	{p11.CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR", nil},
	{p11.CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED", nil},
	{p11.CKR_ARGUMENTS_BAD, "CKR_ARGUMENTS_BAD", nil},
	{p11.CKR_ATTRIBUTE_TYPE_INVALID, "CKR_ATTRIBUTE_TYPE_INVALID", nil},
	{p11.CKR_ATTRIBUTE_SENSITIVE, "CKR_ATTRIBUTE_SENSITIVE", nil},
	{p11.CKR_DATA_INVALID, "CKR_DATA_INVALID", nil},
	{p11.CKR_DATA_LEN_RANGE, "CKR_DATA_LEN_RANGE", nil},
	{p11.CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR", nil},
	{p11.CKR_DEVICE_MEMORY, "CKR_DEVICE_MEMORY", nil},
	{p11.CKR_BUFFER_TOO_SMALL, "CKR_BUFFER_TOO_SMALL", nil},
	{p11.CKR_CRYPTOKI_NOT_INITIALIZED, "CKR_CRYPTOKI_NOT_INITIALIZED", nil},
	{p11.CKR_FUNCTION_NOT_SUPPORTED, "CKR_FUNCTION_NOT_SUPPORTED", nil},
	{p11.CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED", nil},
	{p11.CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED", nil},
	{p11.CKR_USER_TYPE_INVALID, "CKR_USER_TYPE_INVALID", nil},
	{p11.CKR_OPERATION_NOT_INITIALIZED, "CKR_OPERATION_NOT_INITIALIZED", nil},
	{rvBadLength, "bad_length", nil},
	{rvNoFunction, "no_function", nil},

	{p11.CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT", errPINRefused},
	{p11.CKR_PIN_INVALID, "CKR_PIN_INVALID", errPINRefused},
	{p11.CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE", errPINRefused},
	{p11.CKR_PIN_LOCKED, "CKR_PIN_LOCKED", token.ErrLocked},

	{p11.CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED", token.ErrRemoved},
	{p11.CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT", token.ErrRemoved},
	{p11.CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED", token.ErrRemoved},
	{p11.CKR_SLOT_ID_INVALID, "CKR_SLOT_ID_INVALID", token.ErrRemoved},
	{p11.CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED", token.ErrRemoved},
	{p11.CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID", token.ErrRemoved},

	{p11.CKR_USER_ALREADY_LOGGED_IN, "CKR_USER_ALREADY_LOGGED_IN", token.ErrBusy},
	{p11.CKR_USER_ANOTHER_ALREADY_LOGGED_IN, "CKR_USER_ANOTHER_ALREADY_LOGGED_IN", token.ErrBusy},
	{p11.CKR_USER_TOO_MANY_TYPES, "CKR_USER_TOO_MANY_TYPES", token.ErrBusy},
	{p11.CKR_SESSION_COUNT, "CKR_SESSION_COUNT", token.ErrBusy},
	{p11.CKR_OPERATION_ACTIVE, "CKR_OPERATION_ACTIVE", token.ErrBusy},
	{p11.CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN", token.ErrClosed},

	{p11.CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID", token.ErrUnsupported},
	{p11.CKR_MECHANISM_PARAM_INVALID, "CKR_MECHANISM_PARAM_INVALID", token.ErrUnsupported},
	{p11.CKR_KEY_TYPE_INCONSISTENT, "CKR_KEY_TYPE_INCONSISTENT", token.ErrUnsupported},
	{p11.CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED", token.ErrUnsupported},
	{p11.CKR_KEY_SIZE_RANGE, "CKR_KEY_SIZE_RANGE", token.ErrUnsupported},
	{p11.CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID", token.ErrAbsent},
	{p11.CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID", token.ErrAbsent},

	{p11.CKR_FUNCTION_CANCELED, "CKR_FUNCTION_CANCELED", token.ErrUserCancelled},
	{ckrFunctionRejected, "CKR_FUNCTION_REJECTED", token.ErrUserCancelled},
}

const ckrFunctionRejected = 0x200

func meaningOf(rv uint) meaning {
	for _, m := range meanings {
		if m.rv == rv {
			return m
		}
	}
	return meaning{rv: rv, name: fmt.Sprintf("0x%08X", rv)}
}

func rvName(rv uint) string { return meaningOf(rv).name }

// removed reports whether err says that the token is gone.
func removed(err error) bool {
	var rv *ckr
	return errors.As(err, &rv) && meaningOf(rv.RV).err == token.ErrRemoved
}

// vague reports whether rv could be a module's way of saying that the token is gone.
func vague(rv uint) bool { return meaningOf(rv).err == nil }

// words maps the child's own reasons to errors of package token.
var words = map[string]error{
	reasonNoKey:     token.ErrAbsent,
	reasonNoSession: token.ErrClosed,
	reasonSlotBusy:  token.ErrBusy,
	reasonRemoved:   token.ErrRemoved,
	reasonNotHeld:   token.ErrAskAgain,
	reasonChanged:   token.ErrAskAgain,
	reasonLocked:    token.ErrLocked,
}

// typed turns an error the child answered into one of package token. info tells how many attempts are left.
func typed(m Module, wire *rpc.Error) error {
	switch wire.Code {
	case codeRV:
		var rv ckr
		if json.Unmarshal(wire.Data, &rv) == nil {
			return fromRV(m, &rv)
		}
	case codeReason:
		var word string
		if json.Unmarshal(wire.Data, &word) == nil {
			return fromWord(m, word, wire)
		}
	}
	return &token.ModuleError{Module: m.Name, Path: m.Path, Reason: "reply", Err: errors.New(printable(wire.Message))}
}

func fromRV(m Module, rv *ckr) error {
	means := meaningOf(rv.RV)
	if means.err == errPINRefused {
		return &token.PINError{Attempts: -1}
	}
	cause := errors.New(printable(rv.Function) + " failed")
	if means.err != nil {
		cause = fmt.Errorf("%s: %w", printable(rv.Function), means.err)
	}
	return &token.ModuleError{Module: m.Name, Path: m.Path, Reason: means.name, Err: cause}
}

func fromWord(m Module, word string, wire *rpc.Error) error {
	if err := words[word]; err != nil {
		return err
	}
	return &token.ModuleError{Module: m.Name, Path: m.Path, Reason: printable(word), Err: errors.New(printable(wire.Message))}
}
