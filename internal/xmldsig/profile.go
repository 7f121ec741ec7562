// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"persten/internal/xmldsig/c14n"
)

// preset is what a profile says about the things a caller leaves open, and what it does not allow.
type preset struct {
	modes    []Mode // the first is the default
	xades    bool
	policy   bool     // a Policy is required
	byID     []string // transforms of references by Id; nil: canonicalization alone
	needsIDs bool     // references name elements by Id, and somebody has to say which
	place    Place    // when the caller names none
	wss      bool     // key and signature stand in a wsse:Security header
}

// presets are the profiles. SignedInfo is canonicalised exclusively in all of them unless the caller says otherwise.
var presets = map[Profile]preset{
	// XML Signature Syntax and Processing 1.1 (W3C, 2013), RFC 9231; GOST by draft-smirnov-xmldsig.
	DSig: {modes: []Mode{Enveloped, Enveloping, Detached, Template}},

	// ETSI EN 319 132-1 V1.1.1, sections 4 to 6: baseline B with SigningTime and SigningCertificateV2; EPES adds
	// SignaturePolicyIdentifier (section 5.2.9).
	XAdESBES:  {modes: []Mode{Enveloped, Enveloping, Detached}, xades: true},
	XAdESEPES: {modes: []Mode{Enveloped, Enveloping, Detached}, xades: true, policy: true},

	// SMEV 3 (methodical recommendations 3.x): the content element by its Id, exclusive canonicalization followed by the
	// system's own transform, the signature in CallerInformationSystemSignature. Personal signatures of the content have the
	// same form and another place. The shape is that of signed messages found in public; the recommendations themselves were
	// not at hand. A message that uses GOST R 34.10-2012 names its algorithms by the urn:ietf URIs here.
	SMEV3: {
		modes: []Mode{Detached}, byID: []string{c14n.Exclusive, TransformSMEV}, needsIDs: true,
		place: Place{Path: "//CallerInformationSystemSignature"},
	},

	// SMEV 2 (methodical recommendations 2.5.6): OASIS Web Services Security 1.0 with an X.509 token, wsu:Id="body" on
	// soap:Body, actor http://smev.gosuslugi.ru/actors/smev. Known from public clients, not from the recommendations, which
	// were not at hand. Some clients add the enveloped transform to the reference; it does nothing there and is left out.
	SMEV2: {modes: []Mode{Detached, Template}, wss: true},

	// Machine-readable power of attorney (root Доверенность, namespace urn://x-artefacts/EMCHD_1; order 858 of the Ministry of
	// Digital Development, 2021): XML signature inside the document or, for signed parts, beside them by Id. Uncertain: the
	// order allows a CMS signature in a file of its own as well, which is what the tax service's registry takes in practice;
	// for that see package cms.
	MChD: {modes: []Mode{Enveloped, Detached}},

	// Documents of the tax service and of systems built alike (EGAIS): one enveloped signature of the whole document, at the
	// end of its root, exclusive canonicalization. Uncertain: formats differ in where the signature stands; Place says it.
	FNS: {modes: []Mode{Enveloped}},
}

// Modes lists the modes a profile allows, its own first.
func (p Profile) Modes() []Mode { return slices.Clone(presets[p].modes) }

// settle fills what the caller left open and refuses what does not go together.
func (o *Options) settle() (preset, error) {
	if o.Profile == "" {
		o.Profile = DSig
	}
	p, ok := presets[o.Profile]
	if !ok {
		return p, fmt.Errorf("%w: profile %q", ErrOptions, o.Profile)
	}
	if o.Mode == "" {
		o.Mode = p.modes[0]
	}
	if !slices.Contains(p.modes, o.Mode) {
		return p, fmt.Errorf("%w: mode %q in profile %s", ErrOptions, o.Mode, o.Profile)
	}
	if o.C14N == "" {
		o.C14N = c14n.Exclusive
	}
	if err := (c14n.Method{URI: o.C14N}).Check(); err != nil {
		return p, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	if o.Place == (Place{}) {
		o.Place = p.place
	}
	if o.IDNames == nil {
		o.IDNames = DefaultIDNames
	}
	return p, o.check(p)
}

// check refuses options that contradict the profile, the mode or each other.
func (o *Options) check(p preset) error {
	for _, bad := range []struct {
		when bool
		why  string
	}{
		{o.Columns != 0 && o.Columns != 64 && o.Columns != 76, "base64 columns are 0, 64 or 76"},
		{p.policy && o.Policy == nil, "a policy is required"},
		{!p.policy && o.Policy != nil, "a policy belongs to xades-epes"},
		{o.Policy != nil && !o.Policy.sound(), "a policy has the digest of its document"},
		{!p.xades && o.xades(), "signed properties belong to XAdES"},
		{p.needsIDs && len(o.References) == 0, "references are required"},
		{o.Base64 && o.Mode != Enveloping, "base64 content belongs to enveloping signatures"},
		{o.Mode == Enveloping && len(o.References) != 0, "an enveloping signature signs what it holds"},
		{o.Mode == Enveloping && o.Place != Place{}, "an enveloping signature has no place"},
		{o.Mode == Detached && !p.wss && len(o.References) == 0, "detached references are by Id and have to be named"},
		{o.Mode == Template && (len(o.References) != 0 || o.Place.Position != ""), "a template brings its references and its place"},
		{p.wss && o.C14N != c14n.Exclusive, "canonicalization is exclusive"},
		{p.wss && o.Mode != Template && o.Place != Place{}, "the place is the wsse:Security header"},
		{o.Actor != "" && !p.wss, "an actor belongs to WS-Security"},
	} {
		if bad.when {
			return fmt.Errorf("%w: %s: %s", ErrOptions, o.Profile, bad.why)
		}
	}
	if err := o.checkTexts(); err != nil {
		return err
	}
	for _, r := range o.References {
		if r.ID == "" && (p.needsIDs || o.Mode == Detached) {
			return fmt.Errorf("%w: %s, %s: references are by Id", ErrOptions, o.Profile, o.Mode)
		}
	}
	return nil
}

// sound reports whether a policy is implied or has a digest.
func (p *Policy) sound() bool {
	return p.ID == "" && p.Value == nil || p.ID != "" && p.Digest.XML() != "" && len(p.Value) == p.Digest.Size()
}

// xades reports whether something is asked for that only XAdES has.
func (o *Options) xades() bool {
	return o.Production != nil || o.Unsigned != nil || len(o.Roles) > 0 || len(o.Commitments) > 0
}

var identifierForm = regexp.MustCompile(`^[\pL_][\pL\pN._-]*$`)

// checkTexts refuses what cannot be written into an XML document. (What cannot be an Id in a reference leads nowhere.)
func (o *Options) checkTexts() error {
	if o.SignatureID != "" && !identifierForm.MatchString(o.SignatureID) {
		return fmt.Errorf("%w: %q is not an Id", ErrOptions, o.SignatureID)
	}
	texts := slices.Concat([]string{o.MIMEType, o.Actor}, o.Roles, o.Commitments)
	for _, r := range o.References {
		texts = append(texts, r.ID, r.MIMEType, r.Description)
	}
	if p := o.Policy; p != nil {
		texts = append(texts, p.ID, p.Description, p.URI)
	}
	if p := o.Production; p != nil {
		texts = append(texts, p.City, p.Street, p.Region, p.PostalCode, p.Country)
	}
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unwritable) {
			return fmt.Errorf("%w: %q cannot be written in XML", ErrOptions, s)
		}
	}
	return nil
}

// unwritable characters cannot stand in a document, not even as references (XML 1.0 section 2.2).
func unwritable(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}
