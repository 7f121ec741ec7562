// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf8"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/rpc"
	"persten/internal/token"
)

func issue(t testing.TB, kind string) (*cert.Certificate, algo.PrivateKey) {
	t.Helper()
	key, err := algo.GenerateKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: kind}, Key: key.Public()}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// FuzzReply feeds a daemon what a child with hostile code in it could answer.
func FuzzReply(f *testing.F) {
	c, _ := issue(f, "p256")
	good, _ := json.Marshal(objectsReply{Objects: []object{{ID: []byte{1}, Label: "x", Certificate: c.Raw, Key: true}}})
	slots, _ := json.Marshal(slotsReply{Slots: []slotInfo{{Slot: 1, Label: "l", Serial: "s", Flags: 0x40d, Mechanisms: []uint{0x1041}}}})
	for _, seed := range [][]byte{good, slots, []byte(`{"session":1}`), []byte(`{"signature":"AAAA"}`), []byte(`{"function":"C_Sign","rv":48}`),
		[]byte(`"load"`), []byte(`null`), []byte(`{"slots":[{"label":"\u202e\u0000"}]}`)} {
		f.Add(seed)
	}
	k := newKeeper(Module{Name: "m", Path: "/m"}, &Options{Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var s slotsReply
		if decode(raw, &s) == nil {
			k.note(s.Slots)
			for _, i := range s.Slots {
				if info := k.info(i); !utf8.ValidString(info.Label) || len(info.Label) > maxText || strings.ContainsAny(info.Label, "\u202e\n\x00") {
					t.Errorf("label %q", info.Label)
				}
			}
		}
		var o objectsReply
		if decode(raw, &o) == nil {
			for _, e := range k.parse(o.Objects) {
				if key := k.key(slotInfo{Mechanisms: []uint{1, 0x1041}}, e, &atomic.Bool{}); key != nil && len(key.ID()) != 64 {
					t.Errorf("id %q", key.ID())
				}
			}
		}
		var sig signReply
		if decode(raw, &sig) == nil {
			check(c.Key, algo.ECDSASHA256, algo.Input{Digest: make([]byte, 32)}, sig.Signature, layout{})
		}
		var open openReply
		decode(raw, &open)
		for _, code := range []int{codeRV, codeReason, -32603} {
			if typed(k.m, &rpc.Error{Code: code, Message: string(raw), Data: raw}) == nil {
				t.Error("an error became none")
			}
		}
		spkiOf(raw)
		samePublic(raw, c.Key.SPKI())
		samePublic(c.Key.SPKI(), raw)
	})
}

