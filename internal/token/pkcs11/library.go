// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/secret"
)

const (
	maxAttribute = 64 << 10 // bytes of one attribute: a certificate is the largest
	maxSignature = 4 << 10
	maxObjects   = 1024
)

// library is one loaded PKCS#11 module. Listing goes through the miekg binding; login, attributes and signing through
// the shim, because the binding copies the PIN to memory it does not wipe and trusts lengths the module returns.
type library struct {
	ctx *p11.Ctx
	fns *C.struct_ck_function_list
}

// ckr is a Cryptoki return value and the function that gave it.
type ckr struct {
	Function string `json:"function"`
	RV       uint   `json:"rv"`
}

func (e *ckr) Error() string { return e.Function + ": " + rvName(e.RV) }

// load opens and initialises the library at path.
func load(path string) (*library, error) {
	if !filepath.IsAbs(path) {
		return nil, errors.New("module path is not absolute")
	}
	if isProxy(path) {
		return nil, errors.New("p11-kit-proxy is never loaded")
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	var why [256]C.char
	fns := C.persten_load(cpath, &why[0], C.int(len(why)))
	if fns == nil {
		return nil, errors.New(C.GoString(&why[0]))
	}
	var ansi [1024]C.char
	if C.persten_ansi_path(cpath, &ansi[0], C.int(len(ansi))) != 0 {
		return nil, errors.New("module path cannot be spelled in the system's code page")
	}
	ctx := p11.New(C.GoString(&ansi[0]))
	if ctx == nil {
		return nil, errors.New("library refused to load twice")
	}
	if err := ctx.Initialize(); err != nil && !isRV(err, p11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return nil, failed("C_Initialize", err)
	}
	return &library{ctx: ctx, fns: fns}, nil
}

// close finalises the library; its code stays mapped, since unloading vendor code is a known way to crash.
func (l *library) close() { l.ctx.Finalize() }

// isProxy tells the p11-kit proxy, which is a link to libp11-kit: every token behind it would be listed twice.
func isProxy(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		real = path
	}
	return strings.Contains(filepath.Base(path), "p11-kit-proxy") ||
		strings.Contains(filepath.Base(real), "p11-kit-proxy") || strings.HasPrefix(filepath.Base(real), "libp11-kit.so")
}

// login logs the user in with the bytes of the locked page itself. A nil pin means the reader's own keypad.
func (l *library) login(s p11.SessionHandle, user uint, pin *secret.Buffer) error {
	var p unsafe.Pointer
	var n int
	if pin != nil {
		b := pin.Bytes()
		p, n = unsafe.Pointer(unsafe.SliceData(b)), len(b)
	}
	return result("C_Login", C.persten_login(l.fns, C.ck_ulong(s), C.ck_ulong(user), p, C.ck_ulong(n)))
}

// attribute reads one attribute of an object.
func (l *library) attribute(s p11.SessionHandle, o p11.ObjectHandle, kind uint) ([]byte, error) {
	buf := make([]byte, maxAttribute)
	n := C.ck_ulong(len(buf))
	rv := C.persten_attribute(l.fns, C.ck_ulong(s), C.ck_ulong(o), C.ck_ulong(kind), unsafe.Pointer(&buf[0]), &n)
	if err := result("C_GetAttributeValue", rv); err != nil {
		return nil, err
	}
	return append([]byte(nil), buf[:n]...), nil
}

// sign runs the two calls of one signature over data.
func (l *library) sign(s p11.SessionHandle, mechanism uint, key p11.ObjectHandle, data []byte) ([]byte, error) {
	if err := l.signInit(s, mechanism, key); err != nil {
		return nil, err
	}
	return l.signFinish(s, data)
}

func (l *library) signInit(s p11.SessionHandle, mechanism uint, key p11.ObjectHandle) error {
	return failed("C_SignInit", l.ctx.SignInit(s, []*p11.Mechanism{p11.NewMechanism(mechanism, nil)}, key))
}

func (l *library) signFinish(s p11.SessionHandle, data []byte) ([]byte, error) {
	out := make([]byte, maxSignature)
	n := C.ck_ulong(len(out))
	rv := C.persten_sign(l.fns, C.ck_ulong(s), unsafe.Pointer(unsafe.SliceData(data)), C.ck_ulong(len(data)), unsafe.Pointer(&out[0]), &n)
	if err := result("C_Sign", rv); err != nil {
		return nil, err
	}
	return out[:n:n], nil
}

// find returns the objects that match the template, at most maxObjects.
func (l *library) find(s p11.SessionHandle, template ...*p11.Attribute) ([]p11.ObjectHandle, error) {
	if err := l.ctx.FindObjectsInit(s, template); err != nil {
		return nil, failed("C_FindObjectsInit", err)
	}
	defer l.ctx.FindObjectsFinal(s)
	var all []p11.ObjectHandle
	for len(all) < maxObjects {
		some, _, err := l.ctx.FindObjects(s, 64)
		if err != nil {
			return nil, failed("C_FindObjects", err)
		}
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	return all, nil
}

// result turns a return value of the shim into an error.
func result(function string, rv C.ck_ulong) error {
	if rv == 0 {
		return nil
	}
	return &ckr{Function: function, RV: uint(rv)}
}

// failed names the function an error of the binding came from.
func failed(function string, err error) error {
	var rv p11.Error
	if errors.As(err, &rv) {
		return &ckr{Function: function, RV: uint(rv)}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", function, err)
	}
	return nil
}

func isRV(err error, rv uint) bool {
	var e p11.Error
	var c *ckr
	return errors.As(err, &e) && uint(e) == rv || errors.As(err, &c) && c.RV == rv
}
