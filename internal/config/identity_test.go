// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"persten/proto"
)

// proves checks a proof as a page does: by the key that came with it, over the agreed text.
func proves(t *testing.T, i *Identity, origin, challenge string) (key []byte) {
	t.Helper()
	key, proof, err := i.Prove(origin, challenge)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParsePKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := sha256.Sum256([]byte("persten agent v1\n" + origin + "\n" + challenge))
	r, s := new(big.Int).SetBytes(proof[:32]), new(big.Int).SetBytes(proof[32:])
	if len(proof) != 64 || !ecdsa.Verify(parsed.(*ecdsa.PublicKey), text[:], r, s) {
		t.Errorf("proof %x does not hold", proof)
	}
	return key
}

// TestIdentity: made once, by whichever process comes first, and found again by all.
func TestIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.key")
	keys := make([][]byte, 8)
	var wg sync.WaitGroup
	for n := range keys {
		wg.Go(func() {
			i, err := OpenIdentity(path)
			if err != nil {
				t.Error(err)
				return
			}
			keys[n] = i.spki
		})
	}
	wg.Wait()
	again, err := OpenIdentity(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 200 { // r and s of every length
		keys = append(keys, proves(t, again, "https://portal.example", rand.Text()))
	}
	for _, k := range keys {
		if !bytes.Equal(k, again.spki) {
			t.Fatalf("another key: %x", k)
		}
	}
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Error(fi, err)
	}
	fresh, err := OpenIdentity(filepath.Join(t.TempDir(), "agent.key"))
	if err != nil || bytes.Equal(fresh.spki, again.spki) {
		t.Error("two installations share a key", err)
	}
}

// TestIdentityUnsafe: what others could have read, or what is no such key, is refused and left as it is.
func TestIdentityUnsafe(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := OpenIdentity(good); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(data []byte, mode os.FileMode) func(string) error {
		return func(path string) error {
			return errors.Join(os.WriteFile(path, data, 0o600), os.Chmod(path, mode))
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(path string) error{
		"empty": write(nil, 0o600), "garbage": write([]byte("x"), 0o600), "two keys": write(append(key, key...), 0o600),
		"another curve": write(pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), 0o600),
		"cut":           write(key[:len(key)-40], 0o600), "long": write(bytes.Repeat(key, 64), 0o600),
		"folder": func(path string) error { return os.Mkdir(path, 0o700) },
	}
	if runtime.GOOS != "windows" {
		for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660, 0o602, 0o610} {
			cases[mode.String()] = write(key, mode)
		}
		cases["link"] = func(path string) error { return os.Symlink(good, path) }
		if os.Getuid() == 0 {
			cases["somebody else's"] = func(path string) error {
				return errors.Join(os.WriteFile(path, key, 0o600), os.Chown(path, 65534, 65534))
			}
		}
	}
	for name, place := range cases {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := place(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		_, err := OpenIdentity(path)
		pe, ok := err.(*proto.Error)
		if !ok || pe.Code != proto.CodeAgentKeyUnsafe || pe.Args["detail"] == "" || pe.Args["file"] != path {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func FuzzIdentity(f *testing.F) {
	i, err := OpenIdentity(filepath.Join(f.TempDir(), "agent.key"))
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if i, err := parseIdentity(data); err == nil {
			proves(t, i, "https://portal.example", "x")
		}
	})
}
