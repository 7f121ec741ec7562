// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	theirs "github.com/ddulesov/gogost/gost3410"
	"github.com/ddulesov/gogost/gost34112012256"
	"github.com/ddulesov/gogost/gost34112012512"

	"persten/internal/algo/gost3410"
	"persten/internal/algo/streebog"
)

// primitives is a library in Go; key is d:x:y in hex, highest byte first. Digests and signatures are as CMS has them.
type primitives struct {
	hashes map[string]func() hash.Hash
	key    func(curve string, parts [3][]byte) (signVerify, error)
}

type signVerify struct {
	sign   func(digest []byte) ([]byte, error)
	verify func(digest, sig []byte) bool
}

var goLibraries = map[string]primitives{
	"persten": {map[string]func() hash.Hash{"256": streebog.New256, "512": streebog.New512}, ourKey},
	"gogost": {map[string]func() hash.Hash{
		"256": func() hash.Hash { return gost34112012256.New() }, "512": func() hash.Hash { return gost34112012512.New() },
	}, gogostKey},
}

// ourCurves are those that are measured.
var ourCurves = map[string]func() *gost3410.Curve{
	"CryptoProA": gost3410.CryptoProA, "TC26A256": gost3410.TC26A256, "TC26A512": gost3410.TC26A512,
}

func ourKey(curve string, parts [3][]byte) (s signVerify, err error) {
	c, ok := ourCurves[curve]
	if !ok {
		return s, fmt.Errorf("no curve %s", curve)
	}
	d, err := gost3410.NewPrivateKey(c(), parts[0])
	if err != nil {
		return s, err
	}
	public, err := gost3410.NewPublicKey(c(), parts[1], parts[2])
	if err != nil {
		return s, err
	}
	return signVerify{func(digest []byte) ([]byte, error) { return d.Sign(rand.Reader, digest) }, public.Verify}, nil
}

// gogostKey turns digests round: gogost reads them as numbers whose highest byte comes first.
func gogostKey(curve string, parts [3][]byte) (s signVerify, err error) {
	start, ok := map[string]func() *theirs.Curve{
		"CryptoProA": theirs.CurveIdGostR34102001CryptoProXchAParamSet, "TC26A256": theirs.CurveIdtc26gost34102012256paramSetA,
		"TC26A512": theirs.CurveIdtc26gost341012512paramSetA,
	}[curve]
	if !ok {
		return s, fmt.Errorf("no curve %s", curve)
	}
	c, mode := start(), theirs.Mode(len(parts[0]))
	number := func(b []byte) *big.Int { return new(big.Int).SetBytes(b) }
	d := theirs.PrivateKey{C: c, Mode: mode, Key: number(parts[0])}
	public := theirs.PublicKey{C: c, Mode: mode, X: number(parts[1]), Y: number(parts[2])}
	return signVerify{
		func(digest []byte) ([]byte, error) { return d.SignDigest(turned(digest), rand.Reader) },
		func(digest, sig []byte) bool {
			ok, err := public.VerifyDigest(turned(digest), sig)
			return ok && err == nil
		},
	}, nil
}

func turned(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b
}

// primitive is the command line of peer/gost.h for a Go library.
func primitive(library string, args []string) error {
	p, ok := goLibraries[library]
	if !ok || len(args) < 3 {
		return errors.New("usage: see peer/gost.h")
	}
	work, ms, err := p.work(args)
	if err != nil {
		return err
	}
	if ms != "" {
		return repeat(work, ms)
	}
	result, err := work()
	if err == nil {
		fmt.Println(hex.EncodeToString(result))
	}
	return err
}

// work is the operation that the arguments name, and how long to repeat it.
func (p primitives) work(args []string) (f func() ([]byte, error), ms string, err error) {
	if args[0] == "hash" {
		start, ok := p.hashes[args[1]]
		if !ok {
			return nil, "", fmt.Errorf("no hash %s", args[1])
		}
		data, err := os.ReadFile(args[2])
		h := start()
		return func() ([]byte, error) {
			h.Reset()
			h.Write(data)
			return h.Sum(nil), nil
		}, argument(args, 3), err
	}
	k, err := parseKey(p, args[1], args[2])
	if err != nil {
		return nil, "", err
	}
	digest, err := hex.DecodeString(argument(args, 3))
	if err != nil || args[0] == "sign" {
		return func() ([]byte, error) { return k.sign(digest) }, argument(args, 4), err
	}
	sig, err := hex.DecodeString(argument(args, 4))
	return func() ([]byte, error) {
		if !k.verify(digest, sig) {
			return nil, errors.New("not accepted")
		}
		return nil, nil
	}, argument(args, 5), err
}

func argument(args []string, i int) string {
	if i < len(args) {
		return args[i]
	}
	return ""
}

func parseKey(p primitives, curve, text string) (s signVerify, err error) {
	var parts [3][]byte
	fields := strings.Split(text, ":")
	if len(fields) != len(parts) {
		return s, errors.New("key: want d:x:y")
	}
	for i, f := range fields {
		if parts[i], err = hex.DecodeString(f); err != nil {
			return s, err
		}
	}
	return p.key(curve, parts)
}

// repeat is repeat of peer/gost.h.
func repeat(work func() ([]byte, error), ms string) error {
	length, err := strconv.Atoi(ms)
	if err != nil {
		return err
	}
	if _, err := work(); err != nil { // makes tables and fills caches
		return err
	}
	used, began, n := processorTime(), time.Now(), 0
	for ; n == 0 || time.Since(began) < time.Duration(length)*time.Millisecond; n++ {
		if _, err := work(); err != nil {
			return err
		}
	}
	_, err = fmt.Println(n, time.Since(began).Nanoseconds(), (processorTime() - used).Nanoseconds())
	return err
}

// processorTime is the user and system time of this process.
func processorTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
