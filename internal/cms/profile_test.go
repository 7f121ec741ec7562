// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
)

// authority is a time-stamping authority with a key of its own.
type authority struct {
	t     testing.TB
	owner *owner
	at    time.Time
	calls int
	err   error
	edit  func(info *tstInfo)                               // what it gets wrong
	attrs func(m *maker, attrs [][]byte) [][]byte           // in its signed attributes
	sign  func(info []byte) []byte                          // what it signs in place of what it says
	certs func(m *maker) [][]byte                           // what it embeds
	twice func(a *authority, d algo.Digest, imprint []byte) // called before it answers
}

func newAuthority(t testing.TB, kind string) *authority {
	return &authority{t: t, owner: ownerOf(t, kind), at: time.Date(2026, 5, 6, 7, 8, 9, 123e6, time.UTC)}
}

func (a *authority) Stamp(_ context.Context, d algo.Digest, imprint []byte) ([]byte, error) {
	a.calls++
	if a.err != nil {
		return nil, a.err
	}
	info := tstInfo{Version: 1, Policy: asn1.ObjectIdentifier{1, 2, 3}, Serial: big.NewInt(7), Nonce: big.NewInt(42), Accuracy: accuracy{Seconds: 1, Millis: 500}}
	info.Imprint.Algorithm, info.Imprint.Value = d.Identifier(), imprint
	info.Time = asn1.RawValue{Tag: asn1.TagGeneralizedTime, Bytes: []byte(a.at.Format("20060102150405.000Z"))}
	if a.edit != nil {
		a.edit(&info)
	}
	der, err := asn1.Marshal(struct {
		Version  int
		Policy   asn1.ObjectIdentifier
		Imprint  any
		Serial   *big.Int
		Time     asn1.RawValue
		Accuracy accuracy
		Nonce    *big.Int
	}{info.Version, info.Policy, info.Imprint, info.Serial, info.Time, info.Accuracy, info.Nonce})
	if err != nil {
		a.t.Fatal(err)
	}
	return a.token(der), nil
}

