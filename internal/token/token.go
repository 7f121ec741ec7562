// SPDX-License-Identifier: GPL-3.0-or-later

// Package token says what a signing token is, whatever stands behind it: a PKCS#11 library (token/pkcs11), a key file
// or the demo token (token/keyfile).
//
// # Contract
//
// An [Inventory] lists certificates whose private keys can be used here. Listing never logs in. [Key.Open] logs in and
// returns a [Session]: a lease on the whole token, because a login belongs to the process and the token, not to a
// session, and whoever came second would otherwise sign on the first one's PIN. Close logs out and frees the lease.
//
// Open asks for the PIN through a [PINFunc], once per attempt, and never retries by itself. The lease is not held while
// the person types. After two wrong entries it gives up with *[PINError].
//
// Signatures come back in the form a CMS SignerInfo holds, already verified with the certificate's public key.
//
// # Errors
//
// Callers tell apart [ErrAbsent], [ErrBusy], [ErrRemoved], [ErrLocked], [ErrUnsupported], *[PINError] and
// *[ModuleError]; an error of a PINFunc or of the context passes through unchanged. Vendor codes stay inside
// *ModuleError and are for the log. A digest of the wrong length is algo.ErrInput, before the token hears of it.
//
// # Concurrency
//
// Inventories and keys are safe for concurrent use. A Session belongs to one request; its Sign calls run one at a time.
package token

import (
	"context"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
)

// Info describes a token as it is now.
type Info struct {
	Module        string `json:"module"`
	Slot          string `json:"slot"`
	Label         string `json:"label"`
	Serial        string `json:"serial"`
	Model         string `json:"model"`
	Manufacturer  string `json:"manufacturer"`
	PINPad        bool   `json:"pinPad"`        // the PIN is typed on the reader, PINFunc is not called
	LoginRequired bool   `json:"loginRequired"` // Open will ask for a PIN
	Attempts      int    `json:"attempts"`      // wrong PINs left; -1 when the token does not tell
	Low           bool   `json:"low"`           // a wrong PIN was entered since the last right one
	Final         bool   `json:"final"`         // one more wrong PIN locks the token
	Locked        bool   `json:"locked"`
	Demo          bool   `json:"demo"`
	Path          string `json:"path"` // of the module or the key file; for logs and local callers
}

// PINRequest is what the person should know before typing a PIN.
type PINRequest struct {
	Token    Info   `json:"token"`
	Wrong    bool   `json:"wrong"`    // the entry before this one was wrong
	Attempts int    `json:"attempts"` // -1 when unknown
	Low      bool   `json:"low"`
	Final    bool   `json:"final"` // this entry, when wrong, locks the token: wants a second, typed confirmation
	KeyLabel string `json:"keyLabel"`
}

// PINFunc gets a PIN from a person, or an error that ends Open and is returned unchanged.
type PINFunc func(ctx context.Context, r PINRequest) (secret.PIN, error)

// Inventory is a source of keys.
type Inventory interface {
	// Keys lists certificates with keys. When some source fails it returns what the others have and the joined errors.
	Keys(ctx context.Context) ([]Key, error)
	// Tokens lists tokens that are present, also those without certificates; partial results as in Keys.
	Tokens(ctx context.Context) ([]Info, error)
	// Events reports changes until ctx ends and the channel is closed. Slow readers lose events, never block tokens.
	Events(ctx context.Context) <-chan Event
}

// Key is a certificate and the private key behind it.
type Key interface {
	ID() string // the certificate's id
	Certificate() *cert.Certificate
	Token() Info
	Algorithms() []algo.ID // that the key and the token both know, the default first; none: the key cannot sign here
	Open(ctx context.Context, pin PINFunc) (Session, error)
}

// Session is a logged-in lease on a token, for one approved request.
type Session interface {
	Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error)
	Close() error // logs out; closing twice is harmless
}

// Event is a change of what tokens are there.
type Event struct {
	Kind  string // Inserted, Removed, Changed
	Token Info
}

// The kinds of event.
const (
	Inserted = "inserted"
	Removed  = "removed"
	Changed  = "changed"
)

// Refresher is an inventory that caches its listing. Refresh makes the next Keys read the tokens again.
type Refresher interface{ Refresh() }

// Request makes the question a person is asked about the token in state i.
func (i Info) Request(keyLabel string, wrong bool) PINRequest {
	return PINRequest{Token: i, Wrong: wrong, Attempts: i.Attempts, Low: i.Low, Final: i.Final, KeyLabel: keyLabel}
}
