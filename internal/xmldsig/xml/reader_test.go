// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// show writes a token on one line, for comparing.
func show(tok *Token) string {
	var b strings.Builder
	name := func(n Name) {
		if n.Prefix != nil {
			fmt.Fprintf(&b, "%s:", n.Prefix)
		}
		fmt.Fprintf(&b, "%s", n.Local)
		if n.URI != "" {
			fmt.Fprintf(&b, "{%s}", n.URI)
		}
	}
	fmt.Fprintf(&b, "%d ", tok.Depth)
	switch tok.Kind {
	case Start:
		b.WriteString("<")
	case End:
		b.WriteString("</")
	case Text:
		fmt.Fprintf(&b, "%q", tok.Data)
	case Comment:
		fmt.Fprintf(&b, "<!--%q", tok.Data)
	case Instruction:
		b.WriteString("<?")
	}
	name(tok.Name)
	for _, d := range tok.Bindings {
		fmt.Fprintf(&b, " xmlns:%s=%q", d.Prefix, d.URI)
	}
	for _, a := range tok.Attrs {
		b.WriteString(" ")
		name(a.Name)
		fmt.Fprintf(&b, "=%q", a.Value)
	}
	if tok.Kind == Instruction {
		fmt.Fprintf(&b, " %q", tok.Data)
	}
	if tok.Empty {
		b.WriteString(" /")
	}
	return b.String()
}

// stream is what a document says, whatever the pieces its text came in, and where its markup is.
type stream struct {
	tokens []string
	text   []byte
}

func (s *stream) add(tok *Token) {
	if tok.Kind == Text {
		s.text = append(s.text, tok.Data...)
		return
	}
	s.flush()
	s.tokens = append(s.tokens, fmt.Sprintf("%s [%d,%d)", show(tok), tok.Begin, tok.Fin))
}

func (s *stream) flush() {
	if len(s.text) > 0 {
		s.tokens = append(s.tokens, fmt.Sprintf("%q", s.text))
		s.text = s.text[:0]
	}
}

func readStream(r *Reader) ([]string, error) {
	var s stream
	for {
		tok, err := r.Next()
		if err == io.EOF {
			return s.tokens, nil
		}
		if err != nil {
			return s.tokens, err
		}
		s.add(tok)
	}
}

