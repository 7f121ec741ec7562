// SPDX-License-Identifier: GPL-3.0-or-later

// Package xmldsig makes and checks XML signatures: XMLDSig 1.1, XAdES-BES and EPES (ETSI EN 319 132-1), with the profiles of
// SMEV 3, SMEV 2 (WS-Security), powers of attorney and the tax service.
//
// # Checking
//
// Verify reads the document twice and keeps nothing of it but its signatures: once to find them and to see that it is
// well-formed, once for all references of all signatures at the same time. A document that is not the same both times is
// refused. What a signature says is taken from the canonical octets that were digested, not from the text beside them: the
// prefixes of an XPath expression too have to be bound there. Of XAdES properties only those are read that this signature
// has signed.
//
// Each reference has to lead to exactly one place of this document, counting every attribute that may be an Id. The report
// tells by name and offset what is covered and what is cut out; what lies outside is not signed, however it looks. A
// signature that covers only parts of itself is not valid.
//
// SignerReport.Valid is about mathematics and form; SHA-1, RSA with SHA-1 and GOST R 34.10-2001 still count (algo.Algorithm has
// Legacy, Reference has Digest). Trusted is about the certificate.
//
// Read and not carried out, so never valid: other documents (nothing is fetched), XSLT, DSA, HMAC. KeyName and
// RetrievalMethod are passed over. References in a ds:Manifest are not followed: such a signature covers the list alone.
//
// Octets after a transform are read as a document again when the next one wants nodes: base64, the C14N family, XPath and
// Filter 2.0 as far as package c14n has them, the SMEV transform, eight transforms at most. enveloped-signature comes before
// them.
//
// # Making
//
// Sign writes the signature into the document without touching a byte outside it, and verifies the result before it writes
// anything: all of it, with the verifier, which for the first signature of a document is told where to look. The digests too are taken of the result: the document is read with a signature in
// it that has random digests and a random value, and what a verifier computes then is what is signed. Plan does the same
// without a key.
//
// A signature of the whole document leaves out itself (enveloped-signature). So one that is added later lies in what the
// first has signed and breaks it, and Sign refuses with ErrBreaks. Several people sign with Options.Parallel from the first
// signature on: then each leaves out every ds:Signature (XPath not(ancestor-or-self::ds:Signature)). What it leaves out is
// not signed, so nobody may rely on anything inside a ds:Signature but what that signature itself covers.
//
// In Template mode DigestValue, SignatureValue and the certificate are filled, whatever stood there. The certificate goes
// into the first X509Certificate, or into an empty X509Data or KeyInfo; KeyInfo with other contents is left as it is.
package xmldsig

import (
	"errors"
	"fmt"

	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// Namespaces.
const (
	NamespaceDSig     = "http://www.w3.org/2000/09/xmldsig#"
	NamespaceDSig11   = "http://www.w3.org/2009/xmldsig11#"
	NamespaceFilter2  = "http://www.w3.org/2002/06/xmldsig-filter2"
	NamespaceXAdES    = "http://uri.etsi.org/01903/v1.3.2#"
	NamespaceWSSE     = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
	NamespaceWSU      = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
	NamespaceCPXMLSec = "urn:ietf:params:xml:ns:cpxmlsec"
)

// Transforms beside the methods of canonicalisation, which are in c14n.
const (
	TransformEnveloped = NamespaceDSig + "enveloped-signature"
	TransformBase64    = NamespaceDSig + "base64"
	TransformXPath     = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	TransformFilter2   = NamespaceFilter2
	TransformSMEV      = "urn://smev-gov-ru/xmldsig/transform"
)

// Values of Reference/@Type.
const (
	TypeSignedProperties = "http://uri.etsi.org/01903#SignedProperties"
	TypeObject           = NamespaceDSig + "Object"
)

// Values of WS-Security attributes (X.509 certificate token profile 1.0).
const (
	ValueTypeX509v3      = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
	EncodingBase64Binary = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary"
)

// DefaultIDNames are the attributes that count as Ids when a caller names none.
var DefaultIDNames = []IDName{
	{Local: "Id"}, {Local: "ID"}, {Local: "id"}, {URI: NamespaceWSU, Local: "Id"}, {URI: xml.XMLNamespace, Local: "id"},
}

// IDName is the name of an attribute that counts as Id.
type IDName = c14n.IDName

// Errors of Verify itself, beside *xml.Error. Those of single signatures are in SignerReport.Problem.
var (
	ErrNoSignature = errors.New("the document holds no XML signature")
	ErrFormat      = errors.New("not an XML signature this program can read")
	ErrLimit       = errors.New("XML signature exceeds a limit")
	ErrChanged     = errors.New("the document changed while it was read")
)

// Problems of one signature beside those of package cms; SignerReport.Problem wraps one of them.
var (
	// ErrReference means that a reference does not lead to exactly one place of this document; a ReferenceError says more.
	ErrReference = fmt.Errorf("%w: reference does not name exactly one element of the document", cms.ErrSignedData)
	// ErrUnsupported means a transform, an expression or a method that is not carried out here.
	ErrUnsupported = c14n.ErrUnsupported
	// ErrNothingSigned means that the references cover nothing but the signature itself.
	ErrNothingSigned = errors.New("the signature covers no data")
	// ErrBareKey comes with cms.ErrNoCertificate: the signature matches a KeyValue, and no certificate has this key.
	ErrBareKey = errors.New("the signature matches a key that no certificate vouches for")
)

// ReferenceError is a reference that leads nowhere or to several places. It wraps ErrReference.
type ReferenceError struct {
	URI   string
	Found int // places
}

func (e *ReferenceError) Error() string {
	return fmt.Sprintf("%v: %q names %d", ErrReference, e.URI, e.Found)
}
func (e *ReferenceError) Unwrap() error { return ErrReference }
