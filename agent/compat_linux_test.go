// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"persten/internal/browser"
	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/server"
	"persten/internal/server/compat"
	"persten/internal/text"
	"persten/proto"
)

// faceApp is an app with folders of its own and a configuration.
func faceApp(t *testing.T, c config.Compat) (*app, *bytes.Buffer) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PERSTEN_SOCKET", filepath.Join(t.TempDir(), "no.sock"))
	var out bytes.Buffer
	return &app{out: &out, errOut: io.Discard, lang: text.Russian, state: t.TempDir(), loaded: &config.Config{Compat: c}}, &out
}

func needCertutil(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Skip("certutil is not installed (installer/deps.sh test)")
	}
}

func runCompat(a *app, args ...string) error {
	c := a.compatCommand()
	c.SetArgs(args)
	c.SetOut(io.Discard)
	c.SetErr(io.Discard)
	c.SilenceUsage, c.SilenceErrors = true, true
	return c.Execute()
}

// TestCompatInTheDemo holds the demonstration to the person's own switches and certificate: browsers keep one by its name.
func TestCompatInTheDemo(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	own, _ := faceApp(t, config.Compat{})
	own.state = ""
	if err := runCompat(own, "enable", "nexu"); err != nil {
		t.Fatal(err)
	}
	demo, _ := faceApp(t, config.Compat{})
	if _, err := demo.demoDir(); err != nil {
		t.Fatal(err)
	}
	if f, err := demo.face(faceNexU); err != nil || !f.On {
		t.Errorf("in the demonstration: %+v, %v", f, err)
	}
	mine, _ := own.compatPath(leafFile)
	if its, err := demo.compatPath(leafFile); err != nil || its != mine {
		t.Errorf("the demonstration's certificate is %s, not %s: %v", its, mine, err)
	}
}

func TestCompatSwitch(t *testing.T) {
	needCertutil(t)
	a, out := faceApp(t, config.Compat{})
	for _, step := range []struct{ args, want string }{
		{"status", "NCALayer: выключено\nNexU: выключено\n"},
		{"enable nexu", "NexU: включено, 127.0.0.1:9795"},
		{"enable ncalayer", "NCALayer: включено, 127.0.0.1:13579\n  сертификат Persten loopback, до "},
		{"status", "nssdb: доверяет"},
		{"disable ncalayer", "NCALayer: выключено\nNexU: включено"},
		{"disable ncalayer", "NCALayer: выключено"},
		{"disable nexu", "NexU: выключено"},
		{"disable nexu", "NexU: выключено"},
	} {
		out.Reset()
		if err := runCompat(a, strings.Fields(step.args)...); err != nil || !strings.Contains(out.String(), step.want) {
			t.Errorf("%s: %v, %s", step.args, err, out)
		}
	}
	left, err := os.ReadDir(filepath.Join(a.state, "compat"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := runCompat(a, "enable", "hwcrypto"); proto.AsError(err).Code != proto.CodeUsage {
		t.Errorf("a face that is none: %v", err)
	}
}

// TestCompatFixed: what a file says stays; what it turned off can still be cleared away, and is at the next start.
func TestCompatFixed(t *testing.T) {
	needCertutil(t)
	on, off := true, false
	a, _ := faceApp(t, config.Compat{NCALayer: &on, NexU: &off})
	for _, args := range []string{"enable ncalayer", "disable ncalayer", "enable nexu"} {
		err := runCompat(a, strings.Fields(args)...)
		if args == "enable ncalayer" {
			if err != nil {
				t.Errorf("%s: %v", args, err) // it is on already: this installs what is missing
			}
			continue
		}
		if proto.AsError(err).Code != proto.CodePolicyForbids {
			t.Errorf("%s: %v", args, err)
		}
	}
	a.loaded.Compat.NCALayer = &off
	if err := a.clearLoopback(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(a.state, "compat", leafFile)); !os.IsNotExist(err) {
		t.Errorf("the key is still there: %v", err)
	}
	if err := a.clearLoopback(t.Context()); err != nil {
		t.Errorf("with nothing left: %v", err)
	}
}

// TestLoopbackRenewal: the certificate stays while it is good, is replaced before it ends and when it is damaged.
func TestLoopbackRenewal(t *testing.T) {
	needCertutil(t)
	a, _ := faceApp(t, config.Compat{})
	now := time.Now()
	leaf := func(at time.Time) string {
		c, err := a.loopback(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Certificates[0].Certificate[0])
	}
	first := leaf(now)
	file := filepath.Join(a.state, "compat", leafFile)
	if fi, err := os.Stat(file); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", fi.Mode(), err)
	}
	if leaf(now.Add(compat.Life-compat.Renewal-2*time.Hour)) != first {
		t.Error("a good certificate was replaced")
	}
	t.Run("not while browsers cannot be told", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		c, err := a.loopback(t.Context(), now.Add(compat.Life-compat.Renewal+time.Hour))
		if c == nil || string(c.Certificates[0].Certificate[0]) != first || proto.AsError(err).Code != proto.CodeBrowserTrustTool {
			t.Errorf("%v", err)
		}
	})
	second := leaf(now.Add(compat.Life - compat.Renewal + time.Hour))
	if second == first {
		t.Error("a certificate about to end was kept")
	}
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if leaf(now) == second {
		t.Error("a damaged certificate was kept")
	}
	if left, err := os.ReadDir(filepath.Join(a.state, "compat")); err != nil || len(left) != 2 {
		t.Errorf("files %v, %v", left, err)
	}
	f := face{}
	a.describeLoopback(t.Context(), &f)
	if len(f.Stores) != 1 || !f.Stores[0].Trusted {
		t.Errorf("after renewals: %+v", f)
	}
}

