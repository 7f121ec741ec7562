// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// encodings pairs ours with those of golang.org/x/text, which encode the documents of these tests.
var encodings = []struct {
	declared string
	want     Encoding
	other    encoding.Encoding
	mark     string
	text     string
}{
	{"", UTF8, encoding.Nop, "", "Документ №1 — 𐀀"},
	{"UTF-8", UTF8, encoding.Nop, "", "Документ"},
	{"utf-8", UTF8, encoding.Nop, "\xEF\xBB\xBF", "Документ"},
	{"", UTF8, encoding.Nop, "\xEF\xBB\xBF", "Документ"},
	{"UTF-16", UTF16LE, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "\xFF\xFE", "Документ №1 𐀀\U0010ffff"},
	{"UTF-16", UTF16BE, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "\xFE\xFF", "Документ №1 𐀀\U0010ffff"},
	{"", UTF16BE, unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "\xFE\xFF", "Документ"},
	{"utf-16le", UTF16LE, unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "\xFF\xFE", "Документ"},
	{"windows-1251", Windows1251, charmap.Windows1251, "", "Документ №1 — «ёЁ»"},
	{"Windows-1251", Windows1251, charmap.Windows1251, "", "Ґґ"},
	{"CP1251", Windows1251, charmap.Windows1251, "", "да"},
	{"KOI8-R", KOI8R, charmap.KOI8R, "", "Документ ёЁ©"},
	{"ISO-8859-1", Latin1, charmap.ISO8859_1, "", "Ärger\u0085"},
	{"us-ascii", ASCII, charmap.ISO8859_1, "", "text"},
}

func declaredDoc(declared, text string) string {
	head := "<?xml version=\"1.0\"?>\n"
	if declared != "" {
		head = "<?xml version=\"1.0\" encoding=\"" + declared + "\"?>\n"
	}
	return head + "<" + "a b=\"" + text + "\">" + strings.Repeat(text+"\r\n", 3_000) + "<c/></a>\n"
}

func TestEncodings(t *testing.T) {
	for _, c := range encodings {
		plain := declaredDoc(c.declared, c.text)
		coded, err := c.other.NewEncoder().String(plain)
		if err != nil {
			t.Fatal(err)
		}
		coded = c.mark + coded
		want, err := readStream(NewFragment(strings.NewReader(plain[strings.Index(plain, "\n"):]), Limits{}, &Scope{}))
		if err != nil {
			t.Fatal(err)
		}
		for name, src := range map[string]io.Reader{"whole": strings.NewReader(coded), "halves": iotest.HalfReader(strings.NewReader(coded))} {
			r := NewReader(src, Limits{})
			got, err := readStream(r)
			if err != nil || r.Encoding() != c.want || strip(got) != strip(want) {
				t.Errorf("%s as %q, %s: %v, read as %s", c.want, c.declared, name, err, r.Encoding())
			}
		}
		checkLocate(t, plain, coded, c.want)
	}
}

// checkLocate compares Locate with encoding what is before an offset. Sizes differ per encoding, so x/text's answer counts.
func checkLocate(t *testing.T, plain, coded string, e Encoding) {
	t.Helper()
	r := NewReader(strings.NewReader(coded), Limits{})
	for n := 0; ; n++ {
		tok, err := r.Next()
		if err != nil {
			break
		}
		if n > 20 && n%1000 != 0 && tok.Kind == Text {
			continue
		}
		for _, offset := range []int64{tok.Begin, tok.Fin} {
			at, err := Locate(strings.NewReader(coded), offset)
			if err != nil {
				t.Fatalf("%s: %v", e, err)
			}
			rest, err := e.Encode([]byte(plain[offset:]))
			if err != nil {
				t.Fatal(err)
			}
			if coded[at:] != string(rest) {
				t.Fatalf("%s: offset %d is not at %d", e, offset, at)
			}
		}
	}
	if at, err := Locate(strings.NewReader(coded), int64(len(plain))); err != nil || at != int64(len(coded)) {
		t.Errorf("%s: the end is at %d, %v, want %d", e, at, err, len(coded))
	}
	for _, offset := range []int64{int64(len(plain)) + 1, int64(len(plain)) + 1e6} {
		if e == UTF8 {
			break // not checked
		}
		if at, err := Locate(strings.NewReader(coded), offset); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: offset behind the end is at %d, %v", e, at, err)
		}
	}
}

func TestLocateInsideCharacter(t *testing.T) {
	const doc = "\xFE\xFF\x00<\x04\x36\x00/\x00>"
	if at, err := Locate(strings.NewReader(doc), 2); !errors.Is(err, ErrSyntax) {
		t.Errorf("%q: %d, %v", doc, at, err)
	}
	if _, err := Locate(strings.NewReader("\xFE\xFF\x00<\xD8\x00\x00>"), 4); !errors.Is(err, ErrEncoding) {
		t.Errorf("half a surrogate pair: %v", err)
	}
	if _, err := Locate(strings.NewReader("\xff\xfe\x00\x00<"), 0); !errors.Is(err, ErrEncoding) {
		t.Errorf("UTF-32: %v", err)
	}
	if _, err := Locate(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("\xFE\xFF\x00<\x00a\x00/\x00>"))), 4); err != iotest.ErrTimeout {
		t.Errorf("broken source: %v", err)
	}
}

