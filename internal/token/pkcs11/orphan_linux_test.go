// SPDX-License-Identifier: GPL-3.0-or-later

package pkcs11_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
)

// daemonVariable makes the test binary a daemon that opens a session on the module it names, says which process that is
// in, and never ends by itself.
const daemonVariable = "PERSTEN_TEST_DAEMON"

func init() {
	if module := os.Getenv(daemonVariable); module != "" && len(os.Args) == 1 {
		daemonMain(module)
	}
}

func daemonMain(module string) {
	o := inChild(pkcs11.Module{Name: "orphan", Path: module})
	start := o.Start
	o.Start = func(ctx context.Context, m pkcs11.Module) (ipc.FileConn, pkcs11.Process, error) {
		c, p, err := start(ctx, m)
		if err == nil {
			fmt.Println(p.PID())
		}
		return c, p, err
	}
	inv := pkcs11.New(o)
	os.Unsetenv(daemonVariable)
	errs, _ := use(context.Background(), inv, tokentest.Answers(tokentest.SoftHSMPIN).PIN)
	fmt.Println("used", errs)
	select {}
}

// TestChildEndsWithDaemon kills the daemon while the library hangs in each of its functions, or idles: the child ends too.
func TestChildEndsWithDaemon(t *testing.T) {
	s := newShim(t)
	pids := map[string]string{} // of the children, by what they hang in
	var daemons []*exec.Cmd
	for _, fault := range []string{"C_Initialize:1:hang", "C_GetSlotList:1:hang", "C_Login:1:hang", "C_Sign:1:hang", "C_Finalize:1:hang",
		"C_Logout:1:hang", "C_CreateObject:1:hang"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), daemonVariable+"="+s.path, "FAULT="+fault, "FAULT_ONCE="+filepath.Join(t.TempDir(), "once"))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Process.Kill()
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatal("the daemon started no child")
		}
		pids[fault] = lines.Text()
		daemons = append(daemons, cmd)
	}
	time.Sleep(1500 * time.Millisecond) // into the hang
	for _, cmd := range daemons {
		cmd.Process.Kill()
		cmd.Wait()
	}
	start := time.Now()
	for fault, pid := range pids {
		for alive(pid) && time.Since(start) < 5*time.Second {
			time.Sleep(20 * time.Millisecond)
		}
		if d := time.Since(start); alive(pid) || d > 2500*time.Millisecond {
			t.Errorf("%s: child %s still there %v after the daemon: %v", fault, pid, d, alive(pid))
		}
	}
}

// alive reports whether the process runs; one that waits to be collected does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}
