// SPDX-License-Identifier: GPL-3.0-or-later

// Package terminal is the prompt on a terminal, for commands that work without a desktop.
//
// # Contract
//
// [New] opens the controlling terminal of the process, never its standard input, so a script cannot answer for a person
// by redirection. Without a terminal the body returns signing.ErrNoPrompt. A yes is the whole word, typed; anything else
// is a no. The PIN is read byte by byte with the echo off into a secret.Buffer.
//
// # Concurrency
//
// As ui.Body asks. While it waits for a key it watches for the end of its context.
package terminal

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/internal/ui"
)

// maxLine is the longest answer read.
const maxLine = 256

// TTY is a terminal: bytes typed, and its modes. Close wakes a waiting Read.
type TTY interface {
	io.ReadWriteCloser
	// Quiet turns echo and line editing off until restore is called.
	Quiet() (restore func(), err error)
}

// Body asks on a terminal.
type Body struct {
	open func() (TTY, error)

	mu   sync.Mutex // guards writing and what follows
	tty  TTY
	card ui.Card
}

// New makes a body that asks on the controlling terminal.
func New() *Body { return &Body{open: openTTY} }

// On makes a body that asks on t.
func On(t TTY) *Body { return &Body{open: func() (TTY, error) { return t, nil }} }

// Decide prints the card and waits for the word.
func (b *Body) Decide(ctx context.Context, q signing.Question) (signing.Decision, error) {
	t, err := b.open()
	if err != nil {
		return signing.Decision{}, fmt.Errorf("%w: %w", signing.ErrNoPrompt, err)
	}
	b.mu.Lock()
	b.tty, b.card = t, ui.NewCard(q, text.Lang(q.Lang))
	b.mu.Unlock()
	ask := "prompt.terminal.ask"
	switch {
	case q.Kind.Site():
		ask = "prompt.terminal.allow"
	case text.Has("prompt.terminal." + string(q.Kind)):
		ask = "prompt.terminal." + string(q.Kind)
	case q.Kind == signing.KindSelect && b.card.Accept == "":
		ask = "choose.terminal.close"
	case q.Kind == signing.KindSelect:
		ask = "prompt.terminal.number"
	}
	b.print("\n" + b.card.Title + "\n\n" + strings.Join(b.lines(), "\n") + "\n\n" + b.card.Say(ask))
	var line []byte
	err = b.within(ctx, func() error {
		line, err = readLine(t)
		return err
	})
	if err != nil {
		return signing.Decision{}, err
	}
	word := strings.ToLower(strings.TrimSpace(string(line)))
	if q.Kind == signing.KindSelect {
		n, err := strconv.Atoi(word)
		can := err == nil && n >= 1 && n <= len(b.card.Choices) && b.card.Choices[n-1].Why == ""
		return signing.Decision{Approved: can, Chosen: max(n-1, 0)}, nil
	}
	return signing.Decision{Approved: word == b.card.Say("prompt.terminal.yes") || word == "yes"}, nil
}

// lines is the card with everything there is to choose from, and then what cannot be chosen.
func (b *Body) lines() []string {
	lines := b.card.Lines()
	refused := false
	for i, c := range b.card.Choices {
		if c.Why != "" && !refused {
			refused = true
			lines = append(lines, b.card.Say("choose.refused.heading")+":", "")
		}
		lines = append(append(lines, c.Lines(b.card.Lang, i)...), "")
	}
	return lines
}

// within runs a read that a cancelled ctx wakes by closing the terminal.
func (b *Body) within(ctx context.Context, read func() error) error {
	stop := context.AfterFunc(ctx, func() { b.tty.Close() })
	defer stop()
	err := read()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (b *Body) print(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tty != nil {
		io.WriteString(b.tty, s)
	}
}

// readLine reads up to the end of a line. The end of the terminal is an empty answer.
func readLine(r io.Reader) ([]byte, error) {
	var line []byte
	var c [1]byte
	for {
		n, err := r.Read(c[:])
		switch {
		case n == 1 && (c[0] == '\n' || c[0] == '\r'):
			return line, nil
		case n == 1 && len(line) < maxLine:
			line = append(line, c[0])
		case err == io.EOF:
			return nil, nil
		case err != nil:
			return nil, err
		}
	}
}

// PIN asks for a PIN, twice before a token's last try. An empty line gives up.
func (b *Body) PIN(ctx context.Context, r token.PINRequest, to *os.File) error {
	defer to.Close()
	if b.tty == nil {
		return signing.ErrNoPrompt
	}
	for _, line := range ui.PINWarnings(b.card.Lang, r) {
		b.print(line + "\n")
	}
	pin, err := b.read(ctx, ui.PINLabel(b.card.Lang, r))
	if err != nil {
		return err
	}
	defer pin.Wipe()
	if r.Final {
		again, err := b.read(ctx, b.card.Say("prompt.pin.again"))
		if err != nil {
			return err
		}
		defer again.Wipe()
		if !ui.SamePIN(pin, again) {
			b.print(b.card.Say("prompt.pin.differ") + "\n")
			return signing.ErrRejected
		}
	}
	return pin.WriteTo(to)
}

// read takes one PIN with the echo off.
func (b *Body) read(ctx context.Context, label string) (*secret.Buffer, error) {
	b.print(label + ": ")
	restore, err := b.tty.Quiet()
	if err != nil {
		return nil, err
	}
	defer b.print("\n")
	defer restore()
	pin, err := secret.NewBuffer(secret.MaxLen)
	if err != nil {
		return nil, err
	}
	if err := b.within(ctx, func() error { return fill(b.tty, pin) }); err != nil {
		pin.Wipe()
		return nil, err
	}
	if pin.Len() == 0 {
		pin.Wipe()
		return nil, signing.ErrRejected
	}
	return pin, nil
}

// fill takes keys up to Enter. Ctrl+C, Ctrl+D and Escape give up.
func fill(r io.Reader, pin *secret.Buffer) error {
	var c [1]byte
	defer clear(c[:])
	for {
		n, err := r.Read(c[:])
		if n == 0 {
			if err == nil {
				continue
			}
			if err == io.EOF {
				return signing.ErrRejected
			}
			return err
		}
		switch k := c[0]; {
		case k == '\n' || k == '\r':
			return nil
		case k == 3 || k == 4 || k == 27:
			return signing.ErrRejected
		case k == 8 || k == 127:
			pin.Backspace()
		case k == 21: // Ctrl+U
			for pin.Len() > 0 {
				pin.Backspace()
			}
		case k < ' ' || !pin.Append(k):
		}
	}
}

// Progress says what is being waited for.
func (b *Body) Progress(s signing.Step) {
	if s == signing.StepInsert {
		b.print(b.card.Insert + "\n")
	}
	if key := "prompt.step." + string(s); s != signing.StepWaiting && text.Has(key) {
		b.print(b.card.Say(key) + "\n")
	}
}

// Close prints the outcome.
func (b *Body) Close(_ context.Context, o signing.Outcome) error {
	if b.tty == nil {
		return nil
	}
	b.print("\n" + strings.Join(ui.NewClosing(b.card.Kind, o, b.card.Lang).Lines(), "\n") + "\n")
	return b.tty.Close()
}
