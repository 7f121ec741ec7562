// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const nobody = 65534

// TestMain lets this program play a client of another user and a session started by systemd.
func TestMain(m *testing.M) {
	switch os.Getenv("IPC_ROLE") {
	case "":
		os.Exit(m.Run())
	case "foreign":
		foreignClient()
	case "activated":
		activatedSession()
	case "sharing":
		sharingUser()
	case "knocking":
		knockingUser()
	}
}

// startUser listens at a fresh path and echoes.
func startUser(t *testing.T) (path string, peers chan Peer) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "persten", "session.sock")
	l, err := ListenUser(path)
	if err != nil {
		t.Fatal(err)
	}
	peers = make(chan Peer, 10)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- l.Serve(ctx, func(c Conn, p Peer) {
			peers <- p
			for b, err := c.Recv(); err == nil; b, err = c.Recv() {
				c.Send(b)
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return path, peers
}

func TestUserSocket(t *testing.T) {
	path, peers := startUser(t)
	for file, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700, path + ".lock": 0o600} {
		fi, err := os.Stat(file)
		if err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v", file, fi.Mode(), err)
		}
	}
	c, err := DialUser(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := exchange(t, c, `{"a":1}`); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
	if p := <-peers; p.UID != os.Getuid() || p.PID != os.Getpid() || p.Program == "" || p.Via != ViaUnix || p.Origin != "" {
		t.Errorf("peer %+v", p)
	}
	h, err := DialHost(t.Context(), path, testExtension)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	want := fmt.Sprintf(`{"ch":%q,"kind":"rpc","body":{}}`, chID(1))
	if got := exchange(t, h, openFrame(1, "https://portal.example"), want); got != want {
		t.Errorf("got %s", got)
	}
	if p := <-peers; p.Via != ViaNative || p.Origin != "https://portal.example" || p.Extension != testExtension || p.PID != os.Getpid() {
		t.Errorf("peer %+v", p)
	}
}

func TestHelloRefused(t *testing.T) {
	path, peers := startUser(t)
	for _, hello := range []string{"", "{}", "x", `{"role":"page"}`, `{"role":"host"}`, `{"role":"host","extension":""}`, `{"role":"local","extension":"x"}`, `{"role":"local","x":1}`,
		`{"role":"local","role":"host","extension":"x"}`, `{"role":"local"}{}`, `[{"role":"local"}]`, `{"role":"host","extension":"` + strings.Repeat("x", 81) + `"}`, `{"role":"local"` + strings.Repeat(" ", 2000) + `}`} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(2 * time.Second))
		c.Write(appendFrame(nil, []byte(hello)))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.60q: %v", hello, err)
		}
		c.Close()
	}
	if len(peers) != 0 {
		t.Errorf("%d accepted", len(peers))
	}
}

