// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"persten/internal/config"
	"persten/internal/ipc"
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
		proto.E(proto.CodeBrowserTrust, nil, "detail", "x"):                             proto.CodeBrowserTrust,
		io.ErrUnexpectedEOF: proto.CodeInternal,
	} {
		pe := faceProblem(err, face{Name: faceNCALayer, Address: compat.NCALayerAddress})
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
	if faceProblem(err, face{Name: faceNexU, Address: taken.Addr().String()}).Code != proto.CodePortTaken {
		t.Errorf("a taken port: %v", err)
	}
}
