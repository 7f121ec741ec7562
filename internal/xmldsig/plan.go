// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"context"
	"io"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// Coverage is what Sign would sign.
type Coverage struct {
	Mode    Mode
	Profile Profile
	// References are what the signature covers, without its own parts, in the document as it is now: offsets count bytes of
	// its UTF-8 form, and holes that only the new signature makes are left out. Of an enveloping signature it is what is put
	// into it: the root element, or with Base64 all bytes. Digest is empty where it is the signer's.
	References []cms.Reference
	Encoding   xml.Encoding
	Root       c14n.Name // empty for content that is not read as XML
	Insert     int64     // where the signature will stand
	Algorithm  algo.ID   // what a template asks for
}

// Plan tells what Sign with the same options would cover, for the question to the person. It needs no key. What Sign refuses,
// but for the key and a change of the document, Plan refuses as well.
func Plan(ctx context.Context, doc io.ReadSeeker, o Options) (*Coverage, error) {
	alg, _ := algo.Lookup(algo.RSASHA256) // stands for the signer's
	m, r, err := prepare(ctx, doc, o, alg, nil, nil)
	if err != nil {
		return nil, err
	}
	if err := m.breaks(ctx, r); err != nil {
		return nil, err
	}
	c := &Coverage{
		Mode: m.o.Mode, Profile: m.o.Profile, Encoding: m.survey.encoding, Root: m.survey.name, Insert: m.insert(),
	}
	if m.o.Mode == Template {
		c.Algorithm = m.alg.ID
	}
	for i, ref := range r.check.report.References {
		if m.o.Mode != Template && r.check.ownOnly(ref, r.check.references[i].work) {
			continue // what Sign itself puts into a signature; a template is somebody else's
		}
		if m.o.Mode != Template && m.targets[i].Ref.Digest == "" {
			ref.Digest = ""
		}
		c.References = append(c.References, m.back(ref, r.edits))
	}
	return c, nil
}

// insert is where the signature will stand, in the document as it is.
func (m *making) insert() int64 {
	switch {
	case m.o.Mode == Template:
		return m.survey.template.chosen.found.begin
	case m.o.Base64:
		return 0
	case m.o.Mode == Enveloping:
		return m.survey.root.found.begin
	}
	return m.spot.begin
}

// back takes the offsets of a reference back to the document without the edits.
func (m *making) back(ref cms.Reference, edits []edit) cms.Reference {
	ref.Valid, ref.Problem = false, nil
	if m.o.Mode == Enveloping {
		ref.Name, ref.ID, ref.Begin, ref.Whole = "", "", 0, true
		if e, ok := m.doc.(*encoded); ok {
			ref.End = e.length
			return ref
		}
		root := m.survey.root.found
		ref.Name, ref.Begin, ref.End = root.local, root.begin, root.end
		return ref
	}
	ref.Begin, ref.End = undo(ref.Begin, edits), undo(ref.End, edits)
	var holes [][2]int64
	for _, h := range ref.Holes {
		if h = [2]int64{undo(h[0], edits), undo(h[1], edits)}; h[0] < h[1] {
			holes = append(holes, h)
		}
	}
	ref.Holes = holes
	return ref
}

// undo turns an offset of the edited document into one of the document; what lies inside new text becomes where it begins.
func undo(at int64, edits []edit) int64 {
	shift := int64(0)
	for _, e := range edits {
		begin := e.begin + shift
		if at <= begin {
			break
		}
		if at < begin+int64(len(e.text)) {
			return e.begin
		}
		shift += int64(len(e.text)) - (e.end - e.begin)
	}
	return at - shift
}
