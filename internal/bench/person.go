// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// person is a P-256 key with a certificate signed by itself.
type person struct {
	key  *ecdsa.PrivateKey
	cert []byte
}

// newPerson makes one; the number tells it from others.
func newPerson(number int) (p person, err error) {
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return p, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		Subject: pkix.Name{CommonName: fmt.Sprintf("Демонстрационный Подписант %d", number), Organization: []string{"Демонстрационная организация"}, Country: []string{"RU"}},
	}
	p.cert, err = x509.CreateCertificate(rand.Reader, template, template, p.key.Public(), p.key)
	return p, err
}
