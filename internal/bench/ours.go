// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// child does one piece of work in a process of its own and writes the nanoseconds it took to standard output.
func child(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("nothing to do")
	}
	work, ok := map[string]func(...string) error{"c14n": canonicalize, "sign": sign, "verify": verify, "digest": hashOnly, "spool": spool}[args[0]]
	switch {
	case args[0] == "canonical" && len(args) == 2:
		return canonical(args[1], os.Stdout)
	case args[0] == "primitive" && len(args) > 1:
		return primitive(args[1], args[2:])
	}
	if !ok {
		return fmt.Errorf("child cannot %q", args[0])
	}
	began := time.Now()
	if err := work(args[1:]...); err != nil {
		return err
	}
	_, err := fmt.Println(time.Since(began).Nanoseconds())
	return err
}

// canonicalize parses a document and lets its canonical form go nowhere.
func canonicalize(args ...string) error { return canonical(args[0], io.Discard) }

// canonical writes the exclusive canonical form with comments, which is what xmllint writes.
func canonical(path string, w io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	job := c14n.Job{Nodes: c14n.Document().WithComments(), Method: c14n.Method{URI: c14n.ExclusiveComments}, Out: w}
	return c14n.Run(context.Background(), xml.NewReader(f, xml.Limits{}), 0, &job)
}

// sign makes an enveloped signature: key, certificate, document, result.
func sign(args ...string) error {
	s, err := readSigner(args[0], args[1])
	if err != nil {
		return err
	}
	in, err := os.Open(args[2])
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(args[3])
	if err != nil {
		return err
	}
	defer out.Close()
	w := bufio.NewWriterSize(out, 1<<16)
	if err := xmldsig.Sign(context.Background(), w, in, s, xmldsig.Options{Mode: xmldsig.Enveloped}); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Close()
}

// verify checks a document with one signature and the path of its certificate: trusted certificate, document.
func verify(args ...string) error {
	root, err := readCertificate(args[0])
	if err != nil {
		return err
	}
	in, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer in.Close()
	trust := cert.Trust{Roots: []*cert.Certificate{root}}
	r, err := xmldsig.Verify(context.Background(), in, trust, xmldsig.VerifyOptions{})
	if err != nil {
		return err
	}
	if len(r.Signers) != 1 {
		return fmt.Errorf("%d signatures", len(r.Signers))
	}
	if s := r.Signers[0]; !s.Valid || !s.Trusted {
		return fmt.Errorf("valid %v (%v), trusted %v (%v)", s.Valid, s.Problem, s.Trusted, s.TrustProblem)
	}
	return nil
}

// signer is a key from a file.
type signer struct {
	key  algo.PrivateKey
	cert *cert.Certificate
}

var _ cms.Signer = signer{}

func (s signer) Certificate() *cert.Certificate { return s.cert }
func (s signer) Algorithm() algo.ID             { return algo.RSASHA256 }

func (s signer) Sign(_ context.Context, in algo.Input) ([]byte, error) {
	return s.key.Sign(rand.Reader, algo.RSASHA256, in)
}

func readSigner(key, certificate string) (s signer, err error) {
	der, err := readPEM(key)
	if err != nil {
		return s, err
	}
	if s.key, err = algo.ParsePKCS8(der); err != nil {
		return s, err
	}
	s.cert, err = readCertificate(certificate)
	return s, err
}

func readCertificate(path string) (*cert.Certificate, error) {
	der, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	return cert.Parse(der)
}

func readPEM(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", path)
	}
	return block.Bytes, nil
}
