// SPDX-License-Identifier: GPL-3.0-or-later

package wincert_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"persten/internal/algo"
	"persten/internal/ipc"
	"persten/internal/secret"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
	"persten/internal/token/wincert"
)

const childArg = "store-child"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childArg {
		os.Exit(childMain())
	}
	os.Exit(m.Run())
}

// childMain is the role of a session's process, as the agent wires it.
func childMain() int {
	if err := errors.Join(secret.SystemLibraries(), secret.Harden()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	conn, err := ipc.Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	wincert.Serve(context.Background(), conn)
	return 0
}

func open() *wincert.Inventory {
	start := pkcs11.Exec(os.Stderr, os.Args[0], childArg)
	return wincert.New(wincert.Options{Label: "Хранилище Windows", Start: func(ctx context.Context) (ipc.FileConn, wincert.Process, error) {
		return start(ctx, pkcs11.Module{Path: token.WindowsStore})
	}})
}

var (
	crypt32      = windows.NewLazySystemDLL("crypt32.dll")
	getProperty  = crypt32.NewProc("CertGetCertificateContextProperty")
	controlStore = crypt32.NewProc("CertControlStore")
	setProperty  = crypt32.NewProc("CertSetCertificateContextProperty")
	deleteFrom   = crypt32.NewProc("CertDeleteCertificateFromStore")
	advapi32     = windows.NewLazySystemDLL("advapi32.dll")
	getParameter = advapi32.NewProc("CryptGetProvParam")
)

// keyInfo is CRYPT_KEY_PROV_INFO.
type keyInfo struct {
	container, provider *uint16
	kind, flags, params uint32
	_                   uintptr
	spec                uint32
}

const aesProvider = "Microsoft Enhanced RSA and AES Cryptographic Provider"

// imported puts the RSA key of the demo token into the user's store, as Windows does when somebody opens a .p12, and takes it
// out again with the test.
func imported(t *testing.T) (id string) {
	t.Helper()
	return importedTo(t, func(c *windows.CertContext) place { return place{container(t, c), aesProvider, windows.PROV_RSA_AES} })
}

// place is where a private key is said to be.
type place struct {
	container, provider string
	kind                uint32
}

// importedTo is imported, and says of the key what where tells.
func importedTo(t *testing.T, where func(*windows.CertContext) place) (id string) {
	t.Helper()
	dir := folder(t)
	if _, err := keyfile.OpenDemo(dir); err != nil {
		t.Fatal(err)
	}
	pfx, err := os.ReadFile(filepath.Join(dir, "rsa2048.p12"))
	if err != nil {
		t.Fatal(err)
	}
	blob := windows.CryptDataBlob{Size: uint32(len(pfx)), Data: &pfx[0]}
	from, err := windows.PFXImportCertStore(&blob, utf16(t, keyfile.DemoPIN), windows.CRYPT_USER_KEYSET)
	if err != nil {
		t.Fatal("PFXImportCertStore:", err)
	}
	defer windows.CertCloseStore(from, 0)
	found := keyed(t, from)
	put(t, found, where(found))
	sum := sha256.Sum256(unsafe.Slice(found.EncodedCert, found.Length))
	return hex.EncodeToString(sum[:])
}

// folder is a temporary one. wine 8 does not let t.TempDir remove what it made.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// keyed is the first certificate of a store that has a private key.
func keyed(t *testing.T, store windows.Handle) *windows.CertContext {
	t.Helper()
	var at *windows.CertContext
	for {
		var err error
		if at, err = windows.CertEnumCertificatesInStore(store, at); err != nil {
			t.Fatal("no certificate with a key:", err)
		}
		var n uint32
		if ok, _, _ := getProperty.Call(uintptr(unsafe.Pointer(at)), 2, 0, uintptr(unsafe.Pointer(&n))); ok != 0 {
			return at
		}
	}
}

func utf16(t *testing.T, s string) *uint16 {
	t.Helper()
	p, err := windows.UTF16PtrFromString(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// put adds a certificate to MY, with its key where at says: wine imports into a provider that knows no SHA-2.
func put(t *testing.T, c *windows.CertContext, at place) {
	t.Helper()
	info := keyInfo{container: utf16(t, at.container), provider: utf16(t, at.provider), kind: at.kind, spec: windows.AT_KEYEXCHANGE}
	if ok, _, err := setProperty.Call(uintptr(unsafe.Pointer(c)), 2, 0, uintptr(unsafe.Pointer(&info))); ok == 0 {
		t.Fatal("CertSetCertificateContextProperty:", err)
	}
	my := store(t)
	if err := windows.CertAddCertificateContextToStore(my, c, windows.CERT_STORE_ADD_REPLACE_EXISTING, nil); err != nil {
		t.Fatal(err)
	}
	windows.CertCloseStore(my, 0) // wine writes it then
	kept := windows.CertDuplicateCertificateContext(c)
	t.Cleanup(func() { takeOut(t, kept) })
}

// takeOut deletes a certificate from MY.
func takeOut(t *testing.T, c *windows.CertContext) {
	my := store(t)
	defer windows.CertCloseStore(my, 0)
	found, err := windows.CertFindCertificateInStore(my, windows.X509_ASN_ENCODING, 0, windows.CERT_FIND_EXISTING, unsafe.Pointer(c), nil)
	if err != nil {
		t.Error("CERT_FIND_EXISTING:", err)
		return
	}
	if ok, _, err := deleteFrom.Call(uintptr(unsafe.Pointer(found))); ok == 0 {
		t.Error("CertDeleteCertificateFromStore:", err)
	}
	if ok, _, err := controlStore.Call(uintptr(my), 1, 3, 0); ok == 0 {
		t.Error("CERT_STORE_CTRL_COMMIT:", err)
	}
}

// container is where the import put the key.
func container(t *testing.T, c *windows.CertContext) string {
	t.Helper()
	var handle windows.Handle
	var spec uint32
	var free bool
	if err := windows.CryptAcquireCertificatePrivateKey(c, windows.CRYPT_ACQUIRE_SILENT_FLAG, nil, &handle, &spec, &free); err != nil {
		t.Fatal("imported key:", err)
	}
	if free {
		defer windows.CryptReleaseContext(handle, 0)
	}
	name, n := make([]byte, 1024), uint32(1024)
	if ok, _, err := getParameter.Call(uintptr(handle), 6, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&n)), 0); ok == 0 {
		t.Fatal("PP_CONTAINER:", err)
	}
	return windows.ByteSliceToString(name[:n])
}

func store(t *testing.T) windows.Handle {
	t.Helper()
	my, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, windows.CERT_SYSTEM_STORE_CURRENT_USER, uintptr(unsafe.Pointer(utf16(t, "MY"))))
	if err != nil {
		t.Fatal(err)
	}
	return my
}

