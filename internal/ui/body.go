// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"context"
	"fmt"
	"os"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
)

// Body draws one prompt in the process that owns it. One question per Body.
type Body interface {
	// Decide shows q and waits for the answer. When ctx ends the prompt vanishes and Decide returns ctx.Err().
	// A Body that cannot reach a person returns signing.ErrNoPrompt. The Body reads q.Documents[i].Content but does not
	// close it.
	Decide(ctx context.Context, q signing.Question) (signing.Decision, error)

	// PIN asks for a PIN in the same place, writes it raw to to and closes to in every case. signing.ErrRejected means
	// that the person gave up.
	PIN(ctx context.Context, r token.PINRequest, to *os.File) error

	// Progress tells where the work stands. It must not block.
	Progress(signing.Step)

	// Close shows the outcome and returns when the person has closed it, or the Body thinks it was seen.
	Close(ctx context.Context, o signing.Outcome) error
}

// Local asks in this process, for commands that work without a session. Close of its prompts waits for the Body: the
// process is about to end, and the last sentence must be seen.
func Local(newBody func() Body) signing.Approver { return local{newBody} }

type local struct{ newBody func() Body }

func (l local) Ask(ctx context.Context, q signing.Question) (signing.Prompt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(ctx)
	return &localPrompt{body: l.newBody(), q: q, life: life, end: end}, nil
}

type localPrompt struct {
	body Body
	q    signing.Question
	life context.Context
	end  context.CancelFunc
}

// within ends ctx also when the prompt's life ends.
func (p *localPrompt) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(p.life, cancel)
	return ctx, func() { stop(); cancel() }
}

func (p *localPrompt) Decide(ctx context.Context) (signing.Decision, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	d, err := p.body.Decide(ctx, p.q)
	if err != nil {
		d = signing.Decision{}
	}
	return d, ended(ctx, err)
}

func (p *localPrompt) PIN(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	pin, to, err := secret.Pipe()
	if err != nil {
		return secret.PIN{}, err
	}
	if err := p.body.PIN(ctx, r, to); err != nil {
		pin.Close()
		return secret.PIN{}, ended(ctx, err)
	}
	return pin, nil
}

func (p *localPrompt) Progress(s signing.Step) { p.body.Progress(s) }

func (p *localPrompt) Close(o signing.Outcome) error {
	defer p.end()
	if p.life.Err() != nil {
		return nil // the prompt vanished with its question
	}
	return p.body.Close(p.life, o)
}

// ended prefers the reason a context gives to what a body made of it.
func ended(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("prompt: %w", err)
	}
	return nil
}
