// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"persten/internal/signing"
	"persten/internal/xmldsig/xml"
)

// drawn writes rows as lines: a star for what is signed, two spaces for each step in.
func drawn(rows []signing.TreeRow) string {
	var b strings.Builder
	for _, r := range rows {
		mark := " "
		if r.Signed {
			mark = "*"
		}
		fmt.Fprintf(&b, "%s%s %s %s", mark, strings.Repeat("  ", r.Depth), r.Kind, r.Text)
		if r.Size > 0 {
			fmt.Fprintf(&b, " (%d)", r.Size)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTree(t *testing.T) {
	doc := `<?xml version="1.0"?>
<?style sheet?>
<d:Договор xmlns:d="urn:d" номер="7">
  <!-- не подписано -->
  <d:Сумма валюта="RUB">
     1
     000 </d:Сумма>
  <пусто/>
  до <b>сам</b> после <![CDATA[<x>]]>
  <?target  some
 data?>
  <имя a="&quot;&lt;&#10;">&lt;b&gt;&amp;</имя>
</d:Договор>
<!-- конец -->`
	want := `* instruction style sheet
* element <d:Договор номер="7" xmlns:d="urn:d">
    comment не подписано
*   element <d:Сумма валюта="RUB"> 1 000
*   element <пусто>
*   text до
*   element <b> сам
*   text после &lt;x>
*   instruction target some data
*   element <имя a="&quot;&lt;&#xA;"> &lt;b>&
  comment конец
`
	rows, cut, err := signing.Tree(strings.NewReader(doc), []signing.Span{{Begin: 0, End: int64(len(doc)), Instructions: true}}, 100)
	if err != nil || cut {
		t.Fatal(err, cut)
	}
	if got := drawn(rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for kind, also := range map[signing.TreeKind]signing.Span{signing.TreeComment: {Comments: true}, signing.TreeInstruction: {Instructions: true}} {
		also.End = int64(len(doc))
		rows, _, err := signing.Tree(strings.NewReader(doc), []signing.Span{also}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			remark := r.Kind == signing.TreeComment || r.Kind == signing.TreeInstruction
			if want := !remark || r.Kind == kind; r.Signed != want {
				t.Errorf("%s with %s: signed %v", r.Kind, kind, r.Signed)
			}
		}
	}
}

// What is marked is what is covered, to the byte: elements beside it and holes in it are not.
func TestTreeMarksWhatIsCovered(t *testing.T) {
	doc := `<a>x<b Id="b">y<c>z</c>w</b>v<d/></a>`
	from, to := int64(strings.Index(doc, "<b")), int64(strings.Index(doc, "v<d"))
	hole, after := int64(strings.Index(doc, "<c")), int64(strings.Index(doc, "w</b"))
	rows, _, err := signing.Tree(strings.NewReader(doc), []signing.Span{{Begin: from, End: hole}, {Begin: after, End: to}}, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := "  element <a>\n    text x\n*   element <b Id=\"b\">\n*     text y\n      element <c> z\n*     text w\n    text v\n    element <d>\n"
	if got := drawn(rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Long text is cut at a character and tells its size; many rows are cut at the limit.
func TestTreeLimits(t *testing.T) {
	long := strings.Repeat("ж", 70_000)
	rows, _, err := signing.Tree(strings.NewReader("<a b=\""+long+"\">"+long+"</a>"), nil, 10)
	if err != nil || len(rows) != 1 {
		t.Fatal(err, len(rows))
	}
	if r := rows[0]; !utf8.ValidString(r.Text) || utf8.RuneCountInString(r.Text) > 700 || r.Size != 70_000 {
		t.Errorf("%d characters kept, size %d", utf8.RuneCountInString(r.Text), r.Size)
	}
	many := "<a>" + strings.Repeat("<b/>", 1000) + "</a>"
	for max, wantCut := range map[int]bool{1: true, 1000: true, 1001: false, 2000: false} {
		rows, cut, err := signing.Tree(strings.NewReader(many), nil, max)
		if err != nil || cut != wantCut || len(rows) != min(max, 1001) {
			t.Errorf("max %d: %d rows, cut %v, %v", max, len(rows), cut, err)
		}
	}
}

func TestTreeRefuses(t *testing.T) {
	for _, doc := range []string{"", "<a>", "<a><b></a></b>", "<!DOCTYPE a><a/>", "<a/><b/>"} {
		var bad *xml.Error
		if rows, _, err := signing.Tree(strings.NewReader(doc), nil, 100); !errors.As(err, &bad) || rows != nil {
			t.Errorf("%q: %v, %d rows", doc, err, len(rows))
		}
	}
}

func FuzzTree(f *testing.F) {
	f.Add([]byte(`<a xmlns="u" b="c">t<!--c--><?p i?><d/></a>`), int64(0), int64(20))
	f.Fuzz(func(t *testing.T, doc []byte, begin, end int64) {
		rows, cut, err := signing.Tree(strings.NewReader(string(doc)), []signing.Span{{Begin: begin, End: end}}, 50)
		if len(rows) > 50 || cut && len(rows) != 50 || err != nil && rows != nil {
			t.Errorf("%d rows, cut %v, %v", len(rows), cut, err)
		}
		for _, r := range rows {
			if !utf8.ValidString(r.Text) || r.Depth < 0 || strings.ContainsAny(r.Text, "\n\r") {
				t.Errorf("row %+v", r)
			}
		}
	})
}
