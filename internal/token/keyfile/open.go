// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"bytes"
	"errors"
	"fmt"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/secret"
	"persten/internal/token"
)

// open verifies the file with the password and returns its bags, the safes decrypted but the keys not yet.
// A wrong password is errWrongPassword.
func (o *opener) open(p *pfx) (*bags, error) {
	if err := o.verify(p); err != nil {
		return nil, err
	}
	b := &bags{}
	for _, s := range p.safes {
		data := s.data
		if s.algorithm != nil {
			var err error
			if data, err = o.decrypt(*s.algorithm, data); err != nil {
				return nil, err
			}
		}
		if err := b.read(data, 0); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// private decrypts the key whose public half is key.
func (o *opener) private(b *bags, key algo.PublicKey, localID []byte) (algo.PrivateKey, error) {
	var failed error
	for _, k := range preferred(b.keys, localID) {
		priv, err := o.parseKey(k)
		if err != nil {
			if failed == nil {
				failed = err
			}
			continue
		}
		if priv.Public().Equal(key) {
			return priv, nil
		}
		priv.Wipe()
	}
	if failed != nil {
		return nil, failed
	}
	return nil, token.ErrAbsent
}

// preferred puts the keys that claim the certificate's id first.
func preferred(keys []keyBag, localID []byte) []keyBag {
	var first, rest []keyBag
	for _, k := range keys {
		if len(localID) > 0 && bytes.Equal(k.localID, localID) {
			first = append(first, k)
		} else {
			rest = append(rest, k)
		}
	}
	return append(first, rest...)
}

func (o *opener) parseKey(k keyBag) (algo.PrivateKey, error) {
	der := k.data
	if k.algorithm != nil {
		var err error
		if der, err = o.decrypt(*k.algorithm, k.data); err != nil {
			return nil, err
		}
		defer clear(der)
	}
	priv, err := algo.ParsePKCS8(der)
	if err != nil && k.algorithm != nil && !o.verified {
		return nil, errWrongPassword // padding is right by chance once in 256 times
	}
	if err != nil {
		return nil, malformed("private key: %v", err)
	}
	return priv, nil
}

// listed is a certificate a file shows and the id of its key.
type listed struct {
	cert    *cert.Certificate
	localID []byte
	name    string
}

// list pairs certificates with keys. With a localKeyID the pair is certain; without any the certificates that are not
// a CA's are taken, and opening finds out.
func (b *bags) list() []listed {
	var out []listed
	for _, cb := range b.certs {
		c, err := cert.Parse(cb.der)
		if err != nil || len(b.keys) == 0 {
			continue
		}
		claimed := false
		for _, k := range b.keys {
			claimed = claimed || len(cb.localID) > 0 && bytes.Equal(k.localID, cb.localID)
		}
		ca := c.X509 != nil && c.X509.BasicConstraintsValid && c.X509.IsCA
		if claimed || len(cb.localID) == 0 && !ca {
			out = append(out, listed{cert: c, localID: cb.localID, name: cb.name})
		}
	}
	return out
}

// unlock opens the private key of one certificate in a file.
func unlock(file []byte, password *secret.Buffer, want listed) (algo.PrivateKey, error) {
	p, err := parse(file)
	if err != nil {
		return nil, err
	}
	o := &opener{password: password}
	b, err := o.open(p)
	if err != nil {
		return nil, err
	}
	return o.private(b, want.cert.Key, want.localID)
}

// refused turns a wrong password into what callers of a token expect.
func refused(err error) error {
	if errors.Is(err, errWrongPassword) {
		return &token.PINError{Attempts: -1}
	}
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	return nil
}
