// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/xmldsig/c14n"
)

// reference says what one reference covers and whether its digest is right.
func (c *check) reference(r *resolved) cms.Reference {
	rep := cms.Reference{URI: r.uri, Type: r.kind, Problem: r.err}
	rep.Digest, _ = algo.DigestByXML(r.digest)
	if r.err != nil {
		return rep
	}
	if rep.Problem = r.work.job.Err; rep.Problem != nil {
		return rep
	}
	rep.Size = r.work.size
	if err := r.work.err; err != nil {
		rep.Problem = fmt.Errorf("%w: %w", ErrReference, err)
		return rep
	}
	if n := r.work.job.Found; n != 1 {
		rep.Problem = &ReferenceError{URI: r.uri, Found: n}
		return rep
	}
	c.cover(&rep, r.work)
	if !bytes.Equal(r.work.sum.Sum(nil), r.value) {
		rep.Problem = fmt.Errorf("%w: reference %q", cms.ErrDigest, r.uri)
	}
	return rep
}

// cover describes the node-set a work began with, unless a transform picked nodes from it that are not whole subtrees.
func (c *check) cover(rep *cms.Reference, w *work) {
	tops := w.job.Apexes
	if len(tops) == 1 {
		rep.Name, rep.ID = tops[0].Name.Local, tops[0].ID
	}
	rep.Own = len(tops) > 0
	for _, t := range tops {
		rep.Own = rep.Own && c.sig.span().holds(span{t.Begin, t.End})
	}
	if !w.exact() || len(tops) == 0 || nested(tops) {
		return
	}
	rep.Begin, rep.End = tops[0].Begin, tops[len(tops)-1].End
	rep.Holes = holes(tops, w.job.Holes)
	rep.Whole = rep.Begin <= c.v.scan.begin && rep.End >= c.v.scan.end && c.v.onlySignatures(rep.Holes)
	rep.Comments, rep.Instructions = w.remarks()
	if w.job.Outside {
		rep.Begin, rep.End = min(rep.Begin, c.v.edges.begin), max(rep.End, c.v.edges.end)
	}
}

// nested reports whether an element was put back into one that was cut out of another: no list of holes tells that.
func nested(tops []c14n.Span) bool {
	for i := 1; i < len(tops); i++ {
		if tops[i].Begin < tops[i-1].End {
			return true
		}
	}
	return false
}

// remarks reports whether comments and instructions inside what was digested were digested with it.
func (w *work) remarks() (comments, instructions bool) {
	comments, instructions = w.job.Comments, true
	for _, s := range w.chain.stages[1:] {
		instructions = instructions && !s.smev
		comments = comments && !s.smev && strings.HasSuffix(s.method.URI, "WithComments")
	}
	return comments, instructions
}

func (s *signature) span() span { return span{s.begin, s.end} }

// exact reports whether what was digested is the subtrees of the job without its holes, with all that is in them.
func (w *work) exact() bool {
	text := slices.ContainsFunc(w.chain.stages, func(s stage) bool { return s.text || s.decode })
	return !text && !w.chain.picks && !w.job.Partial
}

// holes joins the subtrees cut out with the gaps between those that were taken, in document order.
func holes(tops, cut []c14n.Span) [][2]int64 {
	var list [][2]int64
	for i, t := range tops {
		if i > 0 {
			list = append(list, [2]int64{tops[i-1].End, t.Begin})
		}
		for len(cut) > 0 && cut[0].Begin < t.End {
			list = append(list, [2]int64{cut[0].Begin, cut[0].End})
			cut = cut[1:]
		}
	}
	return list
}

func (v *verifier) onlySignatures(list [][2]int64) bool {
	for _, h := range list {
		found := false
		for _, s := range v.scan.found {
			found = found || s.problem == nil && s.begin == h[0] && s.end == h[1]
		}
		if !found {
			return false
		}
	}
	return true
}

// checkCoverage refuses a signature that covers nothing but itself.
func (c *check) checkCoverage() error {
	for i, r := range c.references {
		if r.err == nil && r.work.size > 0 && !c.ownOnly(c.report.References[i], r.work) {
			return nil
		}
	}
	return ErrNothingSigned
}

// ownOnly reports whether a reference covers the signature's own parts and no data in an Object of it.
func (c *check) ownOnly(rep cms.Reference, w *work) bool {
	if !rep.Own {
		return len(w.job.Apexes) == 0
	}
	for _, o := range c.sig.objects {
		if p := c.sig.properties; p != nil && o.holds(p.signed) {
			continue
		}
		inside := true
		for _, t := range w.job.Apexes {
			inside = inside && o.holds(span{t.Begin, t.End})
		}
		if inside {
			return false
		}
	}
	return true
}

// same compares what was read from the document with what was read from the signed octets, and that the expressions mean
// the same with the namespaces of the latter.
func (i *signedInfo) same(o *signedInfo, here int64) error {
	differs := fmt.Errorf("%w: SignedInfo is another one in its canonical form", ErrFormat)
	if i.method.URI != o.method.URI || !slices.Equal(i.method.Prefixes, o.method.Prefixes) || i.algorithm != o.algorithm ||
		len(i.references) != len(o.references) {
		return differs
	}
	for n := range i.references {
		a, b := &i.references[n], &o.references[n]
		if a.uri != b.uri || a.hasURI != b.hasURI || a.kind != b.kind || a.digest != b.digest ||
			!bytes.Equal(a.value, b.value) || len(a.transforms) != len(b.transforms) {
			return differs
		}
		for m := range a.transforms {
			if err := a.transforms[m].same(&b.transforms[m], here); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *transform) same(o *transform, here int64) error {
	differs := fmt.Errorf("%w: a transform is another one in its canonical form", ErrFormat)
	if t.uri != o.uri || !slices.Equal(t.prefixes, o.prefixes) || len(t.paths) != len(o.paths) {
		return differs
	}
	for n, p := range t.paths {
		signed := o.paths[n]
		if p.filter != signed.filter || p.text != signed.text {
			return differs
		}
		for prefix, uri := range signed.namespaces {
			if p.namespaces[prefix] != uri {
				return differs
			}
		}
		var err error
		if t.uri == TransformXPath {
			_, err = c14n.CompileXPath(p.text, signed.namespaces, here)
		} else {
			_, err = c14n.CompilePath(p.text, signed.namespaces, here)
		}
		if err != nil {
			return fmt.Errorf("with the namespaces that were signed: %w", err)
		}
	}
	return nil
}
