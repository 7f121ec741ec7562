// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Life of a loopback certificate and its authority, and how long before its end it is renewed.
const (
	Life    = 365 * 24 * time.Hour
	Renewal = 30 * 24 * time.Hour
)

// AuthorityName is how people find the authority in their browser.
const AuthorityName = "Persten loopback"

// Loopback is a certificate for this computer's own addresses, with its key, and the authority that browsers are told to
// trust for it. The authority has no key any more.
type Loopback struct {
	Authority []byte // PEM
	Leaf      []byte // PEM: the certificate and its key
}

// Issue makes an authority that can vouch for 127.0.0.1, ::1 and localhost and for nothing else, has it sign one certificate
// and forgets its key: it lived in the memory of this call.
func Issue(now time.Time) (*Loopback, error) {
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	defer forget(root)
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	defer forget(leaf)
	authority, err := authorityOf(now)
	if err != nil {
		return nil, err
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &root.PublicKey, root)
	if err != nil {
		return nil, err
	}
	if authority, err = x509.ParseCertificate(rootDER); err != nil {
		return nil, err
	}
	template, err := leafOf(authority)
	if err != nil {
		return nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, template, authority, &leaf.PublicKey, root)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(leaf)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return &Loopback{
		Authority: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		Leaf: append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}),
			pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...),
	}, nil
}

// forget overwrites a private key.
func forget(k *ecdsa.PrivateKey) {
	clear(k.D.Bits()) // the number itself; there is no other way to it
}

// authorityOf is the authority to be. Its name holds a random number: browsers tell two of one name apart badly.
func authorityOf(now time.Time) (*x509.Certificate, error) {
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: AuthorityName + " " + hex.EncodeToString(serial.Bytes()[:4])},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(Life),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost"},
		PermittedIPRanges:           loopbackRanges(),
		PermittedEmailAddresses:     []string{"localhost"}, // a kind of name without a constraint would be free
		PermittedURIDomains:         []string{"localhost"},
	}, nil
}

func leafOf(authority *x509.Certificate) (*x509.Certificate, error) {
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
	}, nil
}

func loopbackRanges() []*net.IPNet {
	return []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 1).To4(), Mask: net.CIDRMask(32, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
}

func serialNumber() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40 // positive, and of one length
	return new(big.Int).SetBytes(b), nil
}

// Config reads a Loopback back: what a TLS server needs, and until when it is good. It refuses what [Issue] did not make.
func (l *Loopback) Config() (*tls.Config, time.Time, error) {
	pair, err := tls.X509KeyPair(l.Leaf, l.Leaf)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("loopback certificate: %w", err)
	}
	authority, err := parsePEM(l.Authority)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("loopback authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1", CurrentTime: pair.Leaf.NotBefore}); err != nil {
		return nil, time.Time{}, fmt.Errorf("loopback certificate: %w", err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	return c, pair.Leaf.NotAfter, nil
}

// Fingerprint is the SHA-256 of the authority, as browsers show it.
func (l *Loopback) Fingerprint() (string, error) {
	authority, err := parsePEM(l.Authority)
	if err != nil {
		return "", err
	}
	h := crypto.SHA256.New()
	_, _ = h.Write(authority.Raw)
	return hexOf(h.Sum(nil)), nil
}

var errNoPEM = errors.New("no certificate in it")

func parsePEM(data []byte) (*x509.Certificate, error) {
	b, _ := pem.Decode(data)
	if b == nil || b.Type != "CERTIFICATE" {
		return nil, errNoPEM
	}
	return x509.ParseCertificate(b.Bytes)
}
