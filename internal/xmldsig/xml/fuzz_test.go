// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// FuzzReader: whatever comes in, nothing panics; and what is accepted is covered by its tokens, is read the same when it
// arrives in small pieces, and says the same when it is written anew from its tokens.
func FuzzReader(f *testing.F) {
	f.Add([]byte("<?xml version='1.0' encoding='UTF-8'?>\r\n<!-- c --><a:Б xmlns:a='u' xmlns='d' x='1&#10;\n' a:x='' xml:lang='ru'>т]&lt;\r\n\r" +
		"<![CDATA[<a>]]]]><![CDATA[]]><b/><?p  q ?></a:Б>\n<?e?>"))
	f.Add(mixed(1, 200))
	f.Add(business(1))
	f.Add([]byte("<?xml version='1.0' encoding='windows-1251'?><\xf4 \xe0='\xff'>\xcf\xf0&amp;</\xf4>"))
	f.Add([]byte("\xFF\xFE<\x00a\x00>\x00\x3d\xd8\x00\xdc<\x00/\x00a\x00>\x00"))
	f.Add([]byte("\xEF\xBB\xBF<a xmlns:p='u'><p:b xmlns:p='v' p:c='1' c='2'/>]]&gt;</a >"))
	f.Add([]byte("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"))
	f.Add([]byte("<a b1='' b2='' b3='' b4='' b5='' b6='' b7='' b8='' b9='' b1=''/>"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		l := Limits{Depth: 64, Attrs: 64, Tag: 1 << 16}
		r := NewReader(bytes.NewReader(doc), l)
		tokens, err := readStream(r)
		slow, slowErr := readStream(NewReader(iotest.OneByteReader(bytes.NewReader(doc)), l))
		if fmt.Sprint(err) != fmt.Sprint(slowErr) || !slices.Equal(tokens, slow) {
			t.Fatalf("in one piece: %v\n%q\nin small ones: %v\n%q", err, tokens, slowErr, slow)
		}
		if err != nil {
			if _, err := Locate(bytes.NewReader(doc), 5); err == nil && len(doc) < 5 {
				t.Fatal("an offset behind the end was located")
			}
			return
		}
		text := asUTF8(t, doc)
		written := checkCover(t, NewReader(bytes.NewReader(doc), l), text)
		again, err := readStream(NewReader(bytes.NewReader(written), Limits{Tag: 1 << 20}))
		if err != nil || strip(again) != strip(merge(tokens)) {
			t.Fatalf("written anew: %v\n%s\n%s", err, strip(again), strip(merge(tokens)))
		}
		if at, err := Locate(bytes.NewReader(doc), int64(len(text))); err != nil || at != int64(len(doc)) {
			t.Fatalf("the end is at %d, %v, want %d", at, err, len(doc))
		}
	})
}

// merge leaves out what writing anew does not keep: how an element without content was written.
func merge(tokens []string) []string {
	out := make([]string, len(tokens))
	for i, s := range tokens {
		what, where, _ := strings.Cut(s, " [")
		out[i] = strings.TrimSuffix(what, " /") + " [" + where
	}
	return out
}

func asUTF8(t *testing.T, doc []byte) []byte {
	t.Helper()
	s := source{in: bytes.NewReader(doc)}
	if problem := s.detect(); problem != "" {
		t.Fatal(problem)
	}
	buf := make([]byte, 3*len(doc)+8)
	n, err := s.read(buf)
	if err != io.EOF {
		t.Fatal(err)
	}
	return buf[:n]
}

// checkCover checks that the tokens stand for the whole text, one behind the other, each where it says, and returns the
// document written from them.
func checkCover(t *testing.T, r *Reader, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var end int64
	for {
		tok, err := r.Next()
		if err == io.EOF {
			checkGap(t, text, end, int64(len(text)))
			return out.Bytes()
		}
		if err != nil {
			t.Fatal(err)
		}
		if tok.Begin != end && tok.Depth > 0 && (tok.Depth > 1 || tok.Kind != Start) {
			t.Fatalf("%s begins at %d, the one before ended at %d", show(tok), tok.Begin, end)
		}
		checkGap(t, text, end, tok.Begin)
		raw := string(text[tok.Begin:tok.Fin])
		if opening, closing := brackets(tok); !strings.HasPrefix(raw, opening) || !strings.HasSuffix(raw, closing) {
			t.Fatalf("%s stands for %q", show(tok), raw)
		}
		end = tok.Fin
		write(&out, tok)
	}
}

func checkGap(t *testing.T, text []byte, from, to int64) {
	t.Helper()
	gap := text[from:to]
	if d, _, _ := readDeclaration(gap); from == 0 {
		gap = gap[d.size:]
	}
	if len(bytes.Trim(gap, " \t\r\n")) > 0 {
		t.Fatalf("no token stands for %q", gap)
	}
}

func brackets(tok *Token) (opening, closing string) {
	switch {
	case tok.Kind == Start && tok.Empty:
		return "<" + written(tok.Name), "/>"
	case tok.Kind == Start:
		return "<" + written(tok.Name), ">"
	case tok.Kind == End && tok.Begin < tok.Fin:
		return "</" + written(tok.Name), ">"
	case tok.Kind == Comment:
		return "<!--", "-->"
	case tok.Kind == Instruction:
		return "<?" + written(tok.Name), "?>"
	}
	return "", ""
}

func written(n Name) string {
	if n.Prefix == nil {
		return string(n.Local)
	}
	return string(n.Prefix) + ":" + string(n.Local)
}

var escaper = strings.NewReplacer("<", "&lt;", "&", "&amp;", ">", "&gt;", `"`, "&quot;", "\t", "&#9;", "\n", "&#10;", "\r", "&#13;")

func write(out *bytes.Buffer, tok *Token) {
	switch tok.Kind {
	case Start:
		out.WriteString("<" + written(tok.Name))
		for _, d := range tok.Bindings {
			n := "xmlns"
			if d.Prefix != "" {
				n += ":" + d.Prefix
			}
			out.WriteString(" " + n + `="` + escaper.Replace(d.URI) + `"`)
		}
		for _, a := range tok.Attrs {
			out.WriteString(" " + written(a.Name) + `="` + escaper.Replace(string(a.Value)) + `"`)
		}
		out.WriteString(">")
	case End:
		out.WriteString("</" + written(tok.Name) + ">")
	case Text:
		out.WriteString(escaper.Replace(string(tok.Data)))
	case Comment:
		out.WriteString("<!--" + string(tok.Data) + "-->")
	case Instruction:
		out.WriteString("<?" + written(tok.Name) + " " + string(tok.Data) + "?>")
	}
}
