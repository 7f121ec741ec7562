// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"unsafe"

	"golang.org/x/sys/windows"

	"persten/internal/algo"
	"persten/internal/secret"
)

var (
	ncrypt           = windows.NewLazySystemDLL("ncrypt.dll")
	ncryptSign       = ncrypt.NewProc("NCryptSignHash")
	ncryptSet        = ncrypt.NewProc("NCryptSetProperty")
	ncryptFree       = ncrypt.NewProc("NCryptFreeObject")
	advapi32         = windows.NewLazySystemDLL("advapi32.dll")
	cryptCreateHash  = advapi32.NewProc("CryptCreateHash")
	cryptSetHash     = advapi32.NewProc("CryptSetHashParam")
	cryptSignHash    = advapi32.NewProc("CryptSignHashW")
	cryptDestroyHash = advapi32.NewProc("CryptDestroyHash")
	cryptSetProvider = advapi32.NewProc("CryptSetProvParam")
)

const (
	ncryptSilent    = 0x40
	padPKCS1        = 2
	padPSS          = 8
	ncryptPIN       = "SmartCardPin" // NCRYPT_PIN_PROPERTY
	hashValue       = 2              // HP_HASHVAL
	exchangePIN     = 32             // PP_KEYEXCHANGE_PIN
	signaturePIN    = 33             // PP_SIGNATURE_PIN
	provRSAFull     = 1
	provRSASchannel = 12
	provRSAAES      = 24
)

// acquire opens the private key of an entry, and gives the provider the PIN, if there is one.
func acquire(e entry, silent bool, pin *secret.Buffer) (signer, error) {
	var (
		handle windows.Handle
		spec   uint32
		free   bool
	)
	openFolder(e.from.name)
	if err := windows.CryptAcquireCertificatePrivateKey(e.context, e.from.flags(silent), nil, &handle, &spec, &free); err != nil {
		return nil, failed("CryptAcquireCertificatePrivateKey", err)
	}
	var k signer = &cspKey{handle, spec, free}
	if spec == windows.CERT_NCRYPT_KEY_SPEC {
		k = &cngKey{handle, silent, free}
	}
	if pin == nil {
		return k, nil
	}
	if err := k.give(pin); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// flags say by which of the two interfaces a key is opened.
func (p provider) flags(silent bool) (flags uint32) {
	switch p.kind {
	case 0:
		flags = windows.CRYPT_ACQUIRE_ONLY_NCRYPT_KEY_FLAG
	case provRSAFull, provRSASchannel, provRSAAES:
		flags = windows.CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG // old containers do SHA-2 there alone
	}
	if silent {
		flags |= windows.CRYPT_ACQUIRE_SILENT_FLAG
	}
	return flags
}

// cngKey is a key of CNG.
type cngKey struct {
	handle       windows.Handle
	silent, free bool
}

// give hands the PIN over; the provider may look at it only when it signs.
func (k *cngKey) give(pin *secret.Buffer) error {
	text, err := wide(pin)
	if err != nil {
		return err
	}
	defer text.Wipe()
	name, err := windows.UTF16PtrFromString(ncryptPIN)
	if err != nil {
		return err
	}
	b := text.Bytes()
	r, _, _ := ncryptSet.Call(uintptr(k.handle), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), k.quiet())
	return status("NCryptSetProperty", r)
}

func (k *cngKey) quiet() uintptr {
	if k.silent {
		return ncryptSilent
	}
	return 0
}

// padding is BCRYPT_PKCS1_PADDING_INFO and BCRYPT_PSS_PADDING_INFO, of which the first is the beginning of the second.
type padding struct {
	hash *uint16
	salt uint32
}

func (k *cngKey) sign(a algo.Algorithm, digest []byte) ([]byte, bool, error) {
	hash, err := windows.UTF16PtrFromString(cngHash(a))
	if err != nil {
		return nil, false, err
	}
	p := &padding{hash, uint32(a.Salt)}
	flags := k.quiet()
	switch {
	case a.PSS:
		flags |= padPSS
	case a.DigestInfo:
		flags |= padPKCS1
	default:
		p = nil
	}
	out, n := make([]byte, maxSignature), uint32(0)
	r, _, _ := ncryptSign.Call(uintptr(k.handle), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(unsafe.SliceData(digest))), uintptr(len(digest)),
		uintptr(unsafe.Pointer(&out[0])), uintptr(len(out)), uintptr(unsafe.Pointer(&n)), flags)
	if err := status("NCryptSignHash", r); err != nil {
		return nil, false, err
	}
	return out[:min(n, maxSignature)], false, nil
}

func (k *cngKey) close() {
	if k.free {
		ncryptFree.Call(uintptr(k.handle))
	}
}

// status turns what a function of CNG returned into an error.
func status(function string, r uintptr) error {
	if uint32(r) == 0 {
		return nil
	}
	return &failure{function, uint32(r)}
}

// cspKey is a key of a CryptoAPI provider.
type cspKey struct {
	handle windows.Handle
	spec   uint32
	free   bool
}

// give hands the PIN over, for the one key that signs: a provider may count a second entry as a second attempt.
func (k *cspKey) give(pin *secret.Buffer) error {
	text, err := narrow(pin)
	if err != nil {
		return err
	}
	defer text.Wipe()
	what := uintptr(exchangePIN)
	if k.spec == windows.AT_SIGNATURE {
		what = signaturePIN
	}
	ok, _, err := cryptSetProvider.Call(uintptr(k.handle), what, uintptr(unsafe.Pointer(unsafe.SliceData(text.Bytes()))), 0)
	return done("CryptSetProvParam", ok, err)
}

func (k *cspKey) sign(a algo.Algorithm, digest []byte) ([]byte, bool, error) {
	var hash windows.Handle
	ok, _, err := cryptCreateHash.Call(uintptr(k.handle), uintptr(legacyHash(a)), 0, 0, uintptr(unsafe.Pointer(&hash)))
	if err := done("CryptCreateHash", ok, err); err != nil {
		return nil, false, err
	}
	defer cryptDestroyHash.Call(uintptr(hash))
	ok, _, err = cryptSetHash.Call(uintptr(hash), hashValue, uintptr(unsafe.Pointer(unsafe.SliceData(digest))), 0)
	if err := done("CryptSetHashParam", ok, err); err != nil {
		return nil, false, err
	}
	out, n := make([]byte, maxSignature), uint32(maxSignature)
	ok, _, err = cryptSignHash.Call(uintptr(hash), uintptr(k.spec), 0, 0, uintptr(unsafe.Pointer(&out[0])), uintptr(unsafe.Pointer(&n)))
	if err := done("CryptSignHash", ok, err); err != nil {
		return nil, false, err
	}
	return out[:min(n, maxSignature)], true, nil
}

func (k *cspKey) close() {
	if k.free {
		windows.CryptReleaseContext(k.handle, 0)
	}
}

// done turns what a function of CryptoAPI returned into an error.
func done(function string, ok uintptr, err error) error {
	if ok != 0 {
		return nil
	}
	return failed(function, err)
}