// protectedProfile is a profile of Firefox with a primary password.
func protectedProfile(t *testing.T) {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, word := filepath.Join(home, ".mozilla/firefox/a.default"), filepath.Join(t.TempDir(), "word")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(word, []byte("primary word 1\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "certutil", "-N", "-d", "sql:"+dir, "-f", word).CombinedOutput(); err != nil {
		t.Fatalf("%s %v", out, err)
	}
}

// TestLoopbackHalfRenewed: when one store cannot be told of a new authority, the others still trust the one that is in use.
func TestLoopbackHalfRenewed(t *testing.T) {
	needCertutil(t)
	a, _ := faceApp(t, config.Compat{})
	now := time.Now()
	if _, err := a.loopback(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	protectedProfile(t)
	if c, err := a.loopback(t.Context(), now.Add(compat.Life-compat.Renewal+time.Hour)); c == nil || proto.AsError(err).Code != proto.CodeBrowserTrust {
		t.Errorf("%v", err)
	}
	f := face{}
	a.describeLoopback(t.Context(), &f)
	if len(f.Stores) != 2 || !f.Stores[0].Trusted {
		t.Errorf("the certificate in use is not trusted any more: %+v", f)
	}
}

// TestRenewTurnedOff: a session that still runs does not bring back what the person took out of the browsers.
func TestRenewTurnedOff(t *testing.T) {
	needCertutil(t)
	a, _ := faceApp(t, config.Compat{})
	for _, args := range []string{"enable ncalayer", "disable ncalayer"} {
		if err := runCompat(a, strings.Fields(args)...); err != nil {
			t.Fatal(err)
		}
	}
	a.renew(t.Context(), time.Now(), new(atomic.Pointer[tls.Config]))
	if left, err := os.ReadDir(filepath.Join(a.state, "compat")); err != nil || len(left) > 0 {
		t.Errorf("there again: %v, %v", left, err)
	}
}

// TestClearLoopbackAgain: what could not be taken out of a browser is tried again, and its key is gone at once.
func TestClearLoopbackAgain(t *testing.T) {
	needCertutil(t)
	a, _ := faceApp(t, config.Compat{})
	if err := runCompat(a, "enable", "ncalayer"); err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	store, err := os.OpenFile(filepath.Join(home, ".pki/nssdb/cert9.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: 0x40000000, Len: 512} // SQLite's lock of a writer
	if err := syscall.FcntlFlock(store.Fd(), syscall.F_SETLK, &lock); err != nil {
		t.Fatal(err)
	}
	if err := runCompat(a, "disable", "ncalayer"); !errors.Is(err, proto.CodeBrowserTrust) {
		t.Errorf("a browser that keeps it: %v", err)
	}
	if _, err := os.Stat(filepath.Join(a.state, "compat", leafFile)); !os.IsNotExist(err) {
		t.Errorf("the key is still there: %v", err)
	}
	store.Close()
	if err := a.clearLoopback(t.Context()); err != nil {
		t.Error(err)
	}
	out, err := exec.CommandContext(t.Context(), "certutil", "-L", "-d", "sql:"+filepath.Dir(store.Name())).Output()
	if err != nil || strings.Contains(string(out), browser.Trusted) {
		t.Errorf("still trusted: %s, %v", out, err)
	}
}

// TestLoopbackWithoutTool: there is a certificate, and words about what to do.
func TestLoopbackWithoutTool(t *testing.T) {
	a, _ := faceApp(t, config.Compat{})
	t.Setenv("PATH", t.TempDir())
	c, err := a.loopback(t.Context(), time.Now())
	pe := proto.AsError(err)
	if c == nil || pe.Code != proto.CodeBrowserTrustTool || pe.Args["package"] != "libnss3-tools" || !strings.HasSuffix(pe.Args["file"], authorityFile) {
		t.Errorf("%v, %+v", c, pe)
	}
}

// TestPortTaken: who listens there already keeps the port, and status names them.
func TestPortTaken(t *testing.T) {
	for err, want := range map[error]proto.Code{
		&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}: proto.CodePortTaken,
		os.NewSyscallError("bind", syscall.Errno(10048)):                                proto.CodePortTaken, // as Windows says it
		proto.E(proto.CodeBrowserTrust, nil, "detail", "x"):                             proto.CodeBrowserTrust,
		io.ErrUnexpectedEOF: proto.CodeInternal,
	} {
		pe := portProblem(err, compat.NCALayerAddress, "NCALayer")
		if pe.Code != want || want == proto.CodePortTaken && (pe.Args["port"] != "13579" || pe.Args["name"] != "NCALayer") {
			t.Errorf("%v: %+v", err, pe)
		}
	}
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a, _ := faceApp(t, config.Compat{})
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = a.startNexU(ctx, nil, ipc.SiteRules{}, taken.Addr().String(), &wg)
	if portProblem(err, taken.Addr().String(), "NexU").Code != proto.CodePortTaken {
		t.Errorf("a taken port: %v", err)
	}
	err = a.startNCALayer(ctx, nil, ipc.SiteRules{}, taken.Addr().String(), &wg)
	if portProblem(err, taken.Addr().String(), "NCALayer").Code != proto.CodePortTaken {
		t.Errorf("a taken port: %v", err)
	}
	if _, err := os.Stat(filepath.Join(a.state, "compat", authorityFile)); !os.IsNotExist(err) {
		t.Errorf("browsers were told of an authority for a port of somebody else: %v", err)
	}
}

// TestPortFreed: a port that another program had is opened when it has gone, and status has no problem any more.
func TestPortFreed(t *testing.T) {
	defer func(d time.Duration) { retryPort = d }(retryPort)
	retryPort = 20 * time.Millisecond
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := taken.Addr().String()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	heard := make(chan *proto.Error, 1000)
	attend(ctx, func(of string, e *proto.Error) { heard <- e }, &wg, "websocket", func() *proto.Error {
		l, err := ipc.ListenWebSocket(address, ipc.WebSocketOptions{})
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return portProblem(err, address, "WebSocket")
	})
	if e := <-heard; e == nil || e.Code != proto.CodePortTaken || e.Args["name"] != "WebSocket" {
		t.Fatalf("%+v", e)
	}
	taken.Close()
	for e := range heard {
		if e == nil {
			break
		}
	}
	wg.Wait() // it is not tried any more
}

// TestFaceSites: where policy names sites for a face, no other is answered, though it is allowed.
func TestFaceSites(t *testing.T) {
	a := &app{loaded: &config.Config{
		Origins: config.OriginRules{Policy: []string{"https://*.gov.example", "https://shop.example"}},
		Compat:  config.Compat{NexUSites: []string{"https://*.gov.example"}},
	}, state: t.TempDir()}
	o, err := a.origins()
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(server.Options{Origins: o})
	f, err := a.face(faceNexU)
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{"https://tax.gov.example": true, "https://shop.example": false, "https://evil.example": false} {
		if got := facing(srv, f.Sites).Allowed(origin); got != want {
			t.Errorf("%s: %v", origin, got)
		}
	}
	if !facing(srv, nil).Allowed("https://shop.example") {
		t.Error("without a list an allowed site is not answered")
	}
}