func TestTokens(t *testing.T) {
	for _, c := range []struct{ name, doc, want string }{
		{"smallest", `<a/>`, "1 <a /|1 </a"},
		{"space everywhere", " \n<a  b = '1'\tc=\"2\" >\t</a\n>\r", `1 <a b="1" c="2"|1 "\t"|1 </a`},
		{"depth", `<a><b>x</b></a><!---->`, `1 <a|2 <b|2 "x"|2 </b|1 </a|0 <!--""`},
		{"declaration", `<?xml version = "1.0" encoding='utf-8' standalone="no" ?><a/>`, "1 <a /|1 </a"},
		{"version of the future", `<?xml version="1.7"?><a/>`, "1 <a /|1 </a"},
		{"line ends", "<a>1\r\n2\r3\n4\r\r\n5</a>", `1 <a|1 "1"|1 "\n2\n3\n4\n"|1 "\n5"|1 </a`},
		{"line ends in sections", "<a><![CDATA[\r\n\r1]]]]><![CDATA[>\r]]></a>", `1 <a|1 "\n\n1]]"|1 ">\n"|1 </a`},
		{"line ends in comments", "<!--1\r\n2\r3--><a><?p 1\r\n2\r?></a>", `0 <!--"1\n2\n3"|1 <a|1 <?p "1\n2\n"|1 </a`},
		{"references", "<a>&lt;&#60;&#x3c;&#x3C;&amp;amp;&#0013;&#xD;</a>", `1 <a|1 "<"|1 "<"|1 "<"|1 "<"|1 "&"|1 "amp;"|1 "\r"|1 "\r"|1 </a`},
		{"references beyond the first plane", "<a b='&#x10FFFF;'>&#x10000;</a>", "1 <a b=\"\\U0010ffff\"|1 \"𐀀\"|1 </a"},
		{"brackets", "<a>]]]]&gt;]>&#93;]&gt;]</a>", `1 <a|1 "]]]]"|1 ">"|1 "]>"|1 "]"|1 "]"|1 ">"|1 "]"|1 </a`},
		{"sections", "<a><![CDATA[<&]]>]]&gt;<![CDATA[]]><![CDATA[]>]]]></a>", `1 <a|1 "<&"|1 "]]"|1 ">"|1 ""|1 "]>]"|1 </a`},
		{"values", "<a b='\t\n\r\n\r \"&#9;&#10;&#13;&#32;&quot;&apos;'/>", "1 <a b=\"     \\\"\\t\\n\\r \\\"'\" /|1 </a"},
		{"values keep >", `<a b=">]]>"/>`, `1 <a b=">]]>" /|1 </a`},
		{"instructions", `<?p?><?p  x? >?y ?><a/><?xml-stylesheet?>`, `0 <?p ""|0 <?p "x? >?y "|1 <a /|1 </a|0 <?xml-stylesheet ""`},
		{"names", `<Файл-1.2 _="" 名="·"/>`, `1 <Файл-1.2 _="" 名="·" /|1 </Файл-1.2`},
		{"namespaces", `<p:a xmlns:p='u' xmlns="d" p:x='1' x='2'><b/><p:c xmlns="" xmlns:p="v"><d p:y=''/></p:c><p:e/></p:a>`,
			`1 <p:a{u} xmlns:p="u" xmlns:="d" p:x{u}="1" x="2"|2 <b{d} /|2 </b{d}|2 <p:c{v} xmlns:="" xmlns:p="v"|3 <d p:y{v}="" /|3 </d|` +
				`2 </p:c{v}|2 <p:e{u} /|2 </p:e{u}|1 </p:a{u}`},
		{"reserved prefixes", `<a xml:lang='ru' xmlns:xml='http://www.w3.org/XML/1998/namespace' xmlx="" xmlns:xmlx="u"/>`,
			`1 <a xmlns:xmlx="u" xml:lang{http://www.w3.org/XML/1998/namespace}="ru" xmlx="" /|1 </a`},
		{"declaration after use, normalised", "<p:a p:b='' xmlns:p='&#x75;\t&amp;'/>", `1 <p:a{u &} xmlns:p="u &" p:b{u &}="" /|1 </p:a{u &}`},
		{"equal local names", `<a xmlns:p='u' xmlns:q='v' x='' p:x='' q:x=''/>`, `1 <a xmlns:p="u" xmlns:q="v" x="" p:x{u}="" q:x{v}="" /|1 </a`},
		{"edges of Char", "<a>\t\u007f\u0085\u2028\ud7ff\ue000\ufdd0\ufffd\U00010000\U0010ffff\ufeff</a>",
			fmt.Sprintf("1 <a|1 %q|1 </a", "\t\u007f\u0085\u2028\ud7ff\ue000\ufdd0\ufffd\U00010000\U0010ffff\ufeff")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			r := NewReader(strings.NewReader(c.doc), Limits{})
			for {
				tok, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, show(tok))
			}
			if g := strings.Join(got, "|"); g != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.doc, g, c.want)
			}
		})
	}
}

