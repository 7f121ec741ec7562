// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// shim is the fault module over a SoftHSM token.
type shim struct {
	hsm  tokentest.SoftHSMToken
	path string
	dir  string

	second *bystander // signs during and after each fault
}

// shimBuilt tells TestMain that there is something to remove.
var shimBuilt bool

var buildShim = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "persten-faults-")
	if err != nil {
		return "", err
	}
	so := filepath.Join(dir, "faults.so")
	out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", so, "../../../testdata/p11/faults.c", "-ldl", "-lpthread").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("cc: %w: %s", err, out)
	}
	return so, nil
})

func newShim(t *testing.T) shim {
	t.Helper()
	hsm := tokentest.SoftHSM(t)
	shimBuilt = true
	so, err := buildShim()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAULT_MODULE", hsm.Module)
	return shim{hsm: hsm, path: so, dir: t.TempDir()}
}

func (s shim) module() pkcs11.Module { return pkcs11.Module{Name: "faults", Path: s.path} }

// options have short deadlines, so that hanging is cheap to test.
func (s shim) options() pkcs11.Options {
	o := inChild(s.module())
	o.Start = pkcs11.Exec(io.Discard, os.Args[0], childArg)
	o.ListTimeout, o.LoginTimeout, o.SignTimeout = shortTimeout, shortTimeout, shortTimeout
	return o
}

const shortTimeout = 500 * time.Millisecond

// use lists, opens and signs with the first key, and returns what went wrong, the steps' slowest time beside it.
func use(ctx context.Context, inv *pkcs11.Inventory, pin token.PINFunc) (errs []error, slowest time.Duration) {
	timed := func(f func() error) bool {
		start := time.Now()
		err := f()
		slowest = max(slowest, time.Since(start))
		if err != nil {
			errs = append(errs, err)
		}
		return err == nil
	}
	var keys []token.Key
	timed(func() (err error) { keys, err = inv.Keys(ctx); return err })
	if len(keys) == 0 || len(keys[0].Algorithms()) == 0 {
		return append(errs, errNoKeys), slowest
	}
	var s token.Session
	if !timed(func() (err error) { s, err = keys[0].Open(ctx, pin); return err }) {
		return errs, slowest
	}
	id := keys[0].Algorithms()[0]
	timed(func() error { _, err := s.Sign(ctx, id, tokentest.Digest(id)); return err })
	timed(s.Close)
	return errs, slowest
}

var errNoKeys = errors.New("no keys listed")

// typedError reports whether a caller can tell what err is.
func typedError(err error) bool {
	var failed *token.ModuleError
	var bad *token.PINError
	for _, known := range []error{token.ErrAbsent, token.ErrBusy, token.ErrRemoved, token.ErrLocked, token.ErrUnsupported,
		token.ErrClosed, token.ErrUserCancelled, errNoKeys} {
		if errors.Is(err, known) {
			return true
		}
	}
	return errors.As(err, &failed) || errors.As(err, &bad)
}

// The functions the child calls on the way to a signature, and the others a module has: those cannot hurt.
var (
	calledFunctions = []string{
		"C_Initialize", "C_GetSlotList", "C_GetTokenInfo", "C_GetMechanismList", "C_OpenSession", "C_FindObjectsInit",
		"C_FindObjects", "C_FindObjectsFinal", "C_GetAttributeValue", "C_CloseSession", "C_Login", "C_SignInit", "C_Sign",
		"C_Logout",
	}
	otherFunctions = []string{
		"C_Finalize", "C_GetInfo", "C_GetSlotInfo", "C_GetMechanismInfo", "C_InitToken", "C_InitPIN", "C_SetPIN",
		"C_CloseAllSessions", "C_GetSessionInfo", "C_CreateObject", "C_DestroyObject", "C_SetAttributeValue", "C_Encrypt",
		"C_Decrypt", "C_Digest", "C_SignUpdate", "C_SignFinal", "C_Verify", "C_WaitForSlotEvent", "C_GenerateRandom",
	}
	faults = []string{
		"rv=0x5", "rv=0x30", "rv=0x32", "rv=0xE0", "rv=0xB3", "rv=0x80000001", "crash", "abort", "exit", "hang", "slow=50",
		"huge", "negative", "grow", "junk",
	}
	// harmless faults may go unnoticed: the call still did its work.
	harmless = []string{"slow=50", "huge", "negative", "grow", "junk"}
)

