// SPDX-License-Identifier: GPL-3.0-or-later

package compat

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"time"

	"persten/proto"
)

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// The purposes NCALayer's key types stand for.
const (
	purposeSignature      = "1.3.6.1.5.5.7.3.4" // e-mail protection
	purposeAuthentication = "1.3.6.1.5.5.7.3.2" // client authentication
)

// wanted is what a page says of the certificate it needs. Empty members ask for nothing.
type wanted struct {
	storages []string // names of kinds of media
	purposes []string // extended key usages, all of them
	iin, bin string   // of the owner
	serial   string   // of the certificate, hex
	chain    [][]byte // certificates of acceptable issuers, DER
	digest   int      // length of a ready digest
	rsa      bool     // RSA and ECDSA keys alone

	id, thumbprint string // of the certificate
	nonRepudiation bool   // for signatures that bind the owner
}

// choose finds the certificate: the only one that fits, or the one the person chooses.
func (p *page) choose(ctx context.Context, w wanted) (*proto.Certificate, error) {
	var list proto.CertificatesListResult
	if err := p.link.Call(ctx, proto.MethodCertificatesList, proto.CertificatesListParams{}, &list); err != nil {
		return nil, err
	}
	fit := slices.DeleteFunc(list.Certificates, func(c proto.Certificate) bool { return !w.fits(c) })
	switch len(fit) {
	case 0:
		return nil, proto.E(proto.CodeCertificateNone, nil)
	case 1:
		return &fit[0], nil
	}
	var params proto.CertificatesSelectParams
	for _, c := range fit[:min(len(fit), maxChoices)] {
		params.Certificates = append(params.Certificates, c.ID)
	}
	var chosen proto.CertificatesSelectResult
	if err := p.link.Call(ctx, proto.MethodCertificatesSelect, params, &chosen); err != nil {
		return nil, err
	}
	return &chosen.Certificate, nil
}

// maxChoices is how many certificates a person is asked to choose among.
const maxChoices = 64

func (w wanted) fits(c proto.Certificate) bool {
	switch {
	case !w.stored(c.Token), !w.meant(c.Purposes):
		return false
	case w.id != "" && w.id != c.ID, w.thumbprint != "" && w.thumbprint != c.Thumbprint:
		return false
	case w.nonRepudiation && !slices.Contains(c.Usage, "contentCommitment"):
		return false
	case w.digest > 0 && w.digest != digestSize(c.Algorithm):
		return false
	case w.rsa && !strings.HasPrefix(c.Algorithm, "rsa-") && !strings.HasPrefix(c.Algorithm, "ecdsa-"):
		return false
	case w.serial != "" && strings.TrimLeft(strings.ToLower(w.serial), "0") != strings.TrimLeft(c.Serial, "0"):
		return false
	case w.iin == "" && w.bin == "" && len(w.chain) == 0:
		return true
	}
	x, err := x509.ParseCertificate(c.DER)
	return err == nil && w.owned(x) && w.issued(x)
}

// meant reports whether a certificate is for every purpose asked for. One that names none is for all.
func (w wanted) meant(has []proto.Purpose) bool {
	for _, oid := range w.purposes {
		if len(has) > 0 && !slices.ContainsFunc(has, func(p proto.Purpose) bool { return p.OID == oid }) {
			return false
		}
	}
	return true
}

// owned looks for the numbers Kazakh certificates carry in the name of the owner.
func (w wanted) owned(x *x509.Certificate) bool {
	if w.iin != "" && x.Subject.SerialNumber != "IIN"+w.iin {
		return false
	}
	return w.bin == "" || slices.Contains(x.Subject.OrganizationalUnit, "BIN"+w.bin)
}

func (w wanted) issued(x *x509.Certificate) bool {
	if len(w.chain) == 0 {
		return true
	}
	return slices.ContainsFunc(w.chain, func(der []byte) bool {
		issuer, err := x509.ParseCertificate(der)
		return err == nil && bytes.Equal(issuer.RawSubject, x.RawIssuer)
	})
}

// storages are NCALayer's names of media, and what their models are called.
var storages = []struct{ name, model string }{
	{"AKKaztokenStore", "kaztoken"}, {"AKKZIDCardStore", "kz id"}, {"AKEToken5110Store", "5110"},
	{"AKEToken72KStore", "etoken"}, {"AKJaCartaStore", "jacarta"}, {"AKAKEYStore", "akey"},
}

