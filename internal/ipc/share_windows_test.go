// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

const _ = uint(socketInfoSize-unsafe.Sizeof(windows.WSAProtocolInfo{})) + uint(unsafe.Sizeof(windows.WSAProtocolInfo{})-socketInfoSize)

// One account runs these tests, and it is not the system: it owns the pipe itself, and each process counts as a user.
func init() {
	own, err := ownSID()
	if err != nil {
		panic(err)
	}
	if os.Getenv("PERSTEN_LONG") != "" {
		sharingTries = 500
	}
	portOwner = own.String()
	userOf = func(pid uint32) (string, error) { return strconv.Itoa(int(pid)), nil }
	if os.Getenv("IPC_ROLE") == "sharing" {
		sharingUser()
		os.Exit(0)
	}
}

// sharingTries is how many connections each of two users opens. Wine takes its time over whose each is.
var sharingTries = 100

// patience with an answer.
const patience = 3 * time.Second

// wineMisses is how many of so many connections a test may lose: 0, but wine's table of connections lacks one now and then, and
// its programs are not always told that a connection was closed.
func wineMisses(tries int) int {
	if underWine() {
		return tries / 4
	}
	return 0
}

// me names this user.
func me() string { return strconv.Itoa(os.Getpid()) }

// reexec runs this test program in another role.
func reexec(_ *testing.T, role string, _ int, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "IPC_ROLE="+role), args...)
	cmd.Stderr = os.Stderr
	return cmd
}

func startSharing(t *testing.T) *sharing {
	t.Helper()
	s := &sharing{socket: `\\.\pipe\persten-test-` + rand.Text(), addr: "127.0.0.1:0"}
	web := s.listen(t)
	s.addr = web.Addr().String()
	s.start(t, web)
	return s
}

func (s *sharing) listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := listenRaw(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *sharing) start(t *testing.T, web net.Listener) {
	t.Helper()
	sessions, err := listenPipe(s.socket, portSDDL(portOwner), onTheWay)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ServePort(ctx, web, sessions) }()
	s.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(s.stop)
}

// TestRawListenerCloses wakes an Accept, and nobody listens any more.
func TestRawListenerCloses(t *testing.T) {
	l, err := listenRaw("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { _, err := l.Accept(); ended <- err }()
	time.Sleep(50 * time.Millisecond)
	l.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Accept waits on")
	}
	if c, err := net.Dial("tcp4", l.Addr().String()); err == nil {
		c.Close()
		t.Error("somebody listens")
	}
}

// TestSharedPortNobody: a connection of a user without a session is closed at once.
func TestSharedPortNobody(t *testing.T) {
	s := startSharing(t)
	const tries = 20
	late := 0
	for range tries {
		c, err := net.Dial("tcp4", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(make([]byte, 1))
		if n != 0 {
			t.Error("something answered")
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			late++
		}
		c.Close()
	}
	if late > wineMisses(tries) {
		t.Errorf("%d of %d are not closed", late, tries)
	}
}

// TestLogonOf: the real key of a process is its user and logon session.
func TestLogonOf(t *testing.T) {
	key, err := logonOf(windows.GetCurrentProcessId())
	sid, session, ok := strings.Cut(key, "/")
	if err != nil || !ok || sid != portOwner || session == "" {
		t.Errorf("%q, %v", key, err)
	}
	if key, err := logonOf(4_000_000); err == nil {
		t.Errorf("a process that is not there: %q", key)
	}
}

// TestSharedPortAnswers: a session that says what it was not asked loses its place, and one that takes nothing loses it too.
func TestSharedPortAnswers(t *testing.T) {
	s := startSharing(t)
	for name, say := range map[string][]byte{"an answer to nothing": {taken}, "noise": []byte("noise")} {
		l, err := dialPort(s.socket, s.addr)
		if err != nil {
			t.Fatal(name, err)
		}
		l.(*given).from.conn.Write(say)
		if _, err := l.Accept(); !errors.Is(err, ErrPortService) {
			t.Errorf("%s: %v", name, err)
		}
		l.Close()
	}
	l, err := dialPort(s.socket, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pipe := l.(*given).from.conn
	pipe.SetReadDeadline(time.Now().Add(3 * helloTimeout))
	for range 1 + wineMisses(4) {
		c, err := net.Dial("tcp4", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if b, err := readFrame(pipe, socketInfoSize, 0); err != nil || checkSocketInfo(b) != nil {
		t.Fatalf("%x, %v", b, err)
	}
	if _, err := pipe.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error("a session that takes nothing:", err)
	}
}

// TestGivenHostile: what is no TCP connection is never opened.
func TestGivenHostile(t *testing.T) {
	for name, frame := range map[string][]byte{
		"empty":        appendFrame(nil, nil),
		"zeros":        appendFrame(nil, make([]byte, socketInfoSize)),
		"too long":     appendFrame(nil, make([]byte, socketInfoSize+1)),
		"huge":         {255, 255, 255, 127},
		"right fields": appendFrame(nil, tcpInfo(2, 1, 6)),
	} {
		ours, theirs := net.Pipe()
		go func() { theirs.Write(frame); io.Copy(io.Discard, theirs) }()
		if c, err := (taker{ours}).take(); err == nil {
			t.Errorf("%s: %v", name, c.LocalAddr())
		}
		ours.Close()
		theirs.Close()
	}
}

// TestPipeOwner: a pipe of another owner is not believed.
func TestPipeOwner(t *testing.T) {
	s := startSharing(t)
	own := portOwner
	portOwner = "S-1-5-18"
	defer func() { portOwner = own }()
	if _, err := dialPort(s.socket, s.addr); !errors.Is(err, ErrForeignUser) {
		t.Error(err)
	}
}

// TestHeldByOther: our own listener is not another user's.
func TestHeldByOther(t *testing.T) {
	l, err := listenRaw("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.addr.AddrPort().Port()
	table, err := tcpTable(tcpOwnerPIDListeners)
	if err != nil {
		t.Fatal(err)
	}
	if pid, ok := findListener(table, port); !ok || pid != windows.GetCurrentProcessId() && !(underWine() && pid == 0) { // it does not know whose
		t.Errorf("listener: %d, %v", pid, ok)
	}
	if heldByOther(port) {
		t.Error("ours counts as another user's")
	}
}

// TestPortSDDL: the pipe of sessions is the system's, and nobody else gets more than a connection.
func TestPortSDDL(t *testing.T) {
	const want = "O:S-1-5-18G:S-1-5-18D:P(D;;GA;;;NU)(A;;GA;;;S-1-5-18)(A;;0x12019b;;;IU)"
	if got := portSDDL("S-1-5-18"); got != want {
		t.Error(got)
	}
}
