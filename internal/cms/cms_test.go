// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// owner is a key with a certificate of a CA of the same kind; it is a Signer.
type owner struct {
	key    algo.PrivateKey
	cert   *cert.Certificate
	root   *cert.Certificate
	id     algo.ID
	calls  int
	change func([]byte) []byte // what the "token" does to the signature
	err    error
}

func (o *owner) Certificate() *cert.Certificate { return o.cert }
func (o *owner) Algorithm() algo.ID             { return o.id }

func (o *owner) Sign(_ context.Context, in algo.Input) ([]byte, error) {
	o.calls++
	if o.err != nil {
		return nil, o.err
	}
	sig, err := o.key.Sign(rand.Reader, o.id, in)
	if o.change != nil {
		sig = o.change(sig)
	}
	return sig, err
}

func (o *owner) trust() cert.Trust { return cert.Trust{Roots: []*cert.Certificate{o.root}} }

var kinds = []string{"rsa2048", "p256", "gost256", "gost512"}

var owners struct {
	sync.Mutex
	made map[string]owner
}

// ownerOf returns a fresh copy of an owner made once per kind.
func ownerOf(t testing.TB, kind string) *owner {
	t.Helper()
	owners.Lock()
	defer owners.Unlock()
	if o, ok := owners.made[kind]; ok {
		return &o
	}
	key, err := algo.GenerateKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := algo.GenerateKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	o := owner{key: key, id: key.Public().Algorithms()[0]}
	o.root, err = cert.Build(cert.Template{Subject: cert.Person{CommonName: "Корень " + kind}, Key: ca.Public(), CA: true}, nil, ca)
	if err != nil {
		t.Fatal(err)
	}
	person := cert.Person{CommonName: "Демонстрационный Подписант", INN: "500100732259", SNILS: "11223344595"}
	o.cert, err = cert.Build(cert.Template{Subject: person, Key: key.Public()}, o.root, ca)
	if err != nil {
		t.Fatal(err)
	}
	if owners.made == nil {
		owners.made = map[string]owner{}
	}
	owners.made[kind] = o
	return &o
}

