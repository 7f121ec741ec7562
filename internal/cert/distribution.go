// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"encoding/asn1"
	"math/bits"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidDistributionPoints = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidFreshestCRL        = asn1.ObjectIdentifier{2, 5, 29, 46}
)

// reasonFlags has bit n set for bit n of ReasonFlags (RFC 5280 section 4.2.1.13).
type reasonFlags uint16

const allReasons reasonFlags = 0x1fe // keyCompromise to aACompromise

const maxPoints = 64

// point is a DistributionPoint: where a CRL about the certificate is to be found, and what it covers.
type point struct {
	names   []generalName // none: the names of crlIssuer
	reasons reasonFlags
	issuer  []generalName // of an indirect CRL; none: the issuer of the certificate
}

// points reads cRLDistributionPoints, and adds the point that every certificate has by itself: a CRL of its issuer for all
// reasons (RFC 5280 section 6.3.3).
func (c *Certificate) points() ([]point, error) {
	implicit := point{names: []generalName{directoryName(c.X509.RawIssuer)}, reasons: allReasons}
	body, _, err := c.extensionBody(oidDistributionPoints)
	if err != nil {
		return nil, err
	}
	var list []point
	for !body.Empty() {
		var one cryptobyte.String
		if !body.ReadASN1(&one, casn1.SEQUENCE) || len(list) == maxPoints {
			return nil, errExtension
		}
		p, ok := readPoint(one, c.issuerName)
		if !ok {
			return nil, errExtension
		}
		list = append(list, p)
	}
	return append(list, implicit), nil
}

func readPoint(in cryptobyte.String, issuer name) (point, bool) {
	var names, reasons, authority cryptobyte.String
	var named, limited, indirect bool
	if !in.ReadOptionalASN1(&names, &named, casn1.Tag(0).ContextSpecific().Constructed()) ||
		!in.ReadOptionalASN1(&reasons, &limited, casn1.Tag(1).ContextSpecific()) ||
		!in.ReadOptionalASN1(&authority, &indirect, casn1.Tag(2).ContextSpecific().Constructed()) || !in.Empty() {
		return point{}, false
	}
	p := point{reasons: allReasons}
	var err error
	if indirect {
		if p.issuer, err = readGeneralNames(authority, maxPlaceNames); err != nil {
			return point{}, false
		}
		for _, g := range p.issuer {
			if g.form == formDirectory {
				issuer = g.name
			}
		}
	}
	ok := true
	if named {
		p.names, ok = readPointName(names, issuer)
	}
	if ok && limited {
		p.reasons, ok = readReasons(reasons)
	}
	return p, ok
}

// readPointName reads a DistributionPointName; a relative name is completed with the issuer's.
func readPointName(in cryptobyte.String, issuer name) ([]generalName, bool) {
	var body cryptobyte.String
	var tag casn1.Tag
	if !in.ReadAnyASN1(&body, &tag) || !in.Empty() {
		return nil, false
	}
	switch tag {
	case casn1.Tag(0).ContextSpecific().Constructed():
		list, err := readGeneralNames(body, maxPlaceNames)
		return list, err == nil && len(list) > 0
	case casn1.Tag(1).ContextSpecific().Constructed():
		rdn, ok := parseRDN(body)
		full := append(issuer[:len(issuer):len(issuer)], rdn)
		return []generalName{{form: formDirectory, name: full}}, ok
	}
	return nil, false
}

// readReasons reads the content of a BIT STRING.
func readReasons(b []byte) (reasonFlags, bool) {
	if len(b) < 1 || len(b) > 3 {
		return 0, false
	}
	var f reasonFlags
	for i, v := range b[1:] {
		f |= reasonFlags(bits.Reverse8(v)) << (8 * i)
	}
	return f & allReasons, true
}

// scope is what a CRL covers: the extension issuingDistributionPoint (RFC 5280 section 5.2.5).
type scope struct {
	raw      []byte        // of the extension; nil when there is none
	names    []generalName // none: any
	reasons  reasonFlags
	users    bool // only certificates of others than CAs
	cas      bool
	others   bool // only attribute certificates
	indirect bool
}

func readScope(value []byte, issuer name) (scope, bool) {
	s := scope{raw: value, reasons: allReasons}
	in := cryptobyte.String(value)
	var body, names, reasons cryptobyte.String
	var named, limited bool
	if !in.ReadASN1(&body, casn1.SEQUENCE) || !in.Empty() ||
		!body.ReadOptionalASN1(&names, &named, casn1.Tag(0).ContextSpecific().Constructed()) ||
		!readFlag(&body, 1, &s.users) || !readFlag(&body, 2, &s.cas) ||
		!body.ReadOptionalASN1(&reasons, &limited, casn1.Tag(3).ContextSpecific()) ||
		!readFlag(&body, 4, &s.indirect) || !readFlag(&body, 5, &s.others) || !body.Empty() {
		return s, false
	}
	ok := true
	if named {
		s.names, ok = readPointName(names, issuer)
	}
	if ok && limited {
		s.reasons, ok = readReasons(reasons)
	}
	return s, ok
}

// readFlag reads a BOOLEAN that is false when absent; any byte but zero is true.
func readFlag(in *cryptobyte.String, tag uint8, to *bool) bool {
	var v cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&v, &present, casn1.Tag(tag).ContextSpecific()) || present && len(v) != 1 {
		return false
	}
	*to = present && v[0] != 0
	return true
}
