// SPDX-License-Identifier: GPL-3.0-or-later

// Package token says what a signing token is, whatever stands behind it: a PKCS#11 library (token/pkcs11), a key file
// or the demo token (token/keyfile), the certificate store of Windows (token/wincert).
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
// Inventories and keys are safe for concurrent use. A Session belongs to one request; its Sign calls run one at a time,
// unless it is [Parallel].
package token

import (
	"context"
	"encoding/asn1"
	"strings"

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
	Issued        bool   `json:"issued"`          // the token says that its PIN is still the one it was issued with
	Touch         bool   `json:"touch,omitempty"` // may wait for a finger on it before it signs
	Demo          bool   `json:"demo"`
	Path          string `json:"path"` // of the module or the key file; for logs and local callers
}

// KeyFile is the Module of a token that is a file; its PIN is the file's password, and Path is the file's.
const KeyFile = "keyfile"

// WindowsStore is the Module of the certificate store of Windows; the Model of its keys is the provider that holds them.
const WindowsStore = "windows"

// WindowsCard reports whether a provider of the WindowsStore is one of those by which Windows itself drives cards.
func WindowsCard(provider string) bool {
	return strings.HasPrefix(provider, "Microsoft ") && strings.Contains(provider, " Smart Card ")
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

// Key is a certificate and the private key behind it, or a key that has no certificate yet.
type Key interface {
	ID() string                     // the certificate's id; without one, SHA-256 of the SubjectPublicKeyInfo in lower hex
	Certificate() *cert.Certificate // nil for a key without one
	Token() Info
	Algorithms() []algo.ID // that the key and the token both know, the default first; none: the key cannot sign here
	Open(ctx context.Context, pin PINFunc) (Session, error)
}

// Paired is a Key that tells what ties it to its certificate on the token.
type Paired interface {
	// Pair is the id the token gives both, empty for none, and whether an object of the token is known to hold the
	// certificate's public key. One that hides until the login is not.
	Pair() (id []byte, proven bool)
}

// Explainer is a Key that knows why it has no Algorithms.
type Explainer interface {
	Reason() string // one of the words below, empty when the key can sign
}

// Reasons of an Explainer.
const (
	NoKey       = "no_key"       // the certificate is here, its private key is not
	NoMechanism = "no_mechanism" // the token only stores the key, or its algorithm is missing
	NoSupport   = "no_support"   // the key is of a kind nobody here knows
)

// Session is a logged-in lease on a token, for one approved request.
type Session interface {
	Sign(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error)
	Close() error // logs out; closing twice is harmless
}

// Parallel is a Session that signs for several goroutines at once. Where the key asks for the PIN before each signature, the
// first wrong one ends it for all of them.
type Parallel interface {
	Session
	// Parallel is how many calls of Sign are worth having under way, at least 1. Who asks will make several signatures: from then
	// on, when their context ends, those the token is working on still get a moment.
	Parallel() int
}

// Finisher is a Session that may log out together with the last signature, which saves a call where calls cost as much as a
// signature. Close is due all the same.
type Finisher interface {
	Session
	SignLast(ctx context.Context, id algo.ID, in algo.Input) ([]byte, error)
}

// Holder is a Key whose token may hold a PIN from an earlier login, where policy allows that.
type Holder interface {
	// Held tells whether Open would ask for no PIN now.
	Held(ctx context.Context) bool
}

// Generator is an Inventory that makes keys on tokens.
type Generator interface {
	// Generate makes a key pair on the token, which asks for the PIN as Open does, and returns its public half. The private
	// half cannot leave the token. ErrUnsupported when the token does not make such keys.
	Generate(ctx context.Context, on Info, o KeyOptions, pin PINFunc) (algo.PublicKey, error)
}

// KeyOptions describe a key pair to be made.
type KeyOptions struct {
	Kind  string                // rsa2048, rsa3072, rsa4096, p256, p384, gost256 or gost512
	Set   asn1.ObjectIdentifier // a parameter set of GOST keys other than the usual one
	Label string
}

// Deriver is a Session whose key can agree on a key with another.
type Deriver interface {
	// Derive returns the 32-byte key of VKO (RFC 7836 section 4.3.1). The caller wipes it.
	Derive(ctx context.Context, a Agreement) ([]byte, error)
}

// Agreement says with whom and how.
type Agreement struct {
	Peer      algo.PublicKey // on the same curve as the session's key
	UKM       []byte         // 8 to 32 bytes
	Diversify bool           // put KDF_GOSTR3411_2012_256 after it, where the token can
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

// Finder is an Inventory that need not ask every module for one key.
type Finder interface {
	// Find returns a key that is wanted, if one was listed lately and its token is still there; nil means that only Keys can
	// tell. Of several it is the one that Keys would list.
	Find(ctx context.Context, wanted func(Key) bool) Key
}

// Refresher is an inventory that caches its listing. Refresh makes the next Keys read the tokens again.
type Refresher interface{ Refresh() }

// Request makes the question a person is asked about the token in state i.
func (i Info) Request(keyLabel string, wrong bool) PINRequest {
	return PINRequest{Token: i, Wrong: wrong, Attempts: i.Attempts, Low: i.Low, Final: i.Final, KeyLabel: keyLabel}
}