// TestRefused: the place is where a person has to look.
func TestRefused(t *testing.T) {
	const xmlns = "'http://www.w3.org/XML/1998/namespace'"
	for _, c := range []struct {
		doc          string
		kind         error
		line, column int
		reason       string
	}{
		{"", ErrSyntax, 1, 1, "no element"},
		{" \n ", ErrSyntax, 2, 2, "no element"},
		{"<!-- -->", ErrSyntax, 1, 9, "no element"},
		{"x<a/>", ErrSyntax, 1, 1, "outside the root"},
		{"<a/>\r\n\r&#32;", ErrSyntax, 3, 1, "outside the root"},
		{"<a/><![CDATA[]]>", ErrSyntax, 1, 5, "not here"},
		{"<a/><b/>", ErrSyntax, 1, 5, "second root"},
		{"<a></a></a>", ErrSyntax, 1, 8, "without a start"},
		{"<a>\n", ErrSyntax, 2, 1, "inside <a>"},
		{"<a", ErrSyntax, 1, 3, "line 1, column 1"},
		{"<a></a", ErrSyntax, 1, 7, "line 1, column 4"},
		{"<a>\n<!-- ", ErrSyntax, 2, 6, "line 2, column 1"},
		{"<a><![CDATA[x]]", ErrSyntax, 1, 16, "CDATA"},
		{"<a>]", ErrSyntax, 1, 5, "inside <a>"},
		{"<a>&am", ErrSyntax, 1, 7, "inside <a>"},
		{"<а>\n<б></в></а>", ErrSyntax, 2, 6, "</в> ends <б>"},
		{"<a></ab>", ErrSyntax, 1, 6, "</ab> ends <a>"},
		{"<ab></a>", ErrSyntax, 1, 7, "</a> ends <ab>"},
		{"<a></a b>", ErrSyntax, 1, 8, "in an end tag"},
		{"<a></a×>", ErrSyntax, 1, 7, "'×' in an end tag"},
		{"<a></a:a>", ErrSyntax, 1, 6, "</a:a> ends <a>"},
		{"<a></a/>", ErrSyntax, 1, 7, "in an end tag"},
		{"<a></ a>", ErrSyntax, 1, 6, "name begins"},
		{"< a/>", ErrSyntax, 1, 2, "name begins"},
		{"<1/>", ErrSyntax, 1, 2, "name begins"},
		{"<a>1 < 2</a>", ErrSyntax, 1, 7, "name begins"},
		{"<a b/>", ErrSyntax, 1, 5, "= follows"},
		{"<a b=1/>", ErrSyntax, 1, 6, "quotation"},
		{"<a b='1'c='2'/>", ErrSyntax, 1, 9, "in a tag"},
		{"<a / >", ErrSyntax, 1, 4, "name begins"},
		{"<a b='<'/>", ErrSyntax, 1, 7, "attribute value"},
		{"<a b='&#10;<'/>", ErrSyntax, 1, 12, "attribute value"},
		{"<a b=' \x00'/>", ErrSyntax, 1, 8, "U+0000"},
		{"<a b='\ufffe'/>", ErrSyntax, 1, 7, "U+FFFE"},
		{"<a b='&#32;\uffff'/>", ErrSyntax, 1, 12, "U+FFFF"},
		{"<a b='1' b='2'/>", ErrSyntax, 1, 10, "twice"},
		{"<a xmlns:p='u' xmlns:q='u' p:x='' y='' q:x=''/>", ErrSyntax, 1, 40, "twice"},
		{"<a xmlns:p='u' xmlns:p='v'/>", ErrSyntax, 1, 16, "twice"},
		{"<" + strings.Repeat("ж", 100) + ">", ErrSyntax, 1, 103, "inside <" + strings.Repeat("ж", 32) + "…>"},
		{"<a xmlns='u' xmlns='u'/>", ErrSyntax, 1, 14, "twice"},
		{"<a a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' a3='' a2=''/>", ErrSyntax, 1, 58, "twice"},
		{"<p:a/>", ErrSyntax, 1, 2, "p is not declared"},
		{"<a p:b=''/>", ErrSyntax, 1, 4, "p is not declared"},
		{"<a><b xmlns:p='u'/><p:c/></a>", ErrSyntax, 1, 21, "p is not declared"},
		{"<a:b:c xmlns:a='u'/>", ErrSyntax, 1, 5, "two colons"},
		{"<:a/>", ErrSyntax, 1, 2, "name begins"},
		{"<a:/>", ErrSyntax, 1, 4, "name begins"},
		{"<a:1 xmlns:a='u'/>", ErrSyntax, 1, 4, "name begins"},
		{"<a xmlns:=''/>", ErrSyntax, 1, 10, "name begins"},
		{"<a xmlns:p=''/>", ErrSyntax, 1, 4, "undeclared"},
		{"<a xmlns:xmlns='u'/>", ErrSyntax, 1, 4, "xmlns cannot be declared"},
		{"<a xmlns:xml='u'/>", ErrSyntax, 1, 4, "xml cannot be bound"},
		{"<a xmlns:p=" + xmlns + "/>", ErrSyntax, 1, 4, "reserved"},
		{"<a xmlns=" + xmlns + "/>", ErrSyntax, 1, 4, "reserved"},
		{"<a xmlns='http://www.w3.org/2000/xmlns/'/>", ErrSyntax, 1, 4, "reserved"},
		{"<xmlns:a/>", ErrSyntax, 1, 2, "prefix xmlns"},
		{"<a>]]></a>", ErrSyntax, 1, 4, "]]> in text"},
		{"<a>]]]></a>", ErrSyntax, 1, 5, "]]> in text"},
		{"<a>&nbsp;</a>", ErrSyntax, 1, 4, "nbsp is not declared"},
		{"<a>&LT;</a>", ErrSyntax, 1, 4, "LT is not declared"},
		{"<a>& </a>", ErrSyntax, 1, 5, "name begins"},
		{"<a>&lt </a>", ErrSyntax, 1, 7, "; ends"},
		{"<a>&#;</a>", ErrSyntax, 1, 6, "character reference"},
		{"<a>&#x;</a>", ErrSyntax, 1, 7, "character reference"},
		{"<a>&#X41;</a>", ErrSyntax, 1, 6, "character reference"},
		{"<a>&#4a;</a>", ErrSyntax, 1, 7, "character reference"},
		{"<a>&#0;</a>", ErrSyntax, 1, 4, "not allowed"},
		{"<a>&#x1F;</a>", ErrSyntax, 1, 4, "not allowed"},
		{"<a>&#xD800;</a>", ErrSyntax, 1, 4, "not allowed"},
		{"<a>&#xFFFE;</a>", ErrSyntax, 1, 4, "not allowed"},
		{"<a>&#x110000;</a>", ErrSyntax, 1, 4, "not allowed"},
		{"<a>&#4294967361;</a>", ErrSyntax, 1, 4, "not allowed"}, // 2³² + 'A'
		{"<a>\x01</a>", ErrSyntax, 1, 4, "U+0001"},
		{"<a>12\ufffe</a>", ErrSyntax, 1, 6, "U+FFFE"},
		{"<a><![CDATA[\x0b]]></a>", ErrSyntax, 1, 13, "U+000B"},
		{"<a><![CDATA[\uffff]]></a>", ErrSyntax, 1, 13, "U+FFFF"},
		{"<a>\r\r\n\x00</a>", ErrSyntax, 3, 1, "U+0000"},
		{"<!-- -- --><a/>", ErrSyntax, 1, 6, "-- in a comment"},
		{"<!-- --->", ErrSyntax, 1, 6, "-- in a comment"},
		{"<!-- \x02 --><a/>", ErrSyntax, 1, 6, "U+0002"},
		{"<!-- \ufffe --><a/>", ErrSyntax, 1, 6, "U+FFFE"},
		{"<!- x --><a/>", ErrSyntax, 1, 1, "does not have"},
		{"<!ELEMENT a ANY><a/>", ErrSyntax, 1, 1, "does not have"},
		{"<!doctype a><a/>", ErrSyntax, 1, 1, "does not have"},
		{"<?p \x03?><a/>", ErrSyntax, 1, 5, "U+0003"},
		{"<?p:q?><a/>", ErrSyntax, 1, 4, "name of an instruction"},
		{"<?p?q?><a/>", ErrSyntax, 1, 4, "name of an instruction"},
		{"<? p?><a/>", ErrSyntax, 1, 3, "name begins"},
		{"<?p", ErrSyntax, 1, 4, "inside markup"},
		{"<?p x?", ErrSyntax, 1, 7, "inside markup"},
		{" <?xml version='1.0'?><a/>", ErrSyntax, 1, 2, "begin the document"},
		{"<a/><?XmL x?>", ErrSyntax, 1, 5, "begin the document"},
		{"<?xml version='1.0'?><?xml version='1.0'?><a/>", ErrSyntax, 1, 22, "begin the document"},
		{"<?XML version='1.0'?><a/>", ErrSyntax, 1, 1, "begin the document"},
		{"<?xml?><a/>", ErrSyntax, 1, 6, "no version"},
		{"<?xml encoding='utf-8'?><a/>", ErrSyntax, 1, 7, "no version"},
		{"<?xml version='2.0'?><a/>", ErrSyntax, 1, 16, "no version"},
		{"<?xml version='1.'?><a/>", ErrSyntax, 1, 16, "no version"},
		{"<?xml version='1.1'?><a/>", ErrSyntax, 1, 16, "1.1"},
		{"<?xml version=1.0?><a/>", ErrSyntax, 1, 15, "no version"},
		{"<?xml version='1.0'encoding='utf-8'?><a/>", ErrSyntax, 1, 20, "XML declaration"},
		{"<?xml version='1.0' encoding=''?><a/>", ErrSyntax, 1, 31, "name of an encoding"},
		{"<?xml version='1.0' encoding='-8'?><a/>", ErrSyntax, 1, 31, "name of an encoding"},
		{"<?xml version='1.0' standalone='Yes'?><a/>", ErrSyntax, 1, 33, "standalone"},
		{"<?xml version='1.0' standalone='yes' encoding='utf-8'?><a/>", ErrSyntax, 1, 38, "XML declaration"},
		{"<?xml version='1.0'><a/>", ErrSyntax, 1, 20, "XML declaration"},
		{"<?xml version='1.0'", ErrSyntax, 1, 20, "XML declaration"},
		{"<?xml version='1.0'" + strings.Repeat(" ", 5000) + "?><a/>", ErrLimit, 1, 4097, "4096"},
		{"<!-- -->\n<!DOCTYPE a><a/>", ErrDoctype, 2, 1, "document type"},
		{"<a><!DOCTYPE a></a>", ErrDoctype, 1, 4, "document type"},
		{"<a>\xff</a>", ErrEncoding, 1, 4, "0xFF"},
		{"<a>\n\xc0\x80</a>", ErrEncoding, 2, 1, "0xC0"},
		{"<a>ж\xed\xa0\x80</a>", ErrEncoding, 1, 5, "0xED"},
		{"<a>\xf4\x90\x80\x80</a>", ErrEncoding, 1, 4, "0xF4"},
		{"<a>\xd0", ErrEncoding, 1, 4, "inside a character"},
		{"<\xd0\xa4\xd0>", ErrEncoding, 1, 3, "0xD0"},
		{"\xef\xbb\xbf\xef\xbb\xbf<a/>", ErrSyntax, 1, 1, "outside the root"},
	} {
		_, err := readStream(NewReader(strings.NewReader(c.doc), Limits{}))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %v, want %v", c.doc, err, c.kind)
			continue
		}
		if !errors.Is(err, c.kind) || e.Line != c.line || e.Column != c.column || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("%q: got %v; want %v, line %d, column %d, %s", c.doc, err, c.kind, c.line, c.column, c.reason)
		}
	}
}

