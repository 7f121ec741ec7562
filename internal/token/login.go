// SPDX-License-Identifier: GPL-3.0-or-later

package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"persten/internal/secret"
)

// maxWrong is how many wrong PINs one Open accepts before it leaves the token alone.
const maxWrong = 2

// Login is the dialogue by which every kind of token is opened, so that no kind can spend attempts the person did not
// make: read the token's state, ask, take the lease, look whether it is still in that state, try once.
type Login struct {
	Lease    *Lease
	Wait     time.Duration // for the lease; LeaseWait when zero
	KeyLabel string
	// State reads the token as it is now.
	State func(ctx context.Context) (Info, error)
	// Try logs in once. It consumes the PIN, the zero one when none was asked for, and returns *PINError for a wrong one.
	Try func(ctx context.Context, pin secret.PIN) error
	// Careful tells that Try itself looks at the token right before the attempt, as Agreed does, at what State said last.
	Careful bool
	// Held, if set, tells after State whether policy let a PIN be kept that Try would use instead of asking. It is not
	// called once an entry was wrong.
	Held func() bool
}

// Run logs in and returns the function that gives the lease back. After an error nothing is held.
func (l Login) Run(ctx context.Context, ask PINFunc) (release func(), err error) {
	wrong, held := 0, l.Held != nil
	for range maxRounds {
		info, err := l.State(ctx)
		if err != nil {
			return nil, err
		}
		kept := held && info.quiet() && l.Held()
		release, err := l.attempt(ctx, ask, info, wrong > 0, kept)
		var bad *PINError
		switch {
		case err == nil:
			return release, nil
		case errors.Is(err, ErrAskAgain):
			held = held && !kept
			continue
		case !errors.As(err, &bad):
			return nil, err
		case kept:
			held = false // the PIN was changed meanwhile; nobody typed a wrong one
			continue
		}
		held = false
		if wrong++; wrong == maxWrong {
			return nil, err
		}
	}
	return nil, ErrBusy
}

// maxRounds bounds how often one Open starts anew because the token keeps changing.
const maxRounds = 8

// quiet reports whether a PIN may be used without the person knowing the state of the token.
func (i Info) quiet() bool { return i.LoginRequired && !i.PINPad && !i.Low && !i.Final && !i.Locked }

func (l Login) attempt(ctx context.Context, ask PINFunc, info Info, wrong, kept bool) (func(), error) {
	if info.Locked {
		return nil, ErrLocked
	}
	var pin secret.PIN
	if !kept {
		var err error
		if pin, err = l.ask(ctx, ask, info, wrong); err != nil {
			return nil, err
		}
	}
	defer pin.Close()
	wait := l.Wait
	if wait == 0 {
		wait = LeaseWait
	}
	release, err := l.Lease.Take(ctx, wait)
	if err != nil {
		return nil, err
	}
	if err := l.try(ctx, pin, info); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// ask gets a PIN where the token wants one from us, and tells the person where it is to be typed on the reader.
func (l Login) ask(ctx context.Context, ask PINFunc, info Info, wrong bool) (secret.PIN, error) {
	switch {
	case !info.LoginRequired:
		return secret.PIN{}, nil
	case info.PINPad:
		return secret.PIN{}, keypad(ctx, info.Request(l.KeyLabel, wrong))
	case ask == nil:
		return secret.PIN{}, fmt.Errorf("token %q: nobody to ask for the PIN", info.Label)
	}
	return ask(ctx, info.Request(l.KeyLabel, wrong))
}

// KeypadFunc shows a person that the PIN is to be typed on the reader now, and does not wait for it. On the last try it
// returns nil only after the person confirmed. Its error ends Open and is returned unchanged.
type KeypadFunc func(ctx context.Context, r PINRequest) error

type rememberKey struct{}

// Remembering lets Find and Open believe what was seen of a token within the last second. It is for requests that nobody is
// asked about: a person must not be bothered about a token that is gone.
func Remembering(ctx context.Context) context.Context {
	return context.WithValue(ctx, rememberKey{}, true)
}

// Remembers reports whether ctx is from Remembering.
func Remembers(ctx context.Context) bool { return ctx.Value(rememberKey{}) != nil }

type keypadKey struct{}

// OnKeypad makes Open under the returned context call f before each entry on a reader's keypad.
func OnKeypad(ctx context.Context, f KeypadFunc) context.Context {
	return context.WithValue(ctx, keypadKey{}, f)
}

// keypad warns whoever is to type. Without anybody to warn, the last try is not spent.
func keypad(ctx context.Context, r PINRequest) error {
	if f, ok := ctx.Value(keypadKey{}).(KeypadFunc); ok {
		return f(ctx, r)
	}
	if r.Final {
		return &PINError{Attempts: r.Attempts, Final: true}
	}
	return nil
}

// try makes the attempt the person agreed to, unless it meanwhile became the last one, or another token's.
func (l Login) try(ctx context.Context, pin secret.PIN, asked Info) error {
	if l.Careful {
		return l.Try(ctx, pin)
	}
	now, err := l.State(ctx)
	if err == nil {
		err = Agreed(asked, now)
	}
	if err != nil {
		return err
	}
	return l.Try(ctx, pin)
}

// Agreed tells why nobody may log in who was asked about another state of the token than it is in now, or nil.
func Agreed(asked, now Info) error {
	switch {
	case now.Serial != asked.Serial || now.Label != asked.Label:
		return ErrRemoved
	case now.Locked:
		return ErrLocked
	case now.Low && !asked.Low, now.Final && !asked.Final, now.LoginRequired != asked.LoginRequired, now.PINPad != asked.PINPad:
		return ErrAskAgain
	}
	return nil
}