func TestReplyLimits(t *testing.T) {
	for name, r := range map[string]validator{
		"slots":        &slotsReply{Slots: make([]slotInfo, maxSlots+1)},
		"mechanisms":   &slotsReply{Slots: []slotInfo{{Mechanisms: make([]uint, maxMechanisms+1)}}},
		"objects":      &objectsReply{Total: maxObjects, Objects: make([]object, maxPageCount+1)},
		"total":        &objectsReply{Total: maxObjects + 1},
		"more":         &objectsReply{Total: 1, Objects: make([]object, 2)},
		"certificate":  &objectsReply{Total: 1, Objects: []object{{Certificate: make([]byte, maxAttribute+1)}}},
		"spki":         &objectsReply{Total: 1, Objects: []object{{SPKI: make([]byte, maxSPKI+1)}}},
		"id":           &objectsReply{Total: 1, Objects: []object{{ID: make([]byte, maxObjectID+1)}}},
		"no keys":      &openReply{Session: 1},
		"many keys":    &openReply{Session: 1, Keys: maxCandidates + 1},
		"no signature": &signReply{},
		"signature":    &signReply{Signature: make([]byte, maxSignature+1)},
	} {
		if err := r.validate(); !errors.Is(err, errReply) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := decode([]byte(`{"session":1,"keys":1,"extra":2}`), &openReply{}); err == nil {
		t.Error("unknown member accepted")
	}
}

// TestCheckLayouts gives a signature in each byte order that has been seen, and one that is wrong.
func TestCheckLayouts(t *testing.T) {
	for _, c := range []struct {
		kind string
		id   algo.ID
	}{{"gost256", algo.GOST256}, {"gost512", algo.GOST512}} {
		crt, key := issue(t, c.kind)
		a, _ := algo.Lookup(c.id)
		in := algo.Input{Digest: bytes.Repeat([]byte{7}, a.Digest.Size())}
		sig, err := key.Sign(rand.Reader, c.id, in)
		if err != nil {
			t.Fatal(err)
		}
		for n, bytesOf := range layouts(sig) {
			got, seen, err := check(crt.Key, c.id, in, bytesOf, layout{})
			if err != nil || !bytes.Equal(got, sig) {
				t.Errorf("%s layout %d: %v", c.kind, n, err)
			}
			if again, same, err := check(crt.Key, c.id, in, bytesOf, seen); err != nil || same != seen || !bytes.Equal(again, sig) {
				t.Errorf("%s layout %d, remembered as %+v: %v", c.kind, n, seen, err)
			}
		}
		bad := slices.Clone(sig)
		bad[5] ^= 1
		if _, _, err := check(crt.Key, c.id, in, bad, layout{}); err == nil {
			t.Errorf("%s: a wrong signature passed", c.kind)
		}
		other := algo.Input{Digest: bytes.Repeat([]byte{8}, a.Digest.Size())}
		if _, _, err := check(crt.Key, c.id, other, sig, layout{}); err == nil {
			t.Errorf("%s: the signature of another digest passed", c.kind)
		}
	}
}

// TestPrepare compares the DigestInfo with the standard library's, and the truncation for a short curve.
func TestPrepare(t *testing.T) {
	crt, _ := issue(t, "rsa2048")
	raw, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for id, h := range map[algo.ID]crypto.Hash{algo.RSASHA256: crypto.SHA256, algo.RSASHA384: crypto.SHA384, algo.RSASHA512: crypto.SHA512} {
		a, _ := algo.Lookup(id)
		digest := bytes.Repeat([]byte{1}, a.Digest.Size())
		info, err := waysOf(a)[0].prepare(a, orderSize(crt.Key), algo.Input{Digest: digest})
		if err != nil {
			t.Fatal(err)
		}
		sig, err := rsa.SignPKCS1v15(nil, raw, 0, info) // as CKM_RSA_PKCS does
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPKCS1v15(&raw.PublicKey, h, digest, sig); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	ec, _ := issue(t, "p256")
	a, _ := algo.Lookup(algo.ECDSASHA512)
	if got, err := waysOf(a)[0].prepare(a, orderSize(ec.Key), algo.Input{Digest: make([]byte, 64)}); err != nil || len(got) != 32 {
		t.Errorf("P-256 with SHA-512: %d bytes, %v", len(got), err)
	}
	message := algo.Input{Message: []byte("m")}
	want := a.Digest.New()
	want.Write(message.Message)
	if got, err := waysOf(a)[0].prepare(a, orderSize(ec.Key), message); err != nil || !bytes.Equal(got, want.Sum(nil)[:32]) {
		t.Errorf("message: %x, %v", got, err)
	}
}

// TestUsable chooses by the token's mechanism list; GOST mechanisms are those of the table.
func TestUsable(t *testing.T) {
	for kind, mechanism := range map[string]uint{"rsa2048": 1, "p256": 0x1041, "gost256": 0x1201, "gost512": 0xD4321006} {
		c, _ := issue(t, kind)
		if ids := usable(c.Key, []uint{mechanism}, noType); len(ids) == 0 {
			t.Errorf("%s: not usable with its own mechanism", kind)
		}
		if ids := usable(c.Key, []uint{mechanism + 0x7000}, noType); len(ids) != 0 {
			t.Errorf("%s: usable without its mechanism", kind)
		}
	}
}

// TestUsablePSS: PSS needs a mechanism of its own, and what is only read is offered by no token.
func TestUsablePSS(t *testing.T) {
	c, _ := issue(t, "rsa2048")
	pss := []algo.ID{algo.RSAPSSSHA256, algo.RSAPSSSHA384, algo.RSAPSSSHA512}
	v15 := []algo.ID{algo.RSASHA256, algo.RSASHA384, algo.RSASHA512}
	for _, w := range []struct {
		mechanisms []uint
		want       []algo.ID
	}{{[]uint{0x1}, v15}, {[]uint{0xD}, pss}, {[]uint{0xD, 0x1}, slices.Concat(v15, pss)}, {[]uint{0x44}, pss[1:2]}, {[]uint{0x6}, nil}} {
		if got := usable(c.Key, w.mechanisms, noType); !slices.Equal(got, w.want) {
			t.Errorf("mechanisms %#x: %v, want %v", w.mechanisms, got, w.want)
		}
	}
}

// TestUsable2001: a key of GOST R 34.10-2001 is listed and cannot sign, whatever the token offers.
func TestUsable2001(t *testing.T) {
	c, _ := issue(t, "gost256")
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Key.SPKI(), &spki); err != nil {
		t.Fatal(err)
	}
	params, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 2, 643, 2, 2, 35, 1}, {1, 2, 643, 2, 2, 30, 1}})
	if err != nil {
		t.Fatal(err)
	}
	spki.Algorithm = pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 643, 2, 2, 19}, Parameters: asn1.RawValue{FullBytes: params}}
	der, err := asn1.Marshal(spki)
	if err != nil {
		t.Fatal(err)
	}
	old, err := algo.ParsePublicKey(der)
	if err != nil || len(old.Algorithms()) == 0 {
		t.Fatalf("not readable: %v", err)
	}
	all := []uint{0, 0x1, 0xD, 0x1041, 0x1201, 0x1202, 0x201, 0xD4321006, 0xD4321008}
	for _, kind := range []uint{noType, ckkGOST, ckkGOST512} {
		if ids := usable(old, all, kind); len(ids) != 0 {
			t.Errorf("offers %v", ids)
		}
	}
}