// TestErrorStays: nobody gets past an error, or past the end, by asking again.
func TestErrorStays(t *testing.T) {
	for _, doc := range []string{"<a/>", "<a></b>", "<a>"} {
		r := NewReader(strings.NewReader(doc), Limits{})
		_, err := readStream(r)
		if err == nil {
			err = io.EOF
		}
		for range 3 {
			if tok, again := r.Next(); tok != nil || again != err {
				t.Errorf("%s: %v, then %v, %v", doc, err, tok, again)
			}
		}
	}
}

func TestSourceError(t *testing.T) {
	broken := errors.New("broken")
	for _, doc := range []string{"", "<", "<?xml ", "<a>", "<a>]", "<a/>", "<?xml version='1.0' encoding='koi8-r'?><a/>"} {
		_, err := readStream(NewReader(io.MultiReader(strings.NewReader(doc), iotest.ErrReader(broken)), Limits{}))
		if err != broken {
			t.Errorf("%q: %v, want the error of the source", doc, err)
		}
	}
	if _, err := readStream(NewReader(silent{}, Limits{})); err != io.ErrNoProgress {
		t.Errorf("a source that gives nothing: %v", err)
	}
}

type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }

// mixed is a document with everything, long enough to cross buffers, so that each construct meets their edges.
func mixed(seed uint64, size int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 4))
	parts := []string{
		"text ", "текст", "\r\n", "\r", "\n", "]", "]]", ">", "&amp;", "&#x444;", "<!-- comm\r\nent -->", "<?pi дата\r?>", "<e/>",
		"<![CDATA[ <&]] > \r\n ]]]>", "<![CDATA[]]>", "<п:э а=\"&#10;\r\n'\" п:а='ы' >", "</п:э>", "<q xmlns='urn:q' b='1'\n>", "</q>", "𐀀", "\ufffd",
	}
	var b bytes.Buffer
	b.WriteString("<?xml version='1.0'?>\r\n<r xmlns:п='urn:п'>")
	var open []string
	for b.Len() < size {
		switch p := parts[rnd.IntN(len(parts))]; {
		case p == ">" && bytes.HasSuffix(b.Bytes(), []byte("]]")):
		case strings.HasPrefix(p, "</"):
			if n := len(open); n > 0 {
				b.WriteString(open[n-1])
				open = open[:n-1]
			}
		case strings.HasPrefix(p, "<п") || strings.HasPrefix(p, "<q"):
			if len(open) < 20 {
				open = append(open, map[bool]string{true: "</п:э>", false: "</q\r>"}[strings.HasPrefix(p, "<п")])
				b.WriteString(p)
			}
		default:
			b.WriteString(strings.Repeat(p, 1+rnd.IntN(3)))
			if p == "]]" {
				b.WriteByte('x')
			}
		}
	}
	slices.Reverse(open)
	b.WriteString(strings.Join(open, "") + "</r>\n<!-- after -->\n")
	return b.Bytes()
}