func sign(t testing.TB, o *owner, content []byte, op Options) []byte {
	t.Helper()
	var w bytes.Buffer
	if err := Sign(context.Background(), &w, bytes.NewReader(content), o, op); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// check verifies sig; content is nil for attached ones.
func check(t testing.TB, sig, content []byte, trust cert.Trust) *Report {
	t.Helper()
	var r io.Reader
	if content != nil {
		r = bytes.NewReader(content)
	}
	rep, err := Verify(context.Background(), bytes.NewReader(sig), r, trust)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

var document = []byte("Документ для подписи\r\nвторая строка\n")

func TestSignVerify(t *testing.T) {
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, kind := range kinds {
		o := ownerOf(t, kind)
		for _, attached := range []bool{false, true} {
			op := Options{Attached: attached, SigningTime: at, Chain: []*cert.Certificate{o.root, o.cert}, FileName: "приказ.txt", MIMEType: "text/plain"}
			sig := sign(t, o, document, op)
			content := document
			if attached {
				content = nil
			}
			rep := check(t, sig, content, o.trust())
			if !rep.Valid() || !rep.Trusted() || rep.Attached != attached || rep.Content.Size != int64(len(document)) {
				t.Fatalf("%s attached %v: %+v", kind, attached, rep)
			}
			s := rep.Signers[0]
			if !s.Certificate.Equal(o.cert) || s.Algorithm != o.id || !s.SigningTime.Equal(at) || len(s.Chain) != 2 {
				t.Errorf("%s: %+v", kind, s)
			}
			a, _ := algo.Lookup(o.id)
			if !bytes.Equal(rep.Content.Digest[a.Digest], a.Digest.Sum(document)) {
				t.Errorf("%s: digest %x", kind, rep.Content.Digest)
			}
			if n := bytes.Count(sig, o.root.Raw); n != 1 {
				t.Errorf("%s: the root is there %d times", kind, n)
			}
		}
	}
}

func TestEmptyContent(t *testing.T) {
	o := ownerOf(t, "p256")
	if rep := check(t, sign(t, o, nil, Options{Attached: true}), nil, o.trust()); !rep.Valid() || !rep.Attached {
		t.Errorf("attached: %+v", rep)
	}
	if rep := check(t, sign(t, o, nil, Options{}), []byte{}, o.trust()); !rep.Valid() || rep.Attached {
		t.Errorf("detached: %+v", rep)
	}
}

func TestOtherContent(t *testing.T) {
	o := ownerOf(t, "gost256")
	sig := sign(t, o, document, Options{})
	if rep := check(t, sig, document[1:], o.trust()); !errors.Is(rep.Signers[0].Problem, ErrDigest) || rep.Valid() {
		t.Errorf("detached: %v", rep.Signers[0].Problem)
	}
	if _, err := Verify(context.Background(), bytes.NewReader(sig), nil, o.trust()); !errors.Is(err, ErrNoContent) {
		t.Errorf("no content: %v", err)
	}
	sig = sign(t, o, document, Options{Attached: true})
	if rep := check(t, sig, document, o.trust()); !rep.Valid() {
		t.Errorf("attached with the same content: %v", rep.Signers[0].Problem)
	}
	if rep := check(t, sig, document[1:], o.trust()); !errors.Is(rep.Signers[0].Problem, ErrDigest) {
		t.Errorf("attached with another content: %v", rep.Signers[0].Problem)
	}
}

// TestUntrusted: a path is a question of its own.
func TestUntrusted(t *testing.T) {
	o, other := ownerOf(t, "p256"), ownerOf(t, "gost256")
	sig := sign(t, o, document, Options{Chain: []*cert.Certificate{o.root}})
	rep := check(t, sig, document, other.trust())
	if s := rep.Signers[0]; !s.Valid || s.Trusted || !errors.Is(s.TrustProblem, cert.ErrUntrusted) || rep.Trusted() {
		t.Errorf("%+v", s)
	}
	late := o.trust()
	late.At = time.Now().AddDate(5, 0, 0)
	if s := check(t, sig, document, late).Signers[0]; !s.Valid || !errors.Is(s.TrustProblem, cert.ErrExpired) {
		t.Errorf("%+v", s)
	}
}

func TestSignRefuses(t *testing.T) {
	boom := errors.New("token fell out")
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name  string
		ctx   context.Context
		owner func(o *owner)
		opt   Options
		r     io.Reader
		want  error
		calls int
	}{
		{"another digest", nil, nil, Options{Digest: make([]byte, 32)}, nil, ErrContentChanged, 0},
		{"token error", nil, func(o *owner) { o.err = boom }, Options{}, nil, boom, 1},
		{"wrong signature", nil, func(o *owner) { o.change = func(b []byte) []byte { b[9] ^= 1; return b } }, Options{}, nil, ErrSelfCheck, 1},
		{"no signature", nil, func(o *owner) { o.change = func([]byte) []byte { return nil } }, Options{}, nil, ErrSelfCheck, 1},
		{"algorithm of another key", nil, func(o *owner) { o.id = algo.RSASHA256 }, Options{}, nil, algo.ErrUnsupported, 0},
		{"cancelled", gone, nil, Options{}, nil, context.Canceled, 0},
		{"read error", nil, nil, Options{}, io.MultiReader(strings.NewReader("x"), failing{boom}), boom, 0},
	} {
		o, ctx, r := ownerOf(t, "gost256"), c.ctx, c.r
		if c.owner != nil {
			c.owner(o)
		}
		if ctx == nil {
			ctx = context.Background()
		}
		if r == nil {
			r = bytes.NewReader(document)
		}
		var w bytes.Buffer
		if err := Sign(ctx, &w, r, o, c.opt); !errors.Is(err, c.want) || o.calls != c.calls || w.Len() != 0 {
			t.Errorf("%s: %v, %d calls, %d bytes", c.name, err, o.calls, w.Len())
		}
	}
	if err := Sign(context.Background(), io.Discard, io.MultiReader(), ownerOf(t, "p256"), Options{Attached: true}); err == nil {
		t.Error("attached from a pipe")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// shifty is content that is another one when read again.
type shifty struct {
	*strings.Reader
	second string
}

func (s *shifty) Seek(off int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		s.Reader = strings.NewReader(s.second)
	}
	return s.Reader.Seek(off, whence)
}

func TestContentChanges(t *testing.T) {
	for _, second := range []string{"price 900", "price 10", "price 1000", ""} {
		c := &shifty{strings.NewReader("price 100"), second}
		if err := Sign(context.Background(), io.Discard, c, ownerOf(t, "p256"), Options{Attached: true}); !errors.Is(err, ErrContentChanged) {
			t.Errorf("%q: %v", second, err)
		}
	}
	// Content is signed from where it stands.
	r := strings.NewReader("skipped" + string(document))
	if _, err := r.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	if err := Sign(context.Background(), &w, r, ownerOf(t, "p256"), Options{Attached: true}); err != nil {
		t.Fatal(err)
	}
	if rep := check(t, w.Bytes(), document, cert.Trust{}); !rep.Valid() {
		t.Error(rep.Signers[0].Problem)
	}
}

// TestFlippedBits flips every bit in turn. None may go unnoticed, but for those that turn SignedData version 1 into 3 or 5:
// all three are read, and no signature covers the field.
func TestFlippedBits(t *testing.T) {
	o := ownerOf(t, "p256")
	positions := 0
	for _, attached := range []bool{false, true} {
		sig := sign(t, o, document, Options{Attached: attached})
		for i := range sig {
			for bit := range 8 {
				bad := slices.Clone(sig)
				bad[i] ^= 1 << bit
				var content io.Reader
				if !attached {
					content = bytes.NewReader(document)
				}
				positions++
				rep, err := Verify(context.Background(), bytes.NewReader(bad), content, o.trust())
				version := bytes.HasPrefix(bad[i-min(i, 2):], []byte{2, 1}) && i < 30
				if err == nil && rep.Valid() && !(version && (bit == 1 || bit == 2)) {
					t.Errorf("attached %v: bit %d of byte %d (%02x) went unnoticed", attached, bit, i, sig[i])
				}
			}
		}
	}
	t.Logf("%d positions", positions)
}

func TestTruncated(t *testing.T) {
	o := ownerOf(t, "p256")
	sig := sign(t, o, document, Options{Attached: true})
	for n := range sig {
		if _, err := Verify(context.Background(), bytes.NewReader(sig[:n]), nil, o.trust()); !errors.Is(err, ErrFormat) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := Verify(context.Background(), bytes.NewReader(append(sig, 0)), nil, o.trust()); !errors.Is(err, ErrFormat) {
		t.Errorf("one byte more: %v", err)
	}
	boom := errors.New("disk gone")
	if _, err := Verify(context.Background(), io.MultiReader(bytes.NewReader(sig[:100]), failing{boom}), nil, o.trust()); !errors.Is(err, boom) || errors.Is(err, ErrFormat) {
		t.Errorf("read error: %v", err)
	}
}

// zeros is n bytes of content that exist nowhere.
type zeros struct{ n, at int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.at >= z.n {
		return 0, io.EOF
	}
	k := min(int64(len(p)), z.n-z.at)
	clear(p[:k])
	z.at += k
	return int(k), nil
}

func (z *zeros) Seek(off int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		z.at = off
	}
	return z.at, nil
}

// TestMemory signs and verifies 64 MiB, attached, through a pipe: all allocations together stay below 2 MiB.
func TestMemory(t *testing.T) {
	const size = 64 << 20
	o := ownerOf(t, "p256")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, w := io.Pipe()
	go func() {
		w.CloseWithError(Sign(context.Background(), w, &zeros{n: size}, o, Options{Attached: true}))
	}()
	rep, err := Verify(context.Background(), r, nil, o.trust())
	runtime.ReadMemStats(&after)
	if err != nil || !rep.Valid() || rep.Content.Size != size {
		t.Fatalf("%v, %+v", err, rep)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 {
		t.Errorf("%d bytes allocated", n)
	} else {
		t.Logf("%d bytes allocated for %d of content", n, size)
	}
}
