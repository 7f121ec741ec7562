// SPDX-License-Identifier: GPL-3.0-or-later

// Package pinentry is the prompt through a pinentry program, the dialog GnuPG users have: pinentry-gtk-2, pinentry-qt,
// pinentry-gnome3, pinentry-tty or any other that speaks the Assuan protocol
// (https://www.gnupg.org/documentation/manuals/assuan/).
//
// # Contract
//
// The program named in the configuration is started for one question: CONFIRM with the card, GETPIN for each PIN, MESSAGE
// with the outcome. A card longer than an Assuan line is shown in several CONFIRMs; every one of them must be confirmed. The
// PIN's line is decoded byte by byte from the pipe into a secret.Buffer. The program's own password cache is never
// switched on. When the context ends the program is killed.
//
// Pinentry programs choose their own default button and have no viewer and no dead time: where the window can be shown, it
// is the better prompt.
//
// # Concurrency
//
// As ui.Body asks.
package pinentry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/internal/ui"
)

// Body asks through a pinentry program.
type Body struct {
	program string
	args    []string
	cmd     *exec.Cmd
	conn    *assuan
	card    ui.Card
}

// New makes a body that starts program.
func New(program string, args ...string) *Body { return &Body{program: program, args: args} }

// Decide starts the program and has the card confirmed.
func (b *Body) Decide(ctx context.Context, q signing.Question) (signing.Decision, error) {
	b.card = ui.NewCard(q, text.Lang(q.Lang))
	if err := b.start(); err != nil {
		return signing.Decision{}, fmt.Errorf("%w: %w", signing.ErrNoPrompt, err)
	}
	if q.Kind == signing.KindSelect {
		return b.choose(ctx)
	}
	yes, err := b.confirm(ctx)
	if err != nil {
		b.kill()
	}
	return signing.Decision{Approved: yes && err == nil}, err
}

// choose offers one certificate after the other: these dialogs have no list. Those that cannot be chosen are shown after them,
// with the reason. Declining the last one declines all.
func (b *Body) choose(ctx context.Context) (signing.Decision, error) {
	about := b.card.Brief()
	for i, c := range b.card.Choices {
		other := b.card.Say("prompt.select.other")
		if i == len(b.card.Choices)-1 {
			other = b.card.Reject
		}
		b.dialog(onePage(slices.Concat(about, c.Lines(b.card.Lang, i))), b.card.Accept, other)
		command := "CONFIRM"
		if c.Why != "" {
			b.conn.set("SETOK", other)
			command = "MESSAGE"
		}
		err := b.within(ctx, func() error { return b.conn.command(command, nil) })
		switch {
		case err == nil && c.Why == "":
			return signing.Decision{Approved: true, Chosen: i}, nil
		case err != nil && !errors.Is(err, errDeclined):
			b.kill()
			return signing.Decision{}, failed(err)
		}
	}
	return signing.Decision{}, nil
}

// ascii is the variable to set where the locale knows ASCII alone: POSIX's, or none. Elsewhere it is "".
func ascii(env func(string) string) string {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		switch env(name) {
		case "":
			continue
		case "C", "POSIX":
			if name == "LC_ALL" { // it goes before the others
				return name
			}
			return "LC_CTYPE"
		}
		return ""
	}
	return "LC_CTYPE"
}

// start runs the program and waits for its greeting.
func (b *Body) start() error {
	b.cmd = exec.Command(b.program, b.args...)
	if v := ascii(os.Getenv); v != "" {
		b.cmd.Env = append(os.Environ(), v+"=C.UTF-8") // or it shows no Cyrillic
	}
	in, err := b.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := b.cmd.Start(); err != nil {
		return err
	}
	b.conn = &assuan{r: out, w: in}
	if err := b.conn.answer(nil); err != nil {
		b.kill()
		return err
	}
	if tty := os.Getenv("GPG_TTY"); tty != "" {
		b.conn.set("OPTION", "ttyname="+tty)
		b.conn.set("OPTION", "ttytype="+os.Getenv("TERM"))
	}
	b.conn.set("OPTION", "lc-ctype=C.UTF-8")
	return nil
}

func (b *Body) kill() {
	if b.cmd != nil && b.cmd.Process != nil {
		b.cmd.Process.Kill()
		b.cmd.Wait()
		b.cmd = nil
	}
}

// within runs an exchange that a cancelled ctx ends by killing the program.
func (b *Body) within(ctx context.Context, exchange func() error) error {
	process := b.cmd.Process
	stop := context.AfterFunc(ctx, func() { process.Kill() })
	defer stop()
	err := exchange()
	if ctx.Err() != nil {
		b.kill()
		return ctx.Err()
	}
	return err
}