// chunks gives random amounts at a time.
type chunks struct {
	src io.Reader
	rnd *rand.Rand
}

func (c chunks) Read(p []byte) (int, error) {
	return c.src.Read(p[:min(len(p), c.rnd.IntN(9000))])
}

// TestChunks: a document says the same however it arrives, and wherever the buffer's edges fall.
func TestChunks(t *testing.T) {
	for seed := range uint64(6) {
		doc := mixed(seed, 100_000+int(seed)*1_000)
		want, err := readStream(NewReader(bytes.NewReader(doc), Limits{}))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(want) < 5000 {
			t.Fatalf("seed %d: only %d tokens", seed, len(want))
		}
		rnd := rand.New(rand.NewPCG(seed, 5))
		sources := map[string]io.Reader{
			"bytes":           iotest.OneByteReader(bytes.NewReader(doc)),
			"halves":          iotest.HalfReader(bytes.NewReader(doc)),
			"data with error": iotest.DataErrReader(bytes.NewReader(doc)),
			"random chunks":   chunks{bytes.NewReader(doc), rnd},
		}
		for name, src := range sources {
			got, err := readStream(NewReader(src, Limits{}))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("seed %d, %s: %d tokens instead of %d, %v", seed, name, len(got), len(want), err)
			}
		}
		// Space in front moves every edge of the buffer.
		body := bytes.TrimPrefix(doc, []byte("<?xml version='1.0'?>"))
		whole, _ := readStream(NewReader(bytes.NewReader(body), Limits{}))
		for range 12 {
			shift := rnd.IntN(2 * buffered)
			got, err := readStream(NewReader(bytes.NewReader(slices.Concat(bytes.Repeat([]byte(" "), shift), body)), Limits{}))
			if err != nil || len(got) != len(whole) || strip(got) != strip(whole) {
				t.Fatalf("seed %d, moved by %d: %d tokens instead of %d, %v", seed, shift, len(got), len(whole), err)
			}
		}
	}
}

