// SPDX-License-Identifier: GPL-3.0-or-later

package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// authority writes a certificate of an authority.
func authority(t *testing.T, name string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now(),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name+".pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func needTool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Skip("certutil is not installed (installer/deps.sh test)")
	}
}

// TestTrust puts an authority into every store, another in its place, and takes it out; what else is there stays.
func TestTrust(t *testing.T) {
	needTool(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	profile := filepath.Join(home, ".mozilla/firefox/abc.default")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	other := authority(t, "other")
	for _, args := range [][]string{{"-N", "--empty-password"}, {"-A", "-n", "other", "-t", "C,,", "-i", other}} {
		if _, err := tool(t.Context(), profile, args...); err != nil {
			t.Fatal(err)
		}
	}
	first, second := authority(t, "first"), authority(t, "second")
	for _, file := range []string{first, second, second} {
		stores, err := Trust(t.Context(), file)
		if err != nil || len(stores) != 2 || !stores[0].Trusted || !stores[1].Trusted {
			t.Fatalf("%+v, %v", stores, err)
		}
		if stores[1].Path != profile {
			t.Errorf("stores %+v", stores)
		}
	}
	if stores, err := TrustStatus(t.Context(), first); err != nil || stores[0].Trusted || stores[1].Trusted {
		t.Errorf("the first is still there: %+v, %v", stores, err)
	}
	for range 2 {
		if stores, err := Distrust(t.Context()); err != nil || stores[0].Trusted {
			t.Errorf("%+v, %v", stores, err)
		}
	}
	for _, dir := range []string{filepath.Join(home, ".pki/nssdb"), profile} {
		list, err := tool(t.Context(), dir, "-L")
		if err != nil || strings.Contains(string(list), Trusted) {
			t.Errorf("%s: %s, %v", dir, list, err)
		}
	}
	if !holdsAs(t, profile, "other") {
		t.Error("a certificate that is not ours is gone")
	}
}

func holdsAs(t *testing.T, dir, nickname string) bool {
	_, err := tool(t.Context(), dir, "-L", "-n", nickname)
	return err == nil
}

// TestDistrustMakesNothing: taking out where nothing was leaves no store behind.
func TestDistrustMakesNothing(t *testing.T) {
	needTool(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	if _, err := Distrust(t.Context()); err != nil {
		t.Error(err)
	}
	if exists(filepath.Join(home, ".pki")) {
		t.Error("a store was made")
	}
}

func TestTrustWithoutTool(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	if _, err := Trust(t.Context(), authority(t, "one")); !errors.Is(err, ErrNoTrustTool) {
		t.Error(err)
	}
}

// TestTrustDamagedStore: a store that cannot be changed is told, and the others are changed all the same.
func TestTrustDamagedStore(t *testing.T) {
	needTool(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	profile := filepath.Join(home, ".mozilla/firefox/bad.default")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(profile, "cert9.db"), []byte("this is no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	stores, err := Trust(t.Context(), authority(t, "one"))
	if err == nil || !strings.Contains(err.Error(), profile) {
		t.Errorf("error %v", err)
	}
	if len(stores) != 2 || !stores[0].Trusted || stores[1].Trusted {
		t.Errorf("%+v", stores)
	}
}

// TestDistrustLockedStore: a store that a browser is writing just then is not one without our certificate.
func TestDistrustLockedStore(t *testing.T) {
	needTool(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	if _, err := Trust(t.Context(), authority(t, "one")); err != nil {
		t.Fatal(err)
	}
	store, err := os.OpenFile(filepath.Join(home, ".pki/nssdb/cert9.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0x40000000, Len: 512} // SQLite's lock of a writer
	if err := syscall.FcntlFlock(store.Fd(), syscall.F_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	if _, err := Distrust(t.Context()); err == nil {
		t.Error("a store that cannot be read was left in silence")
	}
	store.Close()
	if _, err := Distrust(t.Context()); err != nil {
		t.Error(err)
	}
}
