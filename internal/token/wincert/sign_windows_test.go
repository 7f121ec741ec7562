// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"persten/internal/algo"
	"persten/internal/token/tokentest"
)

// cngRSA makes an RSA key at CNG's software provider, which only the handle refers to.
func cngRSA(t *testing.T) (*cngKey, algo.PublicKey) {
	t.Helper()
	var store, key windows.Handle
	call := func(name string, args ...uintptr) {
		t.Helper()
		if r, _, _ := ncrypt.NewProc(name).Call(args...); uint32(r) != 0 {
			t.Fatalf("%s: %#x", name, uint32(r))
		}
	}
	text := func(s string) uintptr {
		p, err := windows.UTF16PtrFromString(s)
		if err != nil {
			t.Fatal(err)
		}
		return uintptr(unsafe.Pointer(p))
	}
	call("NCryptOpenStorageProvider", uintptr(unsafe.Pointer(&store)), text("Microsoft Software Key Storage Provider"), 0)
	call("NCryptCreatePersistedKey", uintptr(store), uintptr(unsafe.Pointer(&key)), text("RSA"), 0, 0, 0)
	bits := uint32(2048)
	call("NCryptSetProperty", uintptr(key), text("Length"), uintptr(unsafe.Pointer(&bits)), 4, 0)
	call("NCryptFinalizeKey", uintptr(key), 0)
	blob, n := make([]byte, 4096), uint32(0)
	call("NCryptExportKey", uintptr(key), 0, text("RSAPUBLICBLOB"), 0, uintptr(unsafe.Pointer(&blob[0])), uintptr(len(blob)), uintptr(unsafe.Pointer(&n)), 0)
	t.Cleanup(func() { ncryptFree.Call(uintptr(store)) })
	return &cngKey{handle: key, silent: true, free: true}, fromBlob(t, blob[:n])
}

// fromBlob reads BCRYPT_RSAKEY_BLOB.
func fromBlob(t *testing.T, b []byte) algo.PublicKey {
	t.Helper()
	size := func(at int) int { return int(binary.LittleEndian.Uint32(b[at:])) }
	e, rest := b[24:24+size(8)], b[24+size(8):]
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(rest[:size(12)]), E: int(new(big.Int).SetBytes(e).Int64())}
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := algo.ParsePublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestFolder: the folder of a provider counts when the machine's registry names it whole.
func TestFolder(t *testing.T) {
	const name = "Persten test provider"
	key, _, err := registry.CreateKey(registry.LOCAL_MACHINE, providersKey+name, registry.SET_VALUE)
	if err != nil {
		t.Skip("not an administrator:", err)
	}
	t.Cleanup(func() {
		key.Close()
		registry.DeleteKey(registry.LOCAL_MACHINE, providersKey+name)
	})
	for image, want := range map[string]string{`C:\Program Files\Maker\csp.dll`: `C:\Program Files\Maker`, "csp.dll": "", `..\csp.dll`: "", `\csp.dll`: "", "": ""} {
		if err := key.SetStringValue("Image Path", image); err != nil {
			t.Fatal(err)
		}
		if got := folderOf(name); got != want {
			t.Errorf("%q: %q, want %q", image, got, want)
		}
	}
	if got := folderOf("no such provider"); got != "" {
		t.Errorf("%q", got)
	}
}

// TestCNG makes every signature CNG is asked for with an RSA key.
func TestCNG(t *testing.T) {
	key, public := cngRSA(t)
	defer key.close()
	ids := provider{}.algorithms(public)
	if len(ids) != 6 {
		t.Fatalf("algorithms %v", ids)
	}
	for _, id := range ids {
		a, _ := algo.Lookup(id)
		in := tokentest.Digest(id)
		raw, turned, err := key.sign(a, in.Digest)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if _, err := settle(public, id, in, signReply{raw, turned}); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}
