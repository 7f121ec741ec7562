// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	web "github.com/gorilla/websocket"

	"persten/internal/ipc"
	"persten/proto"
)

// ways are those a document can come: as binary messages of a WebSocket and of the user's socket, and as content.append on anything else.
var ways = []string{"websocket", "socket", "host"}

// noise is n bytes that differ from piece to piece.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// sending is a document on its way.
type sending struct {
	*peer
	proto.ContentOpenResult
	sent, received int64
	pieces         int
}

func begin(t testing.TB, c *peer, p proto.ContentOpenParams) *sending {
	t.Helper()
	opened, bad := call[proto.ContentOpenResult](t, c, proto.MethodContentOpen, p)
	if bad != nil {
		t.Fatal(bad)
	}
	if (opened.Stream > 0) != (c.binary != nil) || (opened.Stream > 0) != (opened.Window > 0) {
		t.Fatalf("opened %+v", opened)
	}
	return &sending{peer: c, ContentOpenResult: *opened}
}

// piece sends one piece as if offset bytes had gone before. It waits for no answer.
func (s *sending) piece(t testing.TB, offset int64, data []byte) {
	t.Helper()
	s.sent = offset + int64(len(data))
	s.pieces++
	var err error
	if s.binary != nil {
		err = s.binary(s.Stream, offset, data)
	} else {
		var params []byte
		params, err = json.Marshal(proto.ContentAppendParams{Handle: s.Handle, Data: data, Size: s.sent})
		err = errors.Join(err, s.raw.Send(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":"%s-%d","method":"content.append","params":%s}`, s.Handle, s.pieces, params)))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// write sends data as a good client does: as much as the window allows, or pieces in a row that content.close waits for.
func (s *sending) write(t testing.TB, data []byte) {
	t.Helper()
	for len(data) > 0 {
		n := min(300_000, len(data))
		for s.binary != nil && s.sent+int64(n)-s.received > int64(s.Window) {
			s.hear(t)
		}
		if s.binary == nil && s.pieces%4 == 3 { // its answer says that those before it are in, too
			s.pieces, s.sent = s.pieces+1, s.sent+int64(n)
			p := proto.ContentAppendParams{Handle: s.Handle, Data: data[:n], Size: s.sent}
			if got := code(t, s.peer, proto.MethodContentAppend, p); got != "" {
				t.Fatal(got)
			}
		} else {
			s.piece(t, s.sent, data[:n])
		}
		data = data[n:]
	}
}

func (s *sending) hear(t testing.TB) {
	t.Helper()
	var p proto.ContentReceivedParams
	n := s.note(t)
	if err := json.Unmarshal(n.params, &p); err != nil || n.method != proto.NotifyContentReceived || p.Handle != s.Handle || p.Size <= s.received || p.Size > s.sent {
		t.Fatalf("heard %s %s", n.method, n.params)
	}
	s.received = p.Size
}

func (s *sending) note(t testing.TB) note {
	t.Helper()
	select {
	case n := <-s.notes:
		return n
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing heard after %d bytes, %d received", s.sent, s.received)
		return note{}
	}
}

// close ends the document and returns the code of what is wrong with it.
func (s *sending) close(t testing.TB) proto.Code {
	t.Helper()
	return code(t, s.peer, proto.MethodContentClose, proto.ContentCloseParams{Handle: s.Handle})
}

// failure is the problem the agent tells of by itself.
func (s *sending) failure(t testing.TB) (p proto.ContentFailedParams) {
	t.Helper()
	for {
		switch n := s.note(t); n.method {
		case proto.NotifyContentFailed:
			if err := json.Unmarshal(n.params, &p); err != nil || p.Validate() != nil || p.Problem.Text == "" {
				t.Fatalf("%s: %v", n.params, err)
			}
			return p
		case proto.NotifyContentReceived:
		default:
			t.Fatalf("heard %s", n.method)
		}
	}
}

// The whole way of a large document, hashed as it comes.
func TestStreamedDocument(t *testing.T) {
	data := noise(5<<20 + 5)
	sum := sha256.Sum256(data)
	keys, err := demo.Keys(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range ways {
		b := newBench(t, &person{decide: yes}, demo)
		c := b.dialOver(t, websocket, way)
		for _, p := range []proto.ContentOpenParams{
			{Name: "n"}, {Name: "n", Size: int64(len(data)), Certificate: certificate(t)}, {Name: "n", DigestAlg: "sha256"},
			{Name: "n", Certificate: "00000000000000000000000000000000000000000000000000000000000000ff"},
		} {
			s := begin(t, c, p)
			s.write(t, data)
			if got := s.close(t); got != "" {
				t.Fatalf("%s: %s", way, got)
			}
			if !bytes.Equal(download(t, c, s.Handle), data) {
				t.Errorf("%s: other bytes arrived", way)
			}
			if got := s.close(t); got != "" {
				t.Errorf("%s: closed again: %s", way, got)
			}
			for _, k := range keys[:2] {
				made, bad := call[proto.SignCMSResult](t, c, proto.MethodSignCMS, proto.SignCMSParams{Certificate: k.ID(), Content: &proto.Content{Handle: s.Handle}})
				if bad != nil {
					t.Fatalf("%s: %+v", way, bad)
				}
				report, bad := call[proto.VerifyCMSResult](t, c, proto.MethodVerifyCMS, proto.VerifyCMSParams{Signature: made.Signature, Content: &proto.Content{Handle: s.Handle}})
				if bad != nil || !report.Valid {
					t.Errorf("%s: %+v %+v", way, report, bad)
				}
				if p.DigestAlg == "" {
					break
				}
			}
			code(t, c, proto.MethodContentDrop, proto.ContentDropParams{Handle: s.Handle})
			for len(c.notes) > 0 {
				<-c.notes
			}
		}
		for _, q := range b.person.questions() {
			if d := q.Documents[0]; d.Size != int64(len(data)) || d.Alg == "sha256" && d.Digest != hex.EncodeToString(sum[:]) {
				t.Errorf("%s: asked about %d bytes, %s %s", way, d.Size, d.Alg, d.Digest)
			}
		}
		eventually(t, "nothing is kept", func() bool { return spooled(t, filepath.Dir(b.journal)) == 0 })
	}
}

// Each fault ends the document and nothing else: the page is told why, the bytes are gone, nobody is asked, the connection
// and its neighbours go on.
func TestStreamFaults(t *testing.T) {
	some := noise(700_000)
	faults := map[string]struct {
		size int64 // announced
		do   func(t *testing.T, s *sending)
		want proto.Code
	}{
		"gap":       {0, func(t *testing.T, s *sending) { s.piece(t, s.sent+1, some) }, proto.CodeContentOrder},
		"twice":     {0, func(t *testing.T, s *sending) { s.piece(t, 0, some) }, proto.CodeContentOrder},
		"swapped":   {0, func(t *testing.T, s *sending) { s.piece(t, 1_400_000, some); s.piece(t, 700_000, some) }, proto.CodeContentOrder},
		"too much":  {700_001, func(t *testing.T, s *sending) { s.piece(t, s.sent, some[:2]) }, proto.CodeContentSize},
		"far off":   {0, func(t *testing.T, s *sending) { s.piece(t, 1<<52, some) }, proto.CodeContentOrder},
		"too short": {700_001, func(*testing.T, *sending) {}, proto.CodeContentSize},
	}
	for _, way := range ways {
		b := newBench(t, &person{decide: yes}, demo)
		c, neighbour := b.dialOver(t, websocket, way), b.dialOver(t, websocket, way)
		other := begin(t, neighbour, proto.ContentOpenParams{Name: "other"})
		other.write(t, some)
		for name, f := range faults {
			s := begin(t, c, proto.ContentOpenParams{Name: "n", Size: f.size, DigestAlg: "sha256"})
			s.write(t, some)
			f.do(t, s)
			if s.binary != nil {
				if name != "too short" {
					if p := s.failure(t); p.Problem.Code != f.want || p.Handle != s.Handle || p.Stream != s.Stream {
						t.Errorf("%s %s: told %+v", way, name, p)
					}
					s.piece(t, s.sent, some) // what was under way when it failed
				}
				if got := s.close(t); got != f.want {
					t.Errorf("%s %s: closing answers %q, want %q", way, name, got, f.want)
				}
			} else if got := s.close(t); got != f.want && (got != proto.CodeContentAbsent || name == "too short") {
				t.Errorf("%s %s: closing answers %q", way, name, got)
			}
			sign := proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Handle: s.Handle}}
			if got := code(t, c, proto.MethodSignCMS, sign); got != proto.CodeContentAbsent {
				t.Errorf("%s %s: signing answers %q", way, name, got)
			}
			if len(c.notes) > 0 {
				t.Errorf("%s %s: told again: %s", way, name, (<-c.notes).params)
			}
		}
		eventually(t, "only the neighbour's is kept", func() bool { return spooled(t, filepath.Dir(b.journal)) == 2 })
		if n := len(b.person.questions()); n != 0 {
			t.Errorf("%s: %d questions", way, n)
		}
		other.write(t, some)
		if got := other.close(t); got != "" {
			t.Errorf("%s: the neighbour's document: %s", way, got)
		}
		if data := download(t, neighbour, other.Handle); !bytes.Equal(data, append(bytes.Clone(some), some...)) {
			t.Errorf("%s: the neighbour's document came as %d other bytes", way, len(data))
		}
	}
}

// A wrong piece by content.append is answered with what is wrong; a second one with what that did.
func TestAppendOutOfPlace(t *testing.T) {
	c := newBench(t, &person{decide: yes}, demo).dial(t, native)
	for _, size := range []int64{2, 9, 1 << 50} {
		h := begin(t, c, proto.ContentOpenParams{Name: "n"}).Handle
		for i, want := range []proto.Code{"", proto.CodeContentOrder, proto.CodeContentAbsent} {
			p := proto.ContentAppendParams{Handle: h, Data: []byte("abc"), Size: size}
			if i == 0 {
				p.Size = 3
			}
			if got := code(t, c, proto.MethodContentAppend, p); got != want {
				t.Errorf("size %d, piece %d: %q, want %q", size, i, got, want)
			}
		}
	}
}

// Messages for no stream are told of, a few times; a stream goes on beside them.
func TestMessagesForNoStream(t *testing.T) {
	c := newBench(t, &person{decide: yes}, demo).dialOver(t, websocket, "websocket")
	s := begin(t, c, proto.ContentOpenParams{Name: "n"})
	for i := range 50 {
		s.write(t, []byte("some "))
		c.page.binary(s.Stream+1+i, 0, []byte("lost"))
	}
	for range 16 {
		if p := s.failure(t); p.Problem.Code != proto.CodeContentAbsent || p.Stream <= s.Stream || p.Handle != "" {
			t.Errorf("told %+v", p)
		}
	}
	if got := s.close(t); got != "" || len(c.notes) > 0 {
		t.Errorf("%q, %d more told", got, len(c.notes))
	}
	if data := download(t, c, s.Handle); !bytes.Equal(data, bytes.Repeat([]byte("some "), 50)) {
		t.Errorf("%d bytes arrived", len(data))
	}
	c = newBench(t, &person{decide: yes}, demo).dialOver(t, websocket, "websocket")
	c.page.write(web.BinaryMessage, []byte("short"))
	if p := (&sending{peer: c}).failure(t); p.Problem.Code != proto.CodeContentOrder || p.Stream != 0 {
		t.Errorf("told %+v", p)
	}
	begin(t, c, proto.ContentOpenParams{Name: "n"})
}

// A sender that gives up, at whatever point, leaves nothing: by content.drop and by hanging up.
func TestStreamAborted(t *testing.T) {
	data := noise(6 << 20)
	for _, way := range ways {
		b := newBench(t, &person{decide: never}, demo)
		for at := 0; at < len(data); at += len(data) / 5 {
			for _, hangUp := range []bool{false, true} {
				c := b.dialOver(t, websocket, way)
				s := begin(t, c, proto.ContentOpenParams{Name: "n", Certificate: certificate(t)})
				s.write(t, data[:at])
				if hangUp {
					c.Close()
					<-c.ended
				} else {
					if got := code(t, c, proto.MethodContentDrop, proto.ContentDropParams{Handle: s.Handle}); got != "" {
						t.Errorf("%s: %s", way, got)
					}
					if got := s.close(t); got != proto.CodeContentAbsent {
						t.Errorf("%s: closing what was dropped: %q", way, got)
					}
				}
				eventually(t, "nothing is kept", func() bool { return spooled(t, filepath.Dir(b.journal)) == 0 })
				for len(c.notes) > 0 {
					if n := <-c.notes; n.method != proto.NotifyContentReceived {
						t.Errorf("%s: a sender that gave up heard %s %s", way, n.method, n.params)
					}
				}
			}
		}
	}
}

// A client that reads nothing, acknowledgements least of all, harms itself alone.
func TestDeafSender(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	server, raw := webTransport(t)
	ended := make(chan struct{})
	go func() { defer close(ended); b.Serve(context.Background(), server, websocket) }()
	page := raw.(*webPage)
	page.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"content.open","params":{"name":"n"}}`))
	piece := noise(1 << 20)
	for i := range int64(64) {
		page.binary(1, i<<20, piece)
	}
	good := b.dialOver(t, websocket, "websocket")
	s := begin(t, good, proto.ContentOpenParams{Name: "n"})
	s.write(t, piece)
	if got := s.close(t); got != "" {
		t.Error(got)
	}
	page.Close()
	<-ended
	eventually(t, "one document is kept", func() bool { return spooled(t, filepath.Dir(b.journal)) == 1 })
}

// Streams are given out while there is memory for them, a quarter of it for one site; after that documents come by content.append.
func TestStreamsAreCounted(t *testing.T) {
	b := newBench(t, &person{decide: yes}, demo)
	c := b.dialOver(t, websocket, "websocket")
	openOn := func(c *peer) *proto.ContentOpenResult {
		r, bad := call[proto.ContentOpenResult](t, c, proto.MethodContentOpen, proto.ContentOpenParams{Name: "n"})
		if bad != nil {
			t.Fatal(bad)
		}
		return r
	}
	open := func() *proto.ContentOpenResult { return openOn(c) }
	last, memory := open(), 0
	if last.Window < 16<<20 {
		t.Errorf("the first one gets a window of %d", last.Window)
	}
	without := last
	for ; without.Stream != 0; without = open() {
		if memory += without.Window; without.Window > last.Window || memory > 24<<20 {
			t.Fatalf("a window of %d, %d in all", without.Window, memory)
		}
		last = without
	}
	if last.Window != 4<<20 || without.Window != 0 {
		t.Errorf("the last one gets %+v, then %+v", last, without)
	}
	if r := openOn(b.dialOver(t, websocket, "websocket")); r.Stream != 0 {
		t.Errorf("another connection of the site gets more: %+v", r)
	}
	if err := b.origins.Allow(other); err != nil {
		t.Fatal(err)
	}
	if r := openOn(b.dialOver(t, ipc.Peer{Via: ipc.ViaWebSocket, Origin: other}, "websocket")); r.Window != 16<<20 {
		t.Errorf("another site gets %+v", r)
	}
	if r := openOn(b.dialOver(t, local, "socket")); r.Stream == 0 {
		t.Errorf("a program gets %+v", r)
	}
	s := &sending{peer: &peer{Conn: c.Conn, raw: c.raw, notes: c.notes}, ContentOpenResult: *without}
	s.write(t, noise(1_000_000))
	if got := s.close(t); got != "" {
		t.Error(got)
	}
	code(t, c, proto.MethodContentClose, proto.ContentCloseParams{Handle: last.Handle})
	eventually(t, "a stream again", func() bool { return open().Stream > 0 })
}
