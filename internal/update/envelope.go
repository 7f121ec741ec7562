// SPDX-License-Identifier: GPL-3.0-or-later

package update

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// The types of payloads. A signature covers the type, so that one never passes for the other.
const (
	KeysType    = "application/vnd.persten.update-keys+json"
	ReleaseType = "application/vnd.persten.release+json"
)

// Description is the file.
type Description struct {
	Keys    Envelope `json:"keys"`
	Release Envelope `json:"release"`
}

// Encode writes the file.
func (d Description) Encode() []byte { return encode(d) }

// Envelope is a signed payload in the form of DSSE v1.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []Signature `json:"signatures"`
}

// Signature is one key's.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"`
}

// KeyID is the SHA-256 of a public key's 32 bytes, in hexadecimal digits.
func KeyID(key ed25519.PublicKey) string { return digest(key) }

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Seal signs v, a [Keys] or a [Release], with each of the keys.
func Seal(kind string, v any, keys ...ed25519.PrivateKey) Envelope {
	e := Envelope{PayloadType: kind, Payload: encode(v)}
	for _, k := range keys {
		e.Signatures = append(e.Signatures, Signature{KeyID(k.Public().(ed25519.PublicKey)), ed25519.Sign(k, e.message())})
	}
	return e
}

// message is what signatures cover (DSSE's pre-authentication encoding).
func (e Envelope) message() []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
}

// open reads the payload into v after its signatures were checked.
func (e Envelope) open(kind string, keys []ed25519.PublicKey, threshold int, v any) error {
	if e.PayloadType != kind {
		return fmt.Errorf("%w: payload of type %.80q", ErrMixed, e.PayloadType)
	}
	if err := e.verify(keys, threshold); err != nil {
		return err
	}
	return decode(e.Payload, v)
}

// verify wants good signatures by at least threshold of the keys, and no bad one. Signatures by other keys, of those that come or
// have gone, say nothing.
func (e Envelope) verify(keys []ed25519.PublicKey, threshold int) error {
	if len(e.Signatures) > maxKeys {
		return malformed("%d signatures", len(e.Signatures))
	}
	known := map[string]ed25519.PublicKey{}
	for _, k := range keys {
		known[KeyID(k)] = k
	}
	message, good, seen := e.message(), 0, map[string]bool{}
	for _, s := range e.Signatures {
		if seen[s.KeyID] {
			return malformed("two signatures by one key")
		}
		seen[s.KeyID] = true
		key, ok := known[s.KeyID]
		if !ok {
			continue
		}
		if !ed25519.Verify(key, message, s.Sig) {
			return fmt.Errorf("%w: the signature by key %.8s is wrong", ErrSignature, s.KeyID)
		}
		good++
	}
	if good < threshold {
		return fmt.Errorf("%w: %d of %d signatures", ErrSignature, good, threshold)
	}
	return nil
}
