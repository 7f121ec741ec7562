// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"crypto/x509"
	"encoding/asn1"
)

// usageNames are the bits of keyUsage in their order (RFC 5280 section 4.2.1.3).
var usageNames = []struct {
	bit x509.KeyUsage
	key string
}{
	{x509.KeyUsageDigitalSignature, "digitalSignature"},
	{x509.KeyUsageContentCommitment, "contentCommitment"},
	{x509.KeyUsageKeyEncipherment, "keyEncipherment"},
	{x509.KeyUsageDataEncipherment, "dataEncipherment"},
	{x509.KeyUsageKeyAgreement, "keyAgreement"},
	{x509.KeyUsageCertSign, "certSign"},
	{x509.KeyUsageCRLSign, "crlSign"},
	{x509.KeyUsageEncipherOnly, "encipherOnly"},
	{x509.KeyUsageDecipherOnly, "decipherOnly"},
}

func usages(u x509.KeyUsage) []string {
	var list []string
	for _, n := range usageNames {
		if u&n.bit != 0 {
			list = append(list, n.key)
		}
	}
	return list
}

// Purpose is one OID of extendedKeyUsage. Key is stable and "" for one without a name here.
type Purpose struct{ OID, Key string }

// purposeNames are the purposes met in certificates for signing. Purposes of single systems come and go; those without a
// name are shown by their OID.
var purposeNames = map[string]string{
	"2.5.29.37.0":             "any",
	"1.3.6.1.5.5.7.3.1":       "serverAuth",
	"1.3.6.1.5.5.7.3.2":       "clientAuth",
	"1.3.6.1.5.5.7.3.3":       "codeSigning",
	"1.3.6.1.5.5.7.3.4":       "emailProtection",
	"1.3.6.1.5.5.7.3.8":       "timeStamping",
	"1.3.6.1.5.5.7.3.9":       "ocspSigning",
	"1.3.6.1.5.5.7.3.17":      "ipsec",
	"1.3.6.1.5.5.7.3.36":      "documentSigning",
	"1.3.6.1.4.1.311.10.3.12": "documentSigning",
	"1.3.6.1.4.1.311.10.3.4":  "fileEncryption",
	"1.3.6.1.4.1.311.10.12.1": "any",
	"1.3.6.1.4.1.311.20.2.2":  "smartCardLogon",
	"1.3.6.1.5.2.3.4":         "smartCardLogon",
	"1.2.643.2.2.34.2":        "registrationTemporary",
	"1.2.643.2.2.34.4":        "registrationAdministrator",
	"1.2.643.2.2.34.5":        "registrationOperator",
	"1.2.643.2.2.34.6":        "registrationUser",
	"1.2.643.2.2.34.7":        "registrationCentre",
	"1.2.643.2.2.34.25":       "timeStampUser",
	"1.2.643.2.2.34.26":       "ocspUser",
	"1.2.643.6.3":             "trade",
	"1.2.643.6.3.1.1":         "tradeAuction",
	"1.2.643.6.3.1.2.1":       "tradeOrganization",
	"1.2.643.6.3.1.2.2":       "tradePerson",
	"1.2.643.6.3.1.2.3":       "tradeEntrepreneur",
	"1.2.643.6.3.1.3.1":       "tradeSupplier",
	"1.2.643.6.3.1.4.1":       "tradeAdministrator",
	"1.2.643.6.3.1.4.2":       "tradeSpecialist",
	"1.2.643.6.3.1.4.3":       "tradeSigner",
	"1.2.643.5.1.24.2.1.3":    "cadastreRequest",
	"1.2.643.5.1.24.2.1.3.1":  "cadastreEngineer",
	"1.2.643.100.2.1":         "interagencyPerson",
	"1.2.643.100.2.2":         "interagencySystem",
}

// purposes reads the extension itself: crypto/x509 splits known OIDs from unknown ones and loses their order.
func purposes(x *x509.Certificate) ([]Purpose, error) {
	var oids []asn1.ObjectIdentifier
	if err := read(x, oidExtKeyUsage, &oids); err != nil {
		return nil, err
	}
	var list []Purpose
	for _, oid := range oids[:min(len(oids), maxList)] {
		s := oid.String()
		list = append(list, Purpose{OID: cut(s), Key: purposeNames[s]})
	}
	return list, nil
}

// Class is a class of means of signature by order 796 of the FSB, weakest first; the zero value is none.
type Class int

// The classes. A means of one class satisfies the demands on all classes before it.
const (
	KC1 Class = 1 + iota
	KC2
	KC3
	KB1
	KB2
	KA1
)

// String is the class in Latin letters, "" for none.
func (c Class) String() string {
	if c < 0 || c > KA1 {
		return ""
	}
	return [...]string{"", "KC1", "KC2", "KC3", "KB1", "KB2", "KA1"}[c]
}

// The arcs of class policies: of the subject's means, and of the issuer's. The second is also, without a further number,
// the OID of the extension identificationKind; only a policy can be a class.
var (
	oidSignClass = asn1.ObjectIdentifier{1, 2, 643, 100, 113}
	oidCAClass   = asn1.ObjectIdentifier{1, 2, 643, 100, 114}
)

// class is the class an exact policy OID below arc stands for, or none.
func class(oid, arc asn1.ObjectIdentifier) Class {
	n := len(arc)
	if len(oid) != n+1 || !oid[:n].Equal(arc) || oid[n] < int(KC1) || oid[n] > int(KA1) {
		return 0
	}
	return Class(oid[n])
}
