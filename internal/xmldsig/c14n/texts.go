// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"context"
	"errors"
	"io"

	"persten/internal/xmldsig/xml"
)

// Texts are the string-values of the elements and text nodes of one document, for expressions that ask for them: they end
// later in the document than they are asked for.
type Texts struct {
	octets []byte
	spans  map[int64][2]int // in octets, by where the element, or a piece of the text, begins
}

// Limits of Texts.
const (
	maxTexts     = 1 << 20 // octets
	maxTextSpans = 1 << 16
)

// ReadTexts reads a document to its end. A document with too much in it has none: nil, and no error.
func ReadTexts(ctx context.Context, r *xml.Reader) (*Texts, error) {
	t := &Texts{spans: map[int64][2]int{}}
	var open []int64   // elements
	var pieces []int64 // of the text node that goes on
	for n := 0; ; n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		tok, err := r.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		if tok.Kind != xml.Text {
			for _, at := range pieces {
				t.spans[at] = [2]int{t.spans[at][0], len(t.octets)}
			}
			pieces = pieces[:0]
		}
		switch tok.Kind {
		case xml.Start:
			open = append(open, tok.Begin)
			t.spans[tok.Begin] = [2]int{len(t.octets)}
		case xml.End:
			at := open[len(open)-1]
			open = open[:len(open)-1]
			t.spans[at] = [2]int{t.spans[at][0], len(t.octets)}
		case xml.Text:
			from := len(t.octets)
			if len(pieces) > 0 {
				from = t.spans[pieces[0]][0]
			}
			pieces = append(pieces, tok.Begin)
			t.spans[tok.Begin] = [2]int{from}
			t.octets = append(t.octets, tok.Data...)
		}
		if len(t.octets) > maxTexts || len(t.spans) > maxTextSpans {
			return nil, nil
		}
	}
}

// of is the string-value of what begins there.
func (t *Texts) of(begin int64) ([]byte, bool) {
	if t == nil {
		return nil, false
	}
	s, ok := t.spans[begin]
	return t.octets[s[0]:s[1]], ok
}
