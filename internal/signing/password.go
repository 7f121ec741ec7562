// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"errors"

	"persten/internal/secret"
	"persten/internal/token"
	"persten/proto"
)

// maxPasswords is how many wrong passwords one question takes.
const maxPasswords = 3

// Password asks the person for the password of what is to become a token, in a window of kind pin, and lets try use it: once
// for each entry. try consumes the password and says *token.PINError of a wrong one; then the window asks again.
func (e *Engine) Password(ctx context.Context, who Caller, t token.Info, try func(secret.PIN) error) error {
	q := who.question(KindPIN)
	q.Token = t
	p, leave, err := e.desk.open(ctx, q)
	if err != nil {
		return err
	}
	defer leave()
	if _, err = e.desk.decide(ctx, q, p); err == nil {
		err = e.passwords(ctx, p, t, try)
	}
	err = passwordFault(err)
	p.Close(outcome(err))
	return err
}

func (e *Engine) passwords(ctx context.Context, p Prompt, t token.Info, try func(secret.PIN) error) (err error) {
	limited, cancel := context.WithTimeout(ctx, e.desk.wait)
	defer cancel()
	for n := range maxPasswords {
		pin, askErr := askPIN(limited, p, t.Request("", n > 0))
		if late := overdue(ctx, limited, askErr); late != nil {
			pin.Close()
			return late
		}
		if askErr != nil {
			return askErr
		}
		var wrong *token.PINError
		if err = try(pin); !errors.As(err, &wrong) {
			return err
		}
	}
	return err
}

// passwordFault is fault, but for a password.
func passwordFault(err error) error {
	if wrong := (*token.PINError)(nil); errors.As(err, &wrong) {
		return proto.E(proto.CodePasswordIncorrect, err)
	}
	return fault(err)
}
