// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/token"
)

// Methods between the daemon and the module child. PINs are not among the fields: they travel as descriptors.
const (
	methodSlots   = "slots"
	methodToken   = "token"
	methodObjects = "objects"
	methodOpen    = "open"
	methodSign    = "sign"
	methodClose   = "close"
	methodWatch   = "watch"
	methodForget  = "forget"

	noteSlots   = "slots.changed" // from the child: a token came or went
	noteBlinded = "slots.blind"   // from the child: it cannot wait for that any more
)

// Codes of rpc errors the child answers with.
const (
	codeRV     = 1 // Data is a ckr
	codeReason = 2 // Data is a word, see token.ModuleError.Reason, or one of the words below
)

// Words a child explains itself with, beside reasons of token.ModuleError.
const (
	reasonLoad      = token.ReasonLoad
	reasonNoKey     = "key_absent"
	reasonNoSession = "session_absent"
	reasonSlotBusy  = "slot_busy"
	reasonRemoved   = "removed"
	reasonPIN       = "pin_unreadable"
	reasonNotHeld   = "pin_not_held"
	reasonChanged   = "token_changed"
	reasonLocked    = "pin_locked"
)

// slotInfo is a slot with a token in it.
type slotInfo struct {
	Slot         uint   `json:"slot"`
	Label        string `json:"label"`
	Serial       string `json:"serial"`
	Model        string `json:"model"`
	Manufacturer string `json:"manufacturer"`
	Flags        uint   `json:"flags"`
	Mechanisms   []uint `json:"mechanisms"`
	Held         bool   `json:"held"` // the child keeps the PIN from an earlier login
}

// usable reports whether the token is initialised; a blank one has nothing to offer.
func (s slotInfo) usable() bool { return s.Flags&p11.CKF_TOKEN_INITIALIZED != 0 }

type slotsReply struct {
	Slots []slotInfo `json:"slots"`
}

type tokenParams struct {
	Slot uint `json:"slot"`
}

// tokenReply is the token in one slot, without its mechanisms.
type tokenReply struct {
	slotInfo
}

// objectsParams asks for a listing from its start, or for the next page of one.
type objectsParams struct {
	Slot    uint `json:"slot"`
	Listing uint `json:"listing"` // 0 to read the token
	From    int  `json:"from"`
}

// object is a certificate with what the child found out about its key, or a key that has no certificate.
type object struct {
	ID          []byte `json:"id,omitempty"`
	Label       string `json:"label,omitempty"`
	Certificate []byte `json:"certificate,omitempty"`
	SPKI        []byte `json:"spki,omitempty"`   // of a key without a certificate
	Key         bool   `json:"key,omitempty"`    // a public or private key object of the pair is visible
	Type        uint   `json:"type,omitempty"`   // its CKA_KEY_TYPE
	Proven      bool   `json:"proven,omitempty"` // that object holds the certificate's public key, and not the same id alone
}

// size is about what an object takes in a message.
func (o *object) size() int {
	return 4*(len(o.ID)+len(o.Certificate)+len(o.SPKI))/3 + 6*len(o.Label) + 128
}

type objectsReply struct {
	Listing uint     `json:"listing"`
	Total   int      `json:"total"`
	Objects []object `json:"objects"`
}

type openParams struct {
	Slot   uint   `json:"slot"`
	ID     []byte `json:"id"`
	SPKI   []byte `json:"spki"`
	Login  bool   `json:"login"`
	Keypad bool   `json:"keypad"` // the PIN is typed on the reader
	Held   bool   `json:"held"`   // use the PIN kept from an earlier login
	Keep   keep   `json:"keep"`   // how long to keep the one given now
	Named  bool   `json:"named"`  // the reply to an earlier one was so

	// What was known of the token when somebody agreed to log in; the child looks whether it is still so.
	Serial string `json:"serial"`
	Label  string `json:"label"`
	Flags  uint   `json:"flags"`
}

// keep is how long the child may hold a PIN, in milliseconds: since its last use, and in all. Zero: not at all.
type keep struct {
	Sliding int64 `json:"sliding"`
	Hard    int64 `json:"hard"`
}