func TestUserSocketInUse(t *testing.T) {
	path, _ := startUser(t)
	if l, err := ListenUser(path); !errors.Is(err, ErrInUse) {
		t.Errorf("a second session: %v, %v", l, err)
	}
	other := filepath.Join(t.TempDir(), "persten", "session.sock")
	os.Mkdir(filepath.Dir(other), 0o700)
	live, err := net.Listen("unix", other) // answers, without our lock
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if _, err := ListenUser(other); !errors.Is(err, ErrInUse) {
		t.Error("took the socket of a live program:", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "persten", "session.sock")
	os.Mkdir(filepath.Dir(path), 0o700)
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	l, err := ListenUser(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	os.WriteFile(path, []byte("precious"), 0o600)
	if _, err := ListenUser(path); err == nil {
		t.Error("replaced a file that is no socket")
	}
	if b, err := os.ReadFile(path); string(b) != "precious" {
		t.Error("the file is gone:", err)
	}
}

func TestSocketFolderRefused(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	os.Mkdir(open, 0o755)
	link := filepath.Join(dir, "link")
	os.Symlink(open, link)
	paths := []string{open, link}
	if os.Getuid() == 0 {
		foreign := filepath.Join(dir, "foreign")
		os.Mkdir(foreign, 0o700)
		os.Chown(foreign, nobody, nobody)
		paths = append(paths, foreign)
	} else {
		t.Log("not root: a folder of another user was not tried")
	}
	for _, p := range paths {
		if l, err := ListenUser(filepath.Join(p, "s")); err == nil {
			l.Close()
			t.Errorf("%s was taken", filepath.Base(p))
		}
	}
}

func TestDialWaitsForSession(t *testing.T) {
	path := filepath.Join(t.TempDir(), "persten", "session.sock")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := DialUser(ctx, path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("nobody there:", err)
	}
	got := make(chan error, 1)
	go func() {
		c, err := DialUser(context.Background(), path)
		if err == nil {
			c.Close()
		}
		got <- err
	}()
	time.Sleep(150 * time.Millisecond)
	l, err := ListenUser(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// reexec runs this test program in another role, by way of a copy that every user may execute.
func reexec(t *testing.T, role string, uid int, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "ipc-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "client")
	if err := os.WriteFile(path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path)
	cmd.Env = append([]string{"IPC_ROLE=" + role}, args...)
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	if uid != os.Getuid() {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	return cmd
}

const foreignTries = 1000

// TestForeignUser: another user knows everything, and file modes do not stop it here; 1,000 tries on each transport, none
// accepted.
func TestForeignUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skipf("not run: 2 transports x %d tries as another user need root", foreignTries)
	}
	path, peers := startUser(t)
	for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	os.Chmod(path, 0o666)
	s := startWeb(t, nil)
	out, err := reexec(t, "foreign", nobody, "SOCK="+path, "WEB="+s.addr).Output()
	if err != nil {
		t.Fatal(err)
	}
	const health = "HTTP/1.1 403 Forbidden\r\nAccess-Control-Allow-Origin: *\r\nCache-Control: no-store\r\n" +
		"Content-Type: text/plain; charset=utf-8\r\nCross-Origin-Resource-Policy: cross-origin\r\nX-Content-Type-Options: nosniff\r\n" +
		"Content-Length: 23\r\nConnection: close\r\n\r\nanother user's persten\n"
	want := fmt.Sprintf("uid %d: socket reached %d, answered 0; websocket reached %d, answered 0; health %q\n", nobody, foreignTries, foreignTries, health)
	if string(out) != want {
		t.Errorf("got %swant %s", out, want)
	}
	if n := len(peers) + int(s.accepted.Load()) + int(s.unknown.Load()); n != 0 {
		t.Errorf("%d accepted or asked about", n)
	}
	if status := s.send(t, s.head().String()); status != http.StatusSwitchingProtocols {
		t.Errorf("our own user got %d", status)
	}
}

func foreignClient() {
	var reached, answered [2]int
	web := &webServer{addr: os.Getenv("WEB")}
	request := web.head().String()
	for range foreignTries {
		if c, err := net.Dial("unix", os.Getenv("SOCK")); err == nil {
			reached[0]++
			c.SetDeadline(time.Now().Add(5 * time.Second))
			c.Write(appendFrame(appendFrame(nil, []byte(`{"role":"local"}`)), []byte(`{}`)))
			if n, _ := io.ReadFull(c, make([]byte, 4)); n > 0 {
				answered[0]++
			}
			c.Close()
		}
		if c, err := net.Dial("tcp4", web.addr); err == nil {
			c.SetDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(c, request)
			if r, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				reached[1]++
				if r.StatusCode != http.StatusForbidden {
					answered[1]++
				}
			}
			c.Close()
		}
	}
	fmt.Printf("uid %d: socket reached %d, answered %d; websocket reached %d, answered %d; health %q\n",
		os.Getuid(), reached[0], answered[0], reached[1], answered[1], web.health(web.addr, ""))
}

// TestForeignSession: a client does not talk to a socket that another user listens on.
func TestForeignSession(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not run: 1 case needs root")
	}
	dir, err := os.MkdirTemp("/tmp", "ipc-test-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chown(dir, nobody, nobody)
	path := filepath.Join(dir, "s")
	cmd := reexec(t, "activated", nobody, "LISTEN_AT="+path)
	out, _ := cmd.StdoutPipe()
	in, _ := cmd.StdinPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(line, err)
	}
	if _, err := DialUser(t.Context(), path); !errors.Is(err, ErrForeignUser) {
		t.Error(err)
	}
}

func TestSystemdActivation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "persten", "session.sock")
	os.Mkdir(filepath.Dir(path), 0o700)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := reexec(t, "activated", os.Getuid(), "SOCK="+path, "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{f}
	in, _ := cmd.StdinPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := DialUser(t.Context(), path) // queued by the kernel until the session serves
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := exchange(t, c, `{}`); got != strconv.Itoa(cmd.Process.Pid) {
		t.Errorf("answered by %s, not by the session %d", got, cmd.Process.Pid)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error("the session removed systemd's socket:", err)
	}
}