func TestSuite(t *testing.T) {
	imported(t)
	tokentest.Run(t, func(*testing.T) tokentest.Fixture {
		return tokentest.Fixture{Inventory: open(), Want: []algo.ID{algo.RSASHA256, algo.RSASHA384, algo.RSASHA512}, Label: "Хранилище Windows"}
	})
}

func find(t *testing.T, inv *wincert.Inventory, id string) token.Key {
	t.Helper()
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.ID() == id {
			return k
		}
	}
	return nil
}

func TestListed(t *testing.T) {
	id := imported(t)
	k := find(t, open(), id)
	if k == nil {
		t.Fatal("not listed")
	}
	if i := k.Token(); i.Model != aesProvider || i.LoginRequired || i.Module != token.WindowsStore {
		t.Errorf("%+v", i)
	}
}

// TestEvents: the store tells of a certificate that comes and of one that goes.
func TestEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	inv := open()
	events := inv.Events(ctx)
	var id string
	t.Run("comes", func(t *testing.T) {
		id = imported(t)
		awaitEvent(t, events)
		if find(t, inv, id) == nil {
			t.Error("not listed")
		}
	})
	awaitEvent(t, events) // goes
	if find(t, inv, id) != nil {
		t.Error("still listed")
	}
	cancel()
	for range events {
	}
}

func awaitEvent(t *testing.T, events <-chan token.Event) {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok || e.Kind != token.Changed || e.Token.Module != token.WindowsStore {
			t.Errorf("event %+v", e)
		}
	case <-time.After(15 * time.Second):
		t.Error("no event")
	}
}

// TestRemoved: a certificate taken out of the store cannot be opened, and nothing is asked for it.
func TestRemoved(t *testing.T) {
	var k token.Key
	t.Run("there", func(t *testing.T) { k = find(t, open(), imported(t)) })
	if k == nil {
		t.Fatal("not listed")
	}
	if _, err := k.Open(t.Context(), nil); !errors.Is(err, token.ErrRemoved) {
		t.Errorf("Open: %v", err)
	}
}

// TestKeyGone: the certificate is there, its container is not.
func TestKeyGone(t *testing.T) {
	id := importedTo(t, func(*windows.CertContext) place { return place{"no such container", aesProvider, windows.PROV_RSA_AES} })
	if _, err := find(t, open(), id).Open(t.Context(), nil); !errors.Is(err, token.ErrAbsent) {
		t.Errorf("Open: %v", err)
	}
}

// TestKilled: a process that dies under a signature is an error of the provider, and the next session is a new one.
func TestKilled(t *testing.T) {
	id := imported(t)
	start := pkcs11.Exec(os.Stderr, os.Args[0], childArg)
	var last pkcs11.Process
	inv := wincert.New(wincert.Options{Label: "x", Start: func(ctx context.Context) (ipc.FileConn, wincert.Process, error) {
		conn, proc, err := start(ctx, pkcs11.Module{Path: token.WindowsStore})
		last = proc
		return conn, proc, err
	}})
	k := find(t, inv, id)
	s, err := k.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	last.Kill()
	var m *token.ModuleError
	if _, err := s.Sign(t.Context(), algo.RSASHA256, tokentest.Digest(algo.RSASHA256)); !errors.As(err, &m) || m.Reason != token.ReasonCrashed {
		t.Errorf("Sign: %v", err)
	}
	s.Close()
	if s, err = k.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Sign(t.Context(), algo.RSASHA256, tokentest.Digest(algo.RSASHA256)); err != nil {
		t.Error(err)
	}
}
