// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// sharingTries is how many connections each of two users opens.
const sharingTries = 300

// patience with an answer.
const patience = 10 * time.Second

func wineMisses(int) int { return 0 }

// me names this user.
func me() string { return strconv.Itoa(os.Getuid()) }

// startSharing starts a port service, whose sessions every user may reach. The sockets are root's, as systemd's are.
func startSharing(t *testing.T) *sharing {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not run: a port service is believed when its sockets are root's, and this is not root")
	}
	dir, err := os.MkdirTemp("/tmp", "port")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	s := &sharing{socket: filepath.Join(dir, "port.sock"), addr: "127.0.0.1:0"}
	web := s.listen(t)
	s.addr = web.Addr().String()
	s.start(t, web)
	return s
}

func (s *sharing) listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *sharing) start(t *testing.T, web net.Listener) {
	t.Helper()
	sessions, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(s.socket, 0o666)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ServePort(ctx, web, sessions) }()
	s.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(s.stop)
}

// knockingUser has no session. It sends right handshakes to the port, and noise to the socket of sessions.
func knockingUser() {
	reached, answered, given := 0, 0, 0
	web := &webServer{addr: os.Getenv("WEB")}
	request := web.head().String()
	tries, _ := strconv.Atoi(os.Getenv("TRIES"))
	for range tries {
		if c, err := net.Dial("tcp4", web.addr); err == nil {
			reached++
			c.SetDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(c, request)
			if n, _ := c.Read(make([]byte, 1)); n > 0 {
				answered++
			}
			c.Close()
		}
	}
	for i := range tries {
		c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: os.Getenv("SOCK"), Net: "unix"})
		if err != nil {
			continue
		}
		c.SetDeadline(time.Now().Add(5 * time.Second))
		s := &fileStream{c: c}
		if i%2 == 0 {
			s.SendFiles([]byte(`{"address":"127.0.0.1:1"}`), os.Stdin)
		} else {
			c.Write([]byte{255, 255, 255, 255, byte(i)})
		}
		for err == nil {
			var files []*os.File
			_, files, err = s.RecvFiles()
			given += len(files)
		}
		c.Close()
	}
	fmt.Println("reached", reached, "answered", answered, "given", given)
}

// TestSharedPortStranger: a user without a session gets nothing from the port, and a user's own words at the socket of
// sessions get nobody's connections.
func TestSharedPortStranger(t *testing.T) {
	s := startSharing(t)
	w := s.session(t, nil)
	p := s.player(t, "knocking", vera, foreignTries)
	ended := make(chan bool)
	answered := 0
	go func() {
		defer close(ended)
		for range foreignTries / 4 {
			if who, err := askUser(s.addr, approved); err == nil && who == me() {
				answered++
			}
		}
	}()
	if got, want := p.line(t), fmt.Sprintf("reached %d answered 0 given 0", foreignTries); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	<-ended
	if answered != foreignTries/4 || int(w.accepted.Load()) != answered {
		t.Errorf("our own user: %d of %d answered, %d accepted", answered, foreignTries/4, w.accepted.Load())
	}
}

// TestSharedPortStarves: a user whose session takes nothing, and who opens as many connections as he can, holds no more than
// his share, and others are served.
func TestSharedPortStarves(t *testing.T) {
	s := startSharing(t)
	stuck, err := net.Dial("unix", s.socket) // a session of ours that never reads
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	p := s.player(t, "sharing", anna, 200)
	if got := p.line(t); got != "ready" {
		t.Fatal(got)
	}
	before := openFDs(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var opened, most atomic.Int64
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp4", s.addr)
				if err != nil {
					continue
				}
				opened.Add(1)
				c.(*net.TCPConn).SetLinger(0)
				time.Sleep(time.Millisecond)
				c.Close()
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			most.Store(max(most.Load(), int64(openFDs(t)-before)))
			time.Sleep(20 * time.Millisecond)
		}
	})
	io.WriteString(p.in, "go\n")
	if got := p.line(t); got != "own 200 other 0 failed 0 accepted 200" {
		t.Error(got)
	}
	cancel()
	wg.Wait()
	inFlight := 0
	for c := (&fileStream{c: stuck.(*net.UnixConn)}); ; inFlight++ {
		c.c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, files, err := c.RecvFiles(); err != nil {
			break
		} else {
			closeFiles(files)
		}
	}
	t.Logf("%d connections opened meanwhile; %d descriptors at most here, %d on their way to the session", opened.Load(), most.Load(), inFlight)
	if opened.Load() < 500 || most.Load() > maxWaiting+40 || inFlight > 64 {
		t.Error("more than a user's share, or too few connections to tell")
	}
}

// TestGivenForeignConnection: what the service gives is looked at again. A connection of another user gets nowhere, one to
// another port is closed, and what is no connection ends the service's line.
func TestGivenForeignConnection(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not run: 3 cases need another user's connection, and this is not root")
	}
	web, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	w := &webServer{addr: web.Addr().String()}
	ours, theirs := unixPair(t)
	g, err := meet(t, ours, theirs, w.addr)
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPort(w.addr, func(string) (net.Listener, error) { return g, nil }, w.rules())
	if err != nil {
		t.Fatal(err)
	}
	l := &webListener{port: p, o: WebSocketOptions{SiteRules: w.rules(), MaxMessage: MaxFrame}}
	ended := make(chan error, 1)
	go func() { ended <- l.Serve(t.Context(), w.answer) }()
	cmd := reexec(t, "foreign", nobody, "SOCK=/none", "WEB="+w.addr)
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		t.Fatal(err)
	}
	service := &giver{conn: theirs}
	for range foreignTries + 1 { // and one for its look at /health
		c, err := web.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := service.give(c); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	said, _ := io.ReadAll(out)
	if want := fmt.Sprintf("websocket reached %d, answered 0; health \"HTTP/1.1 403", foreignTries); !strings.Contains(string(said), want) {
		t.Errorf("got %s", said)
	}
	cmd.Wait()
	if n := w.accepted.Load(); n != 0 {
		t.Errorf("%d accepted", n)
	}
	elsewhere, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	c, err := net.Dial("tcp4", elsewhere.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wrong, err := elsewhere.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.give(wrong); err != nil {
		t.Fatal(err)
	}
	wrong.Close()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection to another port: %v", err)
	}
	theirs.SendFiles(nil, os.Stdin)
	if err := <-ended; !errors.Is(err, ErrPortService) {
		t.Errorf("no connection: %v", err)
	}
}

