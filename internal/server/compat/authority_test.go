// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func issued(t *testing.T) (*Loopback, *x509.Certificate, *tls.Config) {
	t.Helper()
	l, err := Issue(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	authority, err := parsePEM(l.Authority)
	if err != nil {
		t.Fatal(err)
	}
	c, until, err := l.Config()
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(until); left < 300*24*time.Hour || left > 825*24*time.Hour {
		t.Errorf("good for %v", left)
	}
	return l, authority, c
}

// TestAuthorityLint holds the authority to what a loopback authority may be.
func TestAuthorityLint(t *testing.T) {
	l, a, c := issued(t)
	switch leaf := c.Certificates[0].Leaf; {
	case !a.IsCA, !a.BasicConstraintsValid, a.MaxPathLen != 0, !a.MaxPathLenZero:
		t.Error("basic constraints")
	case a.KeyUsage != x509.KeyUsageCertSign, len(a.ExtKeyUsage) != 1, a.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth:
		t.Error("usage of the authority")
	case !a.PermittedDNSDomainsCritical, len(a.PermittedDNSDomains) != 1, len(a.PermittedIPRanges) != 2:
		t.Error("name constraints")
	case a.NotAfter.Sub(a.NotBefore) > 825*24*time.Hour, leaf.NotAfter.After(a.NotAfter):
		t.Error("too long a life")
	case leaf.IsCA, leaf.KeyUsage != x509.KeyUsageDigitalSignature, len(leaf.ExtKeyUsage) != 1:
		t.Error("usage of the leaf")
	case bytes.Contains(l.Authority, []byte("KEY")), bytes.Count(l.Leaf, []byte("PRIVATE KEY")) != 2:
		t.Error("a key too many")
	}
	other, _, _ := issued(t)
	if bytes.Equal(l.Leaf, other.Leaf) || bytes.Equal(l.Authority, other.Authority) {
		t.Error("two installations share something")
	}
}

// foreign is a certificate for a name that is not ours.
type foreign struct {
	name string
	leaf x509.Certificate
}

func foreignNames() []foreign {
	list := []foreign{
		{"dns", x509.Certificate{DNSNames: []string{"portal.example"}}},
		{"dns like ours", x509.Certificate{DNSNames: []string{"notlocalhost"}}},
		{"dns and ours", x509.Certificate{DNSNames: []string{"localhost", "portal.example"}}},
		{"wildcard", x509.Certificate{DNSNames: []string{"*.example"}}},
		{"ipv4", x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 2).To4()}}},
		{"ipv6", x509.Certificate{IPAddresses: []net.IP{net.ParseIP("2001:db8::1")}}},
		{"e-mail", x509.Certificate{DNSNames: []string{"localhost"}, EmailAddresses: []string{"a@portal.example"}}},
	}
	for i := range list {
		list[i].leaf.Subject = pkix.Name{CommonName: "127.0.0.1"}
	}
	return list
}

// TestForeignNames: an authority with the constraints of ours, whose key was kept, signs for other names. Go, OpenSSL and NSS
// refuse every one, and take the right one.
func TestForeignNames(t *testing.T) {
	root, key := keptAuthority(t)
	dir := t.TempDir()
	rootFile := filepath.Join(dir, "root.pem")
	writePEM(t, rootFile, root.Raw)
	verifiers := map[string]func(*testing.T, []byte) error{
		"go":      func(_ *testing.T, der []byte) error { return verifyGo(root, der) },
		"openssl": func(t *testing.T, der []byte) error { return verifyOpenSSL(t, dir, rootFile, der) },
		"nss":     func(t *testing.T, der []byte) error { return verifyNSS(t, rootFile, der) },
	}
	for verifier, verify := range verifiers {
		t.Run(verifier, func(t *testing.T) {
			if verifier != "go" {
				tool := map[string]string{"openssl": "openssl", "nss": "certutil"}[verifier]
				if _, err := exec.LookPath(tool); err != nil {
					t.Skipf("%s is not installed (installer/deps.sh test)", tool)
				}
			}
			good, err := leafOf(root)
			if err != nil {
				t.Fatal(err)
			}
			if err := verify(t, sign(t, good, root, key)); err != nil {
				t.Errorf("the right names were refused: %v", err)
			}
			for _, f := range foreignNames() {
				bad := *good
				bad.Subject, bad.DNSNames, bad.IPAddresses, bad.EmailAddresses = f.leaf.Subject, f.leaf.DNSNames, f.leaf.IPAddresses, f.leaf.EmailAddresses
				if verify(t, sign(t, &bad, root, key)) == nil {
					t.Errorf("%s: a foreign name was accepted", f.name)
				}
			}
		})
	}
}

// verifyGo asks for every name the certificate has.
func verifyGo(root *x509.Certificate, der []byte) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	_, err = c.Verify(x509.VerifyOptions{Roots: roots})
	return err
}

func verifyOpenSSL(t *testing.T, dir, rootFile string, der []byte) error {
	file := filepath.Join(dir, "leaf.pem")
	writePEM(t, file, der)
	return exec.Command("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", rootFile, file).Run()
}

func verifyNSS(t *testing.T, rootFile string, der []byte) error {
	dir := t.TempDir()
	file := filepath.Join(dir, "leaf.pem")
	writePEM(t, file, der)
	for _, args := range [][]string{
		{"-N", "--empty-password"}, {"-A", "-n", "root", "-t", "C,,", "-i", rootFile}, {"-A", "-n", "leaf", "-t", ",,", "-i", file},
	} {
		if out, err := exec.Command("certutil", append([]string{"-d", "sql:" + dir}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("certutil %v: %v: %s", args, err, out)
		}
	}
	return exec.Command("certutil", "-d", "sql:"+dir, "-V", "-n", "leaf", "-u", "V", "-e").Run()
}

// keptAuthority is an authority like ours that did not forget its key.
func keptAuthority(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template, err := authorityOf(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(sign(t, template, template, key))
	if err != nil {
		t.Fatal(err)
	}
	return root, key
}

// sign makes a certificate whose own key is that of the issuer: nobody here asks for it.
func sign(t *testing.T, template, issuer *x509.Certificate, key crypto.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.(crypto.Signer).Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writePEM(t *testing.T, file string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLeafIsNoAuthority: with the leaf's key, which is on disk, nothing else can be signed.
func TestLeafIsNoAuthority(t *testing.T) {
	_, a, c := issued(t)
	pair := c.Certificates[0]
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotBefore: a.NotBefore, NotAfter: a.NotAfter, DNSNames: []string{"localhost"}}
	stolen := sign(t, template, pair.Leaf, pair.PrivateKey)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(a)
	between.AddCert(pair.Leaf)
	made, err := x509.ParseCertificate(stolen)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := made.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err == nil {
		t.Error("a certificate of the leaf was accepted")
	}
}

func TestDamagedLoopback(t *testing.T) {
	l, _, _ := issued(t)
	other, _, _ := issued(t)
	for name, bad := range map[string]*Loopback{
		"nothing": {}, "no leaf": {Authority: l.Authority}, "no authority": {Leaf: l.Leaf},
		"another's authority": {Authority: other.Authority, Leaf: l.Leaf},
		"cut":                 {Authority: l.Authority, Leaf: l.Leaf[:len(l.Leaf)/2]},
		"text":                {Authority: []byte("x"), Leaf: []byte("y")},
	} {
		if _, _, err := bad.Config(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if f, err := l.Fingerprint(); err != nil || len(f) != 64 || strings.ToLower(f) != f {
		t.Errorf("fingerprint %q, %v", f, err)
	}
}
