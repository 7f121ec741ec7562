// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
)

// storeName is the store of certificates that have private keys.
const storeName = "MY"

const (
	propProviderInfo = 2 // CERT_KEY_PROV_INFO_PROP_ID
	storeReadOnly    = windows.CERT_STORE_READONLY_FLAG | windows.CERT_STORE_OPEN_EXISTING_FLAG
)

var (
	crypt32     = windows.NewLazySystemDLL("crypt32.dll")
	getProperty = crypt32.NewProc("CertGetCertificateContextProperty")
)

// entry is a certificate of the store with a private key.
type entry struct {
	context *windows.CertContext // valid while it is visited
	der     []byte
	from    provider
}

// id is the certificate's, as package cert makes it.
func (e entry) id() string {
	sum := sha256.Sum256(e.der)
	return hex.EncodeToString(sum[:])
}

func openStore() (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(storeName)
	if err != nil {
		return 0, err
	}
	return windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, windows.CERT_SYSTEM_STORE_CURRENT_USER|storeReadOnly, uintptr(unsafe.Pointer(name)))
}

// each visits the entries of the store, at most maxCertificates, until visit returns false. A store that was never written to
// is empty.
func each(visit func(entry) bool) error {
	store, err := openStore()
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return nil
	}
	if err != nil {
		return failed("CertOpenStore", err)
	}
	defer windows.CertCloseStore(store, 0)
	var at *windows.CertContext
	for range maxCertificates {
		if at, err = windows.CertEnumCertificatesInStore(store, at); err != nil || at == nil {
			return nil // the last call frees the context, and says that there are no more
		}
		if at.Length > maxCertificate {
			continue
		}
		from, ok := providerOf(at)
		if !ok {
			continue // of somebody else, or of an authority
		}
		if !visit(entry{at, append([]byte(nil), unsafe.Slice(at.EncodedCert, at.Length)...), from}) {
			break
		}
	}
	windows.CertFreeCertificateContext(at)
	return nil
}

// keyInfo is CRYPT_KEY_PROV_INFO.
type keyInfo struct {
	container, provider *uint16
	kind, flags, params uint32
	_                   uintptr
	spec                uint32
}

// providerOf reads where the private key of a certificate is, without asking for it there.
func providerOf(c *windows.CertContext) (provider, bool) {
	var size uint32
	if ok, _, _ := getProperty.Call(uintptr(unsafe.Pointer(c)), propProviderInfo, 0, uintptr(unsafe.Pointer(&size))); ok == 0 {
		return provider{}, false
	}
	if size < uint32(unsafe.Sizeof(keyInfo{})) || size > maxProperty {
		return provider{}, false
	}
	buf := make([]uint64, (size+7)/8) // for the alignment
	ok, _, _ := getProperty.Call(uintptr(unsafe.Pointer(c)), propProviderInfo, uintptr(unsafe.Pointer(&buf[0])), uintptr(unsafe.Pointer(&size)))
	if ok == 0 {
		return provider{}, false
	}
	info := (*keyInfo)(unsafe.Pointer(&buf[0]))
	if info.provider == nil {
		return provider{kind: info.kind}, true
	}
	return provider{name: printable(windows.UTF16PtrToString(info.provider)), kind: info.kind}, true
}

// failed is the status that a function of Windows left behind.
func failed(function string, err error) error {
	var status windows.Errno
	if errors.As(err, &status) {
		return &failure{function, uint32(status)}
	}
	return err
}
