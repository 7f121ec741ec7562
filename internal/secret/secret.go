// SPDX-License-Identifier: GPL-3.0-or-later

// Package secret moves a PIN or a password from the window where a person types it to the code that needs it, and to
// nothing in between.
//
// # Contract
//
// A [PIN] is the read end of a one-shot pipe: it can be passed between processes and stored in structs, and holds no
// digits. Whoever consumes it calls [PIN.Read] once and gets a [Buffer]: locked, never swapped, left out of core dumps,
// wiped on demand. The bytes of a secret are never a Go string and never on the Go heap, because neither can be wiped.
//
// Printing, logging or marshalling any type of this package yields "[PIN]" or an error, whatever verb is used.
// [Handler] makes the same true of a whole log.
//
// # Concurrency
//
// A Buffer may be used from several goroutines, but the slice Bytes returns is valid only until Wipe: the owner wipes
// last. A PIN is consumed by one goroutine.
package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
)

// MaxLen is the longest secret accepted, in bytes.
const MaxLen = 256

// Errors of reading and filling.
var (
	ErrTooLong  = errors.New("secret longer than 256 bytes")
	ErrConsumed = errors.New("secret was already read or never set")
	ErrUnlocked = errors.New("the system refuses to lock memory")
	errMarshal  = errors.New("a secret cannot be marshalled")
)

const redacted = "[PIN]"

// PIN is a handle of a secret that waits to be read. The zero PIN holds nothing; reading it gives ErrConsumed.
type PIN struct{ f *os.File }

// Pipe returns a PIN and the write end that fills it. The secret ends where the writer closes.
func Pipe() (PIN, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return PIN{}, nil, fmt.Errorf("PIN pipe: %w", err)
	}
	return PIN{f: r}, w, nil
}

// Handle puts the secret of b into a pipe, straight from its locked page, and wipes b.
func Handle(b *Buffer) (PIN, error) {
	defer b.Wipe()
	pin, w, err := Pipe()
	if err != nil {
		return pin, err
	}
	defer w.Close()
	if err := b.WriteTo(w); err != nil { // a pipe holds more than MaxLen, so this does not wait for a reader
		pin.Close()
		return PIN{}, err
	}
	return pin, nil
}

// FromFile makes a PIN of a descriptor received from elsewhere, such as --pin-fd. It takes ownership of f.
func FromFile(f *os.File) PIN { return PIN{f: f} }

// File returns the descriptor, for passing it on to another process. It stays owned by p.
func (p PIN) File() *os.File { return p.f }

// Close gives the secret up unread. Closing twice, or after Read, is harmless.
func (p PIN) Close() error {
	if p.f == nil {
		return nil
	}
	if err := p.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Read consumes the secret into locked memory, up to the end of the pipe, and closes the handle. The caller wipes the
// buffer.
func (p PIN) Read() (*Buffer, error) {
	if p.f == nil {
		return nil, ErrConsumed
	}
	defer p.Close()
	b, err := NewBuffer(MaxLen)
	if err != nil {
		return nil, err
	}
	if err := b.fill(p.f); err != nil {
		b.Wipe()
		return nil, err
	}
	return b, nil
}

// Format prints the same text for every verb.
func (p PIN) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue implements slog.LogValuer.
func (p PIN) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON always fails: a PIN never crosses JSON.
func (p PIN) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalText always fails, as MarshalJSON does.
func (p PIN) MarshalText() ([]byte, error) { return nil, errMarshal }
