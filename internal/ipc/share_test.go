// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"persten/internal/ipc/ipctest"
)

// Users without an account.
const (
	anna  = 60001
	boris = 60002
	vera  = 60003
)

// sharing is a port service.
type sharing struct {
	addr, socket string
	stop         func()
}

// session joins as a session of this user and answers each message with the user's name.
func (s *sharing) session(t testing.TB, trouble func(error)) *webServer {
	t.Helper()
	w := &webServer{}
	l, err := ListenWebSocket(s.addr, WebSocketOptions{SiteRules: w.rules(), Service: s.socket, Trouble: trouble})
	if err != nil {
		t.Fatal(err)
	}
	w.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, w.answer) }()
	w.cancel = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(w.cancel)
	return w
}

func (w *webServer) answer(c Conn, _ Peer) {
	w.accepted.Add(1)
	for _, err := c.Recv(); err == nil; _, err = c.Recv() {
		c.Send([]byte(me()))
	}
}

// askUser opens a WebSocket and asks who answers.
func askUser(addr, origin string) (string, error) {
	d := websocket.Dialer{Subprotocols: []string{subprotocol}, HandshakeTimeout: patience}
	c, _, err := d.Dial("ws://"+addr+"/", http.Header{"Origin": {origin}})
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	if err := c.WriteMessage(websocket.TextMessage, []byte("{}")); err != nil {
		return "", err
	}
	_, b, err := c.ReadMessage()
	return string(b), err
}

// sharingUser is a user with a session and a browser: it opens connections and counts those its own session answered.
func sharingUser() {
	s := &sharing{addr: os.Getenv("WEB"), socket: os.Getenv("SOCK")}
	w := &webServer{}
	l, err := ListenWebSocket(s.addr, WebSocketOptions{SiteRules: w.rules(), Service: s.socket})
	if err != nil {
		fmt.Println("no port:", err)
		return
	}
	go l.Serve(context.Background(), w.answer)
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n') // until all users are ready
	me := me()
	tries, _ := strconv.Atoi(os.Getenv("TRIES"))
	own, other, failed := 0, 0, 0
	var slowest time.Duration
	for range tries {
		start := time.Now()
		switch who, err := askUser(s.addr, ipctest.Approved); {
		case err != nil:
			failed++
		case who == me:
			own++
		default:
			other++
		}
		slowest = max(slowest, time.Since(start))
	}
	fmt.Fprintln(os.Stderr, "user", me, "slowest", slowest.Round(time.Millisecond))
	fmt.Println("own", own, "other", other, "failed", failed, "accepted", w.accepted.Load())
	io.Copy(io.Discard, os.Stdin)
}

// player is a user in a process of its own.
type player struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (s *sharing) player(t *testing.T, role string, uid, tries int) *player {
	t.Helper()
	cmd := reexec(t, role, uid, "WEB="+s.addr, "SOCK="+s.socket, "TRIES="+strconv.Itoa(tries))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &player{cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() { p.in.Close(); p.cmd.Wait() })
	return p
}

func (p *player) line(t *testing.T) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

// TestSharedPort: two users with sessions open connections at the same time, and none reaches the other's session.
func TestSharedPort(t *testing.T) {
	s, tries := startSharing(t), sharingTries
	players := []*player{s.player(t, "sharing", anna, tries), s.player(t, "sharing", boris, tries)}
	for _, p := range players {
		if got := p.line(t); got != "ready" {
			t.Fatal(got)
		}
	}
	for _, p := range players {
		io.WriteString(p.in, "go\n")
	}
	for _, p := range players {
		var own, other, failed, accepted int
		got := p.line(t)
		t.Log(got)
		if _, err := fmt.Sscanf(got, "own %d other %d failed %d accepted %d", &own, &other, &failed, &accepted); err != nil ||
			own+failed != tries || other != 0 || failed > wineMisses(tries) || accepted < own || accepted > tries {
			t.Error(got)
		}
	}
}

// TestSharedPortSecondSession: a user's second session is turned away, and another program's port is not shared.
func TestSharedPortSecondSession(t *testing.T) {
	s := startSharing(t)
	w := s.session(t, nil)
	if _, err := ListenWebSocket(s.addr, WebSocketOptions{Service: s.socket}); !errors.Is(err, ErrInUse) {
		t.Errorf("second session: %v", err)
	}
	other, err := ListenWebSocket("127.0.0.1:0", WebSocketOptions{Service: s.socket})
	if err != nil {
		t.Fatal(err)
	}
	other.Close()
	w.cancel()
	eventually(t, "the place is free", func() bool {
		l, err := ListenWebSocket(s.addr, WebSocketOptions{Service: s.socket})
		if err == nil {
			l.Close()
		}
		return err == nil
	})
}

// TestSharedPortReturns: when the service is killed, open connections stay, the session says so, and it is back soon after
// the service is.
func TestSharedPortReturns(t *testing.T) {
	s := startSharing(t)
	troubles := make(chan error, 100)
	s.session(t, func(err error) { troubles <- err })
	d := websocket.Dialer{Subprotocols: []string{subprotocol}}
	open, _, err := d.Dial("ws://"+s.addr+"/", http.Header{"Origin": {approved}})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	s.stop()
	web := s.listen(t) // as systemd does: the session cannot take the port
	if err := <-troubles; !errors.Is(err, ErrPortService) {
		t.Errorf("trouble: %v", err)
	}
	if err := open.WriteMessage(websocket.TextMessage, []byte("{}")); err != nil {
		t.Error(err)
	}
	if _, who, err := open.ReadMessage(); err != nil || string(who) != me() {
		t.Errorf("the open connection: %q, %v", who, err)
	}
	s.start(t, web)
	back := time.Now()
	for err := range troubles {
		if err == nil {
			break
		}
	}
	if who, err := askUser(s.addr, approved); err != nil || who != me() {
		t.Errorf("after the return: %q, %v", who, err)
	}
	if took := time.Since(back); took > 10*time.Second {
		t.Errorf("back after %v", took)
	}
	s.stop() // now for good: the session takes the port
	os.Remove(s.socket)
	eventually(t, "the session has the port itself", func() bool {
		who, err := askUser(s.addr, approved)
		return err == nil && who == me()
	})
}