// token signs the information.
func (a *authority) token(info []byte) []byte {
	a.t.Helper()
	m, err := newMaker(a.owner, Options{SigningTime: a.at})
	if err != nil {
		a.t.Fatal(err)
	}
	signed := info
	if a.sign != nil {
		signed = a.sign(info)
	}
	attrs, err := m.attributes(m.alg.Digest.Sum(signed))
	if err != nil {
		a.t.Fatal(err)
	}
	attrs = append(without(a.t, attrs, oidContentType), attr(a.t, oidContentType, oidTSTInfo))
	if a.attrs != nil {
		attrs = a.attrs(m, attrs)
	}
	slices.SortFunc(attrs, bytes.Compare)
	message := set(attrs)
	sig, err := a.owner.Sign(context.Background(), algo.Input{Digest: m.alg.Digest.Sum(message), Message: message})
	if err != nil {
		a.t.Fatal(err)
	}
	si, err := m.signerInfo(attrs, sig, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	digest, _ := asn1.Marshal(m.digestID())
	oid, _ := asn1.Marshal(oidTSTInfo)
	certs := [][]byte{a.owner.cert.Raw, a.owner.root.Raw}
	if a.certs != nil {
		certs = a.certs(m)
	}
	var w bytes.Buffer
	if err := (signedData{
		version: have([]byte{2, 1, 3}), digests: have(digest), certificates: have(certs...), signers: have(si),
		content: wrap(tagSequence, have(oid), wrap(tagContext0, wrap(tagOctets, have(info)))),
	}).layout().writeTo(&w); err != nil {
		a.t.Fatal(err)
	}
	return w.Bytes()
}

// TestStamped makes T of every kind of key, attached and detached, at once and by Extend.
func TestStamped(t *testing.T) {
	for _, kind := range append(slices.Clone(kinds), "ed25519") {
		for _, attached := range []bool{false, true} {
			o, tsa := ownerOf(t, kind), newAuthority(t, kind)
			content := document
			if attached {
				content = nil
			}
			at := sign(t, o, document, Options{Attached: attached, Profile: ProfileT, Stamper: tsa})
			bes := sign(t, o, document, Options{Attached: attached})
			var later bytes.Buffer
			if err := Extend(t.Context(), &later, bytes.NewReader(bes), tsa); err != nil {
				t.Fatal(err)
			}
			for name, sig := range map[string][]byte{"at once": at, "later": later.Bytes()} {
				rep := check(t, sig, content, o.trust())
				s := rep.Signers[0]
				if !rep.Valid() || !s.Intact || s.Format != FormatCAdEST || len(s.TimeStamps) != 1 || len(s.Unread) != 0 {
					t.Fatalf("%s %s: %+v", kind, name, s)
				}
				ts := s.TimeStamps[0]
				if ts.Problem != nil || !ts.Time.Equal(tsa.at) || ts.Accuracy != 1500*time.Millisecond || ts.Nonce.Int64() != 42 ||
					ts.Serial.Int64() != 7 || ts.Policy.String() != "1.2.3" || !ts.Signer.Certificate.Equal(tsa.owner.cert) || len(ts.Certificates) != 2 {
					t.Errorf("%s %s: %+v", kind, name, ts)
				}
			}
			if tsa.calls != 2 {
				t.Errorf("%d calls", tsa.calls)
			}
			err := Extend(t.Context(), io.Discard, &later2{bytes.NewReader(later.Bytes())}, tsa)
			if !errors.Is(err, ErrStamped) {
				t.Errorf("extended again: %v", err)
			}
		}
	}
}

// later2 is a file, nothing more than io.ReadSeeker.
type later2 struct{ io.ReadSeeker }

// TestStampRefused: without its time-stamp a T signature is not made, and nothing is written.
func TestStampRefused(t *testing.T) {
	o, boom := ownerOf(t, "p256"), errors.New("authority is away")
	other := newAuthority(t, "p256")
	other.edit = func(info *tstInfo) { info.Imprint.Value = make([]byte, 32) }
	for name, c := range map[string]struct {
		st   Stamper
		want error
	}{
		"away": {&authority{err: boom}, boom}, "another imprint": {other, ErrStamp}, "no token": {garbage{}, ErrStamp}, "none": {nil, ErrProfile},
	} {
		var w bytes.Buffer
		err := Sign(t.Context(), &w, bytes.NewReader(document), o, Options{Profile: ProfileT, Stamper: c.st})
		if !errors.Is(err, c.want) || w.Len() != 0 {
			t.Errorf("%s: %v, %d bytes", name, err, w.Len())
		}
		if c.st != nil {
			err = Extend(t.Context(), &w, bytes.NewReader(sign(t, o, document, Options{})), c.st)
			if !errors.Is(err, c.want) || w.Len() != 0 {
				t.Errorf("extend, %s: %v, %d bytes", name, err, w.Len())
			}
		}
	}
}

type garbage struct{}

func (garbage) Stamp(context.Context, algo.Digest, []byte) ([]byte, error) {
	return []byte{0x30, 0}, nil
}

// TestStampProblems: a token that proves nothing says why, and the signature beside it stands.
func TestStampProblems(t *testing.T) {
	o := ownerOf(t, "gost256")
	bes := sign(t, o, document, Options{})
	imprint := algo.Streebog256.Sum(firstValue(t, bes))
	other := ownerOf(t, "gost512")
	for name, c := range map[string]struct {
		edit func(a *authority)
		want error
	}{
		"sound":               {func(*authority) {}, nil},
		"another imprint":     {func(a *authority) { a.edit = func(i *tstInfo) { i.Imprint.Value = algo.Streebog256.Sum(document) } }, ErrImprint},
		"short imprint":       {func(a *authority) { a.edit = func(i *tstInfo) { i.Imprint.Value = nil } }, ErrImprint},
		"another digest":      {func(a *authority) { a.edit = func(i *tstInfo) { i.Imprint.Algorithm = algo.SHA256.Identifier() } }, ErrImprint},
		"unknown digest":      {func(a *authority) { a.edit = func(i *tstInfo) { i.Imprint.Algorithm.Algorithm = oidData } }, ErrAlgorithm},
		"changed information": {func(a *authority) { a.sign = func(b []byte) []byte { return append(b, 0) } }, ErrDigest},
		"no reference": {func(a *authority) {
			a.attrs = func(_ *maker, l [][]byte) [][]byte { return without(t, l, oidSigningCertificateV2) }
		}, ErrUnreferenced},
		"another's reference": {func(a *authority) {
			a.attrs = func(m *maker, l [][]byte) [][]byte {
				return append(without(t, l, oidSigningCertificateV2), referTo(t, *m, other.cert))
			}
		}, ErrSigningCertificate},
		"plain content": {func(a *authority) {
			a.attrs = func(_ *maker, l [][]byte) [][]byte {
				return append(without(t, l, oidContentType), attr(t, oidContentType, oidData))
			}
		}, ErrAttributes},
		"wrong value":    {func(a *authority) { a.owner.change = func(b []byte) []byte { b[3] ^= 1; return b } }, ErrSignature},
		"no certificate": {func(a *authority) { a.certs = func(*maker) [][]byte { return [][]byte{other.cert.Raw} } }, ErrNoCertificate},
		"version 2":      {func(a *authority) { a.edit = func(i *tstInfo) { i.Version = 2 } }, ErrFormat},
		"no time":        {func(a *authority) { a.edit = func(i *tstInfo) { i.Time.Bytes = []byte("yesterday") } }, ErrFormat},
		"accuracy":       {func(a *authority) { a.edit = func(i *tstInfo) { i.Accuracy.Millis = 1000 } }, ErrFormat},
	} {
		tsa := newAuthority(t, "gost256")
		tsa.owner = ownerOf(t, "rsa2048")
		c.edit(tsa)
		token, err := tsa.Stamp(t.Context(), algo.Streebog256, imprint)
		if err != nil {
			t.Fatal(err)
		}
		s := check(t, withStamp(t, bes, token), document, o.trust()).Signers[0]
		if !s.Valid || len(s.TimeStamps) != 1 || !errors.Is(s.TimeStamps[0].Problem, c.want) || (s.Format == FormatCAdEST) != (c.want == nil) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// withStamp puts a token, whatever it is, beside the first signer's signature.
func withStamp(t testing.TB, sig, token []byte) []byte {
	t.Helper()
	e, err := open(t.Context(), bytes.NewReader(sig), "")
	if err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	if err := errors.Join(e.replace(0, attr(t, oidTimeStamp, asn1.RawValue{FullBytes: token})), e.write(t.Context(), &w)); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

// TestAttributes writes every attribute and reads it again.
func TestAttributes(t *testing.T) {
	o := ownerOf(t, "gost256")
	op := Options{
		FileName: "приказ.txt", MIMEType: "text/plain", DocumentName: "Приказ № 1 📄.txt",
		Policy:     &Policy{ID: "1.2.643.1.2.3", Digest: algo.Streebog256, Value: algo.Streebog256.Sum([]byte("policy")), URI: "https://policy.example/1"},
		Location:   &Location{Country: "RU", Locality: "Тверь", Postal: []string{"ул. Примерная, 1", "170000"}},
		Commitment: CommitApproval,
	}
	s := check(t, sign(t, o, document, op), document, o.trust()).Signers[0]
	if !s.Valid || s.Format != FormatCAdESEPES {
		t.Fatalf("%+v", s)
	}
	got := Options{FileName: s.FileName, MIMEType: s.MIMEType, DocumentName: s.DocumentName, Policy: s.Policy, Location: s.Location, Commitment: s.Commitment}
	if !reflect.DeepEqual(got, op) {
		t.Errorf("%+v %+v %+v", got, got.Policy, got.Location)
	}
	der := sign(t, o, document, Options{DocumentName: "аб"})
	if !bytes.Contains(der, []byte{0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x58, 0x02, 0x01, 0x31, 0x08, 0x04, 0x06, 0x30, 0x04, 0x31, 0x04, 0, 0}) {
		t.Error("the document name is not in the form of CAPICOM")
	}
	if s := check(t, sign(t, o, document, Options{Commitment: "1.2.3.4"}), document, o.trust()).Signers[0]; s.Commitment != "1.2.3.4" {
		t.Errorf("%+v", s)
	}
	for name, bad := range map[string]Options{
		"text": {FileName: "\xff"}, "long": {DocumentName: strings.Repeat("я", maxText)}, "commitment": {Commitment: "promise"},
		"policy id": {Policy: &Policy{ID: "https://policy.example"}}, "policy digest": {Policy: &Policy{ID: "1.2.3", Digest: algo.SHA256}},
		"policy URI": {Policy: &Policy{ID: "1.2.3", Digest: algo.SHA1, Value: make([]byte, 20), URI: "a b"}},
		"location":   {Location: &Location{}}, "postal": {Location: &Location{Postal: make([]string, 7)}}, "profile": {Profile: "cades-x"},
	} {
		if err := Sign(t.Context(), io.Discard, bytes.NewReader(document), o, bad); !errors.Is(err, ErrProfile) || o.calls > 3 {
			t.Errorf("%s: %v after %d calls", name, err, o.calls)
		}
	}
}

// TestOrder472: GOST keys alone.
func TestOrder472(t *testing.T) {
	o := ownerOf(t, "gost512")
	sig := sign(t, o, document, Options{Profile: Profile472, Chain: []*cert.Certificate{o.root}})
	rep := check(t, sig, document, o.trust())
	if s := rep.Signers[0]; !s.Valid || s.SigningTime.IsZero() || len(rep.Certificates) != 2 {
		t.Errorf("%+v", s)
	}
	if err := Sign(t.Context(), io.Discard, bytes.NewReader(document), ownerOf(t, "p256"), Options{Profile: Profile472}); !errors.Is(err, ErrProfile) {
		t.Errorf("with ECDSA: %v", err)
	}
}

// TestNoNull: the NULL of GOST identifiers can be left out, and RSA keeps its own.
func TestNoNull(t *testing.T) {
	for kind, want := range map[string][2]int{"gost256": {5, 0}, "gost512": {5, 0}, "rsa2048": {2, 2}} {
		o := ownerOf(t, kind)
		null := func(op Options) int {
			sig := sign(t, o, document, op)
			if rep := check(t, sig, document, o.trust()); !rep.Valid() {
				t.Errorf("%s: %v", kind, rep.Signers[0].Problem)
			}
			rest := bytes.Replace(sig, o.cert.Raw, nil, 1)
			return bytes.Count(rest, []byte{0x05, 0x00, 0x04}) + bytes.Count(rest, []byte{0x05, 0x00, 0x30}) + bytes.Count(rest, []byte{0x05, 0x00, 0xa0})
		}
		if got := [2]int{null(Options{}), null(Options{NoNull: true})}; got[1] != 0 && kind != "rsa2048" || got[0] == got[1] != (kind == "rsa2048") {
			t.Errorf("%s: %v, want about %v", kind, got, want)
		}
	}
}

// TestForms reads one signature as DER, PEM and Base64, attached and detached.
func TestForms(t *testing.T) {
	o := ownerOf(t, "p256")
	big := bytes.Repeat(document, 3000)
	for _, attached := range []bool{false, true} {
		sig := sign(t, o, big, Options{Attached: attached})
		text := base64.StdEncoding.EncodeToString(sig)
		lines := wrapped(text, 76, "\r\n")
		armor := string(pem.EncodeToMemory(&pem.Block{Type: "CMS", Bytes: sig}))
		for name, in := range map[string]string{
			"DER": string(sig), "Base64": text, "lines": lines, "byte order mark": "\xef\xbb\xbf" + text, "spaces": " \r\n\t" + wrapped(text, 60, " \n ") + "\n\n",
			"PEM": armor, "PEM of PKCS7": strings.ReplaceAll(armor, "CMS", "PKCS7"), "PEM with CRLF": strings.ReplaceAll(armor, "\n", "\r\n"),
			"PEM without a last line end": strings.TrimSpace(armor),
		} {
			var content io.Reader
			if !attached {
				content = bytes.NewReader(big)
			}
			rep, err := Verify(t.Context(), strings.NewReader(in), content, o.trust())
			if err != nil || !rep.Valid() || rep.Content.Size != int64(len(big)) {
				t.Errorf("%s, attached %v: %v, %+v", name, attached, err, rep)
			}
		}
		for name, in := range map[string]string{
			"cut Base64": text[:len(text)/2], "cut PEM": armor[:len(armor)/2], "PEM without an end": strings.Split(armor, "-----END")[0],
			"two PEM blocks": armor + armor, "a letter in it": strings.Replace(lines, "A", "?", 1), "URL alphabet": strings.ReplaceAll(text, "A", "_"),
			"text after it": lines + "\nfoo", "a footer alone": "-----END CMS-----\n", "a first line alone": "-----BEGIN CMS-----\n",
			"only a mark": "\xef\xbb\xbf", "spaces alone": "   \n",
		} {
			if rep, err := Verify(t.Context(), strings.NewReader(in), bytes.NewReader(big), o.trust()); !errors.Is(err, ErrFormat) {
				t.Errorf("%s: %v, %+v", name, err, rep)
			}
		}
	}
}

func wrapped(s string, width int, end string) string {
	var b strings.Builder
	for len(s) > width {
		b.WriteString(s[:width] + end)
		s = s[width:]
	}
	return b.String() + s
}
