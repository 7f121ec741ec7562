// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"
	"strconv"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/journal"
	"persten/internal/secret"
	"persten/internal/token"
	"persten/proto"
)

// fault turns an error of a token, an encoder or the journal into one of the catalogue. Contexts' errors pass unchanged.
func fault(err error) error {
	var (
		pe     *proto.Error
		pin    *token.PINError
		module *token.ModuleError
	)
	switch {
	case err == nil, errors.As(err, &pe), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &pin):
		return proto.E(proto.CodePINIncorrect, err, "attempts", strconv.Itoa(pin.Attempts))
	case errors.As(err, &module) && known(module) == "":
		return moduleFault(module, err)
	case errors.Is(err, cms.ErrProfile):
		return proto.E(proto.CodeProfileUnsupported, err, "detail", err.Error())
	case errors.Is(err, cms.ErrFormat), errors.Is(err, cms.ErrLimit):
		return proto.E(proto.CodeFormatCMS, err, "detail", err.Error())
	}
	if module != nil {
		return proto.E(known(module), err) // what its code means, such as a token that was pulled
	}
	if c := known(err); c != "" {
		return proto.E(c, err)
	}
	return proto.E(proto.CodeInternal, err)
}

// moduleFault says which of the three ways a vendor's code failed in: each is another person's to mend.
func moduleFault(module *token.ModuleError, err error) error {
	switch {
	case module.Reason == token.ReasonLicence:
		return proto.E(proto.CodeModuleLicence, err, "module", module.Module)
	case module.Unloaded():
		return proto.E(proto.CodeModuleNotStarted, err, "module", module.Module, "reason", module.Reason)
	}
	return proto.E(proto.CodeModuleFailed, err, "module", module.Module, "reason", module.Kind())
}

// known is the code of an error that has one to itself, or "".
func known(err error) proto.Code {
	for _, f := range faults {
		if errors.Is(err, f.err) {
			return f.code
		}
	}
	return ""
}

var faults = []struct {
	err  error
	code proto.Code
}{
	{ErrRejected, proto.CodeUserRejected},
	{token.ErrUserCancelled, proto.CodeUserRejected},
	{ErrNoPrompt, proto.CodePromptUnavailable},
	{ErrPromptLost, proto.CodePromptLost},
	{token.ErrAbsent, proto.CodeTokenAbsent},
	{token.ErrRemoved, proto.CodeTokenRemoved},
	{token.ErrBusy, proto.CodeTokenBusy},
	{token.ErrLocked, proto.CodePINLocked},
	{secret.ErrUnlocked, proto.CodeMemoryLock},
	{token.ErrUnsupported, proto.CodeAlgorithmUnsupported},
	{algo.ErrUnsupported, proto.CodeAlgorithmUnsupported},
	{cms.ErrContentChanged, proto.CodeContentChanged},
	{cms.ErrSelfCheck, proto.CodeSignatureSelfCheck},
	{cms.ErrStamp, proto.CodeTimestampInvalid},
	{cms.ErrNoContent, proto.CodeContentRequired},
	{journal.ErrUnwritable, proto.CodeJournalUnwritable},
}

// problems splits joined errors into catalogue errors, one for each module that failed.
func problems(err error) []*proto.Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var out []*proto.Error
		for _, one := range joined.Unwrap() {
			out = append(out, problems(one)...)
		}
		return out
	}
	if err == nil {
		return nil
	}
	return []*proto.Error{proto.AsError(fault(err))}
}

// hiding returns the first of joined listing errors that may have hidden a certificate listed before, or nil. A module
// that never started never listed one: a driver without its reader service must not be blamed for another's certificate.
func hiding(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			if found := hiding(one); found != nil {
				return found
			}
		}
		return nil
	}
	var module *token.ModuleError
	if errors.As(err, &module) && module.Unloaded() {
		return nil
	}
	return err
}

// Hinders reports whether a problem of a listing keeps people from working, tokens being there. A driver that does not start
// while a token of another is plugged in is most often one that nobody uses here, such as OpenSC's without pcscd.
func Hinders(p *proto.Error, tokens int) bool {
	return tokens == 0 || p.Code != proto.CodeModuleNotStarted || p.Args["reason"] != token.ReasonInitialise
}
