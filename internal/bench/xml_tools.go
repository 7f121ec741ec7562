// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tools is what the XML experiments work with: this program, its peers and a key.
type tools struct {
	*workbench
	driver, xmllint, xmlsec1 string
}

// prepare finds the peers, compiles the driver of libxml2 and makes a key with a certificate.
func (t *tools) prepare(ctx context.Context) (err error) {
	for name, path := range map[string]*string{"xmllint": &t.xmllint, "xmlsec1": &t.xmlsec1} {
		if *path, err = exec.LookPath(name); err != nil {
			return fmt.Errorf("%w: installer/deps.sh build test", err)
		}
	}
	if t.driver, err = t.compile(ctx, "libxml2.c", "pkg:libxml-2.0"); err != nil {
		return err
	}
	return writeKey(t.key(), t.certificate())
}

func (t *tools) key() string         { return t.path("key.pem") }
func (t *tools) certificate() string { return t.path("cert.pem") }

// writeKey makes an RSA key and a certificate for it, signed by itself.
func writeKey(keyPath, certPath string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Демонстрационный Подписант"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600),
		os.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600))
}

// succeeds runs a program that only has to end well.
func succeeds(ctx context.Context, program string, args ...string) error {
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), args[0], err, strings.TrimSpace(string(out)))
	}
	return nil
}

// digest is the SHA-256 of what a program writes, and how much it was.
func digest(ctx context.Context, program string, args ...string) (string, error) {
	var errs strings.Builder
	h := sha256.New()
	n := counter(0)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = io.MultiWriter(h, &n), &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(program), err, strings.TrimSpace(errs.String()))
	}
	return fmt.Sprintf("%x of %d bytes", h.Sum(nil), n), nil
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// says is the first line a program prints.
func says(ctx context.Context, program string, args ...string) string {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil {
		return filepath.Base(program) + " of unknown version"
	}
	return cmp.Or(line, "nothing")
}
