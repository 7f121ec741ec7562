// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// rehearsal is what a verifier sees in the document with a filling. With a blank one all but the signature value is then
// known.
type rehearsal struct {
	verifier *verifier
	check    *check
	filling  filling
	here     int64
	edits    []edit
	splice   *splice
	value    kept // the canonical SignatureValue
}

// rehearse verifies the document with a blank filling. h, when not nil, hashes the document's bytes on the way.
func (m *making) rehearse(ctx context.Context, h hash.Hash) (*rehearsal, error) {
	r, err := m.read(ctx, m.blank(), h)
	if err != nil {
		return nil, err
	}
	return r, r.judge(m)
}

// read reads the document with a filling in it, as a verifier does.
func (m *making) read(ctx context.Context, f filling, h hash.Hash) (*rehearsal, error) {
	r := &rehearsal{filling: f}
	r.edits, r.here = m.edits(f)
	var err error
	if r.splice, err = m.splice(ctx, r.edits); err != nil {
		return nil, err
	}
	w := &watched{s: r.splice}
	r.verifier = newVerifier(w, cert.Trust{}, m.verifyOptions())
	if err := r.find(ctx, m, r.splice); err != nil {
		return nil, err
	}
	if err := r.plan(m); err != nil {
		return nil, err
	}
	if m.o.Unsigned != nil {
		r.verifier.jobs = append(r.verifier.jobs, &c14n.Job{
			Nodes: c14n.Element(r.check.sig.valueAt.begin), Method: r.check.sig.info.method, Out: &r.value,
		})
	}
	m.watch(w, h)
	if m.guess != nil {
		r.verifier.watch = m.guess.see
	}
	if err := r.verifier.run(ctx); err != nil {
		return nil, changed(err)
	}
	return r, m.settle(r)
}

// find finds the signatures. When the new one is the only one it is known without reading the document where it stands,
// unless it has expressions, which take prefixes from there.
func (r *rehearsal) find(ctx context.Context, m *making, s *splice) error {
	v := r.verifier
	if len(m.survey.signatures) > 0 || m.o.Mode == Enveloping || m.o.Mode == Template || m.expressed() {
		return v.find(ctx)
	}
	text, _ := m.signature(r.filling)
	var err error
	if v.scan, err = scan(ctx, xml.NewReader(bytes.NewReader(fitting(m.survey.encoding, text)), m.o.Limits)); err != nil {
		return err
	}
	v.scan.found[0].shift(r.here)
	root := m.survey.root.found
	v.scan.begin, v.scan.end = root.begin, root.end
	for _, e := range r.edits {
		v.scan.end += int64(len(e.text)) - (e.end - e.begin)
	}
	v.size, v.once = s.size, true
	return nil
}

// shift moves a signature that was read by itself to where it stands in its document.
func (s *signature) shift(by int64) {
	s.begin, s.end, s.infoAt = s.begin+by, s.end+by, s.infoAt+by
	s.valueAt = span{s.valueAt.begin + by, s.valueAt.end + by}
	for i, o := range s.objects {
		s.objects[i] = span{o.begin + by, o.end + by}
	}
	if p := s.properties; p != nil && p.signed != (span{}) {
		p.signed = span{p.signed.begin + by, p.signed.end + by}
	}
}

// changed gives the error of a document that was not the same each time its name in Sign.
func changed(err error) error {
	if errors.Is(err, ErrChanged) {
		return fmt.Errorf("%w: %w", cms.ErrContentChanged, err)
	}
	return err
}

// idNames are the attributes that count as Id. The Id of the signature's own elements always does.
func (m *making) idNames() []c14n.IDName {
	own := c14n.IDName{Local: "Id"}
	if slices.Contains(m.o.IDNames, own) {
		return m.o.IDNames
	}
	return append(slices.Clone(m.o.IDNames), own)
}

// verifyOptions are how anybody is expected to read the document.
func (m *making) verifyOptions() VerifyOptions {
	o := VerifyOptions{Limits: m.o.Limits, IDNames: m.idNames()}
	if m.cert != nil {
		o.Certificates = []*cert.Certificate{m.cert}
	}
	return o
}

