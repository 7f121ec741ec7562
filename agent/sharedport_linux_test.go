// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sys/unix"

	"persten/internal/browser"
	"persten/internal/config"
	"persten/internal/ipc"
	"persten/proto"
)

// alone runs the rest of a test with a network and a /run of its own, where the port is free. In the process that shall go on
// it returns the program under test.
func alone(t *testing.T) (program string, inside bool) {
	t.Helper()
	if program := os.Getenv("ALONE"); program != "" {
		raise(t)
		return program, true
	}
	if os.Getuid() != 0 {
		t.Skip("not run: several users of one machine need root")
	}
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	me, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-mn", "sh", "-c", `mount -t tmpfs -o mode=755 none /run && exec "$@"`, "sh", me, "-test.run", "^" + t.Name() + "$", "-test.v", "-test.timeout", "10m"}
	cmd := exec.Command("unshare", args...)
	cmd.Env = append(os.Environ(), "ALONE="+program)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil && bytes.Contains(out, []byte("unshare failed")) {
		t.Skip("not run: no namespaces here")
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("alone: %v", err)
	}
	return "", false
}

// raise brings up the loopback interface.
func raise(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// machine is a computer with several users and the service that shares the port.
type machine struct {
	t       *testing.T
	program string
	dir     string
	held    []*os.File // the service's sockets, which systemd keeps open
	service *exec.Cmd
	log     logBuffer
}

func newMachine(t *testing.T, program string) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "users")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	m := &machine{t: t, program: filepath.Join(dir, "persten"), dir: dir}
	if out, err := exec.Command("cp", program, m.program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return m
}

// holdPort does what persten-port.socket has systemd do.
func (m *machine) holdPort() {
	m.t.Helper()
	web, err := net.Listen("tcp4", config.DefaultWebSocket)
	if err != nil {
		m.t.Fatal(err)
	}
	os.MkdirAll(filepath.Dir(ipc.PortSocket), 0o755)
	sessions, err := net.Listen("unix", ipc.PortSocket)
	if err != nil {
		m.t.Fatal(err)
	}
	os.Chmod(ipc.PortSocket, 0o666)
	for _, l := range []interface{ File() (*os.File, error) }{web.(*net.TCPListener), sessions.(*net.UnixListener)} {
		f, err := l.File()
		if err != nil {
			m.t.Fatal(err)
		}
		m.held = append(m.held, f)
	}
	web.Close()
	sessions.(*net.UnixListener).SetUnlinkOnClose(false)
	sessions.Close()
}

// startService starts the service as its unit does, without rights.
func (m *machine) startService() {
	m.t.Helper()
	m.service = exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" service run`, m.program)
	m.service.Env = []string{"LISTEN_FDS=2", "PATH=/nowhere"}
	m.service.Dir = "/"
	m.service.ExtraFiles = m.held
	m.service.Stderr = &m.log
	m.service.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61000, Gid: 61000}}
	if err := m.service.Start(); err != nil {
		m.t.Fatal(err)
	}
	service := m.service
	m.t.Cleanup(func() { service.Process.Kill(); service.Wait() })
}

// account is a user of the machine.
type account struct {
	m   *machine
	uid int
	dir string
	log logBuffer
}

func (m *machine) account(uid int) *account {
	m.t.Helper()
	p := &account{m: m, uid: uid, dir: filepath.Join(m.dir, strconv.Itoa(uid))}
	var list []string
	for i := range visitedSites {
		list = append(list, strconv.Quote(site(i)))
	}
	for _, name := range []string{"", "run", "state", "config", "home"} {
		if err := os.Mkdir(filepath.Join(p.dir, name), 0o700); err != nil {
			m.t.Fatal(err)
		}
		os.Chown(filepath.Join(p.dir, name), uid, uid)
	}
	file := filepath.Join(p.dir, "config.toml")
	text := "[origins]\nallow = [" + strings.Join(list, ", ") + "]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	os.Chown(file, uid, uid)
	return p
}

