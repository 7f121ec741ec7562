// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"fmt"
	"os"
	"slices"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/secret"
	"persten/internal/token"
)

// keyKind is a kind of key pair a token may make.
type keyKind struct {
	mechanism, keyType, bits uint
	params                   asn1.ObjectIdentifier // the curve or the parameter set used unless another is asked for
	digest                   asn1.ObjectIdentifier
}

var keyKinds = map[string]keyKind{
	"rsa2048": {mechanism: p11.CKM_RSA_PKCS_KEY_PAIR_GEN, keyType: p11.CKK_RSA, bits: 2048},
	"rsa3072": {mechanism: p11.CKM_RSA_PKCS_KEY_PAIR_GEN, keyType: p11.CKK_RSA, bits: 3072},
	"rsa4096": {mechanism: p11.CKM_RSA_PKCS_KEY_PAIR_GEN, keyType: p11.CKK_RSA, bits: 4096},
	"p256":    {mechanism: p11.CKM_EC_KEY_PAIR_GEN, keyType: p11.CKK_EC, params: asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
	"p384":    {mechanism: p11.CKM_EC_KEY_PAIR_GEN, keyType: p11.CKK_EC, params: asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
	"gost256": {
		mechanism: ckmGOSTKeyPair, keyType: ckkGOST, params: asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 1},
		digest: algo.Streebog256.OID(),
	},
	"gost512": {
		mechanism: ckmGOST512KeyPair, keyType: ckkGOST512, params: asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 1},
		digest: algo.Streebog512.OID(),
	},
}

// Generate implements token.Generator.
func (inv *Inventory) Generate(ctx context.Context, on token.Info, o token.KeyOptions, pin token.PINFunc) (algo.PublicKey, error) {
	kind, ok := keyKinds[o.Kind]
	if !ok {
		return nil, fmt.Errorf("key of kind %q: %w", o.Kind, token.ErrUnsupported)
	}
	for _, k := range inv.keepers {
		if k.m.Path != on.Path {
			continue
		}
		slots, err := k.slots(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range slots {
			if i := k.info(s); i.Slot != on.Slot || i.Serial != on.Serial || i.Label != on.Label {
				continue
			}
			if !slices.Contains(s.Mechanisms, kind.mechanism) {
				return nil, fmt.Errorf("making a key of kind %q: %w", o.Kind, token.ErrUnsupported)
			}
			return k.generate(ctx, s, o, kind, pin)
		}
	}
	return nil, token.ErrAbsent
}

// generate logs in, makes the pair and logs out again, in one call of the child.
func (k *keeper) generate(ctx context.Context, s slotInfo, o token.KeyOptions, kind keyKind, pin token.PINFunc) (algo.PublicKey, error) {
	p := generateParams{Slot: s.Slot, Kind: o.Kind, Label: printable(o.Label), ID: make([]byte, 16)}
	rand.Read(p.ID)
	set := kind.params
	if len(o.Set) > 0 {
		set = o.Set
	}
	if len(set) > 0 {
		der, err := asn1.Marshal(set)
		if err != nil {
			return nil, fmt.Errorf("parameter set: %w", err)
		}
		p.Params = der
	}
	lease := &lease{key: &key{k: k, slot: s.Slot, info: k.info(s)}}
	p.Login, p.Keypad = lease.key.info.LoginRequired, lease.key.info.PINPad
	var reply generateReply
	login := token.Login{
		Lease: k.o.Leases.Of(leaseKey(lease.key.info)), Wait: k.o.LeaseWait, KeyLabel: p.Label, State: lease.state,
		Try: func(ctx context.Context, pin secret.PIN) error {
			var files []*os.File
			if f := pin.File(); f != nil {
				files = append(files, f)
			}
			k.use(+1)
			defer k.use(-1)
			err := k.call(ctx, request{method: methodGenerate, params: p, reply: &reply, files: files, deadline: k.o.LoginTimeout})
			return lease.refused(ctx, err)
		},
	}
	release, err := login.Run(ctx, pin)
	if err != nil {
		return nil, err
	}
	defer release()
	k.forget()
	public, err := algo.ParsePublicKey(reply.SPKI)
	if err != nil {
		return nil, k.error(token.ReasonReply, err)
	}
	return public, nil
}

// Derive implements token.Deriver for GOST keys: VKO of RFC 7836.
func (s *lease) Derive(ctx context.Context, a token.Agreement) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.over(); err != nil {
		return nil, err
	}
	size := map[uint]int{ckkGOST: 64, ckkGOST512: 128}[kindOf(s.key.entry.public.SPKI())]
	var peer subjectKey
	if _, err := asn1.Unmarshal(a.Peer.SPKI(), &peer); err != nil {
		return nil, err
	}
	point := unwrapOctets(peer.Key.Bytes)
	switch {
	case size == 0 || !slices.Contains(s.key.mechanisms, ckmGOST2012Derive) || s.candidates != 1:
		return nil, fmt.Errorf("key agreement: %w", token.ErrUnsupported)
	case len(point) != size || len(a.UKM) < 8 || len(a.UKM) > 32:
		return nil, fmt.Errorf("key agreement with a key of %d bytes, UKM of %d: %w", len(point), len(a.UKM), algo.ErrInput)
	}
	kdf := uint32(ckdNull)
	if a.Diversify {
		kdf = ckmKDFStreebog256
	}
	k := s.key.k
	var reply deriveReply
	err := k.callOn(ctx, s.child, request{
		method: methodDerive, deadline: k.o.SignTimeout, reply: &reply,
		params: deriveParams{Session: s.session, KDF: kdf, Peer: point, UKM: a.UKM},
	})
	if err != nil {
		s.lost(ctx, err)
		return nil, err
	}
	return reply.Key, nil
}
