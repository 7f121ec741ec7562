// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func dialWeb(t *testing.T, s *webServer, origin string) (*websocket.Conn, int) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: []string{subprotocol}, HandshakeTimeout: 5 * time.Second}
	c, r, err := d.Dial("ws://"+s.addr+"/", http.Header{"Origin": {origin}})
	if err != nil {
		if r == nil {
			t.Fatal(err)
		}
		return nil, r.StatusCode
	}
	t.Cleanup(func() { c.Close() })
	return c, r.StatusCode
}

func TestWebSocketLimits(t *testing.T) {
	hold := make(chan struct{})
	s := startWeb(t, func(Conn, Peer) { <-hold })
	var open []*websocket.Conn
	for i := range MaxPerOrigin {
		c, status := dialWeb(t, s, approved)
		if c == nil {
			t.Fatalf("connection %d got %d", i, status)
		}
		open = append(open, c)
	}
	if c, status := dialWeb(t, s, approved); c != nil || status != http.StatusServiceUnavailable {
		t.Errorf("connection %d got %d", MaxPerOrigin+1, status)
	}
	if c, status := dialWeb(t, s, "http://127.0.0.1:8000"); c == nil {
		t.Errorf("another origin got %d", status)
	}
	close(hold)
	for _, c := range open {
		c.Close()
	}
	eventually(t, "room again", func() bool {
		c, _ := dialWeb(t, s, approved)
		return c != nil
	})
}

func TestWebSocketMessages(t *testing.T) {
	ends := make(chan error, 1)
	s := startWeb(t, func(c Conn, _ Peer) {
		for {
			b, err := c.Recv()
			if err != nil {
				ends <- err
				return
			}
			c.Send(b)
		}
	})
	c, _ := dialWeb(t, s, approved)
	large := bytes.Repeat([]byte("a"), MaxFrame)
	for _, msg := range [][]byte{[]byte("{}"), []byte("привет"), large} {
		if err := c.WriteMessage(websocket.TextMessage, msg); err != nil {
			t.Fatal(err)
		}
		if kind, got, err := c.ReadMessage(); err != nil || kind != websocket.TextMessage || !bytes.Equal(got, msg) {
			t.Fatalf("%d bytes came back as %d, %v", len(msg), len(got), err)
		}
	}
	c.WriteMessage(websocket.TextMessage, append(large, 'a'))
	var frame *FrameError
	if err := <-ends; !errors.As(err, &frame) {
		t.Error("too large:", err)
	}
	c, _ = dialWeb(t, s, approved)
	c.WriteMessage(websocket.BinaryMessage, []byte("{}"))
	if err := <-ends; !errors.Is(err, ErrProtocol) {
		t.Error("binary:", err)
	}
	c, _ = dialWeb(t, s, approved)
	c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	if err := <-ends; err != io.EOF {
		t.Error("closed:", err)
	}
	c, _ = dialWeb(t, s, approved)
	c.NetConn().Close()
	if err := <-ends; err == nil {
		t.Error("cut off without an error")
	}
}

