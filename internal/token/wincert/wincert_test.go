// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"persten/internal/algo"
	"persten/internal/rpc"
	"persten/internal/secret"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/internal/token/tokentest"
)

// demoKeys are real keys of every kind, with certificates.
func demoKeys(t *testing.T) []token.Key {
	t.Helper()
	dir, err := os.MkdirTemp("", "") // wine 8 does not let t.TempDir remove what it made
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d, err := keyfile.OpenDemo(dir)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := d.Keys(t.Context())
	if err != nil || len(keys) != 4 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	return keys
}

// asProvider spells a signature as CNG, or from the other end as CryptoAPI, returns it.
func asProvider(t *testing.T, id algo.ID, sig []byte, turned bool) signReply {
	t.Helper()
	raw := slices.Clone(sig)
	if strings.HasPrefix(string(id), "ecdsa") {
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &rs); err != nil {
			t.Fatal(err)
		}
		raw = slices.Concat(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32)))
	}
	if turned {
		slices.Reverse(raw)
	}
	return signReply{raw, turned}
}

func TestSettle(t *testing.T) {
	for _, k := range demoKeys(t) {
		s, err := k.Open(t.Context(), tokentest.Answers(keyfile.DemoPIN).PIN)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range k.Algorithms() {
			in := tokentest.Digest(id)
			want, err := s.Sign(t.Context(), id, in)
			if err != nil {
				t.Fatal(err)
			}
			for _, turned := range []bool{false, true} {
				r := asProvider(t, id, want, turned)
				if got, err := settle(k.Certificate().Key, id, in, r); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s, turned %v: %x, %v", id, turned, got, err)
				}
				r.Turned = !turned
				if _, err := settle(k.Certificate().Key, id, in, r); err == nil {
					t.Errorf("%s, turned %v: bytes from the wrong end are taken", id, turned)
				}
			}
		}
		s.Close()
	}
}

func TestAlgorithms(t *testing.T) {
	rsa := []algo.ID{algo.RSASHA256, algo.RSASHA384, algo.RSASHA512}
	want := map[algo.ID][2][]algo.ID{ // by the key's first: CNG, CryptoAPI
		algo.RSASHA256:   {append(slices.Clone(rsa), algo.RSAPSSSHA256, algo.RSAPSSSHA384, algo.RSAPSSSHA512), rsa},
		algo.ECDSASHA256: {{algo.ECDSASHA256, algo.ECDSASHA384, algo.ECDSASHA512}, nil},
		algo.GOST256:     {nil, {algo.GOST256}},
		algo.GOST512:     {nil, {algo.GOST512}},
	}
	for _, k := range demoKeys(t) {
		public, kind := k.Certificate().Key, k.Algorithms()[0]
		for m, p := range []provider{{"Microsoft Software Key Storage Provider", 0}, {"Some Provider", 80}} {
			if got := p.algorithms(public); !slices.Equal(got, want[kind][m]) {
				t.Errorf("%s at %+v: %v, want %v", kind, p, got, want[kind][m])
			}
		}
	}
}

// TestHashes holds the numbers of CryptoAPI against the digests they stand for.
func TestHashes(t *testing.T) {
	seen := map[uint32]bool{}
	for _, a := range algo.All() {
		n := legacyHash(a)
		if n == 0 {
			continue
		}
		if n>>13 != 4 || seen[n] || a.Legacy || a.PSS {
			t.Errorf("%s: ALG_ID %#x", a.ID, n)
		}
		seen[n] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d hashes", len(seen))
	}
}

