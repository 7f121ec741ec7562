// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"persten/internal/ipc"
	"persten/internal/rpc"
	"persten/proto"
)

// setting is what a session is started with.
type setting struct {
	config string   // of config.toml, without [listen]
	policy string   // of the machine policy, in a mount namespace of its own; needs root
	hide   []string // files that the session does not see, in the same way
	env    []string // beside the surroundings of every session
	args   []string // after "session --headless"
}

// session is a running `persten session --headless` with folders of its own.
type session struct {
	dir, socket string
	web         string // address of the WebSocket
	pid         int
	env         []string
	program     string
	cmd         *exec.Cmd
	began       time.Time // when its process was started
	ended       chan struct{}
	log         strings.Builder // complete once ended is closed
}

// session starts one and returns when it says that it is ready.
func (w *workbench) session(ctx context.Context, o setting) (*session, error) {
	s, err := w.prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	return s, w.launch(ctx, s)
}

// launch starts a prepared session and waits until it is ready.
func (w *workbench) launch(ctx context.Context, s *session) error {
	ready, err := s.start()
	if err != nil {
		return err
	}
	w.sessions = append(w.sessions, s)
	select {
	case s.web = <-ready:
		return nil
	case <-s.ended:
		return fmt.Errorf("the session has ended:\n%s", s.log.String())
	case <-ctx.Done():
		return ctx.Err()
	}
}

// prepare makes folders, settings and the command line of a session.
func (w *workbench) prepare(ctx context.Context, o setting) (*session, error) {
	program, err := w.persten(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(w.dir, "s")
	if err != nil {
		return nil, err
	}
	s := &session{dir: dir, program: program, ended: make(chan struct{})}
	s.socket = s.path("run/session.sock")
	for _, name := range []string{"run", "state", "config", "home"} {
		if err := os.Mkdir(s.path(name), 0o700); err != nil {
			return nil, err
		}
	}
	s.env = append(surroundings(), "HOME="+s.path("home"), "XDG_RUNTIME_DIR="+s.path("run"), "XDG_STATE_HOME="+s.path("state"),
		"XDG_CONFIG_HOME="+s.path("config"), "PERSTEN_CONFIG="+s.path("config.toml"), "PERSTEN_SOCKET="+s.socket, "LANG=C.UTF-8")
	s.env = append(s.env, o.env...)
	config := o.config + "\n[listen]\nwebsocket = \"127.0.0.1:0\"\n"
	if err := os.WriteFile(s.path("config.toml"), []byte(config), 0o600); err != nil {
		return nil, err
	}
	s.cmd = s.command(context.Background(), append([]string{"session", "--headless"}, o.args...)...)
	if o.policy != "" || len(o.hide) > 0 {
		return s, s.apart(o)
	}
	return s, nil
}

func (s *session) path(name string) string { return s.dir + "/" + name }

// surroundings is the environment without a display and without settings of the user's own session.
func surroundings() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "PERSTEN_") || slices.Contains([]string{"DISPLAY", "WAYLAND_DISPLAY", "LC_ALL", "LC_MESSAGES", "LANGUAGE"}, name)
	})
}

// namespace puts a folder over /etc and hides files, for one process: policy and modules are looked for where they belong
// to root, and nowhere else, by design.
const namespace = `[ -z "$1" ] || mount -t overlay overlay -o lowerdir="$1":/etc /etc
shift
while [ "$1" != -- ]; do mount --bind /dev/null "$1"; shift; done
shift
exec "$@"`

// apart makes the session's process see what o says in a mount namespace. It stays the same process.
func (s *session) apart(o setting) error {
	if os.Geteuid() != 0 {
		return errors.New("policy and modules belong to root: run as root")
	}
	etc := ""
	if o.policy != "" {
		etc = s.path("etc")
		if err := writePolicy(etc, o.policy); err != nil {
			return err
		}
	}
	args := append([]string{"-m", "sh", "-ec", namespace, "sh", etc}, o.hide...)
	wrapped := exec.Command("unshare", append(append(args, "--", s.cmd.Path), s.cmd.Args[1:]...)...)
	s.cmd.Path, s.cmd.Args = wrapped.Path, wrapped.Args
	return wrapped.Err
}

func writePolicy(etc, text string) error {
	for _, dir := range []string{etc, etc + "/persten"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(etc+"/persten/policy.toml", []byte(text), 0o644)
}

var readyLine = regexp.MustCompile(`msg=ready .*websocket=(127\.0\.0\.1:\d+)`)

// start runs the prepared session; the address of its WebSocket comes when it is ready.
func (s *session) start() (<-chan string, error) {
	log, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.began = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.pid = s.cmd.Process.Pid
	ready := make(chan string, 1)
	go func() {
		defer close(s.ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			s.log.WriteString(lines.Text() + "\n")
			if m := readyLine.FindStringSubmatch(lines.Text()); m != nil {
				ready <- m[1]
			}
		}
		s.cmd.Wait()
	}()
	return ready, nil
}

// stop ends the session and whatever it has started. It may be called twice.
func (s *session) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(5 * time.Second):
	}
	syscall.Kill(-s.pid, syscall.SIGKILL)
}

// command is persten, seeing this session.
func (s *session) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Env, cmd.Dir = s.env, s.dir
	return cmd
}

// dial connects to the user socket and says hello; hear may be nil.
func (s *session) dial(ctx context.Context, hear rpc.Handler) (*rpc.Conn, error) {
	c, err := ipc.DialUser(ctx, s.socket)
	if err != nil {
		return nil, err
	}
	return greet(ctx, c, hear)
}

// dialWeb connects to the WebSocket as a page of origin would.
func (s *session) dialWeb(ctx context.Context, origin string, hear rpc.Handler) (*rpc.Conn, error) {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, Subprotocols: []string{proto.Protocol}}
	c, _, err := dialer.DialContext(ctx, "ws://"+s.web+"/", http.Header{"Origin": {origin}})
	if err != nil {
		return nil, err
	}
	return greet(ctx, &webConn{c: c}, hear)
}

func greet(ctx context.Context, c ipc.Conn, hear rpc.Handler) (*rpc.Conn, error) {
	if hear == nil {
		hear = func(context.Context, *rpc.Request) (any, error) { return nil, nil }
	}
	conn := rpc.New(c, hear)
	go conn.Serve(context.WithoutCancel(ctx))
	var r proto.AgentHelloResult
	err := conn.Call(ctx, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol, Client: "persten bench"}, &r)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("hello: %w", err)
	}
	return conn, nil
}

// webConn is a WebSocket as ipc.Conn.
type webConn struct {
	mu sync.Mutex // of writing
	c  *websocket.Conn
}

func (w *webConn) Send(msg []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.c.WriteMessage(websocket.TextMessage, msg)
}

func (w *webConn) Recv() ([]byte, error) {
	_, msg, err := w.c.ReadMessage()
	return msg, err
}

func (w *webConn) Close() error { return w.c.Close() }
