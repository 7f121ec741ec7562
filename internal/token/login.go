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
// make: read the token's state, ask, take the lease, read the state again, try once.
type Login struct {
	Lease    *Lease
	Wait     time.Duration // for the lease; LeaseWait when zero
	KeyLabel string
	// State reads the token as it is now.
	State func(ctx context.Context) (Info, error)
	// Try logs in once. It consumes the PIN, the zero one when none was asked for, and returns *PINError for a wrong one.
	Try func(ctx context.Context, pin secret.PIN) error
}

// Run logs in and returns the function that gives the lease back. After an error nothing is held.
func (l Login) Run(ctx context.Context, ask PINFunc) (release func(), err error) {
	wrong := 0
	for {
		info, err := l.State(ctx)
		if err != nil {
			return nil, err
		}
		release, err := l.attempt(ctx, ask, info, wrong > 0)
		var bad *PINError
		switch {
		case err == nil:
			return release, nil
		case errors.Is(err, errAskAgain):
			continue
		case !errors.As(err, &bad):
			return nil, err
		}
		if wrong++; wrong == maxWrong {
			return nil, err
		}
	}
}

// errAskAgain tells that the token changed, while the person was typing, in a way the person has to know first.
var errAskAgain = errors.New("token state changed")

func (l Login) attempt(ctx context.Context, ask PINFunc, info Info, wrong bool) (func(), error) {
	if info.Locked {
		return nil, ErrLocked
	}
	pin, err := l.ask(ctx, ask, info, wrong)
	if err != nil {
		return nil, err
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

// ask gets a PIN where the token wants one from us.
func (l Login) ask(ctx context.Context, ask PINFunc, info Info, wrong bool) (secret.PIN, error) {
	if !info.LoginRequired || info.PINPad {
		return secret.PIN{}, nil
	}
	if ask == nil {
		return secret.PIN{}, fmt.Errorf("token %q: nobody to ask for the PIN", info.Label)
	}
	return ask(ctx, info.Request(l.KeyLabel, wrong))
}

// try makes the attempt the person agreed to, unless it meanwhile became the last one, or another token's.
func (l Login) try(ctx context.Context, pin secret.PIN, asked Info) error {
	now, err := l.State(ctx)
	if err != nil {
		return err
	}
	switch {
	case now.Serial != asked.Serial || now.Label != asked.Label:
		return ErrRemoved
	case now.Locked:
		return ErrLocked
	case now.Final && !asked.Final, now.LoginRequired != asked.LoginRequired, now.PINPad != asked.PINPad:
		return errAskAgain
	}
	return l.Try(ctx, pin)
}
