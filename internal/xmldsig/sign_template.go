// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"persten/internal/algo"
	"persten/internal/xmldsig/xml"
)

// template is a ds:Signature to be filled: where its fields are.
type template struct {
	found   *found
	names   []string // of the open elements below it
	open    []*field
	method  string // SignatureMethod
	digests []*field
	value   *field
	key     *field // the element of KeyInfo that takes the certificate, the innermost one there is
}

// field is an element of a template that is filled.
type field struct {
	*found
	blank     bool   // it holds nothing but white space
	algorithm string // of a DigestValue's reference
}

// templates looks for the Signature to fill: the one a path names, or the first that has no value.
type templates struct {
	place  *seeker // nil without a path
	open   []*template
	token  *field // an empty wsse:BinarySecurityToken
	chosen *template
}

func (s *templates) see(t *xml.Token) {
	if s.token != nil {
		s.token.see(t)
	}
	for _, o := range s.open {
		o.see(t)
	}
	switch {
	case t.Kind == xml.Start && t.Name.URI == NamespaceDSig && string(t.Name.Local) == "Signature":
		s.open = append(s.open, &template{found: newFound(t)})
	case t.Kind == xml.Start && t.Name.URI == NamespaceWSSE && string(t.Name.Local) == "BinarySecurityToken":
		if s.token == nil || s.token.end != 0 && !s.token.blank {
			s.token = &field{found: newFound(t), blank: true}
		}
	case t.Kind == xml.End && len(s.open) > 0:
		if last := s.open[len(s.open)-1]; last.found.ends(t) {
			s.open = s.open[:len(s.open)-1]
			s.choose(last)
		}
	}
}

func (s *templates) choose(t *template) {
	switch {
	case s.chosen != nil:
	case s.place == nil && t.value != nil && t.value.blank:
		s.chosen = t
	case s.place != nil && s.place.found != nil && s.place.found.begin == t.found.begin:
		s.chosen = t
	}
}

func (f *field) see(t *xml.Token) {
	switch {
	case f.end != 0 || f.ends(t):
	case t.Kind == xml.Text:
		f.blank = f.blank && len(bytes.Trim(t.Data, " \t\r\n")) == 0
	default:
		f.blank = false
	}
}

// see takes a token from inside the Signature.
func (s *template) see(t *xml.Token) {
	for _, f := range s.open {
		f.see(t)
	}
	level := t.Depth - s.found.depth - 1
	if t.Kind != xml.Start || level < 0 || level > 2 || level > len(s.names) {
		return
	}
	name := "?"
	if t.Name.URI == NamespaceDSig {
		name = string(t.Name.Local)
	}
	s.names = append(s.names[:level], name)
	f := &field{found: newFound(t), blank: true}
	switch path := strings.Join(s.names, "/"); path {
	case "SignedInfo/SignatureMethod":
		s.method = algorithmOf(t)
	case "SignedInfo/Reference/DigestMethod":
		f.algorithm = algorithmOf(t)
		s.digests = append(s.digests, f)
	case "SignedInfo/Reference/DigestValue":
		if n := len(s.digests); n > 0 {
			s.digests[n-1].found = f.found
			s.open = append(s.open, s.digests[n-1])
		}
	case "SignatureValue":
		s.value = f
		s.open = append(s.open, f)
	case "KeyInfo", "KeyInfo/X509Data", "KeyInfo/X509Data/X509Certificate":
		if s.key == nil || strings.HasPrefix(path, s.keyPath()) && path != s.keyPath() {
			s.key = f
			s.open = append(s.open, f)
		}
	}
}

// keyPath is where the key field found so far stands.
func (s *template) keyPath() string {
	return map[string]string{
		"KeyInfo": "KeyInfo", "X509Data": "KeyInfo/X509Data", "X509Certificate": "KeyInfo/X509Data/X509Certificate",
	}[s.key.local]
}

func algorithmOf(t *xml.Token) string {
	for i := range t.Attrs {
		if a := &t.Attrs[i]; a.URI == "" && string(a.Local) == "Algorithm" {
			return string(a.Value)
		}
	}
	return ""
}

// algorithm is the signature algorithm the template asks for.
func (s *template) algorithm() (algo.Algorithm, error) {
	a, ok := algo.ByXMLSignature(s.method)
	if !ok || a.Legacy {
		return a, fmt.Errorf("%w: signature method %q", ErrTemplate, s.method)
	}
	return a, nil
}

// check refuses a template that lacks a field or asks for what is not signed with.
func (s *template) check() error {
	if s.value == nil || len(s.digests) == 0 {
		return fmt.Errorf("%w: it has no SignatureValue or no Reference", ErrTemplate)
	}
	for _, f := range s.digests {
		d, ok := algo.DigestByXML(f.algorithm)
		if !ok || weak(d) {
			return fmt.Errorf("%w: digest method %q", ErrTemplate, f.algorithm)
		}
		if f.local != "DigestValue" {
			return fmt.Errorf("%w: a Reference without DigestValue", ErrTemplate)
		}
	}
	return nil
}

// weak marks digests that are only read.
func weak(d algo.Digest) bool { return slices.Contains([]algo.Digest{algo.SHA1, algo.GOST94}, d) }

// fill are the edits that fill a template. Fields keep what stands around their text.
func (m *making) fill(f filling) []edit {
	t := m.survey.template.chosen
	edits := m.certificateField(t.key)
	for i, field := range t.digests {
		edits = append(edits, m.field(field, f.digests[i]))
	}
	return append(edits, m.field(t.value, f.value))
}

func (m *making) field(f *field, octets []byte) edit {
	return f.contents().edit(wrapped(octets, m.o.Columns))
}

func (s spot) edit(text string) edit { return edit{s.begin, s.end, []byte(s.head + text + s.tail)} }

// certificateField puts the certificate into X509Certificate, or into an empty X509Data, KeyInfo or BinarySecurityToken.
func (m *making) certificateField(key *field) []edit {
	if m.cert == nil {
		return nil
	}
	var edits []edit
	if token := m.survey.template.token; m.preset.wss && token != nil && token.blank {
		edits = append(edits, m.field(token, m.cert.Raw))
	}
	if key == nil || key.local != "X509Certificate" && !key.blank {
		return edits
	}
	prefix := strings.TrimSuffix(key.name, key.local)
	w := &markup{columns: m.o.Columns}
	switch key.local {
	case "KeyInfo":
		w.open(prefix + "X509Data")
		w.base64(prefix+"X509Certificate", m.cert.Raw)
		w.close(prefix + "X509Data")
	case "X509Data":
		w.base64(prefix+"X509Certificate", m.cert.Raw)
	default:
		w.WriteString(wrapped(m.cert.Raw, m.o.Columns))
	}
	return append(edits, key.contents().edit(w.String()))
}