// strip leaves the places away.
func strip(tokens []string) string {
	var b strings.Builder
	for _, s := range tokens {
		what, _, _ := strings.Cut(s, " [")
		b.WriteString(what + "\n")
	}
	return b.String()
}

// TestEdges: each construct with each of its bytes last in the buffer.
func TestEdges(t *testing.T) {
	const tail = "<п:э xmlns:п='urn:п' а='&#x10FFFF;\r\n&lt;'>]]\r\n\r]&amp;&#1088;<!--\r\n-->\r<?p \r\n??><![CDATA[]\r\n]]]]>]</п:э ><!-- -->\r\n"
	want, err := readStream(NewReader(strings.NewReader(tail), Limits{}))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(tail) + 10 {
		doc := strings.Repeat(" ", buffered-1-n) + tail
		got, err := readStream(NewReader(strings.NewReader(doc), Limits{}))
		if err != nil || strip(got) != strip(want) {
			t.Fatalf("%d bytes before the edge: %v\n%s\n%s", n, err, strip(got), strip(want))
		}
	}
}

// TestErrorPlaceBehindBuffers: lines and columns stay right when what came before is gone.
func TestErrorPlaceBehindBuffers(t *testing.T) {
	for seed := range uint64(4) {
		doc := mixed(seed, 300_000)
		doc = append(bytes.TrimSuffix(doc, []byte("<!-- after -->\n")), "<!-- ёж -->\x01"...)
		lines := strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(doc)), "\n")
		_, err := readStream(NewReader(bytes.NewReader(doc), Limits{}))
		var e *Error
		if !errors.As(err, &e) || e.Line != len(lines) || e.Column != len("<!-- ej -->x") || e.Offset != int64(len(doc)-1) {
			t.Errorf("seed %d: %v at %+v, want line %d", seed, err, e, len(lines))
		}
	}
}

