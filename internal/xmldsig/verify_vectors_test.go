// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/xml"
)

// The public signed documents, with what is expected of each. References are by number: all of those not named must have
// the right digest. A signature that cannot be verified, or a digest that cannot be computed, has its reason here.
type vector struct {
	file     string
	problem  error // of the signature; nil: valid
	reason   string
	excluded map[int]string // references without a digest
	octets   string         // files with the octets of the references: a printf pattern
	unread   error          // the document is refused
}

const (
	dsa      = "DSA is not supported"
	hmac     = "HMAC is no signature: whoever can check it can make it"
	external = "the reference leads outside the document"
)

var first = map[int]string{0: external}

var xmlsecVectors = []vector{
	{file: "aleksey-xmldsig-01/enveloped-gost2001.xml"},
	{file: "aleksey-xmldsig-01/enveloped-gost2012-256.xml"},
	{file: "aleksey-xmldsig-01/enveloped-gost2012-512.xml"},

	{file: "merlin-c14n-three/signature.xml", problem: cms.ErrAlgorithm, reason: dsa,
		octets: "merlin-c14n-three/c14n-%d.txt"},
	{file: "merlin-exc-c14n-one/exc-signature.xml", problem: cms.ErrAlgorithm, reason: dsa},
	{file: "merlin-xpath-filter2-three/sign-spec.xml", problem: cms.ErrAlgorithm, reason: dsa, octets: "merlin-xpath-filter2-three/sign-spec-c14n-%d.txt"},
	{file: "merlin-xpath-filter2-three/sign-xfdl.xml", problem: cms.ErrAlgorithm, reason: dsa, octets: "merlin-xpath-filter2-three/sign-xfdl-c14n-%d.txt"},

	{file: "merlin-xmldsig-twenty-three/signature-enveloped-dsa.xml", problem: cms.ErrAlgorithm, reason: dsa},
	{file: "merlin-xmldsig-twenty-three/signature-enveloping-b64-dsa.xml", problem: cms.ErrAlgorithm, reason: dsa},
	{file: "merlin-xmldsig-twenty-three/signature-enveloping-dsa.xml", problem: cms.ErrAlgorithm, reason: dsa},
	{file: "merlin-xmldsig-twenty-three/signature-enveloping-hmac-sha1-40.xml", problem: cms.ErrAlgorithm, reason: hmac},
	{file: "merlin-xmldsig-twenty-three/signature-enveloping-hmac-sha1.xml", problem: cms.ErrAlgorithm, reason: hmac},
	{file: "merlin-xmldsig-twenty-three/signature-enveloping-rsa.xml", problem: ErrBareKey, reason: "a KeyValue and no certificate"},
	{file: "merlin-xmldsig-twenty-three/signature-external-b64-dsa.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-external-dsa.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-keyname.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-retrievalmethod-rawx509crt.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-x509-crt-crl.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-x509-crt.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-x509-is.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-x509-ski.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature-x509-sn.xml", problem: ErrUnsupported, excluded: first},
	{file: "merlin-xmldsig-twenty-three/signature.xml", unread: xml.ErrDoctype, reason: "a document type declaration"},

	{file: "xmldsig2ed-tests/defCan-1.xml", problem: ErrUnsupported, excluded: first},
	{file: "xmldsig2ed-tests/defCan-2.xml", problem: ErrUnsupported, excluded: first},
	{file: "xmldsig2ed-tests/defCan-3.xml", problem: ErrUnsupported, excluded: first},
	{file: "xmldsig2ed-tests/xpointer-1-SUN.xml", problem: cms.ErrAlgorithm, reason: hmac},
	{file: "xmldsig2ed-tests/xpointer-2-SUN.xml", problem: cms.ErrAlgorithm, reason: hmac},
	{file: "xmldsig2ed-tests/xpointer-3-SUN.xml", problem: cms.ErrAlgorithm, reason: hmac},
	{file: "xmldsig2ed-tests/xpointer-4-SUN.xml", problem: cms.ErrAlgorithm, reason: hmac},
	{file: "xmldsig2ed-tests/xpointer-5-SUN.xml", problem: cms.ErrAlgorithm, reason: hmac},
	{file: "xmldsig2ed-tests/xpointer-6-SUN.xml", problem: cms.ErrAlgorithm, reason: hmac},
}

