// SPDX-License-Identifier: GPL-3.0-or-later

package algo

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"
)

// TestEd25519 is test 3 of RFC 8032 section 7.1, in the wrapping of RFC 8410.
func TestEd25519(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	public, err := ParsePublicKey(unhex("302a300506032b6570032100" + "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := ParsePKCS8(unhex("302e020100300506032b657004220420" + "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"))
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Digest: SHA512.Sum(nil), Message: unhex("af82")}
	want := unhex("6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac" +
		"18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a")
	sig, err := private.Sign(nil, Ed25519, in)
	if err != nil || !slices.Equal(sig, want) || !private.Public().Equal(public) {
		t.Errorf("%x, %v", sig, err)
	}
	if err := public.Verify(Ed25519, in, sig); err != nil {
		t.Error(err)
	}
	sig[0] ^= 1
	if err := public.Verify(Ed25519, in, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("changed: %v", err)
	}
	if err := public.Verify(Ed25519, Input{Digest: in.Digest}, want); !errors.Is(err, ErrInput) {
		t.Errorf("a digest alone: %v", err)
	}
	if err := public.Verify(ECDSASHA512, in, want); !errors.Is(err, ErrUnsupported) {
		t.Errorf("as ECDSA: %v", err)
	}
	der, err := MarshalPKCS8(private)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParsePKCS8(der); err != nil || !again.Public().Equal(public) {
		t.Errorf("read again: %v", err)
	}
	private.Wipe()
	if _, err := private.Sign(nil, Ed25519, in); !errors.Is(err, errWiped) {
		t.Errorf("wiped: %v", err)
	}
}
