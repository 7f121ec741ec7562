// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"persten/internal/browser"
	"persten/internal/token/tokentest"
	"persten/internal/ui/uitest"
)

// What is other in each run: numbers of processes, and the ports of servers that took the next free one.
var (
	randomPort    = regexp.MustCompile(`127\.0\.0\.1:[1-9]\d{4}\b`)
	processNumber = regexp.MustCompile(`(process(?:es)? )\d+(?:, \d+)*`)
)

// ward is what all set-ups share: real programs of the system, each started once.
type ward struct {
	dir     string
	program string // persten
	next    string // persten of a later version
	self    string // this test's program, which also is a smart card; see cardMain
	cases   string
	token   tokentest.SoftHSMToken
	display string
	bus     string
	pcscd   string // its socket
	profile string // of Chromium, with the extension
	tsa     string
}

// newWard starts the surroundings. Where a program is missing the test says so and is not run.
func newWard(t *testing.T) *ward {
	t.Helper()
	for _, tool := range []string{"Xvfb", "dbus-daemon", "pcscd", "chromium", "unshare", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("not run: %s is not installed", tool)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("not run: a pcscd of its own needs root")
	}
	w := &ward{}
	var err error
	if w.dir, err = os.MkdirTemp("", "pw"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(w.dir) })
	if w.program, err = built(); err != nil {
		t.Fatal(err)
	}
	if w.token, err = softHSM(); err != nil {
		t.Skipf("not run: %v", err)
	}
	w.next = filepath.Join(w.dir, "next")
	for _, args := range [][]string{
		{"-o", filepath.Join(filepath.Dir(w.program), "persten-desktop"), "./desktop"}, {"-ldflags", "-X main.version=0.1.7", "-o", w.next, "."},
	} {
		if out, err := exec.Command("go", append([]string{"build"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("go build: %v: %s", err, out)
		}
	}
	if w.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	if w.cases, err = filepath.Abs(casesDir); err != nil {
		t.Fatal(err)
	}
	w.display, _ = uitest.Xvfb(t, "640x480")
	w.startBus(t)
	w.startPCSC(t)
	w.startTSA(t)
	w.makeProfile(t)
	return w
}

// launch starts a program that ends with the test.
func launch(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
}

func await(t *testing.T, limit time.Duration, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// startBus starts a session bus on which this test is the desktop that shows icons.
func (w *ward) startBus(t *testing.T) {
	t.Helper()
	path := filepath.Join(w.dir, "bus")
	w.bus = "unix:path=" + path
	launch(t, exec.Command("dbus-daemon", "--session", "--nofork", "--address="+w.bus))
	await(t, 5*time.Second, "the bus is there", func() bool { return isThere(path) })
	conn, err := dbus.Connect(w.bus)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.RequestName(watcher, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

// startPCSC starts a pcscd in a network and a /run of its own, for it listens on all interfaces where vpcd is installed.
func (w *ward) startPCSC(t *testing.T) {
	t.Helper()
	dir := filepath.Join(w.dir, "pcscd")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.pcscd = filepath.Join(dir, "pcscd.comm")
	launch(t, exec.Command("unshare", "-nm", "bash", filepath.Join(w.cases, "pcscd.inc"), dir))
	await(t, 10*time.Second, "pcscd listens", func() bool { return isThere(w.pcscd) })
}

// startTSA starts the server whose clock and reachability are looked at.
func (w *ward) startTSA(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusMethodNotAllowed) }))
	t.Cleanup(s.Close)
	w.tsa = s.URL
}

// makeProfile has Chromium itself load the extension and write its profile.
func (w *ward) makeProfile(t *testing.T) {
	t.Helper()
	extension, err := filepath.Abs("../browserext/dist/chrome")
	if err != nil || !isThere(filepath.Join(extension, "manifest.json")) {
		t.Skip("not run: the extension is not built")
	}
	w.profile = filepath.Join(w.dir, "chromium")
	cmd := exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--disable-extensions-except="+extension, "--load-extension="+extension, "--user-data-dir="+w.profile, "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	}()
	await(t, 30*time.Second, "Chromium has noted the extension", func() bool {
		text, _ := os.ReadFile(filepath.Join(w.profile, "Default", "Preferences"))
		return strings.Contains(string(text), browser.ExtensionID)
	})
}

// admit makes a healthy set-up whose session is not started yet.
func (w *ward) admit(t *testing.T) *patient {
	t.Helper()
	p := &patient{ward: w, t: t}
	var err error
	if p.dir, err = os.MkdirTemp("", "pd"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(p.dir) })
	for _, name := range []string{
		"run", "run/persten", "state", "state/persten", "home", "bin", "home/.config/chromium/Default", "root/proc", "root/sys/bus/usb/devices", "root/usr/sbin",
		"root/etc/chromium/policies/managed",
	} {
		if err := os.MkdirAll(p.path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.link("/proc/self/net", "root/proc/net")
	p.link("/usr/sbin/pcscd", "root/usr/sbin/pcscd")
	prefs, err := os.ReadFile(filepath.Join(w.profile, "Default", "Preferences"))
	if err == nil {
		err = os.WriteFile(p.path("home/.config/chromium/Default/Preferences"), prefs, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.settings()
	if out, code := p.persten("browser", "install", "--json"); code != 0 {
		t.Fatalf("browser install: %s", out)
	}
	return p
}

func (p *patient) link(to, name string) {
	p.t.Helper()
	if err := os.Symlink(to, p.path(name)); err != nil {
		p.t.Fatal(err)
	}
}

// settings writes the configuration and makes the environment.
func (p *patient) settings() {
	p.t.Helper()
	p.port = freePort(p.t)
	text := fmt.Sprintf("[trust]\nroots = [%q]\ntsa = %q\n[listen]\nwebsocket = \"127.0.0.1:%s\"\n", p.token.CA, p.tsa, p.port)
	if err := os.WriteFile(p.path("config.toml"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.env = []string{
		"HOME=" + p.path("home"), "XDG_RUNTIME_DIR=" + p.path("run"), "XDG_STATE_HOME=" + p.path("state"), "LANG=C.UTF-8", "PATH=" + p.path("bin"),
		"DISPLAY=" + p.display, "DBUS_SESSION_BUS_ADDRESS=" + p.bus, "PCSCLITE_CSOCK_NAME=" + p.pcscd, "SOFTHSM2_CONF=" + p.token.Conf,
		"PERSTEN_CONFIG=" + p.path("config.toml"), "TMPDIR=" + p.dir,
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// start starts the session and waits until it answers, unless a script has seen to it that it cannot.
func (p *patient) start() {
	p.t.Helper()
	if isThere(p.path("no-session")) {
		return
	}
	p.session = exec.Command(p.program, "session", "--headless")
	p.session.Env, p.session.Stderr, p.session.Dir = p.variables(), &p.log, p.dir
	launch(p.t, p.session)
	await(p.t, 10*time.Second, "the session is ready\n"+p.log.String(), func() bool { return strings.Contains(p.log.String(), "msg=ready") })
	p.link(fmt.Sprintf("/proc/%d", p.session.Process.Pid), fmt.Sprintf("root/proc/%d", p.session.Process.Pid))
}
