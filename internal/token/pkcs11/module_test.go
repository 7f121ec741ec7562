// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/algo"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// Numbers of TC26 that the binding does not have.
const (
	ckmGOST512KeyPairGen = 0xD4321005
	ckmGOST512           = 0xD4321006
	ckmGOST12Derive      = 0xD4321007
	ckmStreebog256       = 0xD4321012
	ckmStreebog512       = 0xD4321013
)

// direct is the test module itself, logged in, without anything of the product between.
func direct(t *testing.T) (*tokentest.Scenario, *filler) {
	t.Helper()
	s, so := tokentest.NewScenario(t)
	store := s.Path("store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	s.Add("slot 1\npin 12345678\nstore %s\nmechanisms rsa ec gost256 gost512 vko digest keygen", store)
	s.Save()
	ctx := p11.New(so)
	if ctx == nil {
		t.Fatal("the module does not load")
	}
	if err := ctx.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ctx.Finalize() })
	session, err := ctx.OpenSession(1, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err == nil {
		err = ctx.Login(session, p11.CKU_USER, "12345678")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, &filler{ctx: ctx, session: session}
}

// madeKey is a key pair made by C_GenerateKeyPair.
type madeKey struct {
	private p11.ObjectHandle
	value   []byte // CKA_VALUE of the public key
	key     algo.PublicKey
}

func (f *filler) generate(t *testing.T, p tokentest.ParamSet, id byte, keep bool) madeKey {
	t.Helper()
	mechanism := uint(p11.CKM_GOSTR3410_KEY_PAIR_GEN)
	if p.ID == algo.GOST512 {
		mechanism = ckmGOST512KeyPairGen
	}
	both := []*p11.Attribute{p11.NewAttribute(p11.CKA_TOKEN, keep), p11.NewAttribute(p11.CKA_ID, []byte{id})}
	public, private, err := f.ctx.GenerateKeyPair(f.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)},
		append([]*p11.Attribute{p11.NewAttribute(p11.CKA_GOSTR3410_PARAMS, oidDER(p.OID))}, both...), both)
	if err != nil {
		t.Fatalf("C_GenerateKeyPair: %v", err)
	}
	v, err := f.ctx.GetAttributeValue(f.session, public, []*p11.Attribute{
		p11.NewAttribute(p11.CKA_VALUE, nil), p11.NewAttribute(p11.CKA_GOSTR3410_PARAMS, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(v[1].Value, oidDER(p.OID)) {
		t.Errorf("parameter set % x of the key, wanted %s", v[1].Value, p.OID)
	}
	key, err := gostPublic(p.OID, v[0].Value)
	if err != nil {
		t.Fatalf("public key: %v", err)
	}
	return madeKey{private, v[0].Value, key}
}

// TestGeneratedKeys makes a pair of each parameter set in the test module. The keys sign, and, once certified, are listed and
// sign through the product, in another process.
func TestGeneratedKeys(t *testing.T) {
	s, f := direct(t)
	var ids []string
	for n, p := range tokentest.ParamSets {
		k := f.generate(t, p, byte(n+1), true)
		mechanism := uint(p11.CKM_GOSTR3410)
		if p.ID == algo.GOST512 {
			mechanism = ckmGOST512
		}
		in := tokentest.Digest(p.ID)
		if err := f.ctx.SignInit(f.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, k.private); err != nil {
			t.Fatal(err)
		}
		sig, err := f.ctx.Sign(f.session, in.Digest)
		if err == nil {
			err = k.key.Verify(p.ID, in, sig)
		}
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		c, _ := s.NewCertificate(k.key, p.Name)
		_, err = f.ctx.CreateObject(f.session, []*p11.Attribute{
			p11.NewAttribute(p11.CKA_CLASS, p11.CKO_CERTIFICATE), p11.NewAttribute(p11.CKA_TOKEN, true),
			p11.NewAttribute(p11.CKA_ID, []byte{byte(n + 1)}), p11.NewAttribute(p11.CKA_VALUE, c.Raw),
		})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.ID())
	}
	so, err := tokentest.BuildModule()
	if err != nil {
		t.Fatal(err)
	}
	inv := newInventory(t, inChild(pkcs11.Module{Name: "p11test", Path: so}))
	for _, id := range ids {
		signs(t, keyOf(t, inv, id), "12345678")
	}
}

// TestAgreement is VKO in the test module: both sides get one key, and it is the one that OpenSSL derives.
func TestAgreement(t *testing.T) {
	s, f := direct(t)
	ukm := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for _, p := range tokentest.ParamSets {
		t.Run(p.Name, func(t *testing.T) {
			ours := f.generate(t, p, 1, false)
			peer, peerFile := s.NewKey(p.Name)
			theirs := peerValue(t, peer)
			kek := f.derive(t, ours.private, theirs, ukm)
			second := f.generate(t, p, 2, false)
			if a, b := f.derive(t, ours.private, second.value, ukm), f.derive(t, second.private, ours.value, ukm); !bytes.Equal(a, b) {
				t.Errorf("the two sides have %x and %x", a, b)
			}
			if other := f.derive(t, ours.private, theirs, []byte{8, 7, 6, 5, 4, 3, 2, 1}); bytes.Equal(kek, other) {
				t.Error("the UKM makes no difference")
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "ours.der"), ours.key.SPKI(), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := tokentest.OpenSSL(t, dir, "pkeyutl", "-derive", "-inkey", peerFile, "-keyform", "DER", "-peerkey", "ours.der",
				"-peerform", "DER", "-pkeyopt", "ukmhex:"+hex.EncodeToString(ukm), "-pkeyopt", "vko:256", "-out", "kek")
			if err != nil {
				t.Fatalf("openssl pkeyutl: %v: %s", err, out)
			}
			if want, _ := os.ReadFile(filepath.Join(dir, "kek")); !bytes.Equal(kek, want) {
				t.Errorf("module %x, openssl %x", kek, want)
			}
		})
	}
}

// peerValue is the point of a key as CKA_VALUE has it, the end of its SubjectPublicKeyInfo.
func peerValue(t *testing.T, key algo.PublicKey) []byte {
	t.Helper()
	n := 64
	if key.Algorithms()[0] == algo.GOST512 {
		n = 128
	}
	spki := key.SPKI()
	return spki[len(spki)-n:]
}

// derive runs CKM_GOSTR3410_12_DERIVE with its packed parameter.
func (f *filler) derive(t *testing.T, private p11.ObjectHandle, peer, ukm []byte) []byte {
	t.Helper()
	param := binary.LittleEndian.AppendUint32(nil, 1) // CKD_NULL
	for _, part := range [][]byte{peer, ukm} {
		param = append(binary.LittleEndian.AppendUint32(param, uint32(len(part))), part...)
	}
	k, err := f.ctx.DeriveKey(f.session, []*p11.Mechanism{p11.NewMechanism(ckmGOST12Derive, param)}, private, nil)
	if err != nil {
		t.Fatalf("C_DeriveKey: %v", err)
	}
	v, err := f.ctx.GetAttributeValue(f.session, k, []*p11.Attribute{p11.NewAttribute(p11.CKA_VALUE, nil)})
	if err != nil {
		t.Fatal(err)
	}
	return v[0].Value
}

func TestModuleDigests(t *testing.T) {
	_, f := direct(t)
	message := []byte("content to be signed")
	for mechanism, d := range map[uint]algo.Digest{p11.CKM_SHA256: algo.SHA256, ckmStreebog256: algo.Streebog256, ckmStreebog512: algo.Streebog512} {
		if err := f.ctx.DigestInit(f.session, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}); err != nil {
			t.Fatal(err)
		}
		got, err := f.ctx.Digest(f.session, message)
		if err != nil || !bytes.Equal(got, d.Sum(message)) {
			t.Errorf("%s: %x, %v", d, got, err)
		}
	}
}

