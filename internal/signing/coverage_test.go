// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/internal/xmldsig/xml"
	"persten/proto"
)

func TestCoverage(t *testing.T) {
	many := make([][2]int64, maxSpans+1)
	for i := range many {
		many[i] = [2]int64{int64(10*i + 5), int64(10*i + 6)}
	}
	for name, c := range map[string]struct {
		refs []cms.Reference
		want []Span
		much extent
		err  proto.Code
	}{
		"whole": {[]cms.Reference{{Begin: 3, End: 9, Whole: true, Name: "a"}}, []Span{{Begin: 3, End: 9, Element: "a"}}, whole, ""},
		"two":   {[]cms.Reference{{Begin: 3, End: 9, ID: "x"}, {Begin: 20, End: 30}}, []Span{{Begin: 3, End: 9, ID: "x"}, {Begin: 20, End: 30}}, some, ""},
		"holes": {[]cms.Reference{{Begin: 0, End: 9, Holes: [][2]int64{{0, 2}, {4, 5}, {8, 9}}}}, []Span{{Begin: 2, End: 4}, {Begin: 5, End: 8}}, some, ""},
		"all but signatures": {[]cms.Reference{{Begin: 0, End: 9, Whole: true, Comments: true, Holes: [][2]int64{{2, 4}}}},
			[]Span{{Begin: 0, End: 2, Comments: true}, {Begin: 4, End: 9, Comments: true}}, rest, ""},
		"nothing":          {nil, nil, 0, proto.CodeXMLReferenceAbsent},
		"all cut out":      {[]cms.Reference{{Begin: 0, End: 9, Holes: [][2]int64{{0, 9}}}}, nil, 0, proto.CodeXMLReferenceAbsent},
		"cannot be shown":  {[]cms.Reference{{Begin: 3, End: 9}, {URI: "#x"}}, nil, 0, proto.CodeAlgorithmUnsupported},
		"too many to show": {[]cms.Reference{{Begin: 0, End: 1 << 30, Holes: many}}, nil, 0, proto.CodeXMLLimit},
	} {
		got, much, err := coverage(&xmldsig.Coverage{References: c.refs})
		if code(err) != c.err || !reflect.DeepEqual(got, c.want) || much != c.much {
			t.Errorf("%s: %+v %v %v", name, got, much, err)
		}
	}
}

// Every error the XML packages can end with has a code that says what to do; only what is nobody's fault is internal.
func TestXMLFault(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("outer: %w", err) }
	r := XMLRequest{Form: XMLForm{Path: "/a"}}
	for _, c := range []struct {
		err  error
		want proto.Code
	}{
		{&xml.Error{Kind: xml.ErrSyntax, Line: 2, Column: 3, Reason: "r"}, proto.CodeFormatXML},
		{&xml.Error{Kind: xml.ErrEncoding}, proto.CodeFormatXML},
		{&xml.Error{Kind: xml.ErrDoctype}, proto.CodeXMLDoctype},
		{&xml.Error{Kind: xml.ErrLimit}, proto.CodeXMLLimit},
		{xmldsig.ErrReference, proto.CodeXMLReferenceAbsent},
		{xmldsig.ErrUnsupported, proto.CodeAlgorithmUnsupported},
		{xmldsig.ErrPlace, proto.CodeXMLPlaceAbsent},
		{xmldsig.ErrTemplate, proto.CodeXMLTemplateAbsent},
		{xmldsig.ErrBreaks, proto.CodeXMLSignatureHurt},
		{xmldsig.ErrOptions, proto.CodeRequestInvalid},
		{xmldsig.ErrNoSignature, proto.CodeXMLSignatureAbsent},
		{xmldsig.ErrLimit, proto.CodeXMLLimit},
		{xmldsig.ErrFormat, proto.CodeFormatXML},
		{xmldsig.ErrChanged, proto.CodeContentChanged},
		{cms.ErrContentChanged, proto.CodeContentChanged},
		{cms.ErrSelfCheck, proto.CodeSignatureSelfCheck},
		{errors.New("other"), proto.CodeInternal},
	} {
		err := xmlFault(wrap(c.err), r)
		if code(err) != c.want || c.want != proto.CodeInternal && !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %s", c.err, err, c.want)
		}
		entry, _ := proto.Lookup(c.want)
		for arg := range proto.AsError(err).Args {
			if !strings.Contains(strings.Join(entry.Args, " "), arg) {
				t.Errorf("%s has no argument %s", c.want, arg)
			}
		}
	}
	if xmlFault(nil, r) != nil {
		t.Error("no error is one")
	}
}

// A detail may quote the document: it is short, printable and on one line.
func TestDetailIsTame(t *testing.T) {
	got := detailOf(errors.New("a\nb\u202e\x00\xff" + strings.Repeat("ж", 5000)))
	if !utf8.ValidString(got) || utf8.RuneCountInString(got) != 200 || !strings.HasPrefix(got, "a?b????") && !strings.HasPrefix(got, "a?b???") {
		t.Errorf("%q", got)
	}
}

// Of a reference with more holes than the protocol has room for nothing is claimed.
func TestReportedHoles(t *testing.T) {
	few := cms.Reference{Begin: 1, End: 9, Whole: true, Holes: [][2]int64{{2, 3}}, Valid: true}
	many := cms.Reference{Begin: 1, End: 1 << 20, Whole: true, Holes: make([][2]int64, maxHoles+1), Valid: true}
	got := references([]cms.Reference{few, many})
	if !got[0].Whole || len(got[0].Holes) != 1 || got[1].Whole || got[1].Begin != got[1].End || got[1].Holes != nil || !got[1].Valid {
		t.Errorf("%+v", got)
	}
	r := proto.Report{Signers: []proto.Signer{{References: got}}}
	if err := r.Validate(); err != nil {
		t.Error(err)
	}
}
