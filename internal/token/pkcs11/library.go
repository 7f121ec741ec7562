// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"persten/internal/secret"
	"persten/internal/token"
)

const (
	maxAttribute = 64 << 10 // bytes of one attribute: a certificate is the largest
	maxSignature = 4 << 10
	maxObjects   = 16 << 10
	maxData      = 64 << 10 // bytes of what is signed: a digest, or attributes a token hashes itself
	findBatch    = 256
)

// library is one loaded PKCS#11 module. Calls of fixed size go through the miekg binding; login, lists, attributes and
// signing through the shim, because the binding copies the PIN to memory it does not wipe and trusts lengths the module
// returns.
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

// load opens the library at path and initialises it, with args for the few that want them.
func load(path, args string) (*library, error) {
	if !filepath.IsAbs(path) {
		return nil, &reason{token.ReasonAbsent, errors.New("module path is not absolute")}
	}
	if isProxy(path) {
		return nil, &reason{reasonLoad, errors.New("p11-kit-proxy is never loaded")}
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	var why [512]C.char
	fns := C.persten_load(cpath, &why[0], C.int(len(why)))
	if fns == nil {
		return nil, unloaded(path, C.GoString(&why[0]))
	}
	var ansi [1024]C.char
	if C.persten_ansi_path(cpath, &ansi[0], C.int(len(ansi))) != 0 {
		return nil, &reason{reasonLoad, errors.New("module path cannot be spelled in the system's code page")}
	}
	ctx := p11.New(C.GoString(&ansi[0]))
	if ctx == nil {
		return nil, &reason{reasonLoad, errors.New("library refused to load twice")}
	}
	if err := initialise(ctx, args); err != nil && !isRV(err, p11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return nil, &reason{token.ReasonInitialise, failed("C_Initialize", err)}
	}
	return &library{ctx: ctx, fns: fns}, nil
}

// initialise hands args over as pReserved, where NSS looks for them. They stay allocated, since the module may keep them.
func initialise(ctx *p11.Ctx, args string) error {
	if args == "" {
		return ctx.Initialize()
	}
	return ctx.Initialize(p11.InitializeWithReserved(unsafe.Pointer(C.CString(args))))
}

// unloaded sorts what the system's loader said about a library into the words of token.ModuleError.
func unloaded(path, why string) error {
	word := reasonLoad
	_, statErr := os.Stat(path)
	low := strings.ToLower(why)
	says := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(low, p) })
	}
	switch {
	case errors.Is(statErr, fs.ErrNotExist):
		word = token.ReasonAbsent
	case says("wrong elf class", "wrong architecture", "error 193"):
		word = token.ReasonArchitecture
	case says("invalid elf header", "file too short", "no c_getfunctionlist", "not a shared"):
		word = token.ReasonNotPKCS11
	case says("cannot open shared object", "undefined symbol", "version `", "error 126", "error 127"):
		word = token.ReasonDependency
	}
	return &reason{word, errors.New(why)}
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
	buf := attributes.Get().(*[maxAttribute]byte)
	defer attributes.Put(buf)
	n := C.ck_ulong(len(buf))
	rv := C.persten_attribute(l.fns, C.ck_ulong(s), C.ck_ulong(o), C.ck_ulong(kind), unsafe.Pointer(&buf[0]), &n)
	if err := result("C_GetAttributeValue", rv); err != nil {
		return nil, err
	}
	defer clear(buf[:n]) // it may be a derived key
	return append([]byte(nil), buf[:n]...), nil
}

// attributes are buffers for values of any size.
var attributes = sync.Pool{New: func() any { return new([maxAttribute]byte) }}

// number reads an attribute that is a CK_ULONG; ok is false when the module does not tell it.
func (l *library) number(s p11.SessionHandle, o p11.ObjectHandle, kind uint) (n uint, ok bool, err error) {
	v, err := l.attribute(s, o, kind)
	if err != nil || len(v) != C.sizeof_ck_ulong {
		return 0, false, err
	}
	if len(v) == 4 {
		return uint(binary.NativeEndian.Uint32(v)), true, nil
	}
	return uint(binary.NativeEndian.Uint64(v)), true, nil
}

func (l *library) signInit(s p11.SessionHandle, m mechanism, key p11.ObjectHandle) error {
	return failed("C_SignInit", l.ctx.SignInit(s, []*p11.Mechanism{p11.NewMechanism(m.Number, m.Param)}, key))
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
	var batch [findBatch]C.ck_ulong
	for len(all) < maxObjects {
		n := C.ck_ulong(len(batch))
		rv := C.persten_find(l.fns, C.ck_ulong(s), &batch[0], &n)
		if err := result("C_FindObjects", rv); err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		for _, o := range batch[:n] {
			all = append(all, p11.ObjectHandle(o))
		}
	}
	return all, nil
}

// slotIDs lists the slots that hold a token.
func (l *library) slotIDs() ([]uint, error) {
	var ids [maxSlots]C.ck_ulong
	n := C.ck_ulong(len(ids))
	if err := result("C_GetSlotList", C.persten_slots(l.fns, &ids[0], &n)); err != nil {
		return nil, err
	}
	return numbers(ids[:n]), nil
}

// mechanismList lists what the token in a slot can do.
func (l *library) mechanismList(slot uint) ([]uint, error) {
	var list [maxMechanisms]C.ck_ulong
	n := C.ck_ulong(len(list))
	if err := result("C_GetMechanismList", C.persten_mechanisms(l.fns, C.ck_ulong(slot), &list[0], &n)); err != nil {
		return nil, err
	}
	return numbers(list[:n]), nil
}

func numbers(list []C.ck_ulong) []uint {
	out := make([]uint, len(list))
	for i, n := range list {
		out[i] = uint(n)
	}
	return out
}

// waitSlot blocks, a thread with it, until a token comes or goes; with peek set it only looks.
func (l *library) waitSlot(peek bool) error {
	var flags, slot C.ck_ulong
	if peek {
		flags = p11.CKF_DONT_BLOCK
	}
	return result("C_WaitForSlotEvent", C.persten_wait(l.fns, flags, &slot))
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
