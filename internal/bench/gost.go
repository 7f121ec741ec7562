// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"persten/internal/algo/gost3410"
)

const gostAbout = `Each contestant repeats one operation in one thread for a quarter of a second per round, after one that is not counted. Ratios
are of processor time, user and system; the rate is of the clock on the wall. All hash the same random MiB and must come to one
digest. Each signs with the same key, and all must accept each signature, before anything is timed. A signature takes a
fresh nonce, a verification a key that has been used before. Portable is Persten built with the tag purego; signatures have no
assembly. Botan knows one of these curves by name.`

// Contestants of the GOST experiments.
const (
	oursVector   = "Persten, AVX-512"
	oursPortable = "Persten, portable"
	ours         = "Persten"
	engine       = "OpenSSL, gost engine"
	botan        = "Botan"
	gcrypt       = "libgcrypt"
	gogost       = "gogost"
)

// gostWork is the contestants' programs and what they work on.
type gostWork struct {
	*workbench
	portable, engine, botan, gcrypt string
	message                         string // file
	size                            int    // of it
	slice                           time.Duration
}

func gostPlan(ctx context.Context, w *workbench) (*plan, error) {
	g := &gostWork{workbench: w, slice: 250 * time.Millisecond}
	if err := g.prepare(ctx, 1<<20); err != nil {
		return nil, err
	}
	p := &plan{about: gostAbout, versions: []string{ourVersion(), says(ctx, g.engine, "version") + " with " + engineVersion(ctx),
		says(ctx, g.botan, "version"), says(ctx, g.gcrypt, "version"), "gogost " + moduleVersion(ctx, "github.com/ddulesov/gogost")}}
	for _, bits := range []string{"256", "512"} {
		p.experiments = append(p.experiments, g.streebog(bits).experiment())
	}
	for _, curve := range []string{"TC26A256", "CryptoProA", "TC26A512"} {
		k, err := g.newKey(ctx, curve)
		if err != nil {
			return nil, err
		}
		p.experiments = append(p.experiments, k.signing().experiment(), k.verification().experiment())
	}
	return p, nil
}

// prepare writes a random message and builds the contestants.
func (g *gostWork) prepare(ctx context.Context, size int) (err error) {
	g.message, g.size = g.path("message"), size
	message := make([]byte, size)
	rand.Read(message)
	if err := os.WriteFile(g.message, message, 0o600); err != nil {
		return err
	}
	g.portable = g.path("portable")
	if out, err := exec.CommandContext(ctx, "go", "build", "-tags", "purego", "-o", g.portable, "persten/internal/bench").CombinedOutput(); err != nil {
		return fmt.Errorf("go build -tags purego: %w: %s", err, out)
	}
	if g.engine, err = g.compile(ctx, "gost_openssl.c", "-lcrypto"); err != nil {
		return err
	}
	if g.botan, err = g.compile(ctx, "gost_botan.cpp", "pkg:botan-2"); err != nil {
		return err
	}
	g.gcrypt, err = g.compile(ctx, "gost_gcrypt.c", "-lgcrypt")
	return err
}

func engineVersion(ctx context.Context) string {
	version, err := output(ctx, "dpkg-query", "-W", "-f", "${Package} ${Version}", "libengine-gost-openssl")
	if err != nil {
		return "its gost engine of unknown version"
	}
	return version
}

func moduleVersion(ctx context.Context, module string) string {
	version, err := output(ctx, "go", "list", "-m", "-f", "{{.Version}}", module)
	if err != nil {
		return "of unknown version"
	}
	return version
}

func (g *gostWork) streebog(bits string) rates {
	args := []string{"hash", bits, g.message}
	child := func(library string) []string { return append([]string{"child", "primitive", library}, args...) }
	r := rates{
		name: fmt.Sprintf("Streebog-%s, %g MiB", bits, float64(g.size)/(1<<20)), size: g.size, slice: g.slice,
		racers: []racer{
			{oursVector, g.self, child("persten")}, {oursPortable, g.portable, child("persten")},
			{engine, g.engine, args}, {botan, g.botan, args}, {gcrypt, g.gcrypt, args}, {gogost, g.self, child("gogost")},
		},
		targets: []aim{{oursPortable, engine, 0.8}, {oursVector, engine, 2}, {oursVector, gcrypt, 1.6}},
	}
	if !hasVector() { // then both are the same code
		r.racers[0].name, r.targets = ours, []aim{{oursPortable, engine, 0.8}}
	}
	r.agree = r.sameOutput
	return r
}

// hasVector says that the processor has what the assembly needs.
func hasVector() bool {
	flags := " " + first("/proc/cpuinfo", `flags\s*:\s*(.+)`) + " "
	for _, flag := range []string{"avx512f", "avx512bw", "avx512vbmi", "gfni"} {
		if !strings.Contains(flags, " "+flag+" ") {
			return false
		}
	}
	return true
}

