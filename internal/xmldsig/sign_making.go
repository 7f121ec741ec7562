// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/xmldsig/xml"
)

// making is one signature on its way.
type making struct {
	doc    io.ReadSeeker
	o      Options
	preset preset
	alg    algo.Algorithm
	cert   *cert.Certificate // nil for a plan
	id     string

	survey  survey
	guess   *guess // stands for the survey until the document was read; nil: it was surveyed
	spot    spot
	before  string // elements around the signature that are made with it
	after   string
	extra   []edit // further edits
	inside  map[string]bool
	targets []target
}

// prepare makes all that can be made without the key. Where the signature goes is guessed first: a right guess saves one
// reading of the document. h is as in rehearse.
func prepare(ctx context.Context, doc io.ReadSeeker, o Options, alg algo.Algorithm, own *cert.Certificate, h hash.Hash) (
	m *making, r *rehearsal, err error,
) {
	for _, guess := range []bool{true, false} {
		if m, err = newMaking(ctx, doc, o, alg, own, guess); err != nil {
			return nil, nil, err
		}
		if r, err = m.rehearse(ctx, h); err == nil || m.guess == nil || ctx.Err() != nil {
			break
		}
	}
	return m, r, err
}

// newMaking settles the options and finds the place for the signature.
func newMaking(ctx context.Context, doc io.ReadSeeker, o Options, alg algo.Algorithm, own *cert.Certificate, guess bool) (*making, error) {
	m := &making{doc: doc, o: o, alg: alg, cert: own}
	var err error
	if m.preset, err = m.o.settle(); err != nil {
		return nil, err
	}
	if m.o.Base64 {
		if m.doc, err = newEncoded(doc, m.o.Columns); err != nil {
			return nil, err
		}
	}
	if m.o.SigningTime.IsZero() {
		m.o.SigningTime = time.Now()
	}
	if m.id = m.o.SignatureID; m.id == "" {
		m.id = "sig-" + hex.EncodeToString(random(16))
	}
	if !guess || !m.guessed() {
		if err := m.look(ctx); err != nil {
			return nil, err
		}
	}
	if err := m.locate(); err != nil {
		return nil, err
	}
	if m.o.Mode == Template {
		return m, m.readTemplate()
	}
	return m, m.references()
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// look is the first reading. Content that is embedded as base64 is not read as XML.
func (m *making) look(ctx context.Context) error {
	if m.o.Base64 {
		m.survey.encoding = xml.UTF8
		return nil
	}
	m.survey.names, m.survey.prefix = m.o.IDNames, m.o.SignatureID
	m.survey.ids = map[string]*found{}
	for _, r := range m.o.References {
		if r.ID != "" {
			m.survey.ids[r.ID] = nil
		}
	}
	var err error
	if m.survey.place.path, err = compilePath(m.o.Place.Path, m.o.Namespaces); err != nil {
		return err
	}
	if m.o.Mode == Template {
		m.survey.template = &templates{}
		if m.o.Place.Path != "" {
			m.survey.template.place = &m.survey.place
		}
	} else if m.preset.wss {
		m.o.Actor = cmp.Or(m.o.Actor, actorSMEV)
		m.survey.soap = newSOAP(m.o.Actor)
	}
	return m.survey.read(ctx, m.doc, m.o.Limits)
}

// locate finds the spot for the signature.
func (m *making) locate() error {
	s := &m.survey
	switch {
	case m.o.Mode == Enveloping, m.o.Mode == Template:
		return nil
	case s.soap != nil:
		return m.locateHeader()
	case s.place.found == nil:
		return fmt.Errorf("%w: %s", ErrPlace, m.o.Place.Path)
	}
	var err error
	m.spot, err = s.place.found.spot(m.o.Place.Position)
	m.inside = map[string]bool{}
	for id, f := range s.ids {
		m.inside[id] = f != nil && f.begin < m.spot.begin && m.spot.begin < f.end
	}
	return err
}

// edits are what turns the document into the signed one, and the offset in that at which the Signature begins.
func (m *making) edits(f filling) (edits []edit, here int64) {
	var at int64
	switch m.o.Mode {
	case Template:
		edits, at = m.fill(f), m.survey.template.chosen.found.begin
	case Enveloping:
		edits, at, here = m.envelope(f)
	default:
		at = m.spot.begin
		w := &markup{columns: m.o.Columns}
		w.WriteString(m.spot.head + m.before)
		if m.preset.wss {
			m.token(w)
		}
		lead := fitting(m.survey.encoding, w.Bytes())
		head, _ := m.signature(f)
		text := slices.Concat(lead, fitting(m.survey.encoding, head), []byte(m.after+m.spot.tail))
		edits = append(slices.Clone(m.extra), edit{m.spot.begin, m.spot.end, text})
		here = int64(len(lead))
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.begin, b.begin) })
	for _, e := range edits {
		if e.begin < at {
			here += int64(len(e.text)) - (e.end - e.begin)
		}
	}
	return edits, here + at
}

// envelope puts the signature around the root element, or around all of the content when that is base64.
func (m *making) envelope(f filling) (edits []edit, at, lead int64) {
	head, tail := m.signature(f)
	head, tail = fitting(m.survey.encoding, head), fitting(m.survey.encoding, tail)
	if enc, ok := m.doc.(*encoded); ok {
		declaration := []byte("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
		end := enc.size()
		return []edit{{0, 0, declaration}, {0, 0, head}, {end, end, append(tail, '\n')}}, 0, int64(len(declaration))
	}
	root := m.survey.root.found
	return []edit{{root.begin, root.begin, head}, {root.end, root.end, tail}}, root.begin, 0
}

// splice is the document with edits.
func (m *making) splice(ctx context.Context, edits []edit) (*splice, error) {
	if !m.o.Base64 {
		var err error
		if edits, err = transcode(m.doc, m.survey.encoding, edits); err != nil {
			return nil, err
		}
	}
	return newSplice(ctx, m.doc, edits)
}

// blank is a filling of random octets, which stand for the real ones when the document is read to make them.
func (m *making) blank() filling {
	f := filling{value: random(64)}
	for _, d := range m.digestNames() {
		f.digests = append(f.digests, random(d.Size()))
	}
	return f
}

// digestNames are the digests of the references, in order.
func (m *making) digestNames() []algo.Digest {
	var list []algo.Digest
	if m.o.Mode == Template {
		for _, f := range m.survey.template.chosen.digests {
			d, _ := algo.DigestByXML(f.algorithm)
			list = append(list, d)
		}
	}
	for i := range m.targets {
		list = append(list, m.targets[i].Digest)
	}
	return list
}

// watch has the document's bytes hashed when w is read from its beginning.
func (m *making) watch(w *watched, h hash.Hash) {
	if e, ok := m.doc.(*encoded); ok {
		e.hash = h
		return
	}
	w.hash = h
}

// readTemplate checks that the template can be filled with this key.
func (m *making) readTemplate() error {
	t := m.survey.template.chosen
	if t == nil {
		return fmt.Errorf("%w: the document has none", ErrTemplate)
	}
	if err := t.check(); err != nil {
		return err
	}
	a, err := t.algorithm()
	if err != nil {
		return err
	}
	if m.cert == nil {
		m.alg = a
	}
	if a.ID != m.alg.ID {
		return fmt.Errorf("%w: it asks for %s, the key signs with %s", ErrTemplate, a.ID, m.alg.ID)
	}
	return nil
}
