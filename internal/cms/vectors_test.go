// SPDX-License-Identifier: GPL-3.0-or-later

package cms

import (
	"bytes"
	"crypto"
	"crypto/dsa"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
)

// vectors is the folder of other people's test data, which is no part of the project.
func vectors(t *testing.T, name string, cases int) string {
	t.Helper()
	dir := os.Getenv("VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	dir = filepath.Join(dir, name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%d cases of %s were not run: no such folder under VECTORS", cases, name)
	}
	return dir
}

// mustRead reads a file of test data.
func mustRead(t *testing.T, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC4134 reads the examples of RFC 4134. They are of 2005: signed with DSA or with SHA-1, which do not count here, so that none
// may be valid; that they were read right is shown by checking their values with the standard library.
func TestRFC4134(t *testing.T) {
	type signer struct {
		problem    error
		attributes bool
		counter    int
	}
	old, bare := signer{ErrAlgorithm, true, 0}, signer{ErrAlgorithm, false, 0}
	cases := []struct {
		file     string
		err      error
		signers  []signer
		certs    int
		attached bool
	}{
		{"3.1.bin", ErrFormat, nil, 0, false}, // plain data
		{"3.2.bin", ErrFormat, nil, 0, false}, // enveloped data
		{"4.1.bin", nil, []signer{bare}, 1, true},
		{"4.2.bin", nil, []signer{bare}, 1, true},
		{"4.3.bin", nil, []signer{bare}, 1, false},
		{"4.4.bin", nil, []signer{{ErrAlgorithm, true, 1}}, 3, true},
		{"4.5.bin", nil, []signer{bare}, 2, true},
		{"4.6.bin", nil, []signer{bare, bare}, 2, true},
		{"4.7.bin", nil, []signer{bare}, 1, true}, // by key identifier
		{"4.10.bin", nil, []signer{old}, 1, true},
		{"4.11.bin", nil, nil, 2, false},      // certificates and a list alone
		{"4.8.eml", ErrFormat, nil, 0, false}, // mail is not read
		{"4.9.eml", ErrFormat, nil, 0, false},
		{"5.1.bin", ErrFormat, nil, 0, false}, // enveloped
		{"5.2.bin", ErrFormat, nil, 0, false},
		{"5.3.eml", ErrFormat, nil, 0, false},
		{"6.0.bin", ErrFormat, nil, 0, false}, // digested
		{"7.1.bin", ErrFormat, nil, 0, false}, // encrypted
		{"7.2.bin", ErrFormat, nil, 0, false},
	}
	dir := vectors(t, "rfc4134", len(cases))
	content := mustRead(t, dir, "ExContent.bin")
	checked := 0
	for _, c := range cases {
		sig := mustRead(t, dir, c.file)
		rep, err := Verify(t.Context(), bytes.NewReader(sig), bytes.NewReader(content), cert.Trust{})
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.file, err)
		}
		if err != nil {
			continue
		}
		if len(rep.Signers) != len(c.signers) || len(rep.Certificates) != c.certs || rep.Unreadable != 0 || rep.Attached != c.attached {
			t.Errorf("%s: %+v", c.file, rep)
			continue
		}
		m, err := parse(newReader(bytes.NewReader(sig)))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.signers {
			s := rep.Signers[i]
			if s.Valid || s.Intact || !errors.Is(s.Problem, want.problem) || len(s.Countersignatures) != want.counter || s.Certificate == nil {
				t.Errorf("%s: %+v", c.file, s)
				continue
			}
			si, err := parseSigner(m.signers[i].der)
			if err != nil || (si.attrs != nil) != want.attributes {
				t.Errorf("%s: attributes %v, %v", c.file, si.attrs != nil, err)
			}
			err = byHand(s.Certificate, si, content)
			if inherited := c.file == "4.6.bin" && i == 1; inherited != errors.Is(err, ErrAlgorithm) || !inherited && err != nil {
				t.Errorf("%s, signer %d: %v", c.file, i, err)
			}
			if err == nil {
				checked++
			}
		}
	}
	t.Logf("%d files, %d values checked", len(cases), checked)
}

// byHand checks a value over SHA-1 with the standard library.
func byHand(c *cert.Certificate, si signerInfo, content []byte) error {
	sum := algo.SHA1.Sum(content)
	if si.attrs != nil {
		attrs, err := parseAttributes(si.attrs)
		if err != nil {
			return err
		}
		var digest []byte
		if err := attrs.single(oidMessageDigest, &digest); err != nil || !bytes.Equal(digest, sum) {
			return errors.Join(ErrDigest, err)
		}
		received := bytes.Clone(si.attrs)
		received[0] = tagSet
		sum = algo.SHA1.Sum(received)
	}
	switch key := c.X509.PublicKey.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA1, sum, si.signature)
	case *dsa.PublicKey:
		var v struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(si.signature, &v); err != nil {
			return err
		}
		if !dsa.Verify(key, sum, v.R, v.S) {
			return ErrSignature
		}
		return nil
	}
	return ErrAlgorithm // DSA with the parameters of its issuer
}

// TestVectorsTC26 reads the messages of the TC26 documents: the two signed ones are intact CMS and no CAdES, the others are none.
func TestVectorsTC26(t *testing.T) {
	dir := vectors(t, "tc26-cms", 8)
	trust := cert.Trust{}
	for _, name := range []string{"256", "512"} {
		c, err := cert.Parse(mustRead(t, "../../testdata/tc26/certificate-"+name+".der"))
		if err != nil {
			t.Fatal(err)
		}
		trust.Intermediates = append(trust.Intermediates, c)
	}
	for file, want := range map[string]algo.ID{
		"test_cms_79.der": algo.GOST256, "test_cms_97.der": algo.GOST512,
		"test_cms_134.der": "", "test_cms_143.der": "", // digested
		"test_cms_225.der": "", "test_cms_301.der": "", "test_cms_403.der": "", "test_cms_434.der": "", // enveloped
	} {
		rep, err := Verify(t.Context(), bytes.NewReader(mustRead(t, dir, file)), nil, trust)
		if want == "" {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%s: %v", file, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if s := rep.Signers[0]; !s.Intact || s.Format != FormatCMS || s.Algorithm != want || !errors.Is(s.Problem, ErrNoAttributes) {
			t.Errorf("%s: %+v", file, s)
		}
	}
}

// TestVectorsKZ: a time-stamp token with Kazakhstan's algorithms is read, and its signature cannot be checked.
func TestVectorsKZ(t *testing.T) {
	dir := vectors(t, "kz-ncanode", 1)
	ts, err := ParseTimeStamp(mustRead(t, dir, "src/test/resources/tsp/tsp_token.bin"))
	if err != nil || ts.Time.IsZero() || len(ts.Certificates) != 1 || !errors.Is(ts.Problem, ErrAlgorithm) {
		t.Errorf("%+v, %v", ts, err)
	}
}
