// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
)

// demoKeys are the keys of the demo token by kind, with how people tell them apart.
var demoKeys = []struct{ kind, name string }{
	{"gost256", "ГОСТ Р 34.10-2012 256"},
	{"gost512", "ГОСТ Р 34.10-2012 512"},
	{"rsa2048", "RSA 2048"},
	{"p256", "ECDSA P-256"},
}

// demoLife is how long demo certificates are valid.
const demoLife = 10 * 365 * 24 * time.Hour

// demoPerson names nobody: the fields say themselves what they are, the numbers are zeros.
func demoPerson(key string) cert.Person {
	return cert.Person{
		CommonName:   "Демонстрационный Подписант (" + key + ")",
		Surname:      "Демонстрационный",
		GivenName:    "Подписант",
		Title:        "Демонстрационная должность",
		Organization: "Демонстрационная организация",
		Country:      "RU",
		Email:        "demo@example.invalid",
		INN:          "000000000000",
		SNILS:        "00000000000",
		OGRN:         "0000000000000",
	}
}

// makeDemo writes the demo token's files. The CA's key is forgotten at the end: nothing else can be issued in its name.
func makeDemo(dir string) error {
	caKey, err := algo.GenerateKey("p256")
	if err != nil {
		return err
	}
	defer caKey.Wipe()
	ca, err := cert.Build(cert.Template{
		Subject: cert.Person{CommonName: "Persten demo CA", Organization: "Демонстрационная организация", Country: "RU"},
		Key:     caKey.Public(), CA: true, NotAfter: time.Now().Add(demoLife),
	}, nil, caKey)
	if err != nil {
		return fmt.Errorf("demo CA: %w", err)
	}
	pin, err := secret.NewBuffer(len(DemoPIN))
	if err != nil {
		return err
	}
	defer pin.Wipe()
	for i := range len(DemoPIN) {
		pin.Append(DemoPIN[i])
	}
	for _, k := range demoKeys {
		if err := makeDemoKey(dir, k.kind, k.name, ca, caKey, pin); err != nil {
			return fmt.Errorf("demo key %s: %w", k.kind, err)
		}
	}
	if err := makeDemoList(dir, ca, caKey); err != nil {
		return fmt.Errorf("demo revocation list: %w", err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw})
	return writeFile(filepath.Join(dir, demoCA), block)
}

// makeDemoList writes the only list the CA will ever make: nobody is revoked, as long as the CA lives.
func makeDemoList(dir string, ca *cert.Certificate, key algo.PrivateKey) error {
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: ca.X509.NotBefore, NextUpdate: ca.X509.NotAfter,
	}, ca.X509, listSigner{ca.X509.PublicKey, key})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, demoList), der)
}

// listSigner is a P-256 key for crypto/x509.
type listSigner struct {
	public crypto.PublicKey
	key    algo.PrivateKey
}

func (s listSigner) Public() crypto.PublicKey { return s.public }

func (s listSigner) Sign(rand io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(rand, algo.ECDSASHA256, algo.Input{Digest: digest})
}

func makeDemoKey(dir, kind, name string, ca *cert.Certificate, caKey algo.PrivateKey, pin *secret.Buffer) error {
	key, err := algo.GenerateKey(kind)
	if err != nil {
		return err
	}
	defer key.Wipe()
	c, err := cert.Build(cert.Template{
		Subject: demoPerson(name), Key: key.Public(), NotAfter: time.Now().Add(demoLife - time.Hour),
	}, ca, caKey)
	if err != nil {
		return err
	}
	file, err := Encode(key, []*cert.Certificate{c, ca}, name, pin)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, kind+".p12"), file)
}

func readCA(path string) (*cert.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM", path)
	}
	return cert.Parse(block.Bytes)
}
