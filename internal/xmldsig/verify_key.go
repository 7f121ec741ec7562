// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
)

// Limits of KeyInfo.
const (
	maxCertificates = 32 // of one signature
	maxTried        = 8  // keys for one signature
	maxTokens       = 64 // BinarySecurityTokens of one document
)

// hints is what KeyInfo says about the key. None of it is trusted: the key must fit the signature, and the certificate the
// trust it is checked with.
type hints struct {
	certificates []*cert.Certificate
	unreadable   int
	keys         []algo.PublicKey // bare keys
	serials      []*big.Int
	keyIDs       [][]byte
	prints       [][]byte // SHA-1 of certificates
	subjects     []string
	tokens       []*securityToken

	named bool // XAdES names certificates
	names []certificateID
}

// securityToken is a wsse:BinarySecurityToken somewhere in the document, read in the second pass.
type securityToken struct {
	job    *c14n.Job
	octets kept
}

// readKeyInfo gathers the hints. What is not known is passed over; KeyName and RetrievalMethod are among that.
func (v *verifier) readKeyInfo(e *element) hints {
	var h hints
	if e == nil {
		return h
	}
	for _, one := range e.children {
		switch {
		case one.is(NamespaceDSig, "X509Data"):
			h.x509Data(one)
		case one.is(NamespaceDSig, "KeyValue"), one.is(NamespaceDSig11, "DEREncodedKeyValue"):
			if key, err := parseKeyValue(one); err == nil && len(h.keys) < maxTried {
				h.keys = append(h.keys, key)
			}
		case one.is(NamespaceWSSE, "SecurityTokenReference"):
			v.tokenReference(&h, one)
		}
	}
	return h
}

func (h *hints) x509Data(e *element) {
	for _, one := range e.children {
		if one.uri != NamespaceDSig {
			continue
		}
		switch one.local {
		case "X509Certificate":
			der, err := one.octets()
			if err != nil {
				h.unreadable++
				continue
			}
			h.certificate(der)
		case "X509IssuerSerial":
			if n, err := parseSerial(one.child(NamespaceDSig, "X509SerialNumber")); err == nil {
				h.serials = append(h.serials, n)
			}
		case "X509SKI":
			if id, err := one.octets(); err == nil {
				h.keyIDs = append(h.keyIDs, id)
			}
		case "X509SubjectName":
			h.subjects = append(h.subjects, strings.TrimSpace(one.text.String()))
		}
	}
}

func (h *hints) certificate(der []byte) {
	c, err := cert.Parse(der)
	if err != nil || len(h.certificates) == maxCertificates {
		h.unreadable++
		return
	}
	h.certificates = append(h.certificates, c)
}

// tokenReference reads a wsse:SecurityTokenReference (WS-Security 1.1 section 7): a token of this document by Id, a key
// identifier, or X509Data.
func (v *verifier) tokenReference(h *hints, e *element) {
	for _, one := range e.children {
		id, local := strings.CutPrefix(one.attr("URI"), "#")
		switch {
		case one.is(NamespaceDSig, "X509Data"):
			h.x509Data(one)
		case one.is(NamespaceWSSE, "KeyIdentifier"):
			octets, err := decodeBase64(one.text.String())
			switch kind := one.attr("ValueType"); {
			case err != nil:
			case strings.HasSuffix(kind, "#X509SubjectKeyIdentifier"):
				h.keyIDs = append(h.keyIDs, octets)
			case strings.HasSuffix(kind, "#ThumbprintSHA1"):
				h.prints = append(h.prints, octets)
			}
		case one.is(NamespaceWSSE, "Reference") && local && id != "":
			if t := v.token(id); t != nil {
				h.tokens = append(h.tokens, t)
			}
		}
	}
}

// token asks for the text of the element that has this Id.
func (v *verifier) token(id string) *securityToken {
	if t := v.tokens[id]; t != nil || len(v.tokens) == maxTokens {
		return t
	}
	t := &securityToken{}
	t.job = &c14n.Job{Nodes: c14n.ByID(id, v.o.IDNames), Text: true, Out: &t.octets}
	v.tokens[id], v.jobs = t, append(v.jobs, t.job)
	return t
}

// keys completes the hints with the tokens that were found.
func (c *check) keys() {
	for _, t := range c.hints.tokens {
		if t.job.Found != 1 || len(t.job.Apexes) != 1 || t.octets.over {
			continue
		}
		if n := t.job.Apexes[0].Name; n.URI != NamespaceWSSE || n.Local != "BinarySecurityToken" {
			continue
		}
		if der, err := decodeBase64(string(t.octets.octets)); err == nil {
			c.hints.certificate(der)
		}
	}
}

// checkValue finds the certificate and checks the signature value with its key. hold tells whether everything before was
// right; if not, the certificate is only named.
func (c *check) checkValue(hold bool) error {
	a, ok := algo.ByXMLSignature(c.sig.info.algorithm)
	if ok {
		c.report.Algorithm = a.ID
	}
	candidates := c.candidates()
	if len(candidates) > 0 {
		c.report.Certificate = candidates[0]
	}
	if !hold {
		return nil
	}
	if !ok {
		return fmt.Errorf("%w: %q", cms.ErrAlgorithm, c.sig.info.algorithm)
	}
	used, err := c.try(a, candidates)
	if used == nil {
		return err
	}
	c.report.Certificate = used
	return c.checkNamed(used)
}

