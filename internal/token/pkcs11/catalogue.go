// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// vendor is a library by the paths its installers use.
type vendor struct {
	name           string
	linux, windows []string
}

// vendors is the built-in catalogue, in the order in which one of several instances of the same certificate is chosen:
// a vendor's own library before a general one. Paths are never taken from a page or a registry.
var vendors = []vendor{
	{"rutoken", []string{
		"/usr/lib/librtpkcs11ecp.so", "/usr/lib64/librtpkcs11ecp.so",
		"/opt/aktivco/rutokenecp/x86_64/librtpkcs11ecp.so", "/opt/aktivco/rutokenecp/amd64/librtpkcs11ecp.so",
	}, []string{`C:\Windows\System32\rtPKCS11ECP.dll`}},
	{"jacarta", []string{
		"/usr/lib/libjcPKCS11-2.so.2", "/usr/lib/libjcPKCS11-2.so", "/usr/lib64/libjcPKCS11-2.so.2", "/usr/lib64/libjcPKCS11-2.so",
	}, []string{`C:\Windows\System32\jcPKCS11-2.dll`}},
	{"etoken", []string{
		"/usr/lib/libeTPkcs11.so", "/usr/lib64/libeTPkcs11.so", "/usr/lib/libeToken.so", "/usr/lib64/libeToken.so",
	}, []string{`C:\Windows\System32\eTPKCS11.dll`}},
	{"yubikey", []string{
		"/usr/lib/x86_64-linux-gnu/libykcs11.so.2", "/usr/lib/x86_64-linux-gnu/libykcs11.so", "/usr/lib64/libykcs11.so.2",
		"/usr/lib/aarch64-linux-gnu/libykcs11.so.2",
	}, []string{`C:\Program Files\Yubico\Yubico PIV Tool\bin\libykcs11.dll`}},
	{"opensc", []string{
		"/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so", "/usr/lib/aarch64-linux-gnu/opensc-pkcs11.so",
		"/usr/lib64/opensc-pkcs11.so", "/usr/lib/opensc-pkcs11.so",
	}, []string{`C:\Program Files\OpenSC Project\OpenSC\pkcs11\opensc-pkcs11.dll`}},
	{"softhsm", []string{
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
		"/usr/lib64/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
	}, []string{`C:\SoftHSM2\lib\softhsm2-x64.dll`, `C:\Program Files\SoftHSM2\lib\softhsm2-x64.dll`}},
}

// Catalogue returns the libraries of the built-in list that are installed here, one path each. A file that somebody other
// than the administrator could have put there is left out.
func Catalogue() []Module {
	var found []Module
	for _, v := range vendors {
		paths := v.linux
		if runtime.GOOS == "windows" {
			paths = v.windows
		}
		for _, p := range paths {
			if Trusted(p) == nil {
				found = append(found, Module{Name: v.name, Path: p})
				break
			}
		}
	}
	return found
}

// Trusted reports why the library at path should not be loaded without being named by its user: it is not absolute, not
// there, or writable by others than the administrator.
func Trusted(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s: not an absolute path", path)
	}
	if isProxy(path) {
		return fmt.Errorf("%s: p11-kit-proxy is never loaded", path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New(path + ": not a file")
	}
	return administered(real)
}
