// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// TestLarge signs and checks a document that is read and hashed aside.
func TestLarge(t *testing.T) {
	s := signerOf(t, algo.GOST256)
	doc := "<d>" + strings.Repeat("<строка n=\"1\">Гайка &amp; болт</строка>\n", asideFrom/40) + "</d>"
	out := signDocument(t, s, doc, Options{})
	var octets bytes.Buffer
	rep := verifyWith(t, out, s.trust(), VerifyOptions{Canonical: func(int, int) io.Writer { return &octets }})
	if r := rep.Signers[0]; !rep.Valid() || int64(octets.Len()) != r.References[0].Size || octets.String() != doc {
		t.Fatalf("%v, %d octets", r.Problem, octets.Len())
	}
	for _, to := range []int{100, len(doc) / 2, len(doc)} {
		at := strings.LastIndex(out[:to], "\"1\"") + 1
		if rep := verify(t, out[:at]+"2"+out[at+1:], s.trust()); rep.Valid() {
			t.Errorf("changed at %d: valid", at)
		}
	}
}

// TestLargeEnds leaves nothing running when reading ends early.
func TestLargeEnds(t *testing.T) {
	s := signerOf(t, algo.GOST256)
	out := signDocument(t, s, "<d>"+strings.Repeat("<a>1</a>", asideFrom/4)+"</d>", Options{})
	broken := errors.New("broken")
	before := runtime.NumGoroutine()
	for name, c := range map[string]struct {
		o    VerifyOptions
		ctx  func() context.Context
		want error
	}{
		"copies refuse":        {VerifyOptions{Canonical: func(int, int) io.Writer { return refusing{broken} }}, t.Context, broken},
		"second reading fails": {VerifyOptions{}, t.Context, iotest.ErrTimeout},
	} {
		doc := &secondFails{Reader: strings.NewReader(out), fails: c.want == iotest.ErrTimeout}
		if _, err := Verify(c.ctx(), doc, cert.Trust{}, c.o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

type refusing struct{ err error }

func (r refusing) Write([]byte) (int, error) { return 0, r.err }

// secondFails fails in the middle when it is read for the second time.
type secondFails struct {
	*strings.Reader
	fails bool
	seeks int
	left  int
}

func (s *secondFails) Seek(offset int64, whence int) (int64, error) {
	s.seeks++
	s.left = s.Reader.Len() / 2
	return s.Reader.Seek(offset, whence)
}

func (s *secondFails) Read(p []byte) (int, error) {
	if s.fails && s.seeks == 2 {
		if s.left -= len(p); s.left < 0 {
			return 0, iotest.ErrTimeout
		}
	}
	return s.Reader.Read(p)
}
