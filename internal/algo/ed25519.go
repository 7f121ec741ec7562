// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"crypto/ed25519"
	"encoding/asn1"
	"fmt"
	"io"
)

var oidEd25519 = asn1.ObjectIdentifier{1, 3, 101, 112}

// ed25519Key is a key of RFC 8032 section 5.1, without prehash and context.
type ed25519Key struct {
	key  ed25519.PublicKey
	spki []byte
}

func (k *ed25519Key) Algorithms() []ID { return []ID{Ed25519} }
func (k *ed25519Key) SPKI() []byte     { return k.spki }
func (k *ed25519Key) Describe() string { return "Ed25519" }

func (k *ed25519Key) Equal(o PublicKey) bool {
	p, ok := o.(*ed25519Key)
	return ok && k.key.Equal(p.key)
}

func (k *ed25519Key) Verify(id ID, in Input, sig []byte) error {
	if err := messageFor(id, in); err != nil {
		return err
	}
	if !ed25519.Verify(k.key, in.Message, sig) {
		return ErrSignature
	}
	return nil
}

// messageFor is digestFor for keys that sign the message.
func messageFor(id ID, in Input) error {
	switch {
	case id != Ed25519:
		return fmt.Errorf("%q with this key: %w", id, ErrUnsupported)
	case in.Message == nil:
		return fmt.Errorf("%s signs a message, not its digest: %w", id, ErrInput)
	}
	return nil
}

type ed25519Private struct {
	key ed25519.PrivateKey
	pub PublicKey
}

func (k *ed25519Private) Public() PublicKey { return k.pub }

func (k *ed25519Private) Sign(_ io.Reader, id ID, in Input) ([]byte, error) {
	if err := messageFor(id, in); err != nil {
		return nil, err
	}
	if k.key == nil {
		return nil, errWiped
	}
	return ed25519.Sign(k.key, in.Message), nil
}

func (k *ed25519Private) Wipe() {
	clear(k.key)
	k.key = nil
}
