// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
)

// Person is a subject or an issuer: a person, an organization, a CA. Empty fields are absent. Where an attribute occurs
// more than once the first value is kept, except organizational units, which are joined with ", ".
type Person struct {
	CommonName, Surname, GivenName    string
	Organization, Unit, Title         string
	Country, Region, Locality, Street string
	Email                             string
	INN, INNLE, OGRN, OGRNIP, SNILS   string
	SerialNumber                      string // attribute 2.5.4.5, not the certificate's serial
}

// attribute ties an OID to its field.
type attribute struct {
	oid   asn1.ObjectIdentifier
	field func(*Person) *string
	kind  int // ASN.1 tag Build writes: RFC 9215 section 5 wants NumericString for the Russian numbers
}

// attributes is in the order Build writes them.
var attributes = []attribute{
	{asn1.ObjectIdentifier{2, 5, 4, 6}, func(p *Person) *string { return &p.Country }, asn1.TagPrintableString},
	{asn1.ObjectIdentifier{2, 5, 4, 8}, func(p *Person) *string { return &p.Region }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 7}, func(p *Person) *string { return &p.Locality }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 9}, func(p *Person) *string { return &p.Street }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 10}, func(p *Person) *string { return &p.Organization }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 11}, func(p *Person) *string { return &p.Unit }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 12}, func(p *Person) *string { return &p.Title }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 4}, func(p *Person) *string { return &p.Surname }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 42}, func(p *Person) *string { return &p.GivenName }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 3}, func(p *Person) *string { return &p.CommonName }, asn1.TagUTF8String},
	{asn1.ObjectIdentifier{2, 5, 4, 5}, func(p *Person) *string { return &p.SerialNumber }, asn1.TagPrintableString},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, func(p *Person) *string { return &p.Email }, asn1.TagIA5String},
	{asn1.ObjectIdentifier{1, 2, 643, 3, 131, 1, 1}, func(p *Person) *string { return &p.INN }, asn1.TagNumericString},
	{asn1.ObjectIdentifier{1, 2, 643, 100, 4}, func(p *Person) *string { return &p.INNLE }, asn1.TagNumericString},
	{asn1.ObjectIdentifier{1, 2, 643, 100, 1}, func(p *Person) *string { return &p.OGRN }, asn1.TagNumericString},
	{asn1.ObjectIdentifier{1, 2, 643, 100, 5}, func(p *Person) *string { return &p.OGRNIP }, asn1.TagNumericString},
	{asn1.ObjectIdentifier{1, 2, 643, 100, 3}, func(p *Person) *string { return &p.SNILS }, asn1.TagNumericString},
}

// maxUnits bounds the joined units in bytes, give or take one: a name may hold thousands.
const maxUnits = 4096

var oidUnit = asn1.ObjectIdentifier{2, 5, 4, 11}

func person(names []pkix.AttributeTypeAndValue) Person {
	var p Person
	for _, n := range names {
		for _, a := range attributes {
			if a.oid.Equal(n.Type) {
				a.set(&p, strings.TrimSpace(fmt.Sprint(n.Value)))
			}
		}
	}
	p.sortINN()
	return p
}

func (a attribute) set(p *Person, v string) {
	f := a.field(p)
	switch {
	case *f == "":
		*f = v
	case a.oid.Equal(oidUnit) && len(*f) < maxUnits:
		*f += ", " + v
	}
}

// Name is what to call the person: surname and given name of a natural person, else the common name, else the organization.
func (p Person) Name() string {
	switch {
	case p.Surname != "" && p.GivenName != "":
		return p.Surname + " " + p.GivenName
	case p.CommonName != "":
		return p.CommonName
	default:
		return p.Organization
	}
}
