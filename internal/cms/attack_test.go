// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// wrongCounter makes a countersignature over value that does not hold and has its attributes out of order: it costs two checks.
func wrongCounter(t testing.TB, o *owner, value []byte) []byte {
	t.Helper()
	m, err := newMaker(o, Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.counter = true
	attrs, err := m.attributes(m.alg.Digest.Sum(value))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := o.Sign(t.Context(), algo.Input{Digest: m.alg.Digest.Sum(document), Message: document})
	if err != nil {
		t.Fatal(err)
	}
	info, err := m.signerInfo(attrs, sig, nil)
	if err != nil {
		t.Fatal(err)
	}
	sorted := implicit(tagContext0, set(attrs))
	slices.SortFunc(attrs, func(a, b []byte) int { return bytes.Compare(b, a) })
	body := bytes.Join(attrs, nil)
	return bytes.Replace(info, sorted, append(head(tagContext0, int64(len(body))), body...), 1)
}

// putBeside puts an attribute beside the first signer of a file or a token.
func putBeside(t testing.TB, sig []byte, attribute []byte) []byte {
	t.Helper()
	e, err := open(t.Context(), bytes.NewReader(sig), "")
	if err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	if err := e.replace(0, attribute); err != nil {
		t.Fatal(err)
	}
	if err := e.write(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// TestChecksAreCounted: signatures inside time-stamps inside signatures share one budget, also the second look at unsorted attributes.
func TestChecksAreCounted(t *testing.T) {
	o, a := ownerOf(t, "gost512"), newAuthority(t, "gost512")
	a.certs = func(*maker) [][]byte { return nil }
	sig := sign(t, o, document, Options{})
	_, signers := parts(t, sig)
	si, err := parseSigner(signers[0])
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.Stamp(t.Context(), algo.Streebog512, algo.Streebog512.Sum(si.signature))
	if err != nil {
		t.Fatal(err)
	}
	_, inner := parts(t, token)
	if si, err = parseSigner(inner[0]); err != nil {
		t.Fatal(err)
	}
	var wrong []any
	for range 30 {
		wrong = append(wrong, raw(wrongCounter(t, o, si.signature)))
	}
	token = putBeside(t, token, attr(t, oidCountersignature, wrong...))
	for len(sig)+len(token) < 64<<10 {
		sig = putBeside(t, sig, attr(t, oidTimeStamp, raw(token)))
	}
	sig = add(t, sig, document, ownerOf(t, "p256"), Options{})
	start := time.Now()
	rep := check(t, sig, document, join(o.trust(), ownerOf(t, "p256").trust()))
	t.Logf("%d bytes in %v", len(sig), time.Since(start))
	checked := 0
	for _, s := range rep.Signers {
		if !s.Valid {
			t.Errorf("a signer whose signature holds: %v", s.Problem)
		}
		checked += len(s.TimeStamps)
		for _, ts := range s.TimeStamps {
			for _, c := range ts.Signer.Countersignatures {
				switch {
				case errors.Is(c.Problem, ErrSignature):
					checked++
				case !errors.Is(c.Problem, ErrLimit):
					t.Errorf("%v", c.Problem)
				}
			}
		}
	}
	if checked > maxBeside+4 { // four time-stamps were cut off
		t.Errorf("%d signatures beside the signers were checked", checked)
	}
}

// twin is a certificate of somebody else under the issuer and the serial number of o's.
func twin(t testing.TB, o *owner) *cert.Certificate {
	t.Helper()
	key, err := algo.GenerateKey("p256")
	if err != nil {
		t.Fatal(err)
	}
	issuer := cert.Person{CommonName: o.root.Card().Owner.CommonName}
	root, err := cert.Build(cert.Template{Subject: issuer, Key: key.Public(), CA: true}, nil, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cert.Build(cert.Template{Subject: cert.Person{CommonName: "Другой"}, Serial: o.cert.X509.SerialNumber, Key: key.Public()}, root, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAlikeCertificates: the certificates are not signed, so a file can hold another one under the signer's issuer and serial number. It
// neither takes the signer's place nor spoils the signature.
func TestAlikeCertificates(t *testing.T) {
	for _, kind := range kinds {
		o := ownerOf(t, kind)
		other := twin(t, o)
		sig := sign(t, o, document, Options{})
		for name, certs := range map[string][][]byte{
			"before": {other.Raw, o.cert.Raw}, "after": {o.cert.Raw, other.Raw}, "many": append(slices.Repeat([][]byte{other.Raw}, maxAlike-1), o.cert.Raw),
		} {
			s := check(t, replaceCertificates(t, sig, o, certs), document, o.trust()).Signers[0]
			if !s.Valid || !s.Trusted || !bytes.Equal(s.Certificate.Raw, o.cert.Raw) {
				t.Errorf("%s, %s: %v", kind, name, s.Problem)
			}
		}
		for n, certs := range [][][]byte{{other.Raw}, append(slices.Repeat([][]byte{other.Raw}, maxAlike), o.cert.Raw)} {
			s := check(t, replaceCertificates(t, sig, o, certs), document, o.trust()).Signers[0]
			if s.Valid || s.Intact || !errors.Is(s.Problem, ErrSigningCertificate) {
				t.Errorf("%s, %d: %v", kind, n, s.Problem)
			}
		}
	}
}

// TestNoKeyForWhatCannotBeWritten: what would be beyond the limits of Verify is refused before the key and the authority are used.
func TestNoKeyForWhatCannotBeWritten(t *testing.T) {
	o := ownerOf(t, "p256")
	sig := sign(t, o, document, Options{})
	certs, signers := parts(t, sig)
	full := framed(t, o, certs, slices.Repeat(signers, maxSigners))
	crowded := framed(t, ownerOf(t, "gost256"), slices.Repeat([][]byte{twin(t, o).Raw}, maxCertificates), signers)
	crammed := sig
	for range maxAttributes {
		crammed = putBeside(t, crammed, attr(t, oidData, 1))
	}
	big := attr(t, oidData, make([]byte, maxHeld-maxMade)) // Verify reads it, and it leaves no room for anything new
	heavy := framed(t, o, certs, [][]byte{signers[0], bytes.Clone(signers[0])})
	heavy = putBeside(t, heavy, big)
	check(t, heavy, document, o.trust())
	authority := newAuthority(t, "p256")
	for name, work := range map[string]func(w io.Writer) error{
		"bytes": func(w io.Writer) error {
			return Add(t.Context(), w, bytes.NewReader(heavy), bytes.NewReader(document), o, Options{})
		},
		"bytes of a countersigner": func(w io.Writer) error { return Countersign(t.Context(), w, bytes.NewReader(heavy), 1, o, Options{}) },
		"bytes of a time-stamp":    func(w io.Writer) error { return Extend(t.Context(), w, bytes.NewReader(heavy), authority) },
		"signers": func(w io.Writer) error {
			return Add(t.Context(), w, bytes.NewReader(full), bytes.NewReader(document), o, Options{})
		},
		"certificates": func(w io.Writer) error {
			return Add(t.Context(), w, bytes.NewReader(crowded), bytes.NewReader(document), o, Options{})
		},
		"certificates of a countersigner": func(w io.Writer) error {
			return Countersign(t.Context(), w, bytes.NewReader(crowded), 0, o, Options{})
		},
		"countersignature": func(w io.Writer) error { return Countersign(t.Context(), w, bytes.NewReader(crammed), 0, o, Options{}) },
		"time-stamp":       func(w io.Writer) error { return Extend(t.Context(), w, bytes.NewReader(crammed), authority) },
	} {
		var w bytes.Buffer
		used := o.calls + authority.calls
		if err := work(&w); !errors.Is(err, ErrLimit) || w.Len() != 0 || o.calls+authority.calls != used {
			t.Errorf("%s: %v, %d bytes, key and authority used %d times", name, err, w.Len(), o.calls+authority.calls-used)
		}
	}
}

// TestAddBesideOddDigest: an announced digest algorithm with parameters nobody knows does not pass for the new signer's.
func TestAddBesideOddDigest(t *testing.T) {
	o := ownerOf(t, "p256")
	e, err := open(t.Context(), bytes.NewReader(sign(t, o, document, Options{})), "")
	if err != nil {
		t.Fatal(err)
	}
	id := algo.SHA256.Identifier()
	id.Parameters = asn1.RawValue{FullBytes: []byte{2, 1, 7}}
	odd, err := asn1.Marshal(id)
	if err != nil {
		t.Fatal(err)
	}
	e.digests = []element{{der: odd}}
	var w bytes.Buffer
	if err := e.write(t.Context(), &w); err != nil {
		t.Fatal(err)
	}
	sig := w.Bytes()
	rep := check(t, add(t, sig, document, o, Options{}), document, o.trust())
	if !slices.ContainsFunc(rep.Signers, func(s SignerReport) bool { return s.Valid }) {
		t.Errorf("the new signature cannot be checked: %v", rep.Signers[0].Problem)
	}
}
