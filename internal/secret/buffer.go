// SPDX-License-Identifier: GPL-3.0-or-later

package secret

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"unicode/utf8"
)

// Buffer is a secret in memory of its own: outside the Go heap, locked, kept out of dumps.
type Buffer struct {
	mu  sync.Mutex
	mem []byte // whole pages; nil once wiped
	n   int
	max int
}

// Lockable reports, with ErrUnlocked, that the system will not lock memory for a secret. Processes that this one starts have the
// same limit, so it tells beforehand whether they could read one.
func Lockable() error {
	b, err := NewBuffer(MaxLen)
	if err != nil {
		return err
	}
	b.Wipe()
	return nil
}

// NewBuffer returns an empty buffer for at most max bytes, 1 to MaxLen. It fails with ErrUnlocked when the system will not
// lock memory.
func NewBuffer(max int) (*Buffer, error) {
	if max <= 0 || max > MaxLen {
		return nil, fmt.Errorf("secret of %d bytes: %w", max, ErrTooLong)
	}
	mem, err := lockedPages(max + 1) // one byte more, to notice what is too long
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnlocked, err)
	}
	return &Buffer{mem: mem, max: max}, nil
}

// Bytes returns the secret in place, not a copy. It is valid until the next change and must not be kept.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mem[:b.n:b.n]
}

// Len is the number of bytes held; 0 after Wipe.
func (b *Buffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// Append adds one byte and reports whether there was room.
func (b *Buffer) Append(c byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mem == nil || b.n >= b.max {
		return false
	}
	b.mem[b.n] = c
	b.n++
	return true
}

// Backspace removes the last UTF-8 character, or the last byte where it is not UTF-8.
func (b *Buffer) Backspace() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n == 0 {
		return
	}
	_, size := utf8.DecodeLastRune(b.mem[:b.n])
	clear(b.mem[b.n-size : b.n])
	b.n -= size
}

// WriteTo writes the secret to f, with no copy on the way. The caller closes f, which ends the secret for its reader.
func (b *Buffer) WriteTo(f *os.File) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := f.Write(b.mem[:b.n])
	return err
}

// Wipe zeroes the memory and gives it back. The buffer is empty afterwards and cannot be filled again.
func (b *Buffer) Wipe() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mem == nil {
		return
	}
	clear(b.mem)
	releasePages(b.mem)
	b.mem, b.n = nil, 0
}

// fill reads f to its end, straight into the locked page.
func (b *Buffer) fill(f *os.File) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.n <= b.max {
		got, err := f.Read(b.mem[b.n : b.max+1])
		b.n += got
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read secret: %w", err)
		}
	}
	if b.n > b.max {
		return ErrTooLong
	}
	return nil
}

// Format prints the same text for every verb.
func (b *Buffer) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue implements slog.LogValuer.
func (b *Buffer) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON always fails: a secret never crosses JSON.
func (b *Buffer) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalText always fails, as MarshalJSON does.
func (b *Buffer) MarshalText() ([]byte, error) { return nil, errMarshal }
