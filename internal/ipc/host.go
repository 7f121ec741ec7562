// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"errors"
	"fmt"
	"io"
)

// HostPipe is the native host: it moves envelopes between the browser and the session until either side ends, and then
// closes both. Going to the session it writes extension, which the browser named when it started the host, over whatever a
// frame says; coming from it, frames over [MaxPart] are cut into parts. It reads no body. A frame it cannot forward closes
// that frame's channel on both sides.
//
// The session connection has said hello already ([DialHost]). HostPipe returns nil when the browser closed; any other end
// is an error, and the process should exit with it so that the browser learns the session is gone.
func HostPipe(browser, session Conn, extension string) error {
	p := &pipe{browser: browser, session: session, extension: extension}
	ends := make(chan error, 2)
	go func() { ends <- p.toSession() }()
	go func() { ends <- p.toBrowser() }()
	err := <-ends
	session.Close()
	browser.Close()
	return err // the other direction may still be inside a read of standard input; it dies with the process
}

type pipe struct {
	browser, session Conn
	extension        string
}

// toSession ends with nil when the browser closed.
func (p *pipe) toSession() error {
	bad := 0
	for {
		b, err := p.browser.Recv()
		var large *FrameError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &large) && large.Skipped:
			if err = p.refuse(large.Head, "too_large"); err != nil {
				return err
			}
			continue
		case err != nil:
			return fmt.Errorf("read from browser: %w", err)
		}
		e, err := parseEnvelope(b)
		if err != nil {
			if bad++; bad > maxBadFrames {
				return err
			}
			if err = p.refuse(b, "malformed"); err != nil {
				return err
			}
			continue
		}
		if err := p.forward(e); err != nil {
			return fmt.Errorf("write to session: %w", err)
		}
	}
}

func (p *pipe) forward(e *envelope) error {
	if e.From != nil {
		e.From.Extension = p.extension
	}
	b, err := e.encode()
	if err != nil {
		return err
	}
	err = p.session.Send(b)
	var large *FrameError
	if errors.As(err, &large) { // grew over the limit by the extension's id
		return p.refuse(b, "too_large")
	}
	return err
}

// refuse closes the channel that a frame began to name, on both sides.
func (p *pipe) refuse(head []byte, reason string) error {
	ch, ok := channelOf(head)
	if !ok {
		return fmt.Errorf("%w: frame without a channel, %s", ErrProtocol, reason)
	}
	if err := p.browser.Send(closeFrame(ch, reason)); err != nil {
		return err
	}
	return p.session.Send(closeFrame(ch, reason))
}

func (p *pipe) toBrowser() error {
	for {
		b, err := p.session.Recv()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("session is gone: %w", err)
		}
		if err != nil {
			return fmt.Errorf("read from session: %w", err)
		}
		for _, f := range fit(b) {
			if err := p.browser.Send(f); err != nil {
				return fmt.Errorf("write to browser: %w", err)
			}
		}
	}
}

// fit returns the frames a browser accepts for one frame of the session.
func fit(b []byte) [][]byte {
	if len(b) <= MaxPart {
		return [][]byte{b}
	}
	e, err := parseEnvelope(b)
	if err != nil || e.Kind != kindRPC {
		return nil // our own session sends large frames of no other kind
	}
	return cut(e.Ch, e.Body)
}
