// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/proto"
)

// message is a binary message.
func message(stream uint32, offset uint64, data []byte) *bytes.Reader {
	b := binary.BigEndian.AppendUint32(nil, stream)
	b = binary.BigEndian.AppendUint64(b, offset)
	return bytes.NewReader(append(b, data...))
}

// newClient is a connection to a server with a store and nothing else; told gets its notifications.
func newClient(t testing.TB, limits signing.Limits) (c *client, told chan string) {
	t.Helper()
	store, err := signing.NewStore(t.TempDir(), limits)
	if err != nil {
		t.Fatal(err)
	}
	ours, file, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ipc.Adopt(file)
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Engine: signing.New(nil, nil, nil, signing.Options{Store: store}), Lang: "en"})
	c = &client{Server: s, who: signing.Caller{Channel: "ch", Lang: "en"}, conn: rpc.New(ours, nil)}
	c.streams = streams{c: c, enabled: true, open: map[uint32]*stream{}, handles: map[string]*stream{}}
	told = make(chan string, 1000)
	page := rpc.New(theirs, func(_ context.Context, r *rpc.Request) (any, error) {
		select {
		case told <- r.Method:
		default:
		}
		return nil, nil
	})
	ended := make(chan struct{})
	go func() { defer close(ended); page.Serve(context.Background()) }()
	t.Cleanup(func() {
		store.DropChannel("ch")
		c.streams.wg.Wait()
		ours.Close()
		<-ended
	})
	return c, told
}

// slow is a stream whose disk takes nothing.
func (s *streams) slow() *stream {
	s.last++
	st := &stream{number: s.last, window: narrow, more: make(chan struct{}, 1), done: make(chan struct{})}
	s.open[st.number] = st
	return st
}

