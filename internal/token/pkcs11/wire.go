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
)

// Methods between the daemon and the module child. PINs are not among the fields: they travel as descriptors.
const (
	methodSlots   = "slots"
	methodObjects = "objects"
	methodOpen    = "open"
	methodSign    = "sign"
	methodClose   = "close"
)

// Codes of rpc errors the child answers with.
const (
	codeRV     = 1 // Data is a ckr
	codeReason = 2 // Data is a word, see token.ModuleError.Reason, or one of the words below
)

// Words a child explains itself with, beside reasons of token.ModuleError.
const (
	reasonLoad      = "load"
	reasonNoKey     = "key_absent"
	reasonNoSession = "session_absent"
	reasonSlotBusy  = "slot_busy"
	reasonRemoved   = "removed"
	reasonPIN       = "pin_unreadable"
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
}

// usable reports whether the token is initialised; a blank one has nothing to offer.
func (s slotInfo) usable() bool { return s.Flags&p11.CKF_TOKEN_INITIALIZED != 0 }

type slotsReply struct {
	Slots []slotInfo `json:"slots"`
}

type slotParams struct {
	Slot uint `json:"slot"`
}

// object is a certificate with what the child found out about its key.
type object struct {
	ID          []byte `json:"id"`
	Label       string `json:"label"`
	Certificate []byte `json:"certificate"`
	Key         bool   `json:"key"` // a public or private key object of the pair is visible
}

type objectsReply struct {
	Objects []object `json:"objects"`
}

type openParams struct {
	Slot   uint   `json:"slot"`
	ID     []byte `json:"id"`
	SPKI   []byte `json:"spki"`
	Login  bool   `json:"login"`
	Keypad bool   `json:"keypad"` // the PIN is typed on the reader
}

type openReply struct {
	Session uint `json:"session"`
}

type signParams struct {
	Session   uint   `json:"session"`
	Mechanism uint   `json:"mechanism"`
	Data      []byte `json:"data"`
}

type signReply struct {
	Signature []byte `json:"signature"`
}

type closeParams struct {
	Session uint `json:"session"`
}

// Limits of what a module may claim. A reply beyond them is an error, not a larger allocation.
const (
	maxSlots      = 64
	maxMechanisms = 1024
	maxCertObject = 256
	maxText       = 128
	maxObjectID   = 256
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

func (r *objectsReply) validate() error {
	if len(r.Objects) > maxCertObject {
		return fmt.Errorf("%d certificates: %w", len(r.Objects), errReply)
	}
	for i := range r.Objects {
		o := &r.Objects[i]
		if len(o.ID) > maxObjectID || len(o.Certificate) > maxAttribute {
			return fmt.Errorf("object %d: %w", i, errReply)
		}
		o.Label = printable(o.Label)
	}
	return nil
}

func (r *openReply) validate() error { return nil }

func (r *signReply) validate() error {
	if n := len(r.Signature); n == 0 || n > maxSignature {
		return fmt.Errorf("signature of %d bytes: %w", n, errReply)
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