func (b *Body) confirm(ctx context.Context) (bool, error) {
	list := pages(b.card.Brief())
	for i, page := range list {
		accept := b.card.Accept
		if i < len(list)-1 {
			accept = b.card.Say("prompt.next")
		}
		b.dialog(page, accept, b.card.Reject)
		err := b.within(ctx, func() error { return b.conn.command("CONFIRM", nil) })
		if errors.Is(err, errDeclined) {
			return false, nil
		}
		if err != nil {
			return false, failed(err)
		}
	}
	return true, nil
}

// failed is an exchange that broke: the program has no display, or has died.
func failed(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", signing.ErrNoPrompt, err)
}

// dialog sets the texts of the next dialog. A program that does not know one of them does without.
func (b *Body) dialog(desc, ok, cancel string) {
	b.conn.set("SETTITLE", "Persten: "+b.card.Title)
	b.conn.set("SETDESC", desc)
	b.conn.set("SETOK", ok)
	b.conn.set("SETCANCEL", cancel)
}

// PIN asks for a PIN, twice before a token's last try.
func (b *Body) PIN(ctx context.Context, r token.PINRequest, to *os.File) error {
	defer to.Close()
	if b.cmd == nil {
		return signing.ErrNoPrompt
	}
	pin, err := b.read(ctx, r, ui.PINWarnings(b.card.Lang, r))
	if err != nil {
		return err
	}
	defer pin.Wipe()
	if r.Final {
		again, err := b.read(ctx, r, []string{b.card.Say("prompt.pin.again")})
		if err != nil {
			return err
		}
		defer again.Wipe()
		if !ui.SamePIN(pin, again) {
			return signing.ErrRejected
		}
	}
	return pin.WriteTo(to)
}

func (b *Body) read(ctx context.Context, r token.PINRequest, warnings []string) (*secret.Buffer, error) {
	b.dialog(b.card.Asker, b.card.Accept, b.card.Reject)
	b.conn.set("SETPROMPT", b.card.Say("prompt.pin.short")+":")
	b.conn.set("SETDESC", b.card.Asker+"\n"+ui.PINLabel(b.card.Lang, r))
	if len(warnings) > 0 {
		b.conn.set("SETERROR", strings.Join(warnings, " "))
	}
	pin, err := secret.NewBuffer(secret.MaxLen)
	if err != nil {
		return nil, err
	}
	err = b.within(ctx, func() error { return b.conn.command("GETPIN", pin) })
	switch {
	case errors.Is(err, errDeclined), err == nil && pin.Len() == 0:
		err = signing.ErrRejected
	case err != nil:
		err = failed(err)
	default:
		return pin, nil
	}
	pin.Wipe()
	return nil, err
}

// Progress has no place in these dialogs.
func (b *Body) Progress(signing.Step) {}

// Close shows the outcome until it is closed, and ends the program.
func (b *Body) Close(ctx context.Context, o signing.Outcome) error {
	if b.cmd == nil {
		return nil
	}
	defer b.kill()
	if b.card.Kind.Keyless() && (o.Code == "" || o.Code == "user_rejected") {
		return nil
	}
	closing := ui.NewClosing(b.card.Kind, o, b.card.Lang)
	b.dialog(pages(closing.Lines())[0], b.card.Say("prompt.closing.close"), "")
	err := b.within(ctx, func() error { return b.conn.command("MESSAGE", nil) })
	if errors.Is(err, errDeclined) {
		return nil
	}
	return err
}

// pageSize leaves room for the command in an Assuan line.
const pageSize = 900

// longestLine is room for what we explain ourselves; what comes from others is shorter already.
const longestLine = 400

// fitting cuts a line so that it fits a page.
func fitting(line string) string {
	for most := longestLine; ; most /= 2 {
		if s := ui.Safe(line, most); len(escape(s)) <= pageSize {
			return s
		}
	}
}

// onePage cuts lines so that all of them fit one page: what tells two certificates apart may stand in the last.
func onePage(lines []string) string {
	for most := longestLine; ; most = most * 3 / 4 {
		short := make([]string, len(lines))
		for i, l := range lines {
			short[i] = ui.Safe(strings.TrimLeft(l, " "), most)
		}
		if list := pages(short); len(list) == 1 {
			return list[0]
		}
	}
}

// pages puts lines together to texts that fit an Assuan line when escaped. A line too long for a page is cut.
func pages(lines []string) []string {
	var list []string
	page := ""
	for _, l := range lines {
		l = strings.TrimRight(fitting(strings.TrimLeft(l, " ")), " ·")
		if page != "" && len(escape(page))+3+len(escape(l)) > pageSize {
			list, page = append(list, page), ""
		}
		if page != "" {
			page += "\n"
		}
		page += l
	}
	return append(list, page)
}