// try looks for the certificate whose key made the signature. Without one the error says why.
func (c *check) try(a algo.Algorithm, candidates []*cert.Certificate) (*cert.Certificate, error) {
	digest := a.Digest.Sum(c.info.octets)
	err := cms.ErrNoCertificate
	if c.hints.unreadable > 0 {
		err = fmt.Errorf("%w; %d in the signature could not be read", err, c.hints.unreadable)
	}
	for _, one := range candidates {
		e := c.matches(one.Key, a.ID, digest)
		if e == nil {
			return one, nil
		}
		if errors.Is(err, cms.ErrNoCertificate) || errors.Is(e, cms.ErrSignature) {
			err = e
		}
	}
	if len(candidates) > 0 {
		return nil, err
	}
	for _, key := range c.hints.keys {
		if e := c.matches(key, a.ID, digest); e != nil {
			return nil, e
		}
		return nil, fmt.Errorf("%w: %w", err, ErrBareKey)
	}
	return nil, err
}

// matches checks the signature value with one key.
func (c *check) matches(key algo.PublicKey, id algo.ID, digest []byte) error {
	if c.v.attempts++; c.v.attempts > maxChecks {
		return fmt.Errorf("%w: more than %d signature values", ErrLimit, maxChecks)
	}
	sig, err := algo.FromXML(key, id, c.sig.value)
	if err == nil {
		err = key.Verify(id, algo.Input{Digest: digest}, sig)
	}
	switch {
	case errors.Is(err, algo.ErrUnsupported):
		return fmt.Errorf("%w: %w", cms.ErrAlgorithm, err)
	case err != nil:
		return cms.ErrSignature
	}
	return nil
}

// candidates lists the certificates to try, the likeliest first: those named by XAdES, then those the hints fit, then
// those that issued none of the others. Certificates from outside the signature count only when it holds none, and those of
// the trust only when a hint fits.
func (c *check) candidates() []*cert.Certificate {
	list := slices.Clone(c.hints.certificates)
	if len(list) == 0 && c.hints.none() {
		list = slices.Clone(c.v.o.Certificates)
	} else if len(list) == 0 {
		list = slices.Concat(c.v.o.Certificates, c.v.trust.Intermediates, c.v.trust.Roots)
		list = slices.DeleteFunc(list, func(o *cert.Certificate) bool { return !c.hints.fit(o) })
	}
	rank := map[*cert.Certificate]int{}
	for _, one := range list {
		rank[one] = c.rank(one, list)
	}
	slices.SortStableFunc(list, func(a, b *cert.Certificate) int { return rank[b] - rank[a] })
	return list[:min(len(list), maxTried)]
}

func (c *check) rank(one *cert.Certificate, among []*cert.Certificate) int {
	n := 0
	for _, id := range c.hints.names {
		if id.names(one) {
			n += 4
			break
		}
	}
	if c.hints.fit(one) {
		n += 2
	}
	for _, o := range among {
		if o != one && bytes.Equal(o.X509.RawIssuer, one.X509.RawSubject) && !o.SelfIssued() {
			return n
		}
	}
	return n + 1
}

// none reports whether nothing is said about the key.
func (h *hints) none() bool {
	return len(h.serials)+len(h.keyIDs)+len(h.prints)+len(h.keys)+len(h.names)+len(h.subjects) == 0
}

// fit reports whether one of the hints is this certificate's.
func (h *hints) fit(c *cert.Certificate) bool {
	x := c.X509
	return slices.ContainsFunc(h.serials, func(n *big.Int) bool { return n.Cmp(x.SerialNumber) == 0 }) ||
		slices.ContainsFunc(h.keyIDs, func(id []byte) bool { return bytes.Equal(id, x.SubjectKeyId) }) ||
		slices.ContainsFunc(h.prints, func(p []byte) bool { return bytes.Equal(p, algo.SHA1.Sum(c.Raw)) }) ||
		slices.ContainsFunc(h.keys, c.Key.Equal) ||
		slices.ContainsFunc(h.names, func(id certificateID) bool { return id.names(c) }) ||
		slices.ContainsFunc(h.subjects, func(s string) bool { return named(c, s) })
}

// named reports whether an X509SubjectName (RFC 4514) is the certificate's subject. Only values are compared, in any order:
// every program has its own names for the attributes. It is a hint; the key decides.
func named(c *cert.Certificate, name string) bool {
	var have []string
	for _, n := range c.X509.Subject.Names {
		have = append(have, fmt.Sprint(n.Value))
	}
	want := nameValues(name)
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want)
}

// nameValues takes the values from the text of a name, without their escapes.
func nameValues(s string) []string {
	var list []string
	value, inside := []byte{}, false
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' || s[i] == '+':
			list, value, inside = append(list, nameValue(string(value))), nil, false
		case !inside:
			inside = s[i] == '='
		case s[i] == '\\' && i+2 < len(s) && isHex(s[i+1:i+3]):
			b, _ := hex.DecodeString(s[i+1 : i+3])
			value, i = append(value, b...), i+2
		case s[i] == '\\' && i+1 < len(s):
			i++
			value = append(value, s[i])
		default:
			value = append(value, s[i])
		}
	}
	return list
}

// nameValue reads a value that is given in DER.
func nameValue(s string) string {
	s = strings.TrimSpace(s)
	var text any
	if der, err := hex.DecodeString(strings.TrimPrefix(s, "#")); strings.HasPrefix(s, "#") && err == nil {
		if _, err := asn1.Unmarshal(der, &text); err == nil {
			return fmt.Sprint(text)
		}
	}
	return s
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}