func (p *account) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	for name, dir := range map[string]string{"HOME": "home", "XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config", "PERSTEN_CONFIG": "config.toml"} {
		cmd.Env = append(cmd.Env, name+"="+filepath.Join(p.dir, dir))
	}
	cmd.Env = append(cmd.Env, "LANG=C.UTF-8", "PERSTEN_PROGRAM="+p.m.program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(p.uid), Gid: uint32(p.uid)}}
	return cmd
}

// logOn starts the user's session.
func (p *account) logOn() {
	p.m.t.Helper()
	cmd := p.command(p.m.program, "session", "--headless")
	cmd.Stderr = &p.log
	if err := cmd.Start(); err != nil {
		p.m.t.Fatal(err)
	}
	p.m.t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		if p.m.t.Failed() {
			p.m.t.Logf("session of %d:\n%s", p.uid, p.log.String())
		}
	})
	p.m.eventually(10*time.Second, "a session is ready", func() bool { return strings.Contains(p.log.String(), "msg=ready") })
}

// key is the public key of the user's agent.
func (p *account) key() string {
	p.m.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "state", "persten", "agent.key"))
	if err != nil {
		p.m.t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		p.m.t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.(crypto.Signer).Public())
	if err != nil {
		p.m.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(public)
}

// problems are those of the port that status names.
func (p *account) problems() (codes []proto.Code) {
	p.m.t.Helper()
	out, err := p.command(p.m.program, "status", "--json").Output()
	if err != nil {
		p.m.t.Fatalf("status: %v", err)
	}
	var s proto.AgentStatusResult
	if err := json.Unmarshal(out, &s); err != nil {
		p.m.t.Fatalf("status: %v: %s", err, out)
	}
	for _, problem := range s.Problems {
		if strings.HasPrefix(string(problem.Code), "port_") { // the user has no token either
			codes = append(codes, problem.Code)
		}
	}
	return codes
}

// finds has the doctor look, and wants these findings about the port and no others.
func (p *account) finds(want ...string) {
	p.m.t.Helper()
	out, _ := p.command(p.m.program, "doctor", "--json").Output() // it fails when it finds something
	var report proto.DoctorRunResult
	if err := json.Unmarshal(out, &report); err != nil {
		p.m.t.Fatalf("doctor: %v: %s", err, out)
	}
	var got []string
	for _, f := range report.Findings {
		if strings.HasPrefix(string(f.Code), "port_") {
			got = append(got, string(f.Code))
		}
	}
	if !slices.Equal(got, want) {
		p.m.t.Errorf("user %d: the doctor finds %q about the port, want %q", p.uid, got, want)
	}
}

// visit is the user's browser; see visitorMain.
func (p *account) visit(tries int) (*exec.Cmd, *bytes.Buffer) {
	p.m.t.Helper()
	cmd := p.command(filepath.Join(p.m.dir, "visitor"), strconv.Itoa(tries))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		p.m.t.Fatal(err)
	}
	return cmd, &out
}

// visitors makes the test program one that every user may run.
func (m *machine) visitors() {
	m.t.Helper()
	me, err := os.Executable()
	if err == nil {
		var out []byte
		if out, err = exec.Command("cp", me, filepath.Join(m.dir, "visitor")).CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) eventually(limit time.Duration, what string, true func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(limit); !true(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Fatalf("not within %v: %s\nlog of the service:\n%s", limit, what, m.log.String())
		}
	}
}

const visitedSites = 12 // so that none comes to its limit of requests

func site(i int) string { return fmt.Sprintf("https://site-%d.example", i%visitedSites) }

func init() { played["visitor"] = visitorMain }

// visitorMain is a browser of one user: it says hello so many times over the WebSocket and as many times over native
// messaging, in turns, and prints how many answers came from which agent. Every fourth hello over the WebSocket has a
// connection of its own, and every one over native messaging a channel.
func visitorMain() {
	tries, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	answers := map[string]int{}
	native, err := newNative()
	if err != nil {
		fmt.Println("native messaging:", err)
		return
	}
	var web *websocket.Conn
	for i := range tries {
		if i%4 == 0 {
			if web != nil {
				web.Close()
			}
			dialer := websocket.Dialer{HandshakeTimeout: 20 * time.Second, Subprotocols: []string{proto.Protocol}}
			if web, _, err = dialer.Dial("ws://"+config.DefaultWebSocket+"/", http.Header{"Origin": {site(i / 4)}}); err != nil {
				fmt.Println("websocket:", err)
				return
			}
		}
		answers["websocket "+overWeb(web)]++
		answers["native "+native.hello(site(i))]++
	}
	json.NewEncoder(os.Stdout).Encode(answers)
}