// TestPSSParam reads the parameter as the structure of three CK_ULONG it is (PKCS#11 v3.1 section 6.1.10).
func TestPSSParam(t *testing.T) {
	for id, want := range map[algo.ID][]uint64{
		algo.RSAPSSSHA256: {0x250, 2, 32}, algo.RSAPSSSHA384: {0x260, 3, 48}, algo.RSAPSSSHA512: {0x270, 4, 64}, algo.RSASHA256: nil,
	} {
		a, _ := algo.Lookup(id)
		param := pssParam(a)
		var got []uint64
		for width := len(param) / 3; len(param) > 0; param = param[width:] {
			if width == 4 {
				got = append(got, uint64(binary.NativeEndian.Uint32(param)))
			} else {
				got = append(got, binary.NativeEndian.Uint64(param))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %#x", id, got)
		}
	}
}

// TestMatch pairs certificates and keys where ids are doubled, missing or lie.
func TestMatch(t *testing.T) {
	for _, kind := range []string{"rsa2048", "p256", "gost256", "gost512"} {
		c, _ := issue(t, kind)
		o, _ := issue(t, kind)
		id := []byte{1}
		own, other := publicAttribute(t, c.Key.SPKI()), publicAttribute(t, o.Key.SPKI())
		for _, m := range []struct {
			name string
			keys keyObjects
			want int // index, -1 for none
		}{
			{"id alone", keyObjects{{handle: 1, id: []byte{2}}, {handle: 2, id: id}}, 1},
			{"public key alone", keyObjects{{handle: 1, public: other}, {handle: 2, public: own}}, 1},
			{"two with the id", keyObjects{{handle: 1, id: id, public: other}, {handle: 2, id: id, public: own}}, 1},
			{"id of another key", keyObjects{{handle: 1, id: id, public: other}}, -1},
			{"public key before id", keyObjects{{handle: 1, id: id}, {handle: 2, id: []byte{9}, public: own}}, 1},
			{"nothing", nil, -1},
		} {
			for i := range m.keys {
				m.keys[i].kind = noType
			}
			if n := index(m.keys).find(id, c.Key.SPKI()); n != m.want {
				t.Errorf("%s, %s: index gives %d", kind, m.name, n)
			}
			k, ok := m.keys.match(id, c.Key.SPKI())
			if ok != (m.want >= 0) || ok && k.handle != m.keys[m.want].handle {
				t.Errorf("%s, %s: key %d, %v", kind, m.name, k.handle, ok)
			}
		}
		if _, ok := (keyObjects{{id: nil, kind: noType}}).match(nil, c.Key.SPKI()); ok {
			t.Errorf("%s: two missing ids are no match", kind)
		}
		if !bytes.Equal(spkiOf(c.Raw), c.Key.SPKI()) {
			t.Errorf("%s: spkiOf differs", kind)
		}
	}
}

// publicAttribute is what a token would give as CKA_MODULUS, CKA_EC_POINT or CKA_VALUE.
func publicAttribute(t *testing.T, spki []byte) []byte {
	t.Helper()
	key, err := algo.ParsePublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	switch name := key.Describe(); {
	case strings.HasPrefix(name, "RSA"):
		i := bytes.Index(spki, []byte{0x02, 0x82, 0x01, 0x01, 0x00})
		return spki[i+5 : i+5+256]
	case strings.HasPrefix(name, "ECDSA"):
		size = 65
	case strings.HasSuffix(name, "256"):
		size = 64
	default:
		size = 128
	}
	return spki[len(spki)-size:]
}

// TestMeanings checks the one table: no value twice, names as the standard's, errors as the package promises.
func TestMeanings(t *testing.T) {
	seen := map[uint]bool{}
	for _, m := range meanings {
		if seen[m.rv] {
			t.Errorf("%s twice", m.name)
		}
		seen[m.rv] = true
		err := typed(Module{Name: "m"}, wireError(&ckr{Function: "C_Sign", RV: m.rv}).(*rpc.Error))
		var failed *token.ModuleError
		var bad *token.PINError
		switch {
		case m.err == errPINRefused:
			if !errors.As(err, &bad) || bad.Attempts != -1 {
				t.Errorf("%s: %v", m.name, err)
			}
		case !errors.As(err, &failed) || failed.Reason != m.name:
			t.Errorf("%s: %v", m.name, err)
		case m.err != nil && !errors.Is(err, m.err):
			t.Errorf("%s: %v", m.name, err)
		}
	}
	vendor := typed(Module{}, wireError(&ckr{Function: "C_Sign", RV: 0x80000005}).(*rpc.Error))
	if !strings.Contains(vendor.Error(), "0x80000005") {
		t.Errorf("vendor code: %v", vendor)
	}
	if p11.CKR_DEVICE_REMOVED != 0x32 || p11.CKR_USER_ALREADY_LOGGED_IN != 0x100 {
		t.Error("constants")
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"Rutoken ECP   ":             "Rutoken ECP",
		"\xff\xfe":                   "\uFFFD",
		"a\x00b\nc":                  "abc",
		"safe\u202Eexe":              "safeexe",
		"Токен":                      "Токен",
		strings.Repeat("я", maxText): strings.Repeat("я", maxText/2),
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCatalogue(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not run: paths of Linux")
	}
	for _, m := range Catalogue() {
		if !filepath.IsAbs(m.Path) || m.Name == "" || Trusted(m.Path) != nil {
			t.Errorf("%+v", m)
		}
	}
	dir := t.TempDir()
	mine := filepath.Join(dir, "lib.so")
	if err := os.WriteFile(mine, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	os.Chmod(mine, 0o666)
	for _, path := range []string{mine, "lib.so", "/nonexistent.so", "/usr/lib", filepath.Join(dir, "p11-kit-proxy.so")} {
		if Trusted(path) == nil {
			t.Errorf("%s trusted", path)
		}
	}
	names := map[string]bool{}
	for _, v := range vendors {
		if names[v.Name] || v.Name == "" || v.Vendor == "" || v.Tokens == "" || v.Rank == 0 || len(v.Linux) == 0 {
			t.Errorf("vendor %+v", v)
		}
		names[v.Name] = true
		for _, p := range append(append([]string{}, v.Linux...), v.Darwin...) {
			if !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "{lib}/") {
				t.Errorf("%s: %s is not absolute", v.Name, p)
			}
		}
	}
	for _, name := range []string{"rutoken", "jacarta", "etoken", "yubikey", "opensc", "esmart", "cryptopro", "vipnet", "softhsm",
		"tpm2", "nss", "opencryptoki"} {
		if !names[name] {
			t.Errorf("%s is not in the catalogue", name)
		}
	}
}

// TestBarePointLikeOctets has a point whose first two bytes read as the head of an OCTET STRING: it is the same key all the same.
func TestBarePointLikeOctets(t *testing.T) {
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		point := spki[len(spki)-65:]
		if point[1] != 63 {
			continue
		}
		wrapped, err := asn1.Marshal(point)
		if err != nil {
			t.Fatal(err)
		}
		if !samePublic(point, spki) || !samePublic(wrapped, spki) {
			t.Errorf("%x is not seen as the key of %x", point, spki)
		}
		return
	}
}

// samePublic compares a modulus, an EC point or a GOST value with the key in spki.
func samePublic(public, spki []byte) bool {
	return slices.ContainsFunc(publicForms(spki), func(f []byte) bool { return bytes.Equal(f, canonical(public)) })
}
