// SPDX-License-Identifier: GPL-3.0-or-later

package xml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// repeat gives head, then piece count times, then tail, without holding them.
type repeat struct {
	head, piece, tail string
	count             int
	now               string
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case r.now != "":
		case r.head != "":
			r.now, r.head = r.head, ""
		case r.count > 0:
			r.now, r.count = r.piece, r.count-1
		case r.tail != "":
			r.now, r.tail = r.tail, ""
		default:
			return n, io.EOF
		}
		m := copy(p[n:], r.now)
		r.now, n = r.now[m:], n+m
	}
	return n, nil
}

// peak reads everything and tells how much the heap grew meanwhile.
func peak(t *testing.T, src io.Reader, l Limits) (tokens int, grown int64, err error) {
	t.Helper()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for r := NewReader(src, l); ; tokens++ {
		if tokens%(1<<18) == 0 {
			runtime.ReadMemStats(&now)
			grown = max(grown, int64(now.HeapAlloc)-int64(before.HeapAlloc))
		}
		if _, err = r.Next(); err != nil {
			runtime.ReadMemStats(&now)
			return tokens, max(grown, int64(now.HeapAlloc)-int64(before.HeapAlloc)), err
		}
	}
}

// TestMemory: what is not kept costs nothing, however long.
func TestMemory(t *testing.T) {
	size := 1 << 30
	if testing.Short() {
		size = 1 << 26
	}
	long := strings.Repeat("длинный текст ", 100)
	crlf := strings.Repeat("line\r\n", 500)
	wide := strings.Repeat(`<p:e xmlns:p="urn:p" xml:lang="ru" a="1"><b/>x</p:e>`, 100)
	for _, c := range []struct {
		name, head, piece, tail string
		size                    int
	}{
		{"text", "<a>", long, "</a>", size},
		{"text with line ends", "<a>", crlf, "</a>", size / 8},
		{"section", "<a><![CDATA[", long, "]]></a>", size / 8},
		{"elements", "<a>", wide, "</a>", size / 8},
		{"comments outside", "<a/>", "<!-- -->\n", "", size / 16},
		{"space outside", strings.Repeat(" ", 1000), strings.Repeat("\n", 1000), "<a/>", size / 8},
		{"windows-1251", "<?xml version='1.0' encoding='windows-1251'?><a>", strings.Repeat("\xf2\xe5\xea\xf1\xf2 ", 200), "</a>", size / 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			n, grown, err := peak(t, &repeat{head: c.head, piece: c.piece, tail: c.tail, count: c.size / len(c.piece)}, Limits{})
			if err != io.EOF {
				t.Fatal(err)
			}
			if grown > 2<<20 {
				t.Errorf("%d MiB took %d KiB of memory", c.size>>20, grown>>10)
			}
			t.Logf("%d MiB, %d tokens, %d KiB of heap, %.0f MB/s", c.size>>20, n, grown>>10, float64(c.size)/1e6/time.Since(start).Seconds())
		})
	}
}

// TestURIsChangeForever: what is remembered to share storage does not grow without end either.
func TestURIsChangeForever(t *testing.T) {
	src, w := io.Pipe()
	go func() {
		fmt.Fprint(w, "<a>")
		for i := range 200_000 {
			fmt.Fprintf(w, "<p%d:b xmlns:p%d='urn:%d' xml:id='i%d'/>", i, i, i, i)
		}
		fmt.Fprint(w, "</a>")
		w.Close()
	}()
	if _, grown, err := peak(t, src, Limits{}); err != io.EOF || grown > 8<<20 {
		t.Errorf("%v, %d KiB", err, grown>>10)
	}
}

func TestLimits(t *testing.T) {
	attrs := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d=''", i)
		}
		return b.String()
	}
	namespaces := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " xmlns:p%d='u'", i)
		}
		return b.String()
	}
	x := strings.Repeat
	for _, c := range []struct {
		name, doc string
		l         Limits
		ok        bool
	}{
		{"depth", x("<a>", 256) + x("</a>", 256), Limits{}, true},
		{"depth", x("<a>", 257) + x("</a>", 257), Limits{}, false},
		{"depth, set", x("<a>", 1000) + x("</a>", 1000), Limits{Depth: 1000}, true},
		{"attributes", "<a" + attrs(1024) + "/>", Limits{}, true},
		{"attributes", "<a" + attrs(1025) + "/>", Limits{}, false},
		{"attributes and declarations", "<a" + attrs(500) + namespaces(524) + "/>", Limits{}, true},
		{"attributes and declarations", "<a" + attrs(500) + namespaces(525) + "/>", Limits{}, false},
		{"bindings", x("<a"+namespaces(1024)+">", 4) + x("</a>", 4), Limits{}, true},
		{"bindings", x("<a"+namespaces(1024)+">", 4) + "<a xmlns='u'/>" + x("</a>", 4), Limits{}, false},
		{"bindings again and again", "<a>" + x("<a"+namespaces(1024)+"/>", 9) + "</a>", Limits{}, true},
		{"tag", "<a b='" + x("x", 1<<20-9) + "'/>", Limits{}, true},
		{"tag", "<a b='" + x("x", 1<<20-8) + "'/>", Limits{}, false},
		{"tag, small", "<a b='xx'/>", Limits{Tag: 11}, true},
		{"tag, small", "<a b='xxx'/>", Limits{Tag: 11}, false},
		{"end tag", "<a></a" + x(" ", 100) + ">", Limits{Tag: 100}, false},
		{"comment", "<!--" + x("-x", 1<<19-4) + "x--><a/>", Limits{}, true},
		{"comment", "<!--" + x("-x", 1<<19-3) + "--><a/>", Limits{}, false},
		{"instruction", "<?p " + x("x", 1<<20-6) + "?><a/>", Limits{}, true},
		{"instruction", "<?p " + x("x", 1<<20-5) + "?><a/>", Limits{}, false},
		{"reference", "<a>&#" + x("0", 2<<20) + "32;</a>", Limits{}, false},
		{"text is no markup", "<a>" + x("x", 3<<20) + "</a>", Limits{Tag: 100}, true},
		{"open elements", x("<"+x("n", 1<<20-10)+">", 5), Limits{}, false},
		{"size", "<a>" + x("ж", 100) + "</a>", Limits{Size: 207}, true},
		{"size", "<a>" + x("ж", 100) + "</a>", Limits{Size: 206}, false},
		{"size inside a character", "<a>" + x("ж", 100) + "</a>", Limits{Size: 50}, false},
		{"size, outside the root", "<a/>" + x(" ", 100), Limits{Size: 103}, false},
		{"size in bytes of UTF-8", "<?xml version='1.0' encoding='koi8-r'?><a>" + x("\xc1", 100) + "</a>", Limits{Size: 246}, true},
		{"size in bytes of UTF-8", "<?xml version='1.0' encoding='koi8-r'?><a>" + x("\xc1", 100) + "</a>", Limits{Size: 245}, false},
	} {
		_, err := readStream(NewReader(strings.NewReader(c.doc), c.l))
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, want it to be accepted: %v", c.name, err, c.ok)
		}
	}
}