// sameOutput has every racer work once.
func (r rates) sameOutput(ctx context.Context) error {
	var want string
	for i, c := range r.racers {
		got, err := output(ctx, c.program, c.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if i == 0 {
			want = got
		}
		if got != want {
			return fmt.Errorf("%s has %s, %s %s", c.name, got, r.racers[0].name, want)
		}
	}
	return nil
}

// gostKey is a key that all contestants have.
type gostKey struct {
	*gostWork
	curve, title   string
	raw, file      string // d:x:y, and the PKCS #8 form
	digest, signed string // of the message, by us; hex
}

// measured are the curves: names for the reader, of key algorithm and parameter set for a PKCS #8 file.
var measured = map[string]struct {
	title          string
	algorithm, set asn1.ObjectIdentifier
}{
	"TC26A256":   {"256 bits, TC26 A", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 1, 1}},
	"CryptoProA": {"256 bits, CryptoPro A", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 35, 1}},
	"TC26A512":   {"512 bits, TC26 A", asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 2, 1, 2, 1}},
}

func (g *gostWork) newKey(ctx context.Context, curve string) (k gostKey, err error) {
	k = gostKey{gostWork: g, curve: curve, title: measured[curve].title, file: g.path(curve + ".der")}
	c := ourCurves[curve]()
	d, err := gost3410.GenerateKey(c, rand.Reader)
	if err != nil {
		return k, err
	}
	k.raw = fmt.Sprintf("%x:%x:%x", d.Bytes(), d.Public().X(), d.Public().Y())
	if err := writePKCS8(k.file, curve, d.Bytes()); err != nil {
		return k, err
	}
	bits := strconv.Itoa(8 * c.Size())
	if k.digest, err = output(ctx, g.self, "child", "primitive", "persten", "hash", bits, g.message); err != nil {
		return k, err
	}
	k.signed, err = output(ctx, g.self, "child", "primitive", "persten", "sign", curve, k.raw, k.digest)
	return k, err
}

// writePKCS8 writes a key, lowest byte first, as OpenSSL does.
func writePKCS8(path, curve string, d []byte) error {
	type parameters struct{ Set asn1.ObjectIdentifier }
	type algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters parameters
	}
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{measured[curve].algorithm, parameters{measured[curve].set}}, turned(d)})
	if err != nil {
		return err
	}
	return os.WriteFile(path, der, 0o600)
}

// racers are all who know the curve.
func (k gostKey) racers(what string, more ...string) []racer {
	args := append([]string{what, k.curve, k.raw}, more...)
	child := func(library string) []string { return append([]string{"child", "primitive", library}, args...) }
	list := []racer{{ours, k.self, child("persten")}, {engine, k.engine, append([]string{what, k.curve, k.file}, more...)}}
	if k.curve == "CryptoProA" {
		list = append(list, racer{botan, k.botan, args})
	}
	return append(list, racer{gcrypt, k.gcrypt, args}, racer{gogost, k.self, child("gogost")})
}

func (k gostKey) signing() rates {
	return rates{
		name: "Signature, " + k.title, racers: k.racers("sign", k.digest), agree: k.accepted,
		targets: []aim{{ours, engine, 0.5}}, slice: k.slice,
	}
}

func (k gostKey) verification() rates {
	return rates{
		name: "Verification, " + k.title, racers: k.racers("verify", k.digest, k.signed), agree: k.refused,
		targets: []aim{{ours, engine, 0.5}}, slice: k.slice,
	}
}

// accepted has everyone sign, and everyone verify every signature.
func (k gostKey) accepted(ctx context.Context) error {
	for _, signer := range k.racers("sign", k.digest) {
		sig, err := output(ctx, signer.program, signer.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", signer.name, err)
		}
		for _, v := range k.racers("verify", k.digest, sig) {
			if _, err := output(ctx, v.program, v.args...); err != nil {
				return fmt.Errorf("%s verifies what %s has signed: %w", v.name, signer.name, err)
			}
		}
	}
	return nil
}

// refused has everyone verify a signature with one bit changed: who accepts that does not verify.
func (k gostKey) refused(ctx context.Context) error {
	sig, err := hex.DecodeString(k.signed)
	if err != nil {
		return err
	}
	sig[len(sig)-1] ^= 1
	for _, v := range k.racers("verify", k.digest, hex.EncodeToString(sig)) {
		if _, err := output(ctx, v.program, v.args...); err == nil {
			return fmt.Errorf("%s accepts a changed signature", v.name)
		}
	}
	return nil
}