func TestStatus(t *testing.T) {
	for status, want := range map[uint32]error{
		0x8010006C: token.ErrLocked, 0x8010006E: token.ErrUserCancelled, 0x800704C7: token.ErrUserCancelled, 0x4C7: token.ErrUserCancelled,
		0x80090016: token.ErrAbsent, 0x8009200B: token.ErrAbsent, 0x80100069: token.ErrRemoved, 0x8010000C: token.ErrRemoved,
		0x80090008: token.ErrUnsupported, 0x80090029: token.ErrUnsupported, statusClosed: token.ErrClosed,
	} {
		if err := overWire(t, &failure{"F", status}); !errors.Is(err, want) {
			t.Errorf("%#x: %v, want %v", status, err, want)
		}
	}
	for _, status := range []uint32{0x8010006B, 0x80090033} {
		var bad *token.PINError
		if err := overWire(t, &failure{"F", status}); !errors.As(err, &bad) || bad.Attempts != -1 {
			t.Errorf("%#x: %v", status, err)
		}
	}
	for status, want := range map[uint32][2]string{ // reason, kind
		0x8007065B: {token.ReasonLicence, token.ReasonLicence}, 0x80090017: {token.ReasonLoad, token.ReasonLoad},
		0x80090022: {"NTE_SILENT_CONTEXT", token.ReasonVendor}, 0x80090020: {"0x80090020", token.ReasonVendor}, 0: {"0x00000000", token.ReasonVendor},
	} {
		var m *token.ModuleError
		if err := overWire(t, &failure{"F", status}); !errors.As(err, &m) || m.Reason != want[0] || m.Kind() != want[1] || m.Module != "P" {
			t.Errorf("%#x: %v", status, err)
		}
	}
}

// overWire is what the daemon makes of an error in the process.
func overWire(t *testing.T, err error) error {
	t.Helper()
	var wire *rpc.Error
	if !errors.As(wireError(err), &wire) {
		t.Fatalf("%v does not go over the wire", err)
	}
	return answered(wire, "P")
}

func TestAnsweredHostile(t *testing.T) {
	for _, data := range []string{``, `null`, `7`, `{"function":`, `{"status":-1}`, `{"status":4294967296}`, `[]`, `"x"`} {
		var m *token.ModuleError
		err := answered(&rpc.Error{Code: codeStatus, Message: "a\u202eb\n", Data: json.RawMessage(data)}, "P")
		if !errors.As(err, &m) || strings.ContainsAny(err.Error(), "\u202e\n") {
			t.Errorf("%s: %v", data, err)
		}
	}
}

func TestPIN(t *testing.T) {
	for _, c := range []struct {
		pin          string
		wide, narrow bool
	}{
		{"12345678", true, true}, {"Пароль", true, false}, {"𝟙𝟚", true, false}, {"a\x00b", false, false}, {"\xff", false, false},
		{strings.Repeat("1", 127), true, true}, {strings.Repeat("1", 128), false, true}, {strings.Repeat("1", 256), false, false},
	} {
		pin, err := tokentest.PIN(c.pin)
		if err != nil {
			t.Fatal(err)
		}
		b, err := pin.Read()
		if err != nil {
			t.Fatal(err)
		}
		var words []byte
		for _, u := range utf16.Encode([]rune(c.pin + "\x00")) {
			words = append(words, byte(u), byte(u>>8))
		}
		checkPIN(t, c.pin, "wide", wide, b, c.wide, words)
		checkPIN(t, c.pin, "narrow", narrow, b, c.narrow, []byte(c.pin+"\x00"))
		b.Wipe()
	}
}

func checkPIN(t *testing.T, pin, what string, f func(*secret.Buffer) (*secret.Buffer, error), b *secret.Buffer, ok bool, want []byte) {
	t.Helper()
	got, err := f(b)
	if (err == nil) != ok || ok && !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s of %q: %v", what, pin, err)
	}
	got.Wipe()
}

func TestProviderNames(t *testing.T) {
	for name, want := range map[string]bool{
		"Microsoft Base Smart Card Crypto Provider": true, "Microsoft Smart Card Key Storage Provider": true,
		"Microsoft Software Key Storage Provider": false, "Some Smart Card Provider": false, "": false,
	} {
		if (provider{name: name}).asks() != want {
			t.Errorf("%q asks: %v", name, !want)
		}
	}
	if got := printable("a\u202e\x00b\xff" + strings.Repeat("я", 1000)); len([]rune(got)) != maxName || !strings.HasPrefix(got, "ab\uFFFD") {
		t.Errorf("%q", got)
	}
}

// FuzzReply: whatever a process answers, it is a signature within limits or an error.
func FuzzReply(f *testing.F) {
	for _, s := range []string{`{"signature":"AAEC","turned":true}`, `{"signature":""}`, `{"signature":null}`, `{}`, `[]`, `{"signature":"AA==","more":1}`, `nul`} {
		f.Add([]byte(s))
	}
	der, err := asn1.Marshal(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, b []byte) {
		var r signReply
		if err := r.decode(b); err == nil && (len(r.Signature) == 0 || len(r.Signature) > maxSignature) {
			t.Errorf("%d bytes", len(r.Signature))
		}
	})
}