// TestWrittenElsewhere lists a certificate that another program wrote, at the latest when told to refresh.
func TestWrittenElsewhere(t *testing.T) {
	s, inventory := odd(t)
	store := s.Path("store")
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	s.Add("store %s", store)
	s.Pair("CryptoPro-A", "")
	inv := inventory()
	oneKey(t, inv)
	public, key := s.NewKey("TC26-512-A")
	c, crt := s.NewCertificate(public, "TC26-512-A")
	for from, to := range map[string]string{key: "0a0b.key", crt: "0a0b.crt"} {
		if err := os.Rename(from, filepath.Join(store, to)); err != nil {
			t.Fatal(err)
		}
	}
	inv.Refresh()
	signs(t, keyOf(t, inv, c.ID()), "12345678")
	if err := os.Remove(filepath.Join(store, "0a0b.crt")); err != nil {
		t.Fatal(err)
	}
	inv.Refresh()
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if certificate := k.Certificate(); certificate != nil && certificate.ID() == c.ID() {
			t.Error("a deleted certificate is still listed")
		}
	}
}

// TestModuleForWindows compiles the test module with mingw: RSA and ECDSA by CNG. It is not run here.
func TestModuleForWindows(t *testing.T) {
	const cc = "x86_64-w64-mingw32-gcc"
	if _, err := exec.LookPath(cc); err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	sources, err := filepath.Glob("../../../testdata/p11/module/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	args := append([]string{"-shared", "-Wall", "-Werror", "-o", filepath.Join(t.TempDir(), "p11test.dll")}, sources...)
	if out, err := exec.Command(cc, append(args, "-lbcrypt", "-lncrypt", "-lcrypt32")...).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