// openReply says in how many keys the certificate's may be: more than one where the token does not tell them apart.
type openReply struct {
	Session uint `json:"session"`
	Keys    int  `json:"keys"`
	Named   bool `json:"named"` // the id names the one key and no other, and it does not ask for the PIN each time
}

// mechanism is a CK_MECHANISM whose parameter is plain bytes.
type mechanism struct {
	Number uint   `json:"number"`
	Param  []byte `json:"param,omitempty"`
}

type signParams struct {
	Session   uint      `json:"session"`
	Key       int       `json:"key"`
	Mechanism mechanism `json:"mechanism"`
	Data      []byte    `json:"data"`
	More      [][]byte  `json:"more,omitempty"` // to be signed after it, at most maxBundle in all
	Last      bool      `json:"last,omitempty"` // log out then
}

// signReply has the signature of Data and of as many of More as could be made; what stopped it is met again when the rest
// is asked for.
type signReply struct {
	Signature []byte   `json:"signature"`
	More      [][]byte `json:"more,omitempty"`
	Closed    bool     `json:"closed,omitempty"` // the session, as asked for
}

type closeParams struct {
	Session uint `json:"session"`
}

type watchReply struct {
	Waits bool `json:"waits"` // the module tells when tokens come and go
}

// Limits of what a module may claim. A reply beyond them is an error, not a larger allocation.
const (
	maxSlots      = 64
	maxMechanisms = 1024
	maxPage       = 2 << 20 // bytes of one page of a listing, about
	maxPageCount  = 4096    // objects in it
	maxCandidates = 8       // private keys a certificate may belong to
	maxText       = 128
	maxObjectID   = 256
	maxSPKI       = 4 << 10
)

var errReply = errors.New("reply beyond limits")

// validator is a reply that can check itself.
type validator interface{ validate() error }

// decode reads a reply of a child, which is as untrusted as the library in it.
func decode(raw json.RawMessage, into validator) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("module reply: %w", err)
	}
	return into.validate()
}

func (r *slotsReply) validate() error {
	if len(r.Slots) > maxSlots {
		return fmt.Errorf("%d slots: %w", len(r.Slots), errReply)
	}
	for i := range r.Slots {
		s := &r.Slots[i]
		if len(s.Mechanisms) > maxMechanisms {
			return fmt.Errorf("%d mechanisms: %w", len(s.Mechanisms), errReply)
		}
		for _, t := range []*string{&s.Label, &s.Serial, &s.Model, &s.Manufacturer} {
			*t = printable(*t)
		}
	}
	return nil
}

func (r *tokenReply) validate() error {
	one := slotsReply{[]slotInfo{r.slotInfo}}
	err := one.validate()
	r.slotInfo = one.Slots[0]
	return err
}

func (r *objectsReply) validate() error {
	if len(r.Objects) > maxPageCount || r.Total < len(r.Objects) || r.Total > maxObjects {
		return fmt.Errorf("%d of %d objects: %w", len(r.Objects), r.Total, errReply)
	}
	for i := range r.Objects {
		o := &r.Objects[i]
		if len(o.ID) > maxObjectID || len(o.Certificate) > maxAttribute || len(o.SPKI) > maxSPKI {
			return fmt.Errorf("object %d: %w", i, errReply)
		}
		o.Label = printable(o.Label)
	}
	return nil
}

func (r *openReply) validate() error {
	if r.Keys < 1 || r.Keys > maxCandidates {
		return fmt.Errorf("%d keys: %w", r.Keys, errReply)
	}
	return nil
}

func (r *watchReply) validate() error { return nil }

func (r *signReply) validate() error {
	if len(r.More) >= maxBundle {
		return fmt.Errorf("%d signatures: %w", 1+len(r.More), errReply)
	}
	for _, sig := range append([][]byte{r.Signature}, r.More...) {
		if n := len(sig); n == 0 || n > maxSignature {
			return fmt.Errorf("signature of %d bytes: %w", n, errReply)
		}
	}
	return nil
}

// nothing is the reply of methods that have none.
type nothing struct{}

func (*nothing) validate() error { return nil }

// printable makes a module's text fit to be shown: valid UTF-8, no control or direction characters, of bounded length.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if len(s) > maxText {
		s = s[:maxText]
		for !utf8.ValidString(s) {
			s = s[:len(s)-1]
		}
	}
	return s
}