var aHello = `{"jsonrpc":"2.0","id":1,"method":"agent.hello","params":{"protocol":"persten.v1","challenge":"ZQ3eQZUBwHfoBP6XLqj+IFED60Q/sUvPisb2gVUTTPk="}}`

// agentOf is the key in an answer to aHello, or what came instead.
func agentOf(b []byte, err error) string {
	var a struct {
		Result proto.AgentHelloResult
		Error  *refusal
	}
	switch {
	case err != nil:
		return err.Error()
	case json.Unmarshal(b, &a) != nil:
		return string(b)
	case a.Error != nil:
		return a.Error.Error()
	case a.Result.Agent == nil:
		return "no proof"
	}
	return base64.StdEncoding.EncodeToString(a.Result.Agent.Key)
}

func overWeb(c *websocket.Conn) string {
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if err := c.WriteMessage(websocket.TextMessage, []byte(aHello)); err != nil {
		return err.Error()
	}
	for {
		_, b, err := c.ReadMessage()
		if err != nil || bytes.Contains(b, []byte(`"id":1`)) { // others are notifications
			return agentOf(b, err)
		}
	}
}

// native is the browser's end of `persten host`.
type native struct{ conn ipc.Conn }

func newNative() (*native, error) {
	cmd := exec.Command(os.Getenv("PERSTEN_PROGRAM"), "chrome-extension://"+browser.ExtensionID+"/")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &native{ipc.Stdio(out, in, 1<<20)}, cmd.Start()
}

func (n *native) hello(origin string) string {
	ch := fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64())
	open, _ := json.Marshal(frame{Ch: ch, Kind: "open", From: object{"origin": origin, "top": origin, "frame": 0, "extension": browser.ExtensionID}})
	ask, _ := json.Marshal(frame{Ch: ch, Kind: "rpc", Body: json.RawMessage(aHello)})
	bye, _ := json.Marshal(frame{Ch: ch, Kind: "close"})
	for _, m := range [][]byte{open, ask} {
		if err := n.conn.Send(m); err != nil {
			return err.Error()
		}
	}
	defer n.conn.Send(bye)
	for {
		b, err := n.conn.Recv()
		if err != nil {
			return err.Error()
		}
		var f frame
		if err := json.Unmarshal(b, &f); err != nil {
			return err.Error()
		}
		if f.Ch == ch && (f.Kind != "rpc" || bytes.Contains(f.Body, []byte(`"id":1`))) {
			return agentOf(f.Body, nil)
		}
	}
}

// TestTwoUsers: two users log on, their browsers ask a thousand times each over both transports at the same time, and every
// answer comes from the user's own agent.
func TestTwoUsers(t *testing.T) {
	program, inside := alone(t)
	if !inside {
		return
	}
	const tries = 1000
	m := newMachine(t, program)
	m.visitors()
	m.holdPort()
	m.startService()
	people := []*account{m.account(60001), m.account(60002)}
	for _, p := range people {
		p.logOn()
		if list := p.problems(); len(list) > 0 {
			t.Errorf("user %d: status has problems %v", p.uid, list)
		}
	}
	var wg sync.WaitGroup
	began := time.Now()
	for _, p := range people {
		cmd, out := p.visit(tries)
		wg.Go(func() {
			cmd.Wait()
			want, _ := json.Marshal(map[string]int{"websocket " + p.key(): tries, "native " + p.key(): tries})
			if got := strings.TrimSpace(out.String()); got != string(want) {
				t.Errorf("user %d: %s\nwant %s", p.uid, got, want)
			}
		})
	}
	wg.Wait()
	t.Logf("2 users x %d requests x 2 transports in %v", tries, time.Since(began).Round(time.Millisecond))
	if people[0].key() == people[1].key() {
		t.Error("both agents have one key")
	}
}

