// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"unicode/utf16"
)

// Limits of reading.
const (
	MaxFile          = 1 << 20
	maxSalt          = 1 << 10
	maxIterations    = 1 << 20
	maxAllIterations = 1 << 22
	maxBags          = 256
	maxDepth         = 4
)

// FormatError is a file that is not PKCS#12, is damaged, or uses what is not supported.
type FormatError struct{ Detail string }

func (e *FormatError) Error() string { return "PKCS#12: " + e.Detail }

func malformed(format string, args ...any) error {
	return &FormatError{Detail: fmt.Sprintf(format, args...)}
}

var errWrongPassword = errors.New("wrong password")

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidNestedBag     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 6}
	oidX509          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidFriendlyName  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 20}
	oidLocalKeyID    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 21}
)

type wirePFX struct {
	Version  int
	AuthSafe wireContent
	MAC      wireMAC `asn1:"optional"`
}

type wireContent struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

type wireMAC struct {
	Digest     wireDigestInfo
	Salt       []byte
	Iterations int `asn1:"optional,default:1"`
}

type wireDigestInfo struct {
	Algorithm pkix.AlgorithmIdentifier
	Digest    []byte
}

type wireEncryptedData struct {
	Version int
	Content struct {
		Type       asn1.ObjectIdentifier
		Algorithm  pkix.AlgorithmIdentifier
		Ciphertext []byte `asn1:"tag:0,optional"`
	}
}

type wireEncryptedKey struct {
	Algorithm  pkix.AlgorithmIdentifier
	Ciphertext []byte
}

type wireBag struct {
	Type       asn1.ObjectIdentifier
	Value      asn1.RawValue   `asn1:"tag:0,explicit"`
	Attributes []wireAttribute `asn1:"set,optional"`
}

type wireAttribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue // a SET; its tag is checked when the attribute is one we read
}

type wireCertBag struct {
	Type  asn1.ObjectIdentifier
	Value []byte `asn1:"tag:0,explicit"`
}

// pfx is a parsed file before its password is known.
type pfx struct {
	authSafe []byte // what the MAC covers
	mac      *wireMAC
	safes    []safe
}

// safe is one part of a file: bags in the clear or encrypted as a whole.
type safe struct {
	algorithm *pkix.AlgorithmIdentifier // nil: in the clear
	data      []byte
}

// bags are the contents that matter here.
type bags struct {
	keys  []keyBag
	certs []certBag
}

type keyBag struct {
	name      string
	localID   []byte
	algorithm *pkix.AlgorithmIdentifier // nil: data is PKCS#8 in the clear
	data      []byte
}

type certBag struct {
	name    string
	localID []byte
	der     []byte
}

// parse reads the outer structure.
func parse(file []byte) (*pfx, error) {
	if len(file) > MaxFile {
		return nil, malformed("file of %d bytes", len(file))
	}
	var w wirePFX
	if err := unmarshal(file, &w, "file"); err != nil {
		return nil, err
	}
	if w.Version != 3 || !w.AuthSafe.Type.Equal(oidData) {
		return nil, malformed("version %d, content %v", w.Version, w.AuthSafe.Type)
	}
	p := &pfx{}
	if err := unmarshal(w.AuthSafe.Content.Bytes, &p.authSafe, "content"); err != nil {
		return nil, err
	}
	if w.MAC.Digest.Algorithm.Algorithm != nil {
		p.mac = &w.MAC
	}
	var contents []wireContent
	if err := unmarshal(p.authSafe, &contents, "safes"); err != nil {
		return nil, err
	}
	if len(contents) > maxBags {
		return nil, malformed("%d safes", len(contents))
	}
	for _, c := range contents {
		s, err := parseSafe(c)
		if err != nil {
			return nil, err
		}
		p.safes = append(p.safes, s)
	}
	return p, nil
}

func parseSafe(c wireContent) (safe, error) {
	switch {
	case c.Type.Equal(oidData):
		var data []byte
		err := unmarshal(c.Content.Bytes, &data, "safe")
		return safe{data: data}, err
	case c.Type.Equal(oidEncryptedData):
		var e wireEncryptedData
		if err := unmarshal(c.Content.Bytes, &e, "encrypted safe"); err != nil {
			return safe{}, err
		}
		return safe{algorithm: &e.Content.Algorithm, data: e.Content.Ciphertext}, nil
	}
	return safe{}, malformed("safe of type %v not supported", c.Type)
}

// clear reads the safes that are not encrypted.
func (p *pfx) clear() (*bags, error) {
	b := &bags{}
	for _, s := range p.safes {
		if s.algorithm == nil {
			if err := b.read(s.data, 0); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// read adds the bags of one safe.
func (b *bags) read(der []byte, depth int) error {
	var list []wireBag
	if depth > maxDepth {
		return malformed("safes nested too deep")
	}
	if err := unmarshal(der, &list, "bags"); err != nil {
		return err
	}
	for _, w := range list {
		if len(b.keys)+len(b.certs) >= maxBags {
			return malformed("more than %d bags", maxBags)
		}
		if err := b.add(w, depth); err != nil {
			return err
		}
	}
	return nil
}

func (b *bags) add(w wireBag, depth int) error {
	name, localID := describe(w.Attributes)
	switch {
	case w.Type.Equal(oidKeyBag):
		b.keys = append(b.keys, keyBag{name: name, localID: localID, data: w.Value.Bytes})
	case w.Type.Equal(oidShroudedBag):
		var e wireEncryptedKey
		if err := unmarshal(w.Value.Bytes, &e, "key bag"); err != nil {
			return err
		}
		b.keys = append(b.keys, keyBag{name: name, localID: localID, algorithm: &e.Algorithm, data: e.Ciphertext})
	case w.Type.Equal(oidCertBag):
		var c wireCertBag
		if err := unmarshal(w.Value.Bytes, &c, "certificate bag"); err != nil {
			return err
		}
		if c.Type.Equal(oidX509) {
			b.certs = append(b.certs, certBag{name: name, localID: localID, der: c.Value})
		}
	case w.Type.Equal(oidNestedBag):
		return b.read(w.Value.Bytes, depth+1)
	}
	return nil // CRLs, secrets and what is unknown do not matter here
}

// describe reads the two attributes that tie bags together; others, and unreadable ones, are passed over.
func describe(attributes []wireAttribute) (name string, localID []byte) {
	for _, a := range attributes {
		switch {
		case a.Type.Equal(oidFriendlyName):
			var v asn1.RawValue
			if _, err := asn1.Unmarshal(a.Values.Bytes, &v); err == nil && v.Tag == asn1.TagBMPString {
				name = fromBMP(v.Bytes)
			}
		case a.Type.Equal(oidLocalKeyID):
			var v []byte
			if _, err := asn1.Unmarshal(a.Values.Bytes, &v); err == nil {
				localID = v
			}
		}
	}
	return name, localID
}

func fromBMP(b []byte) string {
	var units []uint16
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, uint16(b[0])<<8|uint16(b[1]))
	}
	return string(utf16.Decode(units))
}

func toBMP(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

// unmarshal reads exactly one value.
func unmarshal(der []byte, into any, what string) error {
	rest, err := asn1.Unmarshal(der, into)
	if err != nil {
		return malformed("%s: %v", what, err)
	}
	if len(rest) > 0 {
		return malformed("%s: trailing data", what)
	}
	return nil
}