// However slow the disk, taking a message does not wait for it: what the window holds is kept in memory, what is beyond ends
// the stream, and what follows is thrown away.
func TestTakeWaitsForNothing(t *testing.T) {
	c, _ := newClient(t, signing.DefaultLimits)
	exact, over := c.streams.slow(), c.streams.slow()
	piece := make([]byte, narrow/8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range uint64(8) {
			for _, st := range []*stream{exact, over} {
				if err := c.streams.take(message(st.number, i*narrow/8, piece)); err != nil {
					t.Error(err)
				}
			}
		}
		if exact.fault() != nil || exact.n != narrow {
			t.Errorf("a full window: %v, %d bytes", exact.fault(), exact.n)
		}
		for range 3 {
			c.streams.take(message(over.number, narrow, piece[:1]))
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits")
	}
	if err := over.fault(); !errors.Is(err, proto.CodeContentOrder) || over.n != narrow {
		t.Errorf("beyond the window: %v, %d bytes", err, over.n)
	}
}

// A ring that wraps keeps the order of bytes, whatever the sizes of messages and writes.
func TestRingKeepsOrder(t *testing.T) {
	c, _ := newClient(t, signing.DefaultLimits)
	st := c.streams.slow()
	var next, seen byte
	sent := 0
	for turn := range 400 {
		piece := make([]byte, min(turn*turn%300_007, narrow-st.n))
		for i := range piece {
			piece[i] = next
			next += 7
		}
		if err := c.streams.take(message(st.number, uint64(sent), piece)); err != nil || st.fault() != nil {
			t.Fatal(err, st.fault())
		}
		sent += len(piece)
		for left := turn * 911 % 500_003; left > 0 && st.n > 0; {
			got, _, _ := st.waiting()
			got = got[:min(left, len(got))]
			for _, b := range got {
				if b != seen {
					t.Fatalf("turn %d: %d, want %d", turn, b, seen)
				}
				seen += 7
			}
			st.written(len(got))
			left -= len(got)
		}
	}
	if sent < 4*narrow {
		t.Errorf("only %d bytes went through", sent)
	}
}

// A sender that stops is told when its document's time is over, and its place is free for others.
func TestStreamThatStops(t *testing.T) {
	limits := signing.DefaultLimits
	limits.Lifetime = 50 * time.Millisecond
	c, told := newClient(t, limits)
	r, err := c.ContentOpen(t.Context(), proto.ContentOpenParams{Name: "n", DigestAlg: "sha256"})
	if err != nil {
		t.Fatal(err)
	}
	c.streams.take(message(uint32(r.Stream), 0, []byte("half of it")))
	select {
	case got := <-told:
		if got != proto.NotifyContentFailed {
			t.Error(got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("never told")
	}
	for range 3 { // as often as it asks
		if _, err := c.ContentClose(t.Context(), proto.ContentCloseParams{Handle: r.Handle}); !errors.Is(err, proto.CodeContentAbsent) {
			t.Error(err)
		}
	}
	c.streams.wg.Wait()
	if n := c.windows.used; n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
}

// The memory of a document that was dropped while its receiver was still filling it stays until the receiver is done.
func TestRingInUseStays(t *testing.T) {
	c, _ := newClient(t, signing.DefaultLimits)
	r, err := c.ContentOpen(t.Context(), proto.ContentOpenParams{Name: "n"})
	if err != nil || r.Window != wide {
		t.Fatal(r, err)
	}
	st := c.streams.handles[r.Handle]
	late, taken := &lateReader{asked: make(chan struct{}), more: make(chan struct{})}, make(chan error)
	go func() { taken <- c.streams.take(io.MultiReader(message(st.number, 0, []byte("begun")), late)) }()
	<-late.asked // with room to put into what comes
	c.streams.drop(r.Handle)
	<-st.done
	held := func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		return st.ring != nil
	}
	if !held() {
		t.Fatal("it was freed")
	}
	close(late.more)
	if err := <-taken; err != nil {
		t.Error(err)
	}
	if held() {
		t.Error("it was not freed")
	}
}

// lateReader is the end of a message that lets itself be waited for.
type lateReader struct{ asked, more chan struct{} }

func (l *lateReader) Read([]byte) (int, error) {
	close(l.asked)
	<-l.more
	return 0, io.EOF
}

// A connection that breaks inside a message is that connection's end.
func TestBrokenMessage(t *testing.T) {
	c, _ := newClient(t, signing.DefaultLimits)
	st := c.streams.slow()
	broken := errors.New("broken")
	for _, n := range []int{0, 5} {
		r := io.MultiReader(message(st.number, uint64(st.taken), make([]byte, n)), failing{broken})
		if err := c.streams.take(r); !errors.Is(err, broken) {
			t.Error(err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzBinaryMessage feeds a message to a connection with two streams. The document it is for holds exactly its bytes; every
// other message is told of and changes nothing.
func FuzzBinaryMessage(f *testing.F) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	f.Add([]byte(nil), false)
	f.Add([]byte("\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00text"), false)
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x03text"), true)
	f.Add([]byte("\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00"), false)
	f.Add([]byte("\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff."), true)
	f.Add([]byte("\x00\x00\x00\x01\x00"), false)
	f.Fuzz(func(t *testing.T, b []byte, begun bool) {
		c, told := newClient(t, signing.DefaultLimits)
		var handles []string
		want := map[string][]byte{}
		for range 2 {
			r, err := c.ContentOpen(t.Context(), proto.ContentOpenParams{Name: "n"})
			if err != nil {
				t.Fatal(err)
			}
			handles = append(handles, r.Handle)
			if begun {
				want[r.Handle] = []byte("one")
				c.streams.take(message(uint32(r.Stream), 0, want[r.Handle]))
			}
		}
		if err := c.streams.take(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		bad := true // the message is nobody's
		var hit string
		if len(b) >= headSize {
			if n := binary.BigEndian.Uint32(b); n == 1 || n == 2 {
				hit = handles[n-1]
				bad = binary.BigEndian.Uint64(b[4:]) != uint64(len(want[hit]))
			}
		}
		for _, h := range handles {
			_, err := c.ContentClose(t.Context(), proto.ContentCloseParams{Handle: h})
			if h == hit && bad {
				if !errors.Is(err, proto.CodeContentOrder) {
					t.Fatalf("%v", err)
				}
				continue
			}
			whole := want[h]
			if h == hit {
				whole = append(whole, b[headSize:]...)
			}
			if err != nil {
				t.Fatal(err)
			}
			got, eof, err := c.o.Engine.Store().Read("ch", h, 0, len(whole)+1)
			if err != nil || !eof || !bytes.Equal(got, whole) {
				t.Fatalf("%q %v, want %q", got, err, whole)
			}
		}
		if bad {
			if got := <-told; got != proto.NotifyContentFailed {
				t.Error(got)
			}
		}
	})
}