// TestPortServiceKilled: sessions say that the service is gone, native messaging goes on, and they are back within 10 s of its
// return.
func TestPortServiceKilled(t *testing.T) {
	program, inside := alone(t)
	if !inside {
		return
	}
	m := newMachine(t, program)
	m.visitors()
	m.holdPort()
	m.startService()
	people := []*account{m.account(60001), m.account(60002)}
	for _, p := range people {
		p.logOn()
		p.finds()
	}
	for range 3 {
		m.service.Process.Kill()
		m.service.Wait()
		for _, p := range people {
			m.eventually(10*time.Second, "status says that the service is gone", func() bool {
				list := p.problems()
				return len(list) == 1 && list[0] == proto.CodePortServiceLost
			})
			p.finds("port_service_lost")
		}
		m.startService()
		back := time.Now()
		for _, p := range people {
			m.eventually(10*time.Second, "the session has the port again", func() bool { return len(p.problems()) == 0 })
			cmd, out := p.visit(8)
			if cmd.Wait(); !strings.Contains(out.String(), `"websocket `+p.key()+`":8`) {
				t.Errorf("user %d: %s", p.uid, out)
			}
		}
		t.Logf("back after %v", time.Since(back).Round(time.Millisecond))
	}
}

// TestWithoutPortService: the first session has the port and the second says whose it is; native messaging serves both.
func TestWithoutPortService(t *testing.T) {
	program, inside := alone(t)
	if !inside {
		return
	}
	m := newMachine(t, program)
	first, second := m.account(60001), m.account(60002)
	first.logOn()
	second.logOn()
	if list := first.problems(); len(list) > 0 {
		t.Errorf("first: %v", list)
	}
	if list := second.problems(); len(list) != 1 || list[0] != proto.CodePortOtherUser {
		t.Errorf("second: %v", list)
	}
	first.finds()
	second.finds("port_other_user")
	for _, p := range []*account{first, second} {
		if said, code := p.overNative(); said != p.key() || code != exitOK {
			t.Errorf("user %d, native messaging: %s, exit code %d", p.uid, said, code)
		}
	}
}

// overNative starts a native host as the user's browser does, says hello, and returns who answered.
func (p *account) overNative(env ...string) (said string, code int) {
	p.m.t.Helper()
	cmd := p.command(p.m.program, "chrome-extension://"+browser.ExtensionID+"/")
	cmd.Env = append(cmd.Env, env...)
	in, err := cmd.StdinPipe()
	if err != nil {
		p.m.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		p.m.t.Fatal("the native host does not start", err)
	}
	said = (&native{ipc.Stdio(out, in, 1<<20)}).hello(site(0))
	in.Close()
	cmd.Wait()
	return said, cmd.ProcessState.ExitCode()
}

// TestForeignHost: another user's native host, which says it is our extension and names an allowed site, gets nowhere with the
// session of somebody whose socket every user can reach.
func TestForeignHost(t *testing.T) {
	program, inside := alone(t)
	if !inside {
		return
	}
	tries := 200
	if os.Getenv("PERSTEN_LONG") != "" {
		tries = 1000
	}
	m := newMachine(t, program)
	owner, stranger := m.account(60001), m.account(60002)
	owner.logOn()
	socket := filepath.Join(owner.dir, "run", "persten", "session.sock")
	open := func(folders, file os.FileMode) {
		for _, path := range []string{owner.dir, filepath.Join(owner.dir, "run"), filepath.Dir(socket)} {
			os.Chmod(path, folders)
		}
		os.Chmod(socket, file)
	}
	open(0o755, 0o666)
	answered := 0
	for range tries {
		said, code := stranger.overNative("PERSTEN_SOCKET=" + socket)
		if code == exitOK || said != io.EOF.Error() && !strings.Contains(said, "broken pipe") {
			answered++
			t.Logf("said %q, exit code %d", said, code)
		}
	}
	t.Logf("%d of %d tries answered", answered, tries)
	if answered != 0 {
		t.Error("another user's native host was served")
	}
	open(0o700, 0o600)
	if said, _ := owner.overNative(); said != owner.key() {
		t.Errorf("the owner's own: %s", said)
	}
}
