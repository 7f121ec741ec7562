// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/ui/uitest"
)

// screen is a display of its own with a window manager, and this program built to run on it.
type screen struct {
	t       *testing.T
	display string
	program string
	prompt  *exec.Cmd // the last one started
	env     []string  // of the roles, beside the display
	started []int     // pids

	others func() []int // pids of windows that somebody else started on it
}

// program is built once for all tests of the package; TestMain removes it.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "persten-desktop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "persten-desktop")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(t *testing.T) string {
	t.Helper()
	if out, err := built(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

var built = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("go", "build", "-o", program, ".").CombinedOutput()
})

// beside lets a test run beside others: each has a display of its own, and waits for people's time more than it computes. Tests within
// tests share what their parent holds and stay in turn.
func beside(t *testing.T) {
	if _, twice := parallel.LoadOrStore(t, true); !twice && !strings.Contains(t.Name(), "/") {
		t.Parallel()
	}
}

var parallel sync.Map // *testing.T

// newScreen starts Xvfb and openbox. Where they are missing it says what was not tested.
func newScreen(t *testing.T) *screen {
	t.Helper()
	return newScreenOf(t, "1100x900")
}

func newScreenOf(t *testing.T, size string) *screen {
	t.Helper()
	beside(t)
	for _, tool := range []string{"Xvfb", "openbox", "xdotool", "import"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: the real window was not run", tool)
		}
	}
	display, server := uitest.Xvfb(t, size)
	s := &screen{t: t, program: build(t), display: display, started: []int{server.Pid}}
	s.start(s.command("openbox"))
	for tries := 0; s.command("xdotool", "get_desktop").Run() != nil; tries++ { // fails until a window manager answers
		if tries == 400 {
			t.Fatal("no window manager")
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.command("xsetroot", "-solid", "#7c8794").Run() // absent: the ground stays black
	return s
}

// of is the same screen for a part of the test.
func (s *screen) of(t *testing.T) *screen {
	part := *s
	part.t = t
	return &part
}

func (s *screen) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.display, "WAYLAND_DISPLAY=", "LC_ALL=C.UTF-8", "LIBGL_ALWAYS_SOFTWARE=1", "PERSTEN_THEME=light")
	return cmd
}

func (s *screen) start(cmd *exec.Cmd) {
	s.t.Helper()
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%s: %v", cmd.Path, err)
	}
	s.started = append(s.started, cmd.Process.Pid)
	s.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
}

// child starts one role of the program with a connection at descriptor 3.
func (s *screen) child(role string, env ...string) (ipc.FileConn, *exec.Cmd) {
	s.t.Helper()
	ours, theirs, err := ipc.Pair()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command(s.program, role)
	cmd.Env = append(append(cmd.Env, s.env...), env...)
	cmd.Stderr = os.Stderr
	theirs.Give(cmd)
	s.start(cmd)
	theirs.Close()
	return ours, cmd
}

// starter is what ui.Remote wants.
func (s *screen) starter(context.Context) (ipc.FileConn, func() error, error) {
	conn, cmd := s.child("prompt")
	s.prompt = cmd
	return conn, cmd.Process.Kill, nil
}

func (s *screen) xdotool(args ...string) string {
	s.t.Helper()
	out, err := s.command("xdotool", args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("xdotool %v: %v %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// keys presses keys by name, waiting for the window to have drawn each.
func (s *screen) keys(names ...string) {
	s.t.Helper()
	for _, k := range names {
		s.xdotool("key", k)
		time.Sleep(60 * time.Millisecond)
	}
}

func (s *screen) typed(text string) {
	s.t.Helper()
	s.xdotool("type", "--delay", "60", text)
}

// window waits for the prompt to be on screen and to listen.
func (s *screen) window() {
	s.t.Helper()
	s.visible()
	s.listening()
}

// visible waits for the prompt to be on screen.
func (s *screen) visible() {
	s.t.Helper()
	for range 600 {
		if s.windows() > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatal("no window")
}

// listening waits until the window takes orders, which is 700 ms after it was drawn and had the keyboard: until nothing on this
// screen works or waits for the processor, and then a little more than that.
func (s *screen) listening() {
	for still, tries := 0, 0; still < 5 && tries < 100; tries++ {
		time.Sleep(40 * time.Millisecond)
		pids := s.started
		if s.others != nil {
			pids = slices.Concat(pids, s.others())
		}
		if still++; slices.ContainsFunc(pids, busy) {
			still = 0
		}
	}
	time.Sleep(900 * time.Millisecond)
}

// busy tells whether a thread of the process runs or would, had it the processor.
func busy(pid int) bool {
	stats, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	return slices.ContainsFunc(stats, func(stat string) bool {
		b, _ := os.ReadFile(stat) // gone: it is not busy
		_, state, _ := strings.Cut(string(b), ") ")
		return strings.HasPrefix(state, "R") || strings.HasPrefix(state, "D")
	})
}

// windows counts what is on screen.
func (s *screen) windows() int {
	out, err := s.command("xdotool", "search", "--onlyvisible", "--name", "^Persten").Output()
	if err != nil {
		return 0 // xdotool fails when it finds nothing
	}
	return len(strings.Fields(string(out)))
}

// shot keeps a picture of the screen in $SHOTS, where that is set.
func (s *screen) shot(name string) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	out, err := s.command("import", "-window", "root", filepath.Join(dir, name+".png")).CombinedOutput()
	if err != nil {
		s.t.Errorf("screenshot: %v %s", err, out)
	}
}
