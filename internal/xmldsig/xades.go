// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"encoding/asn1"
	"math/big"
	"regexp"
	"time"

	"persten/internal/cert"
)

// properties writes the ds:Object with xades:QualifyingProperties. The order is the schema's (ETSI EN 319 132-1 annex C,
// XAdES01903v132-201601.xsd): its types are sequences.
func (m *making) properties(w *markup, unsigned []byte) {
	w.open("ds:Object")
	w.open("xades:QualifyingProperties", "xmlns:xades", NamespaceXAdES, "Target", "#"+m.id)
	w.open("xades:SignedProperties", "Id", m.id+"-properties")
	m.signatureProperties(w)
	m.dataProperties(w)
	w.close("xades:SignedProperties")
	if len(unsigned) > 0 {
		w.open("xades:UnsignedProperties")
		w.open("xades:UnsignedSignatureProperties")
		w.Write(unsigned)
		w.close("xades:UnsignedSignatureProperties")
		w.close("xades:UnsignedProperties")
	}
	w.close("xades:QualifyingProperties")
	w.close("ds:Object")
}

// signatureProperties writes SignedSignatureProperties (sections 5.2.1, 5.2.2, 5.2.9, 5.2.5, 5.2.6).
func (m *making) signatureProperties(w *markup) {
	w.open("xades:SignedSignatureProperties")
	w.text("xades:SigningTime", m.o.SigningTime.UTC().Format(time.RFC3339))
	if m.cert != nil {
		m.signingCertificate(w)
	}
	if m.o.Policy != nil {
		m.policy(w, m.o.Policy)
	}
	if p := m.o.Production; p != nil {
		w.open("xades:SignatureProductionPlaceV2")
		w.optional("xades:City", p.City)
		w.optional("xades:StreetAddress", p.Street)
		w.optional("xades:StateOrProvince", p.Region)
		w.optional("xades:PostalCode", p.PostalCode)
		w.optional("xades:CountryName", p.Country)
		w.close("xades:SignatureProductionPlaceV2")
	}
	if len(m.o.Roles) > 0 {
		w.open("xades:SignerRoleV2")
		w.open("xades:ClaimedRoles")
		for _, role := range m.o.Roles {
			w.text("xades:ClaimedRole", role)
		}
		w.close("xades:ClaimedRoles")
		w.close("xades:SignerRoleV2")
	}
	w.close("xades:SignedSignatureProperties")
}

// optional writes an element that holds text, unless there is none.
func (m *markup) optional(name, value string) {
	if value != "" {
		m.text(name, value)
	}
}

// signingCertificate names the signer's certificate by digest, issuer and serial.
func (m *making) signingCertificate(w *markup) {
	w.open("xades:SigningCertificateV2")
	w.open("xades:Cert")
	w.open("xades:CertDigest")
	w.empty("ds:DigestMethod", "Algorithm", m.alg.Digest.XML())
	w.base64("ds:DigestValue", m.alg.Digest.Sum(m.cert.Raw))
	w.close("xades:CertDigest")
	w.base64("xades:IssuerSerialV2", issuerSerial(m.cert))
	w.close("xades:Cert")
	w.close("xades:SigningCertificateV2")
}

// issuerSerial is the DER of IssuerSerial (RFC 5035 section 5): GeneralNames with one directoryName, and the serial number.
func issuerSerial(c *cert.Certificate) []byte {
	der, err := asn1.Marshal(struct {
		Issuer []asn1.RawValue
		Serial *big.Int
	}{
		[]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: c.X509.RawIssuer}},
		c.X509.SerialNumber,
	})
	if err != nil {
		panic("xmldsig: a parsed certificate has a serial number: " + err.Error())
	}
	return der
}

var objectIdentifier = regexp.MustCompile(`^[0-2](\.(0|[1-9][0-9]*))+$`)

// policy writes SignaturePolicyIdentifier. An object identifier is written as a URN (section 5.2.9.1, ObjectIdentifier).
func (m *making) policy(w *markup, p *Policy) {
	w.open("xades:SignaturePolicyIdentifier")
	defer w.close("xades:SignaturePolicyIdentifier")
	if p.ID == "" {
		w.empty("xades:SignaturePolicyImplied")
		return
	}
	w.open("xades:SignaturePolicyId")
	w.identifier("xades:SigPolicyId", p.ID, p.Description)
	w.open("xades:SigPolicyHash")
	w.empty("ds:DigestMethod", "Algorithm", p.Digest.XML())
	w.base64("ds:DigestValue", p.Value)
	w.close("xades:SigPolicyHash")
	if p.URI != "" {
		w.open("xades:SigPolicyQualifiers")
		w.open("xades:SigPolicyQualifier")
		w.text("xades:SPURI", p.URI)
		w.close("xades:SigPolicyQualifier")
		w.close("xades:SigPolicyQualifiers")
	}
	w.close("xades:SignaturePolicyId")
}

// identifier writes an element of ObjectIdentifierType.
func (m *markup) identifier(name, id, description string) {
	m.open(name)
	if objectIdentifier.MatchString(id) {
		m.text("xades:Identifier", "urn:oid:"+id, "Qualifier", "OIDAsURN")
	} else {
		m.text("xades:Identifier", id)
	}
	m.optional("xades:Description", description)
	m.close(name)
}

// dataProperties writes SignedDataObjectProperties (sections 5.2.4 and 5.2.3), unless there would be nothing in it.
func (m *making) dataProperties(w *markup) {
	begin := w.Len()
	w.open("xades:SignedDataObjectProperties")
	begun := w.Len()
	for i := range m.targets {
		t := &m.targets[i]
		if t.refID == "" || t.MIMEType == "" && t.Description == "" {
			continue
		}
		w.open("xades:DataObjectFormat", "ObjectReference", "#"+t.refID)
		w.optional("xades:Description", t.Description)
		w.optional("xades:MimeType", t.MIMEType)
		w.close("xades:DataObjectFormat")
	}
	for _, id := range m.o.Commitments {
		w.open("xades:CommitmentTypeIndication")
		w.identifier("xades:CommitmentTypeId", id, "")
		w.empty("xades:AllSignedDataObjects")
		w.close("xades:CommitmentTypeIndication")
	}
	if w.Len() == begun {
		w.Truncate(begin)
		return
	}
	w.close("xades:SignedDataObjectProperties")
}
