// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/secret"
)

const (
	methodGenerate = "generate"
	methodDerive   = "derive"

	ckdNull           = 1
	ckmKDFStreebog256 = 0xD4321026
	sizeKEK           = 32
)

type generateParams struct {
	Slot   uint   `json:"slot"`
	Kind   string `json:"kind"`
	Params []byte `json:"params,omitempty"` // DER of the curve's or parameter set's identifier
	ID     []byte `json:"id"`
	Label  string `json:"label"`
	Login  bool   `json:"login"`
	Keypad bool   `json:"keypad"`
}

type generateReply struct {
	SPKI []byte `json:"spki"`
}

func (r *generateReply) validate() error {
	if n := len(r.SPKI); n == 0 || n > maxSPKI {
		return fmt.Errorf("public key of %d bytes: %w", n, errReply)
	}
	return nil
}

type deriveParams struct {
	Session uint   `json:"session"`
	KDF     uint32 `json:"kdf"`
	Peer    []byte `json:"peer"`
	UKM     []byte `json:"ukm"`
}

type deriveReply struct {
	Key []byte `json:"key"`
}

func (r *deriveReply) validate() error {
	if len(r.Key) != sizeKEK {
		return fmt.Errorf("derived key of %d bytes: %w", len(r.Key), errReply)
	}
	return nil
}

// generate makes a key pair on the token under a login of its own.
func (s *server) generate(p generateParams, pin secret.PIN) (reply *generateReply, err error) {
	kind, ok := keyKinds[p.Kind]
	if !ok {
		return nil, &reason{reasonNoKey, errKeyKind}
	}
	o := &session{slot: p.Slot, login: p.Login, keypad: p.Keypad}
	if err := s.claim(o); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	defer s.release(o)
	if o.login && !o.keypad {
		if o.pin, err = s.pinFor(openParams{Slot: p.Slot}, pin); err != nil {
			return nil, err
		}
	}
	if o.handle, err = s.lib.ctx.OpenSession(o.slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION); err != nil {
		return nil, failed("C_OpenSession", err)
	}
	defer s.lib.ctx.CloseSession(o.handle)
	if o.login {
		if err := s.lib.login(o.handle, p11.CKU_USER, o.pin); err != nil {
			s.dropHeld(o.slot)
			return nil, s.explain(o.slot, err)
		}
		defer s.lib.ctx.Logout(o.handle)
	}
	spki, err := s.lib.generate(o.handle, kind, p)
	if err != nil {
		return nil, s.explain(o.slot, err)
	}
	return &generateReply{SPKI: spki}, nil
}

// generate makes the pair. Vendors disagree on whether the private half is told the GOST parameters as well.
func (l *library) generate(h p11.SessionHandle, kind keyKind, p generateParams) ([]byte, error) {
	public, private := templates(kind, p)
	m := []*p11.Mechanism{p11.NewMechanism(kind.mechanism, nil)}
	made, _, err := l.ctx.GenerateKeyPair(h, m, public, private)
	if isRV(err, p11.CKR_TEMPLATE_INCOMPLETE) || isRV(err, p11.CKR_TEMPLATE_INCONSISTENT) {
		made, _, err = l.ctx.GenerateKeyPair(h, m, public, append(private, gostAttributes(kind, p)...))
	}
	if err != nil {
		return nil, failed("C_GenerateKeyPair", err)
	}
	k := keyObject{handle: made, class: p11.CKO_PUBLIC_KEY, kind: kind.keyType}
	if k.public = l.publicPart(h, k); k.public == nil {
		return nil, &reason{reasonNoKey, errors.New("the new public key cannot be read")}
	}
	return l.spki(h, k)
}

func templates(kind keyKind, p generateParams) (public, private []*p11.Attribute) {
	both := []*p11.Attribute{
		p11.NewAttribute(p11.CKA_KEY_TYPE, kind.keyType), p11.NewAttribute(p11.CKA_TOKEN, true),
		p11.NewAttribute(p11.CKA_ID, p.ID), p11.NewAttribute(p11.CKA_LABEL, p.Label),
	}
	public = append(slices.Clone(both),
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PUBLIC_KEY), p11.NewAttribute(p11.CKA_PRIVATE, false),
		p11.NewAttribute(p11.CKA_VERIFY, true))
	private = append(both,
		p11.NewAttribute(p11.CKA_CLASS, p11.CKO_PRIVATE_KEY), p11.NewAttribute(p11.CKA_PRIVATE, true),
		p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false),
		p11.NewAttribute(p11.CKA_SIGN, true))
	switch {
	case kind.bits > 0:
		public = append(public, p11.NewAttribute(p11.CKA_MODULUS_BITS, kind.bits),
			p11.NewAttribute(p11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	case kind.digest == nil:
		public = append(public, p11.NewAttribute(p11.CKA_EC_PARAMS, p.Params))
	default:
		public = append(public, gostAttributes(kind, p)...)
		private = append(private, p11.NewAttribute(p11.CKA_DERIVE, true))
	}
	return public, private
}

func gostAttributes(kind keyKind, p generateParams) []*p11.Attribute {
	if kind.digest == nil {
		return nil
	}
	digest, _ := asn1.Marshal(kind.digest) // of a constant
	return []*p11.Attribute{
		p11.NewAttribute(p11.CKA_GOSTR3410_PARAMS, p.Params), p11.NewAttribute(p11.CKA_GOSTR3411_PARAMS, digest),
	}
}

// derive agrees on a key with the peer's. It exists in the token only as long as it takes to read it.
func (s *server) derive(p deriveParams) (*deriveReply, error) {
	o, err := s.session(p.Session)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.keys) != 1 {
		return nil, &reason{reasonNoSession, errNoSession}
	}
	param := binary.LittleEndian.AppendUint32(nil, p.KDF)
	for _, part := range [][]byte{p.Peer, p.UKM} {
		param = binary.LittleEndian.AppendUint32(param, uint32(len(part)))
		param = append(param, part...)
	}
	made, err := s.lib.ctx.DeriveKey(o.handle, []*p11.Mechanism{p11.NewMechanism(ckmGOST2012Derive, param)}, o.keys[0].handle,
		[]*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, p11.CKO_SECRET_KEY), p11.NewAttribute(p11.CKA_KEY_TYPE, p11.CKK_GOST28147),
			p11.NewAttribute(p11.CKA_TOKEN, false), p11.NewAttribute(p11.CKA_PRIVATE, true),
			p11.NewAttribute(p11.CKA_SENSITIVE, false), p11.NewAttribute(p11.CKA_EXTRACTABLE, true),
		})
	if err != nil {
		return nil, s.explain(o.slot, failed("C_DeriveKey", err))
	}
	defer s.lib.ctx.DestroyObject(o.handle, made)
	key, err := s.lib.attribute(o.handle, made, p11.CKA_VALUE)
	if err != nil {
		return nil, s.explain(o.slot, err)
	}
	return &deriveReply{Key: key}, nil
}