// anyToken is how media are called that have no name there.
const anyToken = "AKKaztokenStore"

// storageOf is NCALayer's name for a token, "" for one it has no name for.
func storageOf(label, model string) string {
	for _, s := range storages {
		if strings.Contains(strings.ToLower(model+" "+label), s.model) {
			return s.name
		}
	}
	return ""
}

// stored reports whether a key may lie where the page looks for it. Pages name files where they do not know better, so that
// means any place; a medium without a name of its own is in all storages.
func (w wanted) stored(t proto.TokenRef) bool {
	file := func(s string) bool { return s == "PKCS12" || s == "JKS" }
	if len(w.storages) == 0 || slices.ContainsFunc(w.storages, file) {
		return true
	}
	name := storageOf(t.Label, t.Model)
	return name == "" || slices.Contains(w.storages, name)
}

// digestSize is the length of the digest an algorithm signs, by its name.
func digestSize(algorithm string) int {
	for end, size := range map[string]int{"256": 32, "384": 48, "512": 64, "sha1": 20, "gost2001": 32} {
		if strings.HasSuffix(algorithm, end) {
			return size
		}
	}
	return 0
}

// keyInfo is what NCALayer tells of a key. Times are milliseconds since 1970.
type keyInfo struct {
	Alias                  string `json:"alias"`
	KeyID                  string `json:"keyId"`
	Algorithm              string `json:"algorithm"`
	SubjectCn              string `json:"subjectCn"`
	SubjectDn              string `json:"subjectDn"`
	IssuerCn               string `json:"issuerCn"`
	IssuerDn               string `json:"issuerDn"`
	SerialNumber           string `json:"serialNumber"`
	CertNotAfter           string `json:"certNotAfter"`
	CertNotBefore          string `json:"certNotBefore"`
	AuthorityKeyIdentifier string `json:"authorityKeyIdentifier"`
	PEM                    string `json:"pem"`
}

func infoOf(c *proto.Certificate) keyInfo {
	k := keyInfo{
		Alias: c.Thumbprint, KeyID: c.Thumbprint, Algorithm: keyKind(c.Algorithm), SubjectCn: c.Name, IssuerCn: c.Issuer, SerialNumber: c.Serial,
		CertNotAfter: millis(c.NotAfter), CertNotBefore: millis(c.NotBefore), PEM: armored("CERTIFICATE", c.DER),
	}
	if x, err := x509.ParseCertificate(c.DER); err == nil {
		k.SubjectCn, k.SubjectDn = x.Subject.CommonName, name(x.RawSubject)
		k.IssuerCn, k.IssuerDn = x.Issuer.CommonName, name(x.RawIssuer)
		k.AuthorityKeyIdentifier = hexOf(x.AuthorityKeyId)
	}
	return k
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func keyKind(algorithm string) string {
	switch {
	case strings.HasPrefix(algorithm, "rsa"):
		return "RSA"
	case strings.HasPrefix(algorithm, "gost"):
		return "ECGOST3410-2012"
	}
	return "EC"
}

func armored(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// nameTypes are the short names of what distinguished names hold.
var nameTypes = map[string]string{
	"2.5.4.3": "CN", "2.5.4.4": "SURNAME", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
	"2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.42": "GIVENNAME", "1.2.840.113549.1.9.1": "E",
}

// name writes a distinguished name in the order of the certificate, its parts joined by commas.
func name(raw []byte) string {
	var rdns pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &rdns); err != nil || len(rest) > 0 {
		return ""
	}
	escape := strings.NewReplacer(`\`, `\\`, ",", `\,`, "+", `\+`, `"`, `\"`, "<", `\<`, ">", `\>`, ";", `\;`, "=", `\=`)
	var parts []string
	for _, set := range rdns {
		var one []string
		for _, a := range set {
			kind, known := nameTypes[a.Type.String()]
			if !known {
				kind = a.Type.String()
			}
			value, _ := a.Value.(string)
			one = append(one, kind+"="+escape.Replace(value))
		}
		parts = append(parts, strings.Join(one, "+"))
	}
	return strings.Join(parts, ",")
}