// TestFaults makes each function go wrong in each way, at its first or its third call, while another token signs, and
// afterwards uses the same inventory again without the fault. Nothing may be left of the children then.
func TestFaults(t *testing.T) {
	s := newShim(t)
	s.second = secondToken(t)
	run, before := 0, descriptors(t)
	for _, name := range append(append([]string{}, calledFunctions...), otherFunctions...) {
		for n, what := range faults {
			calls := []int{1 + n%2*2} // the first call and the third in turn: listing and login, or what comes after
			if testing.Short() && n%4 != 0 {
				continue
			}
			for _, call := range calls {
				run++
				s.fault(t, run, name, call, what)
			}
		}
	}
	t.Logf("%d cases", run)
	if !testing.Short() && run < 300 {
		t.Errorf("%d cases, want 300 and more", run)
	}
	s.second.inv.Close()
	assertNoZombies(t)
	for range 50 { // a socket's reader ends a moment after the child
		if descriptors(t) <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d descriptors before, %d after", before, descriptors(t))
}

// bystander is a token that has nothing to do with the fault.
type bystander struct {
	inv *pkcs11.Inventory
	pin string
	mu  sync.Mutex // one signature at a time: not to wait for its own lease
}

// secondToken is another SoftHSM, in a process that has its configuration.
func secondToken(t *testing.T) *bystander {
	t.Helper()
	hsm, err := tokentest.MakeSoftHSM(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := pkcs11.Options{Modules: []pkcs11.Module{{Name: "second", Path: hsm.Module}}}
	o.Start = pkcs11.Exec(io.Discard, "/usr/bin/env", "SOFTHSM2_CONF="+hsm.Conf, "FAULT=", os.Args[0], childArg)
	b := &bystander{inv: newInventory(t, o), pin: hsm.PIN}
	if err := b.sign(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bystander) sign(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	errs, slowest := use(ctx, b.inv, tokentest.Answers(b.pin).PIN)
	if slowest > 2*time.Second {
		errs = append(errs, fmt.Errorf("a step took %v", slowest))
	}
	return errors.Join(errs...)
}

// descriptors counts those that this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func (s shim) fault(t *testing.T, run int, name string, call int, what string) {
	t.Helper()
	once := filepath.Join(s.dir, "once"+strconv.Itoa(run))
	t.Setenv("FAULT_ONCE", once)
	t.Setenv("FAULT", fmt.Sprintf("%s:%d:%s", name, call, what))
	inv := pkcs11.New(s.options())
	defer inv.Close()
	during := make(chan error, 1)
	go func() { during <- s.second.sign(t.Context()) }()
	errs, slowest := use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN)
	if err := <-during; err != nil {
		t.Errorf("%s call %d %s: second token during it: %v", name, call, what, err)
	}
	for _, err := range errs {
		if !typedError(err) {
			t.Errorf("%s call %d %s: untyped %v", name, call, what, err)
		}
	}
	if limit := shortTimeout + 2*time.Second; slowest > limit {
		t.Errorf("%s call %d %s: a step took %v", name, call, what, slowest)
	}
	_, statErr := os.Stat(once)
	if fired := statErr == nil; fired && len(errs) == 0 && !mayGoUnnoticed(name, what) {
		t.Errorf("%s call %d %s: nobody noticed", name, call, what)
	}
	os.WriteFile(once, nil, 0o600) // if it did not come to the call, it is not to come now
	start := time.Now()
	if errs, _ := use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN); len(errs) > 0 {
		t.Errorf("%s call %d %s: afterwards %v", name, call, what, errs)
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("%s call %d %s: next signature after %v", name, call, what, d)
	}
	if err := s.second.sign(t.Context()); err != nil {
		t.Errorf("%s call %d %s: second token after it: %v", name, call, what, err)
	}
}