// activatedSession serves until its standard input ends.
func activatedSession() {
	if at := os.Getenv("LISTEN_AT"); at != "" {
		l, err := net.Listen("unix", at)
		if err == nil {
			err = os.Chmod(at, 0o666)
		}
		fmt.Println("listening", l != nil, err)
		io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	l, err := ListenUser(os.Getenv("SOCK"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { io.Copy(io.Discard, os.Stdin); cancel() }()
	l.Serve(ctx, func(c Conn, _ Peer) {
		if _, err := c.Recv(); err == nil {
			c.Send([]byte(strconv.Itoa(os.Getpid())))
		}
		c.Recv()
	})
}

func TestPairFiles(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	child, err := Adopt(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer child.Close()
	before := openFDs(t)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 25 {
				r, w, err := os.Pipe()
				if err != nil {
					t.Error(err)
					return
				}
				fmt.Fprintf(w, "%d/%d", i, j)
				w.Close()
				msg := fmt.Sprintf("%d/%d %s", i, j, strings.Repeat("x", j*9000))
				if err := ours.SendFiles([]byte(msg), r); err != nil {
					t.Error(err)
				}
				if err := ours.Send([]byte("plain")); err != nil {
					t.Error(err)
				}
				r.Close()
			}
		})
	}
	for range 200 {
		msg, files, err := child.RecvFiles()
		if err != nil {
			t.Fatal(err)
		}
		if string(msg) == "plain" {
			if len(files) != 0 {
				t.Fatal("a plain message came with files")
			}
			continue
		}
		want, _, _ := strings.Cut(string(msg), " ")
		if len(files) != 1 {
			t.Fatalf("%s came with %d files", want, len(files))
		}
		if b, err := io.ReadAll(files[0]); string(b) != want {
			t.Fatalf("%s came with the file of %s, %v", want, b, err)
		}
		files[0].Close()
	}
	wg.Wait()
	devnull, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]*os.File, MaxFiles)
	for i := range many {
		many[i] = devnull
	}
	if err := ours.SendFiles([]byte("many"), many...); err != nil {
		t.Error(err)
	}
	if _, err := child.Recv(); err != nil { // closes what it does not give
		t.Error(err)
	}
	if err := ours.SendFiles([]byte("more"), append(many, devnull)...); !errors.Is(err, ErrProtocol) {
		t.Error("one file too many:", err)
	}
	devnull.Close()
	if err := ours.SendFiles([]byte("closed"), devnull); err == nil {
		t.Error("sent a closed file")
	}
	if after := openFDs(t); after != before {
		t.Errorf("%d descriptors were open, now %d", before, after)
	}
}

func TestPairHostileFiles(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	before := openFDs(t)
	fds := make([]int, 200)
	for i := range fds {
		fds[i] = 0
	}
	frame := binary.NativeEndian.AppendUint32(nil, 1)
	if err := syscall.Sendmsg(int(theirs.f.Fd()), frame, syscall.UnixRights(fds...), nil, 0); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if _, _, err := ours.RecvFiles(); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
	if after := openFDs(t); after != before-1 {
		t.Errorf("%d descriptors were open, now %d", before-1, after)
	}
	if _, err := ours.Recv(); err != io.EOF {
		t.Error(err)
	}
}

func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestFindTCP(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:5E35 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0
   1: 0100007F:C350 0100007F:5E35 01 00000000:00000000 00:00000000 00000000  1000        0 101 1 0 20 4 30 10 -1
   2: 0100007F:C351 0100007F:5E35 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   3: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:5E35 01 00000000:00000000 00:00000000 00000000  1001        0 102 1 0
junk
   4: 0100007F 0100007F:5E35 01 a b c d 0 e
`
	server := netip.MustParseAddrPort("127.0.0.1:24117")
	for port, want := range map[uint16]int{50000: 1000, 50001: -1, 50002: 1001, 50003: -1} {
		uid, _, ok := findTCP(strings.NewReader(table), netip.AddrPortFrom(server.Addr(), port), server)
		if ok != (want >= 0) || ok && uid != want {
			t.Errorf("port %d: uid %d, %v", port, uid, ok)
		}
	}
}

func FuzzFindTCP(f *testing.F) {
	f.Add("   1: 0100007F:C350 0100007F:5E35 01 0:0 00:0 0 1000 0 101 1")
	server := netip.MustParseAddrPort("127.0.0.1:24117")
	f.Fuzz(func(t *testing.T, s string) {
		if _, inode, ok := findTCP(strings.NewReader(s), netip.AddrPortFrom(server.Addr(), 50000), server); ok && inode == "" {
			t.Error("found without an inode")
		}
	})
}
