// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"persten/internal/ui"
	"persten/internal/ui/view/viewtest"
)

// The variables by which the test starts itself as a confined process.
const (
	holdVariable = "TEST_HOLD" // fence, filter or both
	homeVariable = "TEST_HOME"
	portVariable = "TEST_PORT"
)

func TestMain(m *testing.M) {
	hold := os.Getenv(holdVariable)
	if hold == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	if err := confineFor(hold); err != nil {
		fmt.Println("confine:", err)
		os.Exit(1)
	}
	if hold == "hardened" {
		os.Exit(Pages(ui.Given(), os.Stdin, os.Stdout))
	}
	attempt()
	os.Exit(0)
}

// confineFor confines this process as told, by one means alone or as in real life.
func confineFor(hold string) error {
	fenced := os.Getenv(fencedVariable) != ""
	switch {
	case hold == "none":
		return nil
	case hold == "both":
		return Confine(ui.FormText)
	case hold == "hardened":
		return errors.Join(unix.Prctl(prSetMDWE, 1, 0, 0, 0), Confine(ui.FormPages))
	case hold == "filter", hold == "helped":
		return errors.Join(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), filter(hold == "helped"))
	case fenced:
		return nil
	}
	if err := errors.Join(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), fence(false)); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), fencedVariable+"=1"))
}

// attempts are what a document that has taken the process over would like to do.
var attempts = map[string]func() error{
	"read": func() error { return closed(unix.Open("/etc/passwd", unix.O_RDONLY, 0)) },
	"list": func() error { return closed(unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)) },
	"write": func() error {
		return closed(unix.Open(filepath.Join(os.Getenv(homeVariable), "new"), unix.O_CREAT|unix.O_WRONLY, 0o600))
	},
	"delete":  func() error { return unix.Unlink(filepath.Join(os.Getenv(homeVariable), "old")) },
	"connect": connect,
	"exec":    func() error { return exec.Command("/bin/true").Run() },
	"fork": func() error {
		pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if e != 0 {
			return e
		}
		if pid == 0 {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		return nil
	},
	"socket": func() error { return closed(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) },
	"signal": func() error { return unix.Kill(os.Getppid(), unix.SIGURG) },
	"thread": func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), unix.SIGURG) },
	"queue": func() error {
		info := [128]byte{}
		*(*int32)(unsafe.Pointer(&info[8])) = -1 // as sigqueue does
		return errno(unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(os.Getppid()), uintptr(unix.SIGURG), uintptr(unsafe.Pointer(&info))))
	},
	"end":    endChild,
	"handle": func() error { return closed(unix.PidfdOpen(os.Getppid(), 0)) },
	"limit":  func() error { return unix.Prlimit(os.Getppid(), unix.RLIMIT_CORE, nil, &unix.Rlimit{}) },
	"memory": func() error { return closed(unix.MemfdCreate("x", 0)) },
}

// endChild ends a program that this process has started, as it must one that draws for too long.
func endChild() error {
	c := exec.Command("/bin/sleep", "5")
	c.Stdout, c.Stderr = io.Discard, io.Discard // a pipe each: nothing can be opened to be written
	if err := c.Start(); err != nil {
		return err
	}
	if err := c.Process.Kill(); err != nil {
		return err
	}
	if start := time.Now(); c.Wait() == nil || time.Since(start) > 4*time.Second {
		return errors.New("it was not ended")
	}
	return nil
}

func errno(_, _ uintptr, e syscall.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

func closed(fd int, err error) error {
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func connect() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var port int
	fmt.Sscan(os.Getenv(portVariable), &port)
	return unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}

// attempt tries everything on another thread, which began before or after the process was confined.
func attempt() {
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread()
		for name, try := range attempts {
			fmt.Println(name, try() == nil)
		}
	})
	done.Wait()
}

// tried runs this test again as a process confined by those means, and returns what it could do.
func tried(t *testing.T, hold string) map[string]bool {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{holdVariable + "=" + hold, homeVariable + "=" + home, fmt.Sprintf("%s=%d", portVariable, l.Addr().(*net.TCPAddr).Port)}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", hold, err, out)
	}
	did := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		var name string
		var ok bool
		if _, err := fmt.Sscan(line, &name, &ok); err == nil {
			did[name] = ok
		}
	}
	if len(did) != len(attempts) {
		t.Fatalf("%s: %d of %d attempts:\n%s", hold, len(did), len(attempts), out)
	}
	return did
}

func TestConfined(t *testing.T) {
	if version, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); e != 0 || version < 6 {
		t.Skipf("this kernel has Landlock %d (%v): the fence was not tried", version, e)
	}
	free := tried(t, "none")
	for _, name := range []string{"read", "list", "write", "delete", "connect", "exec", "fork", "socket", "signal", "memory", "thread", "queue", "handle", "limit"} {
		if !free[name] {
			t.Errorf("nothing forbids %q, and it fails: it proves nothing", name)
		}
	}
	for hold, names := range map[string][]string{
		"helped": {"write", "delete", "connect", "socket", "memory", "signal", "thread", "queue", "handle", "limit"},
		"fence":  {"read", "list", "write", "delete", "connect", "exec", "signal"},
		"filter": {"read", "list", "write", "delete", "connect", "exec", "fork", "socket", "signal", "memory", "thread", "queue", "handle", "limit"},
		"both":   {"read", "list", "write", "delete", "connect", "exec", "fork", "socket", "signal", "memory", "thread", "queue", "handle", "limit"},
	} {
		did := tried(t, hold)
		if hold == "helped" && !did["end"] {
			t.Error("a program that draws for too long cannot be ended")
		}
		for _, name := range names {
			if did[name] {
				t.Errorf("%s: %q went through", hold, name)
			}
		}
	}
}

// prSetMDWE forbids to make memory executable, as MemoryDenyWriteExecute of the unit does.
const prSetMDWE = 65

// In the hardened unit nothing can be compiled: the system's programs draw the pages, or PDFium is interpreted.
func TestHardenedPages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(file, viewtest.PDF("one", "two"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdin, cmd.ExtraFiles = []string{holdVariable + "=hardened"}, strings.NewReader("1 100\n"), []*os.File{f}
	start := time.Now()
	out, err := cmd.Output()
	if head := "pages pdf 2 all\n595 842\n595 842\npage 100 141\n"; err != nil || !strings.HasPrefix(string(out), head) || len(out) != len(head)+4*100*141 {
		t.Errorf("%v: %d bytes: %.80q", err, len(out), out)
	}
	t.Logf("%v, by the system's programs: %t", time.Since(start), exists(pdftoppm))
	at, err := f.Seek(0, io.SeekCurrent)
	if at != 0 || err != nil {
		t.Errorf("the offset that others share is %d, %v", at, err)
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func FuzzPPM(f *testing.F) {
	f.Add([]byte("P6\n2 1\n255\nabcdef"), 2, 1)
	f.Fuzz(func(t *testing.T, b []byte, w, h int) {
		if w < 1 || h < 1 || w > 100 || h > 100 {
			return
		}
		if m, err := ppm(b, image.Pt(w, h)); err == nil && m.Rect.Max != image.Pt(w, h) {
			t.Errorf("%v", m.Rect)
		}
		p := &poppler{}
		for line := range strings.Lines(string(b)) {
			p.measure(line, 0)
		}
	})
}