// mayGoUnnoticed tells faults that leave the result right, or that concern the clean-up after it.
func mayGoUnnoticed(name, what string) bool {
	if name == "C_FindObjectsFinal" || name == "C_CloseSession" || name == "C_Finalize" || name == "C_Logout" {
		return what != "hang" && (name == "C_Logout" || what != "crash" && what != "abort" && what != "exit") || name == "C_Finalize"
	}
	if name == "C_GetAttributeValue" || name == "C_GetSlotInfo" {
		return true // of an attribute that may be missing
	}
	for _, h := range harmless {
		if what == h {
			return true
		}
	}
	return false
}

func assertNoZombies(t *testing.T) {
	t.Helper()
	out, err := exec.Command("ps", "-o", "stat=,pid=,args=", "--ppid", strconv.Itoa(os.Getpid())).Output()
	if err != nil {
		return // ps itself is the only child
	}
	for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if strings.HasPrefix(l, "Z") || strings.Contains(l, childArg) {
			t.Errorf("left behind: %s", l)
		}
	}
}

// watched remembers the process ids of the children.
type watched struct {
	mu   sync.Mutex
	pids []int
}

func (w *watched) wrap(o pkcs11.Options) pkcs11.Options {
	start := o.Start
	o.Start = func(ctx context.Context, m pkcs11.Module) (ipc.FileConn, pkcs11.Process, error) {
		c, p, err := start(ctx, m)
		if err == nil {
			w.mu.Lock()
			w.pids = append(w.pids, p.PID())
			w.mu.Unlock()
		}
		return c, p, err
	}
	return o
}

func (w *watched) last() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pids[len(w.pids)-1]
}

// TestKilledWhileSigning is kill -9 of the child in the middle of C_Sign.
func TestKilledWhileSigning(t *testing.T) {
	s := newShim(t)
	t.Setenv("FAULT", "C_Sign:1:slow=5000")
	t.Setenv("FAULT_ONCE", filepath.Join(s.dir, "once"))
	var w watched
	o := s.options()
	o.SignTimeout = 10 * time.Second
	inv := newInventory(t, w.wrap(o))
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := keys[0]
	session, err := k.Open(t.Context(), tokentest.Answers(s.hsm.PIN).PIN)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() {
		if p, err := os.FindProcess(w.last()); err == nil {
			p.Kill()
		}
	})
	id := k.Algorithms()[0]
	start := time.Now()
	_, err = session.Sign(t.Context(), id, tokentest.Digest(id))
	var failed *token.ModuleError
	if !errors.As(err, &failed) || failed.Reason != "crashed" || time.Since(start) > time.Second {
		t.Errorf("Sign after %v: %v", time.Since(start), err)
	}
	start = time.Now()
	if err := session.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if errs, _ := use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN); len(errs) > 0 {
		t.Errorf("next signature: %v", errs)
	}
	d := time.Since(start)
	if d > 2*time.Second {
		t.Errorf("next signature after %v", d)
	}
	t.Logf("next signature %v after the kill was noticed", d.Round(time.Millisecond))
}

// TestPulledWhileSigning takes the token away from a library that then never comes back.
func TestPulledWhileSigning(t *testing.T) {
	s := newShim(t)
	gone := filepath.Join(s.dir, "gone")
	t.Setenv("FAULT_GONE", gone)
	t.Setenv("FAULT_ONCE", filepath.Join(s.dir, "once"))
	for _, what := range []string{"hang", "slow=600"} {
		t.Run(what, func(t *testing.T) {
			os.Remove(gone)
			os.Remove(filepath.Join(s.dir, "once"))
			t.Setenv("FAULT", "C_Sign:1:"+what)
			o := s.options()
			o.SignTimeout = 20 * time.Second
			inv := newInventory(t, o)
			keys, err := inv.Keys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			session, err := keys[0].Open(t.Context(), tokentest.Answers(s.hsm.PIN).PIN)
			if err != nil {
				t.Fatal(err)
			}
			pulled := make(chan time.Time, 1)
			time.AfterFunc(200*time.Millisecond, func() {
				pulled <- time.Now()
				os.WriteFile(gone, nil, 0o600)
			})
			id := keys[0].Algorithms()[0]
			_, err = session.Sign(t.Context(), id, tokentest.Digest(id))
			if d := time.Since(<-pulled); !errors.Is(err, token.ErrRemoved) || d > 2*time.Second {
				t.Errorf("%v after the token was pulled: %v", d, err)
			}
			session.Close()
			if infos, err := inv.Tokens(t.Context()); err != nil || len(infos) != 0 {
				t.Errorf("tokens now: %v, %v", infos, err)
			}
			if _, err := keys[0].Open(t.Context(), tokentest.Answers(s.hsm.PIN).PIN); !errors.Is(err, token.ErrRemoved) {
				t.Errorf("Open without the token: %v", err)
			}
			os.Remove(gone)
			if errs, _ := use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN); len(errs) > 0 {
				t.Errorf("after it came back: %v", errs)
			}
		})
	}
}

