// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"bytes"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The forms of a GeneralName by their tag (RFC 5280 section 4.2.1.6).
const (
	formOther     = 0
	formEmail     = 1
	formDNS       = 2
	formDirectory = 4
	formURI       = 6
	formIP        = 7
	formLast      = 8
)

// generalName is one name of a GeneralNames.
type generalName struct {
	form  int
	value []byte // what follows the header; for a directory name its DER
	name  name   // of a directory name
}

// Names of one list. Those of places and issuers are compared each with each.
const (
	maxSubjectNames = 10_000
	maxPlaceNames   = 64
)

var errGeneralName = errors.New("malformed general name")

// readGeneralNames reads what stands between the header and the end of a GeneralNames, at most so many.
func readGeneralNames(in cryptobyte.String, most int) ([]generalName, error) {
	var list []generalName
	for !in.Empty() {
		g, ok := readGeneralName(&in)
		if !ok || len(list) == most {
			return nil, errGeneralName
		}
		list = append(list, g)
	}
	return list, nil
}

func readGeneralName(in *cryptobyte.String) (generalName, bool) {
	var value cryptobyte.String
	var tag casn1.Tag
	if !in.ReadAnyASN1(&value, &tag) || tag&0xc0 != 0x80 || tag&0x1f > formLast {
		return generalName{}, false
	}
	g := generalName{form: int(tag & 0x1f), value: value}
	if g.form == formDirectory {
		if !value.ReadASN1Element((*cryptobyte.String)(&g.value), casn1.SEQUENCE) || !value.Empty() {
			return generalName{}, false
		}
		g.name = parseName(g.value)
	}
	return g, true
}

func (g generalName) equal(o generalName) bool {
	if g.form != o.form {
		return false
	}
	if g.form == formDirectory {
		return g.name.equal(o.name)
	}
	return bytes.Equal(g.value, o.value)
}

// shares reports whether two lists of names have one in common.
func shares(a, b []generalName) bool {
	for _, g := range a {
		for _, o := range b {
			if g.equal(o) {
				return true
			}
		}
	}
	return false
}

// directoryName wraps the DER of a name.
func directoryName(der []byte) generalName {
	return generalName{form: formDirectory, value: der, name: parseName(der)}
}

// extensionBody opens the SEQUENCE that the value of an extension is. Without the extension it is nil.
func (c *Certificate) extensionBody(oid []int) (body cryptobyte.String, present bool, err error) {
	value, ok := extension(c.X509, oid)
	if !ok {
		return nil, false, nil
	}
	in := cryptobyte.String(value)
	if !in.ReadASN1(&body, casn1.SEQUENCE) || !in.Empty() {
		return nil, true, errExtension
	}
	return body, true, nil
}