// plan prepares every signature of the document and finds the new one.
func (r *rehearsal) plan(m *making) error {
	if err := r.verifier.plan(); err != nil {
		return err
	}
	for _, c := range r.verifier.checks {
		if c.sig.begin == r.here {
			r.check = c
		}
	}
	switch {
	case r.check == nil:
		return fmt.Errorf("%w: the signature is not where it was put", ErrPlace)
	case r.check.sig.problem != nil:
		return fmt.Errorf("%w: %w", m.fault(), r.check.sig.problem)
	case len(r.check.references) != len(r.filling.digests):
		return fmt.Errorf("%w: it has a Reference that cannot be filled", m.fault())
	}
	return nil
}

// fault is what a signature that cannot be made is blamed on.
func (m *making) fault() error {
	if m.o.Mode == Template {
		return ErrTemplate
	}
	return ErrOptions
}

// judge refuses references that do not lead to one place, cannot be carried out, or cover the signature itself.
func (r *rehearsal) judge(m *making) error {
	for _, ref := range r.check.references {
		rep := r.check.reference(ref)
		if !errors.Is(rep.Problem, cms.ErrDigest) {
			return fmt.Errorf("%w: %w", m.fault(), rep.Problem)
		}
		if covers(&rep, r.check.sig.infoAt) {
			return fmt.Errorf("%w: the reference %q covers the signature itself", m.fault(), rep.URI)
		}
		r.check.report.References = append(r.check.report.References, rep)
	}
	if err := r.check.checkCoverage(); err != nil {
		return fmt.Errorf("%w: %w", m.fault(), err)
	}
	return nil
}

// covers reports whether the byte at offset is covered.
func covers(r *cms.Reference, offset int64) bool {
	if offset < r.Begin || offset >= r.End {
		return false
	}
	return !slices.ContainsFunc(r.Holes, func(h [2]int64) bool { return h[0] <= offset && offset < h[1] })
}

// digests are those of the references.
func (r *rehearsal) digests() [][]byte {
	var list [][]byte
	for _, ref := range r.check.references {
		list = append(list, ref.work.sum.Sum(nil))
	}
	return list
}

// signedInfo is the canonical SignedInfo with the digests in the place of the blank ones.
func (r *rehearsal) signedInfo(columns int) ([]byte, error) {
	octets := slices.Clone(r.check.info.octets)
	for i, sum := range r.digests() {
		var err error
		if octets, err = exchange(octets, r.filling.digests[i], sum, columns); err != nil {
			return nil, err
		}
	}
	return octets, nil
}

// exchange puts octets where the blank ones stand, which are random and therefore there once.
func exchange(text, blank, octets []byte, columns int) ([]byte, error) {
	old := []byte(wrapped(blank, columns))
	if bytes.Count(text, old) != 1 {
		return nil, fmt.Errorf("%w: SignedInfo is not as it was written", ErrOptions)
	}
	return bytes.Replace(text, old, []byte(wrapped(octets, columns)), 1), nil
}

// breaks refuses to make a signature invalid that is valid now. What an enveloping signature holds is a document of its own.
func (m *making) breaks(ctx context.Context, r *rehearsal) error {
	if m.o.Mode == Enveloping || len(r.verifier.checks) < 2 {
		return nil
	}
	s, err := newSplice(ctx, m.doc, nil)
	if err != nil {
		return err
	}
	before, err := Verify(ctx, s, cert.Trust{}, m.verifyOptions())
	if err != nil {
		return err
	}
	old := before.Signers
	for _, c := range r.verifier.checks {
		if c == r.check {
			if m.o.Mode == Template {
				old = old[1:]
			}
			continue
		}
		c.keys()
		if err := c.judge(); err != nil && old[0].Valid {
			return fmt.Errorf("%w: %s: %w", ErrBreaks, cmp.Or(c.sig.id, "number "+strconv.Itoa(c.number+1)), err)
		}
		old = old[1:]
	}
	return nil
}
