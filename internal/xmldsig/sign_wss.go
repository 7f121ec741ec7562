// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"fmt"
	"slices"

	"persten/internal/xmldsig/xml"
)

const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"

	// actorSMEV is the recipient an information system names when it signs (methodical recommendations 2.5.6).
	actorSMEV = "http://smev.gosuslugi.ru/actors/smev"
)

// soap finds the parts of a SOAP message that a WS-Security signature has to do with (OASIS Web Services Security: SOAP
// Message Security 1.0).
type soap struct {
	header, security, body seeker
	bodyID                 string   // its wsu:Id
	bodyPrefixes           []string // declared on it
}

func newSOAP(actor string) *soap {
	step := func(uri, local string) pathStep { return pathStep{local: local, uri: uri, anyURI: uri == ""} }
	s := &soap{
		header:   seeker{path: path{step("", "Envelope"), step("", "Header")}},
		security: seeker{path: path{step("", "Envelope"), step("", "Header"), step(NamespaceWSSE, "Security")}},
		body:     seeker{path: path{step("", "Envelope"), step("", "Body")}},
	}
	s.security.want = func(t *xml.Token) bool {
		for i := range t.Attrs {
			a := &t.Attrs[i]
			if a.URI == soap11 && string(a.Local) == "actor" || a.URI == soap12 && string(a.Local) == "role" {
				return string(a.Value) == actor
			}
		}
		return false
	}
	s.body.want = func(t *xml.Token) bool {
		for _, b := range t.Bindings {
			s.bodyPrefixes = append(s.bodyPrefixes, b.Prefix)
		}
		for i := range t.Attrs {
			if a := &t.Attrs[i]; a.URI == NamespaceWSU && string(a.Local) == "Id" {
				s.bodyID = string(a.Value)
			}
		}
		return true
	}
	return s
}

func (s *soap) see(t *xml.Token) {
	s.header.see(t)
	s.security.see(t)
	s.body.see(t)
}

// locateHeader makes the place for token and signature, with the elements of the header that are missing, and gives the body
// an Id when nobody has named another thing to sign.
func (m *making) locateHeader() error {
	s, root := m.survey.soap, m.survey.root.found
	if uri := root.uri; root.local != "Envelope" || uri != soap11 && uri != soap12 || s.body.found == nil || s.body.found.uri != uri ||
		s.header.found != nil && s.header.found.uri != uri {
		return fmt.Errorf("%w: not a SOAP message with a body", ErrPlace)
	}
	if len(m.o.References) == 0 {
		m.nameBody()
	}
	w := &markup{}
	if s.security.found == nil {
		attrs := []string{"xmlns:wsse", NamespaceWSSE, "xmlns:soap", root.uri, "soap:actor", m.o.Actor}
		if root.uri == soap12 {
			attrs[4] = "soap:role"
		}
		w.open("wsse:Security", attrs...)
		m.after = "</wsse:Security>"
	}
	switch {
	case s.security.found != nil:
		m.spot = s.security.found.child(FirstChild)
	case s.header.found != nil:
		m.spot = s.header.found.child(LastChild)
	default:
		m.spot = root.child(FirstChild)
		m.before = `<soap:Header xmlns:soap="` + root.uri + `">`
		m.after += "</soap:Header>"
	}
	m.before += w.String()
	return nil
}

// nameBody signs the body, by the Id it has or one that is added.
func (m *making) nameBody() {
	b, id := m.survey.soap.body.found, m.survey.soap.bodyID
	if id == "" {
		id = "body"
		at := b.begin + int64(len("<")+len(b.name))
		prefix := "wsu"
		for slices.Contains(m.survey.soap.bodyPrefixes, prefix) {
			prefix += "x"
		}
		text := ` xmlns:` + prefix + `="` + NamespaceWSU + `" ` + prefix + `:Id="` + id + `"`
		m.extra = append(m.extra, edit{at, at, []byte(text)})
	}
	m.o.References = []Ref{{ID: id}}
}

// token writes the signer's certificate as wsse:BinarySecurityToken (X.509 Certificate Token Profile 1.0).
func (m *making) token(w *markup) {
	var der []byte
	if m.cert != nil {
		der = m.cert.Raw
	}
	w.base64("wsse:BinarySecurityToken", der, "xmlns:wsse", NamespaceWSSE, "xmlns:wsu", NamespaceWSU,
		"EncodingType", EncodingBase64Binary, "ValueType", ValueTypeX509v3, "wsu:Id", m.id+"-token")
}

// tokenReference writes what stands in KeyInfo for that.
func (m *making) tokenReference(w *markup) {
	w.open("wsse:SecurityTokenReference", "xmlns:wsse", NamespaceWSSE)
	w.empty("wsse:Reference", "URI", "#"+m.id+"-token", "ValueType", ValueTypeX509v3)
	w.close("wsse:SecurityTokenReference")
}