var smevVectors = []vector{
	{file: "ack-cryptopro-gost2001.xml"},
	{file: "send-request-is2-gost2001.xml", problem: cms.ErrSignature, reason: "this copy was indented after signing, SignedInfo too"},
}

func TestXMLSecVectors(t *testing.T) {
	checkVectors(t, vectors(t, "xmlsec", "32 signed documents were not checked"), xmlsecVectors)
}

func TestSMEVVectors(t *testing.T) {
	dir := vectors(t, "smev", "2 signed SMEV messages were not checked")
	checkVectors(t, dir, smevVectors)
	doc, err := os.ReadFile(filepath.Join(dir, smevVectors[1].file))
	if err != nil {
		t.Fatal(err)
	}
	plain := regexp.MustCompile(`(?s)<ds:SignedInfo>.*</ds:SignedInfo>`).ReplaceAllStringFunc(string(doc), func(info string) string {
		return regexp.MustCompile(`>\s+<`).ReplaceAllString(info, "><")
	})
	if s := verify(t, plain, cert.Trust{}).Signers[0]; !s.Valid || s.Algorithm != algo.GOST2001 {
		t.Errorf("%s without the indentation of SignedInfo: %v", smevVectors[1].file, s.Problem)
	}
}

func checkVectors(t *testing.T, dir string, list []vector) {
	listed := map[string]bool{}
	references, signatures := 0, 0
	for _, v := range list {
		listed[v.file] = true
		t.Run(v.file, func(t *testing.T) {
			n, valid := v.check(t, dir)
			references += n
			if valid {
				signatures++
			}
		})
	}
	t.Logf("%d documents: %d signatures verified, %d digests reproduced", len(list), signatures, references)
	for _, pattern := range []string{"*.xml", "*/*.xml"} {
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, f := range files {
			if name, _ := filepath.Rel(dir, f); !listed[name] {
				t.Errorf("%s is not in the list", name)
			}
		}
	}
}

// check verifies one document and returns how many digests came out right and whether the mathematics of the signature did.
func (v *vector) check(t *testing.T, dir string) (digests int, valid bool) {
	doc, err := os.ReadFile(filepath.Join(dir, v.file))
	if err != nil {
		t.Fatal(err)
	}
	octets := map[int]*bytes.Buffer{}
	o := VerifyOptions{Canonical: func(_, reference int) io.Writer {
		octets[reference] = &bytes.Buffer{}
		return octets[reference]
	}}
	rep, err := Verify(context.Background(), bytes.NewReader(doc), cert.Trust{}, o)
	if v.unread != nil {
		if !errors.Is(err, v.unread) {
			t.Errorf("got %v, want %v", err, v.unread)
		}
		return 0, false
	}
	if err != nil {
		t.Fatal(err)
	}
	s := rep.Signers[0]
	if v.problem == nil && s.Problem != nil || !errors.Is(s.Problem, v.problem) {
		t.Errorf("problem %v, want %v (%s)", s.Problem, v.problem, v.reason)
	}
	for i, r := range s.References {
		if reason := v.excluded[i]; reason != "" {
			if r.Problem == nil {
				t.Errorf("reference %d: no problem in spite of: %s", i, reason)
			}
			continue
		}
		if !r.Valid {
			t.Errorf("reference %d: %v: %.200s", i, r.Problem, octets[i])
			continue
		}
		digests++
		v.compare(t, dir, i, octets[i].Bytes())
	}
	return digests, s.Valid || errors.Is(s.Problem, ErrBareKey)
}

// compare holds the octets against the published ones.
func (v *vector) compare(t *testing.T, dir string, reference int, octets []byte) {
	if v.octets == "" {
		return
	}
	want, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf(v.octets, reference)))
	if err != nil {
		t.Error(err)
	}
	if !bytes.Equal(octets, want) {
		t.Errorf("reference %d: got %.300q, want %.300q", reference, octets, want)
	}
}
