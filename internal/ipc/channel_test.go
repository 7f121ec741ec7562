// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

func streams(t testing.TB) (Conn, Conn) {
	r1, w1 := io.Pipe()
	r2, w2 := io.Pipe()
	a, b := Stdio(r1, w2, MaxFrame), Stdio(r2, w1, MaxFrame)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func chID(n int) string { return fmt.Sprintf("%032x", n) }

func openFrame(n int, origin string) string {
	return fmt.Sprintf(`{"ch":%q,"from":{"origin":%q,"frame":0,"extension":%q},"kind":"open"}`, chID(n), origin, testExtension)
}

// echoDemux answers every message with itself and tells who came.
func echoDemux(t *testing.T) (host Conn, peers chan Peer, ended chan error) {
	host, session := streams(t)
	peers, ended = make(chan Peer, 2*MaxChannels), make(chan error, 1)
	go func() {
		ended <- Demux(session, Peer{UID: 5, PID: 6, Program: "/p", Via: ViaUnix, Extension: testExtension}, func(c Conn, p Peer) {
			peers <- p
			for {
				b, err := c.Recv()
				if err != nil {
					return
				}
				c.Send(b)
			}
		})
	}()
	return host, peers, ended
}

func exchange(t *testing.T, c Conn, frames ...string) string {
	t.Helper()
	for _, f := range frames {
		if err := c.Send([]byte(f)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := c.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDemux(t *testing.T) {
	host, peers, ended := echoDemux(t)
	const origin = "https://portal.example"
	want := fmt.Sprintf(`{"ch":%q,"kind":"rpc","body":{"a":1}}`, chID(1))
	if got := exchange(t, host, openFrame(1, origin), want); got != want {
		t.Errorf("got %s", got)
	}
	if p := <-peers; p != (Peer{UID: 5, PID: 6, Program: "/p", Via: ViaNative, Origin: origin, Frame: "0", Extension: testExtension}) {
		t.Errorf("peer %+v", p)
	}
	part := func(more bool, s string) string {
		return fmt.Sprintf(`{"ch":%q,"kind":"part","more":%v,"body":%q}`, chID(1), more, s)
	}
	if got := exchange(t, host, part(true, `{"a"`), part(true, `:`), part(false, `1}`)); got != want {
		t.Errorf("parts joined to %s", got)
	}
	closed := func(n int, reason string) string { return string(closeFrame(chID(n), reason)) }
	for name, c := range map[string]struct{ frame, answer string }{
		"unknown channel":     {fmt.Sprintf(`{"ch":%q,"kind":"rpc","body":1}`, chID(9)), closed(9, "unknown")},
		"no origin":           {openFrame(2, ""), closed(2, "origin")},
		"null origin":         {openFrame(3, "null"), closed(3, "origin")},
		"origin with a path":  {openFrame(4, "https://portal.example/"), closed(4, "origin")},
		"foreign extension":   {openFrame(5, "chrome-extension://"+strings.Repeat("p", 32)), closed(5, "origin")},
		"other relay":         {strings.Replace(openFrame(6, origin), testExtension, strings.Repeat("p", 32), 1), closed(6, "origin")},
		"bad top":             {fmt.Sprintf(`{"ch":%q,"from":{"origin":%q,"top":"null","extension":%q},"kind":"open"}`, chID(7), origin, testExtension), closed(7, "origin")},
		"unknown kind":        {fmt.Sprintf(`{"ch":%q,"kind":"x"}`, chID(8)), closed(8, "malformed")},
		"unknown member":      {fmt.Sprintf(`{"ch":%q,"kind":"close","x":1}`, chID(8)), closed(8, "malformed")},
		"member in capitals":  {fmt.Sprintf(`{"ch":%q,"kind":"close","BODY":1}`, chID(8)), closed(8, "malformed")},
		"no body":             {fmt.Sprintf(`{"ch":%q,"kind":"rpc"}`, chID(8)), closed(8, "malformed")},
		"no JSON":             {fmt.Sprintf(`{"ch":%q,"kind":`, chID(8)), closed(8, "malformed")},
		"open without caller": {fmt.Sprintf(`{"ch":%q,"kind":"open"}`, chID(8)), closed(8, "malformed")},
	} {
		if got := exchange(t, host, c.frame); got != c.answer {
			t.Errorf("%s: got %s, want %s", name, got, c.answer)
		}
	}
	if got := exchange(t, host, openFrame(1, origin)); got != closed(1, "malformed") {
		t.Errorf("opened twice: %s", got)
	}
	for what, frames := range map[string][]string{
		"message between parts": {part(true, `{`), want},
		"part is no string":     {strings.Replace(part(false, "x"), `"x"`, "1", 1)},
		"caller after open":     {strings.Replace(want, `"kind"`, `"from":{"origin":"https://evil.example"},"kind"`, 1)},
		"parts too large":       {part(true, strings.Repeat("a", 3<<20)), part(true, strings.Repeat("a", 2<<20))},
	} {
		if got := exchange(t, host, append([]string{openFrame(1, origin)}, frames...)...); got != closed(1, "malformed") {
			t.Errorf("%s: got %.200s", what, got)
		}
	}
	if got := exchange(t, host, openFrame(10, "chrome-extension://"+testExtension), strings.Replace(want, chID(1), chID(10), 1)); !strings.Contains(got, chID(10)) {
		t.Errorf("our own extension got %s", got)
	}
	host.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestOwnPage(t *testing.T) {
	const moz = "moz-extension://01234567-89ab-cdef-0123-456789abcdef"
	for _, c := range []struct {
		origin, extension string
		want              bool
	}{
		{"chrome-extension://" + testExtension, testExtension, true}, {moz, "agent@persten.example", true},
		{moz, testExtension, false}, {"chrome-extension://" + testExtension, "agent@persten.example", false},
		{"chrome-extension://" + strings.Repeat("p", 32), testExtension, false}, {"moz-extension://x", "agent@persten.example", false}, {"", "", false},
	} {
		if got := ownPage(c.origin, c.extension); got != c.want {
			t.Errorf("%s by %s: %v", c.origin, c.extension, got)
		}
	}
}

func TestDemuxChannelLimit(t *testing.T) {
	host, peers, _ := echoDemux(t)
	for i := range MaxChannels {
		host.Send([]byte(openFrame(i, "https://portal.example")))
	}
	if got, want := exchange(t, host, openFrame(MaxChannels, "https://portal.example")), string(closeFrame(chID(MaxChannels), "limit")); got != want {
		t.Errorf("got %s", got)
	}
	host.Send(closeFrame(chID(3), ""))
	host.Send([]byte(openFrame(MaxChannels, "https://portal.example")))
	eventually(t, "all channels are accepted", func() bool { return len(peers) == MaxChannels+1 })
}

func TestDemuxEndsOnNoise(t *testing.T) {
	host, _, ended := echoDemux(t)
	for range maxBadFrames + 1 {
		host.Send([]byte("noise"))
	}
	if err := <-ended; !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
}

// TestDemuxUnread: a channel nobody reads is ended at the limit, and gives its memory back; others go on.
func TestDemuxUnread(t *testing.T) {
	host, session := streams(t)
	release := make(chan struct{})
	m := &mux{c: session, channels: map[string]*channel{}, peer: Peer{Extension: testExtension}}
	m.accept = func(c Conn, p Peer) { <-release }
	go m.read()
	host.Send([]byte(openFrame(1, "https://portal.example")))
	msg := fmt.Sprintf(`{"ch":%q,"kind":"rpc","body":"%s"}`, chID(1), strings.Repeat("a", 3<<20))
	go func() {
		for range muxBytes/(3<<20) + 1 {
			host.Send([]byte(msg))
		}
	}()
	b, err := host.Recv()
	if err != nil || string(b) != string(closeFrame(chID(1), "malformed")) {
		t.Errorf("got %.200s, %v", b, err)
	}
	if n := m.queued.Load(); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
	close(release)
}

func TestHostPipe(t *testing.T) {
	browser, hostB := streams(t)
	hostS, session := streams(t)
	ended := make(chan error, 1)
	go func() { ended <- HostPipe(hostB, hostS, testExtension) }()
	send := func(c Conn, s string) {
		t.Helper()
		if err := c.Send([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	recv := func(c Conn) string {
		t.Helper()
		b, err := c.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	send(browser, fmt.Sprintf(`{"ch":%q,"from":{"origin":"https://a.example","frame":3,"extension":"forged"},"kind":"open"}`, chID(1)))
	if got, want := recv(session), fmt.Sprintf(`{"ch":%q,"from":{"origin":"https://a.example","frame":"3","extension":%q},"kind":"open"}`, chID(1), testExtension); got != want {
		t.Errorf("the extension was not stamped: %s", got)
	}
	body := `{"z":"<&>\u2028я", "a":1.0}`
	send(browser, fmt.Sprintf(`{"ch":%q,"kind":"rpc","body":%s}`, chID(1), body))
	if got, want := recv(session), fmt.Sprintf(`{"ch":%q,"kind":"rpc","body":%s}`, chID(1), body); got != want {
		t.Errorf("the body was changed: %s", got)
	}
	go io.Copy(hostW(t, browser), io.MultiReader(bytes.NewReader(binary.NativeEndian.AppendUint32(nil, 5<<20)),
		strings.NewReader(`{"ch":"`+chID(2)+`","kind":"rpc","body":"`), io.LimitReader(endless{}, 5<<20-int64(len(`{"ch":"","kind":"rpc","body":"`))-32)))
	want := string(closeFrame(chID(2), "too_large"))
	if got := recv(browser); got != want {
		t.Errorf("browser hears %s", got)
	}
	if got := recv(session); got != want {
		t.Errorf("session hears %s", got)
	}
	text := `"` + strings.Repeat(`\"я\n€😀`, 200<<10) + `"`
	go session.Send(fmt.Appendf(nil, `{"ch":%q,"kind":"rpc","body":%s}`, chID(1), text))
	var joined strings.Builder
	for more := true; more; {
		f := recv(browser)
		var e struct {
			Ch, Kind, Body string
			More           bool
		}
		if err := json.Unmarshal([]byte(f), &e); err != nil || e.Ch != chID(1) || e.Kind != "part" || len(f) > MaxPart+200 || !utf8.ValidString(f) {
			t.Fatalf("frame of %d bytes %.100s, %v", len(f), f, err)
		}
		joined.WriteString(e.Body)
		more = e.More
	}
	if joined.String() != text {
		t.Errorf("%d bytes became %d", len(text), joined.Len())
	}
	session.Close()
	if err := <-ended; err == nil {
		t.Error("the session went and the host did not notice")
	}
	if _, err := browser.Recv(); err == nil {
		t.Error("the browser's side is still open")
	}
}

func hostW(t *testing.T, c Conn) io.Writer { return c.(*stream).w }

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestHostPipeEndsWithBrowser(t *testing.T) {
	browser, hostB := streams(t)
	hostS, session := streams(t)
	ended := make(chan error, 1)
	go func() { ended <- HostPipe(hostB, hostS, testExtension) }()
	browser.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := session.Recv(); err == nil {
		t.Error("the session's side is still open")
	}
}

func TestFrames(t *testing.T) {
	a, b := streams(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 50 {
				a.Send(bytes.Repeat([]byte{byte(i)}, 1+j*997))
			}
		})
	}
	for range 400 {
		msg, err := b.Recv()
		if err != nil || len(bytes.Trim(msg, string(msg[:1]))) != 0 {
			t.Fatalf("frames were mixed: %v", err)
		}
	}
	wg.Wait()
	var large *FrameError
	if err := a.Send(make([]byte, MaxFrame+1)); !errors.As(err, &large) {
		t.Error("too large to send:", err)
	}
}

func TestFrameRefused(t *testing.T) {
	frame := func(size uint32, body string) string {
		return string(binary.NativeEndian.AppendUint32(nil, size)) + body
	}
	for name, c := range map[string]struct {
		in      string
		want    error
		skipped bool
	}{
		"nothing":          {"", io.EOF, false},
		"half a header":    {"\x01\x00", io.ErrUnexpectedEOF, false},
		"header alone":     {frame(5, ""), io.ErrUnexpectedEOF, false},
		"half a body":      {frame(5, "ab"), io.ErrUnexpectedEOF, false},
		"huge, missing":    {frame(1<<32-1, "ab"), nil, false},
		"over, missing":    {frame(200, "ab"), io.ErrUnexpectedEOF, false},
		"over, then fine":  {frame(200, strings.Repeat("a", 200)) + frame(1, "b"), nil, true},
		"exactly the most": {frame(100, strings.Repeat("a", 100)), nil, false},
	} {
		s := Stdio(strings.NewReader(c.in), io.Discard, 100)
		_, err := s.Recv()
		var large *FrameError
		switch {
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %v", name, err)
		case errors.As(err, &large) && large.Skipped != c.skipped:
			t.Errorf("%s: skipped is %v", name, large.Skipped)
		}
		if c.skipped {
			if b, err := s.Recv(); string(b) != "b" || err != nil {
				t.Errorf("%s: the next frame is %q, %v", name, b, err)
			}
		}
	}
}

// binaryOf is what a session receives of a local client that sends in.
func binaryOf(in string, max int) (got []string, err error) {
	q := &queued{stream: stream{r: strings.NewReader(in), w: io.Discard, max: max}}
	for {
		msg, err := q.RecvBinary(func(r io.Reader) error {
			head := make([]byte, 3) // and no more: the rest is dropped
			n, err := io.ReadFull(r, head)
			got = append(got, "binary "+string(head[:n]))
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil
			}
			return err
		})
		if err != nil {
			return got, err
		}
		got = append(got, string(msg))
	}
}

func TestBinaryFrames(t *testing.T) {
	var sent bytes.Buffer
	l := &local{&stream{w: &sent, max: 100}}
	for _, parts := range [][][]byte{{[]byte("ab"), []byte("cdef")}, {}, {make([]byte, 100)}} {
		if err := l.SendBinary(parts...); err != nil {
			t.Fatal(err)
		}
	}
	l.Send([]byte("{}"))
	var large *FrameError
	if err := l.SendBinary(make([]byte, 60), make([]byte, 41)); !errors.As(err, &large) || large.Size != 101 {
		t.Error("too large to send:", err)
	}
	whole := sent.String()
	want := []string{"binary abc", "binary ", "binary \x00\x00\x00", "{}"}
	if got, err := binaryOf(whole, 100); err != io.EOF || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	for cut := 1; cut < len(whole); cut++ {
		if _, err := binaryOf(whole[:cut], 100); err != io.ErrUnexpectedEOF && !slices.Contains([]int{10, 14, 118}, cut) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
	}
	if _, err := binaryOf(whole, 99); !errors.As(err, &large) || large.Size != 100 {
		t.Error("too large:", err)
	}
	s := Stdio(strings.NewReader(whole), io.Discard, 100) // a host, or a pair, has none
	if _, err := s.Recv(); !errors.As(err, &large) {
		t.Error("binary where there is none:", err)
	}
}

func FuzzBinaryFrames(f *testing.F) {
	f.Add("\x05\x00\x00\x80abcde\x02\x00\x00\x00{}")
	f.Add("\xff\xff\xff\xff")
	f.Add("\x05\x00\x00\x80ab")
	f.Fuzz(func(t *testing.T, in string) {
		got, err := binaryOf(in, 64)
		if err == nil || len(got) > len(in)/headerSize {
			t.Fatalf("%d messages, %v", len(got), err)
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00{}"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Add([]byte("\x05\x00\x00\x00ab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &stream{r: bytes.NewReader(b), w: io.Discard, max: 64, skip: 256}
		for n := 0; ; n++ {
			msg, err := s.Recv()
			var large *FrameError
			if errors.As(err, &large) && large.Skipped {
				continue
			}
			if err != nil {
				return
			}
			if len(msg) > 64 || n > len(b) {
				t.Fatalf("message of %d bytes, number %d", len(msg), n)
			}
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(openFrame(1, "https://portal.example")), 10)
	f.Add([]byte(fmt.Sprintf(`{"ch":%q,"kind":"part","more":true,"body":"я\u2028"}`, chID(1))), 3)
	f.Add([]byte(fmt.Sprintf(`{"ch":%q,"kind":"rpc","body":{"a":[1,2]}}`, chID(1))), 1)
	f.Fuzz(func(t *testing.T, b []byte, _ int) {
		e, err := parseEnvelope(b)
		if err != nil {
			return
		}
		out, err := e.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseEnvelope(out)
		if err != nil || again.Ch != e.Ch || again.Kind != e.Kind || again.More != e.More || !bytes.Equal(again.Body, e.Body) {
			t.Fatalf("%q became %q: %v", b, out, err)
		}
		var joined strings.Builder
		for _, frame := range cut(e.Ch, e.Body) {
			p, err := parseEnvelope(frame)
			if err != nil {
				t.Fatal(err)
			}
			var s string
			if err := json.Unmarshal(p.Body, &s); err != nil {
				t.Fatal(err)
			}
			joined.WriteString(s)
		}
		if joined.String() != string(e.Body) {
			t.Fatalf("%q was cut to %q", e.Body, joined.String())
		}
	})
}

func TestCheckJSON(t *testing.T) {
	for in, want := range map[string]error{
		`{"a":1,"b":[{"a":2},{"a":3}]}`: nil, ` "x" `: nil, `{"a":{"a":1},"b":{"a":1}}`: nil, `[["a","a"],{"a":"a"}]`: nil, `{"a,\"a":1,"a":2}`: nil,
		``: ErrJSON, `{} {}`: ErrJSON, `{}x`: ErrJSON, `{"a":1,}`: ErrJSON, `{'a':1}`: ErrJSON, `{"a":1`: ErrJSON, `}`: ErrJSON, `NaN`: ErrJSON, `"`: ErrJSON, `"\`: ErrJSON, `[1,2`: ErrJSON,
		`{"a":1,"a":2}`: ErrJSONDuplicate, `{"x":[{"a":1,"b":2,"a":3}]}`: ErrJSONDuplicate, `{"a":1,"\u0061":2}`: ErrJSONDuplicate, `{"":1,"":2}`: ErrJSONDuplicate,
		`[[[[]]]]`: nil, `[[[[[]]]]]`: ErrJSONDepth, `{"a":{"a":{"a":{"a":{}}}}}`: ErrJSONDepth, `"[[[[[["`: nil, strings.Repeat("[", 100_000): ErrJSONDepth,
		"\"\xff\"": ErrJSONText, "{\"\xc0\xaf\":1}": ErrJSONText,
	} {
		if err := CheckJSON([]byte(in), 4); !errors.Is(err, want) {
			t.Errorf("%.40q: %v, want %v", in, err, want)
		}
	}
}

func FuzzCheckJSON(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"\u0061"}],"c":"}"}`))
	f.Add([]byte(`{"a":1,"\u0061":2}`))
	f.Add([]byte(` { "" : null , "\\\"" : [ { } , ":,}" ] , "\ud800" : "\\" } `))
	f.Add([]byte(`{}`))
	f.Add([]byte(`["a\\`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if CheckJSON(b, 32) != nil {
			return
		}
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%q passed: %v", b, err)
		}
		if d := depthOf(v); d > 32 {
			t.Fatalf("depth %d passed", d)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal(b, &want) != nil {
			want = nil
		}
		if got := Members(b); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: members %q, want %q", b, got, want)
		}
	})
}

func depthOf(v any) int {
	deepest := -1
	switch v := v.(type) {
	case map[string]any:
		for _, m := range v {
			deepest = max(deepest, depthOf(m))
		}
	case []any:
		for _, m := range v {
			deepest = max(deepest, depthOf(m))
		}
	default:
		return 0
	}
	return max(deepest, 0) + 1
}

func TestSendDoesNotOutliveClose(t *testing.T) {
	a, _ := streams(t)
	done := make(chan error, 1)
	go func() { done <- a.Send(make([]byte, 1<<20)) }()
	time.Sleep(10 * time.Millisecond)
	a.Close()
	select {
	case err := <-done:
		if err == nil {
			t.Error("sent to nobody")
		}
	case <-time.After(5 * time.Second):
		t.Error("Send still waits")
	}
}
