// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"persten/internal/xmldsig/c14n"
	"persten/internal/xmldsig/xml"
)

// survey is what the first reading of a document finds.
type survey struct {
	encoding   xml.Encoding
	root       seeker
	name       c14n.Name // of the root
	place      seeker
	soap       *soap      // for WS-Security
	template   *templates // for Template
	ids        map[string]*found
	names      []c14n.IDName
	prefix     string  // no Id may begin with it
	signatures []int64 // where those that are there begin
}

// read reads the document to its end.
func (s *survey) read(ctx context.Context, doc io.ReadSeeker, l xml.Limits) error {
	src, err := newSplice(ctx, doc, nil)
	if err != nil {
		return err
	}
	for r := xml.NewReader(src, l); ; {
		t, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if t.Kind == xml.Start || t.Kind == xml.End || s.template != nil {
			if err := s.see(t); err != nil {
				return err
			}
		}
		s.encoding = r.Encoding()
	}
}

func (s *survey) see(t *xml.Token) error {
	s.root.see(t)
	s.place.see(t)
	if t.Kind == xml.Start {
		if t.Depth == 1 {
			s.name = nameOf(t)
		}
		if t.Name.URI == NamespaceDSig && string(t.Name.Local) == "Signature" {
			if s.signatures = append(s.signatures, t.Begin); len(s.signatures) > maxSignatures {
				return fmt.Errorf("%w: more than %d signatures", ErrLimit, maxSignatures)
			}
		}
		if err := s.identify(t); err != nil {
			return err
		}
	}
	if t.Kind == xml.End {
		for _, f := range s.ids {
			if f != nil {
				f.ends(t)
			}
		}
	}
	if s.soap != nil {
		s.soap.see(t)
	}
	if s.template != nil {
		s.template.see(t)
	}
	return nil
}

// identify looks for the elements that references name, and for Ids that the new signature is going to use.
func (s *survey) identify(t *xml.Token) error {
	if len(s.ids) == 0 && s.prefix == "" {
		return nil
	}
	for i := range t.Attrs {
		a := &t.Attrs[i]
		if !s.isID(a) {
			continue
		}
		if s.prefix != "" && strings.HasPrefix(string(a.Value), s.prefix) {
			return fmt.Errorf("%w: the document has the Id %q", ErrOptions, a.Value)
		}
		if f, wanted := s.ids[string(a.Value)]; wanted && f == nil {
			s.ids[string(a.Value)] = newFound(t)
		}
	}
	return nil
}

func (s *survey) isID(a *xml.Attr) bool {
	for _, n := range s.names {
		if n.URI == a.URI && n.Local == string(a.Local) {
			return true
		}
	}
	return false
}

// nameOf is a copy of a token's name.
func nameOf(t *xml.Token) c14n.Name {
	return c14n.Name{Prefix: string(t.Name.Prefix), Local: string(t.Name.Local), URI: t.Name.URI}
}