// unixPair is a connected pair of unix sockets.
func unixPair(t testing.TB) (*net.UnixConn, *fileStream) {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	other, err := Adopt(theirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); other.Close() })
	return ours.(*fileStream).c, other.(*fileStream)
}

func meet(t testing.TB, ours *net.UnixConn, service *fileStream, addr string) (*given, error) {
	t.Helper()
	if err := (&giver{conn: service}).hello(portHello{Address: addr}); err != nil {
		t.Fatal(err)
	}
	return newGiven(ours, addr)
}

// TestPortHelloRefused: a session believes no service that says something else first.
func TestPortHelloRefused(t *testing.T) {
	const addr = "127.0.0.1:24117"
	for _, hello := range []string{
		``, `{}`, `null`, `[]`, `{"address":1}`, `{"address":""}`, `{"address":"127.0.0.1"}`, `{"address":"0.0.0.0:24117"}`, `{"address":"[::1]:24117"}`,
		`{"address":"localhost:24117"}`, `{"address":"10.0.0.1:24117"}`, `{"address":"127.0.0.1:24118"}`, `{"address":"127.0.0.1:24117","more":1}`,
		`{"address":"127.0.0.1:24117","address":"127.0.0.1:24117"}`, `{"address":"127.0.0.1:24117"} `, strings.Repeat(" ", maxHello+1),
	} {
		ours, theirs := unixPair(t)
		theirs.Send([]byte(hello))
		theirs.Close()
		if g, err := newGiven(ours, addr); err == nil && hello != `{"address":"127.0.0.1:24117"} ` {
			t.Errorf("%.60q: %v", hello, g.addr)
		}
	}
}

// TestPortServiceFolder: a socket that others may have put there is not spoken to.
func TestPortServiceFolder(t *testing.T) {
	s := startSharing(t)
	dir := filepath.Dir(s.socket)
	for name, spoil := range map[string]func() error{
		"others may write": func() error { return os.Chmod(dir, 0o777) },
		"group may write":  func() error { return os.Chmod(dir, 0o775) },
		"another owner":    func() error { return os.Chown(dir, anna, anna) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if l, err := dialPort(s.socket, s.addr); err == nil {
			t.Errorf("%s: believed at %s", name, l.Addr())
		}
		os.Chmod(dir, 0o755)
		os.Chown(dir, 0, 0)
	}
	if l, err := dialPort(s.socket, s.addr); err != nil {
		t.Error(err)
	} else {
		l.Close()
	}
	cmd := reexec(t, "activated", anna, "LISTEN_AT="+filepath.Join(dir, "fake.sock"))
	os.Chmod(dir, 0o777) // while another user puts a socket of his own there
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "true") {
		t.Fatal(line, err)
	}
	os.Chmod(dir, 0o755)
	if _, err := dialPort(filepath.Join(dir, "fake.sock"), s.addr); !errors.Is(err, ErrForeignUser) {
		t.Errorf("another user's socket: %v", err)
	}
}

// FuzzGiven feeds a session what a port service may never send, with and without descriptors. No connection comes of it but
// one to our port, and no descriptor stays open.
func FuzzGiven(f *testing.F) {
	const addr = "127.0.0.1:24117"
	f.Add([]byte("\x1d\x00\x00\x00{\"address\":\"127.0.0.1:24117\"}"), []byte{0, 0, 0, 0}, byte(0))
	f.Add([]byte("\x1d\x00\x00\x00{\"address\":\"127.0.0.1:24117\"}"), []byte{0, 0, 0, 0, 0, 0, 0, 0}, byte(3))
	f.Add([]byte("\x02\x00\x00\x00{}"), []byte{1, 0, 0, 0, 1}, byte(1))
	f.Add([]byte("\xff\xff\xff\xff"), []byte{}, byte(2))
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	udpFile, err := udp.(*net.UDPConn).File()
	if err != nil {
		f.Fatal(err)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	tcpFile, err := tcp.(*net.TCPListener).File()
	if err != nil {
		f.Fatal(err)
	}
	kinds := [][]*os.File{nil, {os.Stdin}, {udpFile}, {tcpFile}, {os.Stdin, udpFile}}
	f.Fuzz(func(t *testing.T, first, then []byte, kind byte) {
		ours, theirs := unixPair(t)
		theirs.c.SetWriteDeadline(time.Now().Add(time.Second))
		theirs.c.Write(first)
		if files := kinds[int(kind)%len(kinds)]; len(then) > 0 && len(files) > 0 {
			theirs.writeFiles(then, files)
		} else {
			theirs.c.Write(then)
		}
		theirs.Close()
		g, err := newGiven(ours, addr)
		if err != nil {
			return
		}
		if c, err := g.Accept(); err == nil || !errors.Is(err, ErrPortService) {
			t.Fatalf("accepted %v, %v", c, err)
		}
	})
}