func TestEncodingRefused(t *testing.T) {
	le := func(s string) string {
		b, err := UTF16LE.Encode([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return "\xFF\xFE" + string(b)
	}
	const decl = "<?xml version='1.0' encoding='"
	for _, c := range []struct {
		name, doc    string
		line, column int
	}{
		{"unknown", decl + "shift_jis'?><a/>", 1, 31},
		{"windows-1252 is not windows-1251", decl + "windows-1252'?><a/>", 1, 31},
		{"UTF-16 declared in UTF-8", decl + "UTF-16'?><a/>", 1, 31},
		{"UTF-16LE declared in UTF-8", decl + "UTF-16LE'?><a/>", 1, 31},
		{"UTF-8 mark, UTF-16 declared", "\xEF\xBB\xBF" + decl + "utf-16'?><a/>", 1, 31},
		{"UTF-8 mark, windows-1251 declared", "\xEF\xBB\xBF" + decl + "windows-1251'?><a/>", 1, 31},
		{"UTF-8 mark, us-ascii declared", "\xEF\xBB\xBF" + decl + "us-ascii'?><a/>", 1, 31},
		{"UTF-16 mark, UTF-8 declared", le(decl + "UTF-8'?><a/>"), 1, 31},
		{"UTF-16LE mark, UTF-16BE declared", le(decl + "UTF-16BE'?><a/>"), 1, 31},
		{"UTF-16 mark, koi8-r declared", le(decl + "koi8-r'?><a/>"), 1, 31},
		{"UTF-16 without a mark", le("<a/>")[2:], 1, 1},
		{"UTF-32", "\xFF\xFE\x00\x00<\x00\x00\x00", 1, 1},
		{"half a UTF-16 unit", le("<a/>\n") + " ", 2, 1},
		{"high surrogate alone", le("<a>") + "\x00\xd8<\x00", 1, 4},
		{"low surrogate alone", le("<a>") + "\x00\xdc", 1, 4},
		{"high surrogate at the end", le("<a>") + "\x00\xd8", 1, 4},
		{"windows-1251 without a declaration", "<a>\n  \xcf\xf0</a>", 2, 3},
		{"byte windows-1251 has not", decl + "windows-1251'?>\n<a>\xcf\x98</a>", 2, 5},
		{"byte us-ascii has not", decl + "us-ascii'?>\n<a>\x80</a>", 2, 4},
		{"broken UTF-8 far on", "<a>" + strings.Repeat("ж\r\n", 100_000) + "\xd0\x20</a>", 100_001, 1},
	} {
		_, err := readStream(NewReader(strings.NewReader(c.doc), Limits{}))
		var e *Error
		if !errors.As(err, &e) || !errors.Is(err, ErrEncoding) || e.Line != c.line || e.Column != c.column {
			t.Errorf("%s: %v, want %v at line %d, column %d", c.name, err, ErrEncoding, c.line, c.column)
		}
	}
}

// TestEncode: what Encode writes reads back, and what it cannot write it says.
func TestEncode(t *testing.T) {
	for _, c := range encodings {
		got, err := c.want.Encode([]byte(c.text))
		want, otherErr := c.other.NewEncoder().String(c.text)
		if err != nil || otherErr != nil || string(got) != want {
			t.Errorf("%s: %q, %v; want %q, %v", c.want, got, err, want, otherErr)
		}
	}
	for e, missing := range map[Encoding]string{Windows1251: "Ä", KOI8R: "№", Latin1: "Ж", ASCII: "é", UTF8: "\xff", "ebcdic": "a"} {
		if got, err := e.Encode([]byte(missing)); !errors.Is(err, ErrEncoding) {
			t.Errorf("%s: %q became %q, %v", e, missing, got, err)
		}
	}
}

// TestOneByteTables compares each byte with golang.org/x/text.
func TestOneByteTables(t *testing.T) {
	for e, m := range map[Encoding]*charmap.Charmap{Windows1251: charmap.Windows1251, KOI8R: charmap.KOI8R, Latin1: charmap.ISO8859_1} {
		for i := range 256 {
			var dst [4]byte
			n, taken, problem := e.decode(dst[:], []byte{byte(i)})
			want := string(m.DecodeByte(byte(i)))
			if want == "\uFFFD" {
				if problem == "" {
					t.Errorf("%s: byte %#x is accepted", e, i)
				}
				continue
			}
			if string(dst[:n]) != want || taken != 1 || problem != "" {
				t.Errorf("%s: byte %#x is %q, want %q", e, i, dst[:n], want)
			}
		}
	}
}

func TestScope(t *testing.T) {
	const doc = `<a xmlns="u" xmlns:p="v" xml:lang="ru"><p:b xmlns="" xmlns:q="w" xml:space="preserve" xml:lang="en"/><c xmlns:p="x"/></a>`
	r := NewReader(strings.NewReader(doc), Limits{})
	type state struct {
		bindings []Binding
		xml      []Inherited
	}
	var b, c *Scope
	for {
		tok, err := r.Next()
		if err != nil {
			break
		}
		switch name := string(tok.Name.Local); {
		case name == "b" && tok.Kind == End:
			b = r.Scope().Clone()
		case name == "c" && tok.Kind == Start:
			c = r.Scope().Clone()
		}
	}
	if n := r.Scope().All(); len(n) != 0 {
		t.Errorf("after the document: %v", n)
	}
	for name, s := range map[string]struct {
		got  *Scope
		want state
	}{
		"b": {b, state{[]Binding{{"p", "v"}, {"q", "w"}}, []Inherited{{1, "lang", "ru"}, {2, "space", "preserve"}, {2, "lang", "en"}}}},
		"c": {c, state{[]Binding{{"", "u"}, {"p", "x"}}, []Inherited{{1, "lang", "ru"}}}},
	} {
		all := s.got.All()
		slices.SortFunc(all, func(a, b Binding) int { return strings.Compare(a.Prefix, b.Prefix) })
		if !slices.Equal(all, s.want.bindings) || !slices.Equal(s.got.Inherited(), s.want.xml) {
			t.Errorf("%s: %v %v, want %+v", name, all, s.got.Inherited(), s.want)
		}
	}
	for _, l := range []struct {
		s           *Scope
		prefix, uri string
		ok          bool
	}{
		{b, "", "", false}, {b, "p", "v", true}, {b, "q", "w", true}, {b, "z", "", false}, {c, "", "u", true}, {c, "p", "x", true},
		{c, "q", "", false}, {c, "xml", XMLNamespace, true}, {c, "xmlns", XMLNSNamespace, true}, {&Scope{}, "", "", false}, {&Scope{}, "p", "", false},
	} {
		uri, ok := l.s.Lookup(l.prefix)
		bytesURI, bytesOK := l.s.LookupBytes([]byte(l.prefix))
		if uri != l.uri || ok != l.ok || bytesURI != uri || bytesOK != ok {
			t.Errorf("%q is %q, %v; as bytes %q, %v; want %q, %v", l.prefix, uri, ok, bytesURI, bytesOK, l.uri, l.ok)
		}
	}
}

// TestFragment: an element cut out of a document reads as it did there.
func TestFragment(t *testing.T) {
	const inner = `<p:b xml:lang="en" p:x=""><c xmlns:q="w"/></p:b>`
	const doc = `<a xmlns="u" xmlns:p="v" xml:base="/"><o xml:lang="ru">` + inner + `</o></a>`
	r := NewReader(strings.NewReader(doc), Limits{})
	for range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	outer := r.Scope().Clone()
	got, err := readStream(NewFragment(strings.NewReader(inner), Limits{}, outer))
	want := `1 <p:b{v} xml:lang{http://www.w3.org/XML/1998/namespace}="en" p:x{v}="" [0,26)|2 <c{u} xmlns:q="w" / [26,42)|2 </c{u} [42,42)|1 </p:b{v} [42,48)`
	if err != nil || strings.Join(got, "|") != want {
		t.Errorf("%v\n got %s\nwant %s", err, strings.Join(got, "|"), want)
	}
	f := NewFragment(strings.NewReader(inner), Limits{}, outer)
	if _, err := f.Next(); err != nil {
		t.Fatal(err)
	}
	if in := f.Scope().Inherited(); !slices.Equal(in, []Inherited{{-1, "base", "/"}, {0, "lang", "ru"}, {1, "lang", "en"}}) {
		t.Errorf("inherited: %v", in)
	}
	if in := outer.Inherited(); !slices.Equal(in, []Inherited{{1, "base", "/"}, {2, "lang", "ru"}}) {
		t.Errorf("the outer scope became %v", in)
	}
	for _, bad := range []string{"", "x", "<p:b/><p:b/>", "<z:b/>", "<?xml version='1.0'?><a/>", "\xEF\xBB\xBF<a/>", "<a/>x"} {
		if _, err := readStream(NewFragment(strings.NewReader(bad), Limits{}, outer)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// A prefix of the surroundings may be bound anew, as inside.
	if _, err := readStream(NewFragment(bytes.NewReader([]byte("<a xmlns:p='z' xmlns='y'/>")), Limits{}, outer)); err != nil {
		t.Error(err)
	}
}