func TestCharacters(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 6))
	some := []rune("aж—𐀀\n\u007f\u0080\u07ff\uffff\U0010ffff")
	for range 2000 {
		var b []byte
		for range rnd.IntN(40) {
			b = append(b, string(some[rnd.IntN(len(some))])...)
		}
		if got, want := characters(b), utf8.RuneCount(b); got != want {
			t.Fatalf("%q has %d characters, not %d", b, want, got)
		}
	}
}

// TestPlace: it does not matter where the text before a place is cut.
func TestPlace(t *testing.T) {
	text := []byte("аб\r\nв\r\r\n\n\rг—𐀀\r")
	whole := place{line: 1}
	whole.pass(text)
	if whole.line != 7 || whole.column != 0 {
		t.Errorf("%+v", whole)
	}
	for i := range text {
		for j := i; j < len(text); j++ {
			p := place{line: 1}
			p.pass(text[:i])
			p.pass(text[i:j])
			p.pass(text[j:])
			if p != whole {
				t.Errorf("cut at %d and %d: %+v, want %+v", i, j, p, whole)
			}
		}
	}
}

// TestNameCharacters compares with the ranges as productions 4 and 4a of the fifth edition write them, less the colon.
func TestNameCharacters(t *testing.T) {
	first := [][2]rune{{'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D},
		{0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF}}
	more := [][2]rune{{'-', '.'}, {'0', '9'}, {0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}
	in := func(c rune, ranges [][2]rune) bool {
		return slices.ContainsFunc(ranges, func(r [2]rune) bool { return c >= r[0] && c <= r[1] })
	}
	for c := range rune(utf8.MaxRune + 1) {
		isFirstHere, isNameHere := isFirstRune(c), isNameRune(c)
		if c < utf8.RuneSelf {
			isFirstHere, isNameHere = class[c]&isFirst != 0, class[c]&isName != 0
		}
		if utf8.ValidRune(c) && (isFirstHere != in(c, first) || isNameHere != (in(c, first) || in(c, more))) {
			t.Fatalf("%U begins a name: %v, is in names: %v", c, isFirstHere, isNameHere)
		}
	}
}