// TestBombs: documents made to cost much more than their size are refused soon and with little memory.
func TestBombs(t *testing.T) {
	entities := "<!DOCTYPE a [<!ENTITY e0 'lol'>"
	for i := range 20 {
		entities += fmt.Sprintf("<!ENTITY e%d '%s'>", i+1, strings.Repeat(fmt.Sprintf("&e%d;", i), 10))
	}
	numbered := func(format string, n int) string {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	for _, c := range []struct {
		name string
		src  io.Reader
		want error
	}{
		{"a million open elements", &repeat{piece: "<a>", count: 1e6}, ErrLimit},
		{"a hundred thousand attributes", strings.NewReader("<a" + numbered(" a%d=''", 1e5) + "/>"), ErrLimit},
		{"one attribute a hundred thousand times", &repeat{head: "<a", piece: " a=''", count: 1e5, tail: "/>"}, ErrLimit},
		{"a hundred thousand declarations", strings.NewReader("<a" + numbered(" xmlns:a%d='u'", 1e5) + "/>"), ErrLimit},
		{"a gibibyte of a tag", &repeat{head: "<a b='", piece: strings.Repeat("x", 1<<16), count: 1 << 14}, ErrLimit},
		{"a gibibyte of a name", &repeat{head: "<", piece: strings.Repeat("x", 1<<16), count: 1 << 14}, ErrLimit},
		{"a gibibyte of a comment", &repeat{head: "<!--", piece: strings.Repeat("x", 1<<16), count: 1 << 14}, ErrLimit},
		{"a gibibyte of an instruction", &repeat{head: "<?p ", piece: strings.Repeat("x", 1<<16), count: 1 << 14}, ErrLimit},
		{"billion laughs", strings.NewReader(entities + "]><a>&e20;</a>"), ErrDoctype},
		{"external entity", strings.NewReader("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"), ErrDoctype},
		{"external DTD", strings.NewReader("<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'><a/>"), ErrDoctype},
		{"entity without DTD", strings.NewReader("<a>&x;</a>"), ErrSyntax},
	} {
		start := time.Now()
		_, grown, err := peak(t, c.src, Limits{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if took := time.Since(start); took > 5*time.Second || grown > 16<<20 {
			t.Errorf("%s: %v and %d KiB", c.name, took, grown>>10)
		}
	}
}

// TestManyAttributesStayCheap: looking for doubled attributes is not quadratic, and neither is reading a long tag.
func TestManyAttributesStayCheap(t *testing.T) {
	var tag bytes.Buffer
	tag.WriteString("<b")
	for i := range 1024 {
		fmt.Fprintf(&tag, " %s%04d=''", strings.Repeat("a", 900), i)
	}
	tag.WriteString("/>")
	start := time.Now()
	if _, _, err := peak(t, &repeat{head: "<a>", piece: tag.String(), count: 50, tail: "</a>"}, Limits{}); err != io.EOF {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("50 MB of tags took %v", took)
	}
}

// TestNoAllocation: reading on costs no memory once the buffers are there.
func TestNoAllocation(t *testing.T) {
	r := NewReader(&repeat{head: "<a xmlns='u'>", piece: string(mixedElement), count: 1 << 20, tail: "</a>"}, Limits{})
	read := func() {
		for range 1000 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	read()
	if n := testing.AllocsPerRun(50, read); n > 0 {
		t.Errorf("%v allocations per 1000 tokens", n)
	}
}

var mixedElement = []byte(`<p:e xmlns:p="urn:p" a="1" p:b="&lt;" xml:lang="ru"><c>текст&amp;<![CDATA[x]]></c><!-- --><?p x?>` + "\r\n</p:e>")