// TestForeignAnswers: an answer to a foreign page may hold more than its request.
func TestForeignAnswers(t *testing.T) {
	tooLong := make(chan error, 1)
	s := startWebAs(t, &webServer{foreign: true}, WebSocketOptions{Foreign: true}, func(c Conn, _ Peer) {
		if err := c.Send(make([]byte, Grown*MaxFrame)); err != nil {
			t.Error(err)
		}
		tooLong <- c.Send(make([]byte, Grown*MaxFrame+1))
		_, _ = c.Recv()
	})
	c, _, err := (&websocket.Dialer{}).Dial("ws://"+s.addr+"/", http.Header{"Origin": {approved}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, got, err := c.ReadMessage(); err != nil || len(got) != Grown*MaxFrame {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	var frame *FrameError
	if err := <-tooLong; !errors.As(err, &frame) {
		t.Error("more than that:", err)
	}
}

// TestLongMessages: a listener of longer messages takes and sends them up to its limit, whatever comes at a time.
func TestLongMessages(t *testing.T) {
	const max = 3 * MaxFrame
	s := startWebAs(t, &webServer{foreign: true}, WebSocketOptions{Foreign: true, MaxMessage: max}, func(c Conn, _ Peer) {
		for {
			b, err := c.Recv()
			if err != nil || c.Send(b) != nil {
				return
			}
		}
	})
	dial := func() *websocket.Conn {
		c, _, err := (&websocket.Dialer{}).Dial("ws://"+s.addr+"/", http.Header{"Origin": {approved}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	var wg sync.WaitGroup
	for range 2 * cap(reading) {
		c := dial()
		wg.Go(func() {
			sent := bytes.Repeat([]byte("0123456789abcdef"), max/16)
			if err := c.WriteMessage(websocket.TextMessage, sent); err != nil {
				t.Error(err)
			}
			if _, got, err := c.ReadMessage(); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes came back, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	c := dial()
	_ = c.WriteMessage(websocket.TextMessage, make([]byte, max+1)) // the other side may close first
	if _, _, err := c.ReadMessage(); err == nil {
		t.Error("a message over the limit was answered")
	}
}

func TestBinaryMessages(t *testing.T) {
	var got []string
	stop := errors.New("stop")
	ends := make(chan error, 1)
	s := startWeb(t, func(c Conn, _ Peer) {
		bc := c.(BinaryConn)
		for {
			msg, err := bc.RecvBinary(func(r io.Reader) error {
				head := make([]byte, 3) // and no more: the rest is dropped
				n, err := io.ReadFull(r, head)
				got = append(got, string(head[:n]))
				switch string(head) {
				case "end":
					return stop
				case "all":
					_, err = io.Copy(io.Discard, r)
				}
				if err == io.ErrUnexpectedEOF {
					return nil
				}
				return err
			})
			if err != nil {
				ends <- err
				return
			}
			got = append(got, string(msg))
		}
	})
	c, _ := dialWeb(t, s, approved)
	c.WriteMessage(websocket.BinaryMessage, []byte("abcdef"))
	c.WriteMessage(websocket.TextMessage, []byte("{}"))
	c.WriteMessage(websocket.BinaryMessage, []byte("ab"))
	c.WriteMessage(websocket.BinaryMessage, bytes.Repeat([]byte("x"), MaxFrame))
	c.WriteMessage(websocket.BinaryMessage, []byte("end"))
	if err := <-ends; err != stop || strings.Join(got, " ") != "abc {} ab xxx end" {
		t.Errorf("%q %v", got, err)
	}
	c, _ = dialWeb(t, s, approved)
	c.WriteMessage(websocket.BinaryMessage, append([]byte("all"), make([]byte, MaxFrame)...))
	var frame *FrameError
	if err := <-ends; !errors.As(err, &frame) {
		t.Error("too large:", err)
	}
}

// TestSlowloris opens more connections than may be pending and feeds them a byte at a time: each is closed within the
// handshake's time, and the approved origin gets in afterwards.
func TestSlowloris(t *testing.T) {
	s := startWeb(t, nil)
	start := time.Now()
	var wg sync.WaitGroup
	for range 3 * maxPending {
		c, err := net.Dial("tcp4", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer c.Close()
			head := []byte(s.head().String())
			for i := range head {
				if _, err := c.Write(head[i : i+1]); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
			t.Error("a handshake took longer than allowed and was answered")
		})
	}
	wg.Wait()
	if took := time.Since(start); took > helloTimeout+3*time.Second {
		t.Errorf("the last slow connection lived %v", took)
	}
	if s.accepted.Load() != 0 {
		t.Errorf("%d accepted", s.accepted.Load())
	}
	if status := s.send(t, s.head().String()); status != http.StatusSwitchingProtocols {
		t.Errorf("after the attack the approved origin got %d", status)
	}
}

// TestNeverReadingClient: senders to a peer that does not read wait until the outbox has room, hold a bounded amount, and
// are freed when the connection is closed.
func TestNeverReadingClient(t *testing.T) {
	sent, ended := make(chan int, 1), make(chan error, 1)
	s := startWeb(t, func(c Conn, p Peer) {
		if p.Origin != approved {
			b, _ := c.Recv()
			c.Send(b)
			c.Recv()
			return
		}
		go func() {
			time.Sleep(time.Second)
			c.Close()
		}()
		msg := bytes.Repeat([]byte("a"), 1<<20)
		for n := 0; ; n++ {
			if err := c.Send(msg); err != nil {
				sent <- n
				ended <- err
				return
			}
		}
	})
	dialWeb(t, s, approved)
	other, _ := dialWeb(t, s, "http://127.0.0.1:8000")
	other.WriteMessage(websocket.TextMessage, []byte("{}"))
	if _, _, err := other.ReadMessage(); err != nil {
		t.Error("another connection is held up:", err)
	}
	if n := <-sent; n > outboxBytes>>20+16 { // the outbox and what the kernel buffers
		t.Errorf("%d MiB were taken for a peer that reads nothing", n)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestOutboxGivesUp(t *testing.T) {
	o := newOutbox()
	o.put(make([]byte, outboxBytes))
	done := make(chan error)
	go func() { done <- o.put([]byte("x")) }()
	select {
	case err := <-done:
		t.Fatal("did not wait:", err)
	case <-time.After(50 * time.Millisecond):
	}
	o.close(ErrSlow)
	if err := <-done; !errors.Is(err, ErrSlow) {
		t.Error(err)
	}
	if err := o.put(nil); !errors.Is(err, ErrSlow) {
		t.Error("after the end:", err)
	}
}

func TestOutboxKeepsOrder(t *testing.T) {
	o := newOutbox()
	var got strings.Builder
	go func() {
		for i := range 1000 {
			o.put([]byte{byte('a' + i%26)})
		}
		o.finish(5 * time.Second)
	}()
	o.drain(func(b []byte) error { got.Write(b); return nil }, 0, nil)
	if want := strings.Repeat("abcdefghijklmnopqrstuvwxyz", 39)[:1000]; got.String() != want {
		t.Errorf("%d bytes in another order", got.Len())
	}
}

func TestServeEndsConnections(t *testing.T) {
	ends := make(chan error, 1)
	s := startWeb(t, func(c Conn, _ Peer) {
		_, err := c.Recv()
		ends <- err
	})
	dialWeb(t, s, approved)
	eventually(t, "accepted", func() bool { return s.accepted.Load() == 1 })
	s.cancel()
	if err := <-ends; err == nil {
		t.Error("Recv returned without an error")
	}
	if _, err := net.DialTimeout("tcp4", s.addr, time.Second); err == nil {
		t.Error("something still answers")
	}
}
