// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/internal/ui"
	"persten/internal/ui/terminal"
	"persten/proto"
)

// signAlone runs the same engine in this process, with the same journal.
func (a *app) signAlone(ctx context.Context, o order, in *os.File, w io.Writer) (signed, error) {
	s, engine, err := a.aloneEngine(ctx, o)
	if err != nil {
		return signed{}, err
	}
	defer s.close()
	who := commandCaller(string(a.lang))
	var content *signing.Content
	if in != nil {
		kept, drop, err := a.spooled(engine, who, in)
		if err != nil {
			return signed{}, err
		}
		defer drop()
		content = kept
	}
	var made *signing.Result
	if p := o.xml; p != nil {
		made, err = engine.SignXML(ctx, who, signing.XMLRequest{
			Certificate: s.cert, Content: content, Algorithm: p.Algorithm, Form: signing.FormOf(*p),
		}, w)
	} else {
		made, err = cmsAlone(ctx, engine, who, s.cert, o, content, w)
	}
	if err != nil {
		return signed{}, err
	}
	return signed{"", made.Certificate.ID(), made.Time}, nil
}

// spooled keeps a file's bytes for the engine of this process until drop.
func (a *app) spooled(e *signing.Engine, who signing.Caller, in *os.File) (content *signing.Content, drop func(), err error) {
	handle, content, err := e.Store().Create(who.Channel, filepath.Base(in.Name()), "", func(spool io.Writer) error {
		b := a.bar("cli.progress.sending", size(in))
		defer b.clear()
		_, err := io.Copy(spool, b.reader(in))
		return err
	})
	return content, func() { e.Store().Drop(who.Channel, handle) }, err
}

// aloneEngine is the engine of this process, with the keys and the approval of a command.
func (a *app) aloneEngine(ctx context.Context, o order) (*standalone, *signing.Engine, error) {
	if err := secret.Harden(); err != nil {
		return nil, nil, err
	}
	s, err := a.alone(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	engine, err := a.engine(s.keys, s.ask, nil)
	if err != nil {
		s.close()
		return nil, nil, err
	}
	return s, engine, nil
}

// standalone is where a command's keys and its approval come from.
type standalone struct {
	keys  token.Inventory
	cert  string
	ask   signing.Approver
	close func()
}

func (a *app) alone(ctx context.Context, o order) (*standalone, error) {
	if o.key != "" {
		return keyFile(ctx, o)
	}
	ask := signing.Approver(atTerminal{ui.Local(func() ui.Body { return terminal.New() })})
	if o.pinFD >= 0 {
		pin, err := readSecret(o.pinFD)
		if err != nil {
			return nil, err
		}
		o.pin = pin
	}
	if o.pin != nil {
		ask = &handedOver{pin: o.pin}
	}
	keys, err := a.inventory(o.demo)
	if err != nil {
		return nil, err
	}
	return &standalone{keys: keys.Inventory, cert: o.cert, ask: ask, close: keys.Close}, nil
}

// keyFile unlocks the PKCS#12 file of --key; without --cert its first certificate signs.
func keyFile(ctx context.Context, o order) (*standalone, error) {
	file, err := keyfile.OpenFile(o.key)
	if err != nil {
		return nil, fileFormat(err)
	}
	password, err := readSecret(o.passFD)
	if err != nil {
		return nil, err
	}
	pin, err := secret.Handle(password)
	if err != nil {
		return nil, err
	}
	if err := file.Unlock(pin); err != nil {
		return nil, fileFormat(err)
	}
	s := &standalone{keys: file, cert: o.cert, ask: &handedOver{}, close: func() { file.Close() }}
	keys, err := file.Keys(ctx)
	if err == nil && len(keys) == 0 {
		err = proto.E(proto.CodeKeyAbsent, nil)
	}
	if err == nil && s.cert == "" {
		s.cert = keys[0].ID()
	}
	return s, err
}

func fileFormat(err error) error {
	var bad *keyfile.FormatError
	var wrong *token.PINError
	switch {
	case errors.As(err, &wrong):
		return proto.E(proto.CodePasswordIncorrect, err)
	case errors.As(err, &bad):
		return proto.E(proto.CodeFormatP12, err, "detail", bad.Detail)
	}
	return err
}

// atTerminal asks the person at the terminal; where there is none, nobody has agreed.
type atTerminal struct{ signing.Approver }

func (t atTerminal) Ask(ctx context.Context, q signing.Question) (signing.Prompt, error) {
	p, err := t.Approver.Ask(ctx, q)
	if err != nil {
		return nil, nobodyAgreed(err)
	}
	return promptAtTerminal{p}, nil
}

type promptAtTerminal struct{ signing.Prompt }

func (p promptAtTerminal) Decide(ctx context.Context) (signing.Decision, error) {
	d, err := p.Prompt.Decide(ctx)
	return d, nobodyAgreed(err)
}

func nobodyAgreed(err error) error {
	if errors.Is(err, signing.ErrNoPrompt) {
		return proto.E(proto.CodeUserRejected, err)
	}
	return err
}

// handedOver is the approval of a command that was given the secret: handing it over is the consent, for one request.
// The PIN, when there is one, is tried once.
type handedOver struct{ pin *secret.Buffer }

func (h *handedOver) Ask(context.Context, signing.Question) (signing.Prompt, error) { return h, nil }

func (h *handedOver) Decide(context.Context) (signing.Decision, error) {
	return signing.Decision{Approved: true}, nil
}

func (h *handedOver) PIN(_ context.Context, r token.PINRequest) (secret.PIN, error) {
	if h.pin == nil {
		return secret.PIN{}, &token.PINError{Attempts: r.Attempts, Final: r.Final}
	}
	pin, err := secret.Handle(h.pin)
	h.pin = nil
	return pin, err
}

func (h *handedOver) Progress(signing.Step) {}

func (h *handedOver) Close(signing.Outcome) error {
	h.pin.Wipe()
	return nil
}

// readSecret reads a PIN or password from descriptor fd up to its end; one line end after it does not belong to it.
func readSecret(fd int) (*secret.Buffer, error) {
	f := os.Stdin // Windows has no number 0
	if fd != 0 {
		f = os.NewFile(uintptr(fd), "secret")
	}
	if f == nil {
		return nil, usage(fmt.Errorf("descriptor %d is not open", fd))
	}
	b, err := secret.FromFile(f).Read()
	if errors.Is(err, secret.ErrUnlocked) {
		return nil, proto.E(proto.CodeMemoryLock, err)
	}
	if err != nil {
		return nil, usage(fmt.Errorf("descriptor %d: %w", fd, err))
	}
	for n := b.Len(); n > 0 && (b.Bytes()[n-1] == '\n' || b.Bytes()[n-1] == '\r'); n = b.Len() {
		b.Backspace()
	}
	return b, nil
}