// TestHangingModuleSparesOthers lists a good module beside one that hangs for ever, and does not wait for it twice.
func TestHangingModuleSparesOthers(t *testing.T) {
	s := newShim(t)
	t.Setenv("FAULT", "C_GetSlotList:0:hang")
	o := s.options()
	o.Modules = append(o.Modules, pkcs11.Module{Name: "softhsm", Path: s.hsm.Module})
	inv := newInventory(t, o)
	for n := range 6 {
		start := time.Now()
		keys, err := inv.Keys(t.Context())
		var failed *token.ModuleError
		if len(keys) != len(s.hsm.IDs) || !errors.As(err, &failed) || failed.Module != "faults" || failed.Reason != "timeout" {
			t.Fatalf("listing %d: %d keys, %v", n, len(keys), err)
		}
		if d := time.Since(start); d > shortTimeout+1500*time.Millisecond {
			t.Errorf("listing %d took %v", n, d)
		}
		if n == 5 && time.Since(start) > shortTimeout/2 {
			t.Error("no back-off: a module that keeps hanging is still waited for")
		}
	}
}

// TestAlreadyLoggedIn is the code that other software takes for success.
func TestAlreadyLoggedIn(t *testing.T) {
	s := newShim(t)
	t.Setenv("FAULT", "C_Login:1:rv=0x100")
	t.Setenv("FAULT_ONCE", filepath.Join(s.dir, "once"))
	inv := newInventory(t, s.options())
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, err := keys[0].Open(t.Context(), tokentest.Answers("11112222").PIN)
	if err == nil {
		session.Close()
		t.Fatal("CKR_USER_ALREADY_LOGGED_IN opened a session")
	}
	if !errors.Is(err, token.ErrBusy) {
		t.Errorf("Open: %v", err)
	}
	if errs, _ := use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN); len(errs) > 0 {
		t.Errorf("afterwards: %v", errs)
	}
}

// TestContextLogin signs several times with a key that asks for the PIN each time; the person is asked once.
func TestContextLogin(t *testing.T) {
	s := newShim(t)
	t.Setenv("FAULT_ALWAYS", s.hsm.PIN)
	logFile := filepath.Join(s.dir, "log")
	t.Setenv("FAULT_LOG", logFile)
	inv := newInventory(t, s.options())
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a := tokentest.Answers(s.hsm.PIN)
	session, err := keys[0].Open(t.Context(), a.PIN)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	id := keys[0].Algorithms()[0]
	for range 3 {
		if _, err := session.Sign(t.Context(), id, tokentest.Digest(id)); err != nil {
			t.Fatal(err)
		}
	}
	log, _ := os.ReadFile(logFile)
	if got := strings.Count(string(log), "2 -1 0\n"); got != 3 || len(a.Requests) != 1 {
		t.Errorf("%d context logins, asked %d times\n%s", got, len(a.Requests), log)
	}
}

func TestCallerCancelsHangingLogin(t *testing.T) {
	s := newShim(t)
	t.Setenv("FAULT", "C_Login:1:hang")
	t.Setenv("FAULT_ONCE", filepath.Join(s.dir, "once"))
	o := s.options()
	o.LoginTimeout = 30 * time.Second
	inv := newInventory(t, o)
	keys, err := inv.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := keys[0].Open(ctx, tokentest.Answers(s.hsm.PIN).PIN); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open: %v", err)
	}
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("cancelled after %v", d)
	}
	if errs, _ := use(t.Context(), inv, tokentest.Answers(s.hsm.PIN).PIN); len(errs) > 0 {
		t.Errorf("afterwards: %v", errs)
	}
}
