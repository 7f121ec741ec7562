// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"persten/internal/algo"
	"persten/internal/ipc"
	"persten/internal/secret"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

const childArg = "module-child"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childArg {
		os.Exit(childMain(os.Args[2]))
	}
	code := m.Run()
	if shimBuilt {
		if so, err := buildShim(); err == nil {
			os.RemoveAll(filepath.Dir(so))
		}
	}
	os.Exit(code)
}

// childMain is the module role, as the agent wires it.
func childMain(path string) int {
	if os.Getenv("PERSTEN_TEST_DUMPABLE") == "" {
		if err := secret.Harden(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	conn, err := ipc.Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pkcs11.Serve(context.Background(), conn, path)
	return 0
}

// inChild starts the module in a process of its own.
func inChild(modules ...pkcs11.Module) pkcs11.Options {
	return pkcs11.Options{Modules: modules, Start: pkcs11.Exec(os.Stderr, os.Args[0], childArg)}
}

// inProcess runs the module in this process: the same code, without the isolation.
func inProcess(modules ...pkcs11.Module) pkcs11.Options {
	return pkcs11.Options{Modules: modules, Start: func(_ context.Context, m pkcs11.Module) (ipc.FileConn, pkcs11.Process, error) {
		ours, f, err := ipc.Pair()
		if err != nil {
			return nil, nil, err
		}
		theirs, err := ipc.Adopt(f)
		if err != nil {
			return nil, nil, err
		}
		l := &local{conn: theirs, done: make(chan struct{})}
		go func() {
			defer close(l.done)
			pkcs11.Serve(context.Background(), theirs, m.Path)
			theirs.Close()
		}()
		return ours, l, nil
	}}
}

type local struct {
	conn ipc.FileConn
	done chan struct{}
}

func (l *local) PID() int    { return os.Getpid() }
func (l *local) Kill() error { return l.conn.Close() }
func (l *local) Wait() error { <-l.done; return nil }

func newInventory(t *testing.T, o pkcs11.Options) *pkcs11.Inventory {
	t.Helper()
	inv := pkcs11.New(o)
	t.Cleanup(func() { inv.Close() })
	return inv
}

var softHSMAlgorithms = []algo.ID{algo.RSASHA256, algo.RSASHA384, algo.RSASHA512, algo.ECDSASHA256}

// TestNSS gives a library the arguments it does not start without.
func TestNSS(t *testing.T) {
	const path = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"
	if _, err := os.Stat(path); err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	args := "configdir='sql:" + t.TempDir() + "' certPrefix='' keyPrefix='' secmod='secmod.db' flags="
	inv := newInventory(t, inChild(pkcs11.Module{Name: "nss", Path: path, Args: args}))
	if infos, err := inv.Tokens(t.Context()); err != nil || len(infos) == 0 {
		t.Errorf("%d tokens, %v", len(infos), err)
	}
	var failed *token.ModuleError
	_, err := newInventory(t, inChild(pkcs11.Module{Name: "nss", Path: path})).Tokens(t.Context())
	if !errors.As(err, &failed) || failed.Kind() != token.ReasonInitialise {
		t.Errorf("without arguments: %v", err)
	}
}

func TestChainCertificatesAreNotKeys(t *testing.T) {
	hsm := tokentest.SoftHSM(t)
	keys, err := newInventory(t, inChild(pkcs11.Module{Name: "softhsm", Path: hsm.Module})).Keys(t.Context())
	if err != nil || len(keys) != len(hsm.IDs) {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, k := range keys {
		if k.Token().Label != hsm.Label || !k.Token().LoginRequired || k.Token().Serial == "" {
			t.Errorf("token %+v", k.Token())
		}
	}
}

func TestModuleThatIsNotThere(t *testing.T) {
	hsm := tokentest.SoftHSM(t)
	inv := newInventory(t, inChild(
		pkcs11.Module{Name: "gone", Path: "/nonexistent/libgone.so"},
		pkcs11.Module{Name: "text", Path: "/etc/hostname"},
		pkcs11.Module{Name: "relative", Path: "libsofthsm2.so"},
		pkcs11.Module{Name: "needy", Path: needy(t)},
		pkcs11.Module{Name: "libc", Path: "/lib/x86_64-linux-gnu/libm.so.6"},
		pkcs11.Module{Name: "softhsm", Path: hsm.Module},
	))
	keys, err := inv.Keys(t.Context())
	if len(keys) != len(hsm.IDs) {
		t.Errorf("%d keys beside a module that does not load", len(keys))
	}
	failed := map[string]string{}
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		m, ok := e.(*token.ModuleError)
		if !ok || !m.Unloaded() {
			t.Errorf("error %v", e)
			continue
		}
		failed[m.Module] = m.Kind()
	}
	for name, kind := range map[string]string{
		"gone": token.ReasonAbsent, "text": token.ReasonNotPKCS11, "relative": token.ReasonAbsent, "needy": token.ReasonDependency,
		"libc": token.ReasonNotPKCS11,
	} {
		if failed[name] != kind {
			t.Errorf("%s: %q, want %q", name, failed[name], kind)
		}
	}
}

// needy makes a library that wants another one, which is not there.
func needy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	src := filepath.Join(dir, "x.c")
	if err := os.WriteFile(src, []byte("extern int absent(void); int C_GetFunctionList(void) { return absent(); }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	so := filepath.Join(dir, "libneedy.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", so, src).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v: %s", err, out)
	}
	return so
}

func TestProxyIsNeverLoaded(t *testing.T) {
	link := filepath.Join(t.TempDir(), "libharmless.so")
	if err := os.Symlink("/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so", link); err != nil {
		t.Fatal(err)
	}
	modules := []pkcs11.Module{{Name: "proxy", Path: "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so"}}
	if _, err := os.Stat(link); err == nil {
		modules = append(modules, pkcs11.Module{Name: "link", Path: link})
	}
	started := 0
	inv := pkcs11.New(pkcs11.Options{
		Modules: modules,
		Start: func(context.Context, pkcs11.Module) (ipc.FileConn, pkcs11.Process, error) {
			started++
			return nil, nil, io.EOF
		},
	})
	if keys, err := inv.Keys(t.Context()); len(keys) != 0 || err != nil || started != 0 {
		t.Errorf("%d keys, %v, started %d", len(keys), err, started)
	}
}

// lockedLog is a log that several goroutines write.
type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func execWith(stderr io.Writer) func(context.Context, pkcs11.Module) (ipc.FileConn, pkcs11.Process, error) {
	return pkcs11.Exec(stderr, os.Args[0], childArg)
}

func moduleOf(s tokentest.SoftHSMToken) pkcs11.Module {
	return pkcs11.Module{Name: "softhsm", Path: s.Module}
}
