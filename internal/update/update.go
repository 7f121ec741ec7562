// SPDX-License-Identifier: GPL-3.0-or-later

// Package update reads the publisher's signed description of the newest release. It neither fetches nor installs anything.
//
// # The description
//
// It is one JSON file of two envelopes in the form of DSSE v1, so that other tools can check them:
//
//	keys     names the keys that sign releases and how many of them must; signed by a root key, which is built into the program
//	release  names a channel's newest version and its packages by address, size and SHA-256; signed by those keys
//
// The root key stays offline and signs seldom. A release key that was lost or stolen is left out of the next list of keys. A root
// key is replaced by a release whose program holds the new one.
//
// Everything is canonical: a file, and each payload in it, is what [Description.Encode] and [Seal] write, to the byte. So
// duplicate or unknown members, other spellings of a time and spaces are refused without rules of their own.
//
// # What is refused
//
// What no good signature covers ([ErrSignature]); what is older than something that was already believed, by its serial number or
// its version ([ErrRollback]); two contents under one serial number, one part in the place of another, and a package of another
// version ([ErrMixed]); what has ended or has not begun by the caller's clock ([ErrExpired], [ErrEarly]); another channel
// ([ErrChannel]); and what is over the limits or not canonical ([ErrMalformed]).
package update

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Why a description is not believed.
var (
	ErrMalformed = errors.New("not a description of updates")
	ErrSignature = errors.New("not signed by the publisher")
	ErrRollback  = errors.New("older than what was already seen")
	ErrMixed     = errors.New("parts that do not belong together")
	ErrExpired   = errors.New("out of date")
	ErrEarly     = errors.New("from the future")
	ErrChannel   = errors.New("of another channel")
)

// Limits of a description.
const (
	MaxSize     = 256 << 10
	maxKeys     = 16
	maxPackages = 64
	maxLife     = 400 * 24 * time.Hour // of a list of keys or a release
	skew        = 24 * time.Hour       // by which clocks may differ
)

// Trust is what a description is judged by.
type Trust struct {
	Roots   []ed25519.PublicKey
	Channel string
	Now     time.Time
	Seen    Seen // what was believed last; the zero value is nothing
}

// Read returns the release that data describes, and what has then been seen, which the caller keeps for the next time. The error
// wraps one of this package.
func (t Trust) Read(data []byte) (*Release, Seen, error) {
	var d Description
	if err := decode(data, &d); err != nil {
		return nil, t.Seen, err
	}
	var keys Keys
	if err := d.Keys.open(KeysType, t.Roots, 1, &keys); err != nil {
		return nil, t.Seen, fmt.Errorf("keys: %w", err)
	}
	if err := keys.check(); err != nil {
		return nil, t.Seen, fmt.Errorf("keys: %w", err)
	}
	r := new(Release)
	if err := d.Release.open(ReleaseType, keys.Keys, keys.Threshold, r); err != nil {
		return nil, t.Seen, fmt.Errorf("release: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, t.Seen, fmt.Errorf("release: %w", err)
	}
	seen, err := t.admit(d, keys, r)
	if err != nil {
		return nil, t.Seen, err
	}
	return r, seen, nil
}

// admit judges what is signed and sound by what was seen, the clock and the channel.
func (t Trust) admit(d Description, keys Keys, r *Release) (Seen, error) {
	seen, err := t.Seen.advance(d, keys, r)
	if err != nil {
		return t.Seen, err
	}
	if err := keys.Period.at(t.Now); err != nil {
		return t.Seen, fmt.Errorf("keys: %w", err)
	}
	if err := r.Period.at(t.Now); err != nil {
		return t.Seen, fmt.Errorf("release: %w", err)
	}
	if r.Channel != t.Channel {
		return t.Seen, fmt.Errorf("%w: %q", ErrChannel, r.Channel)
	}
	return seen, nil
}

// decode reads JSON that must be canonical.
func decode(data []byte, into any) error {
	if len(data) > MaxSize {
		return malformed("more than %d KiB", MaxSize>>10)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return malformed("%v", err)
	}
	if !bytes.Equal(encode(into), data) {
		return malformed("not in canonical form")
	}
	return nil
}

// encode is the canonical form: the members in the order of the type, no spaces, one final newline.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil // a time beyond the year 9999; nothing else of our types cannot be written
	}
	return b.Bytes()
}

func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, a...))
}
