// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"persten/proto"
)

// acts writes n documents and returns their paths.
func (d *daemon) acts(n int) (paths []string) {
	d.t.Helper()
	for i := range n {
		name := fmt.Sprintf("акт %03d.txt", i+1)
		d.write(name, fmt.Sprint("act ", i+1))
		paths = append(paths, d.path(name))
	}
	return paths
}

// TestSignBatchCommand signs files by one question; a file that is not there is told before anybody is asked.
func TestSignBatchCommand(t *testing.T) {
	d := newDaemon(t, setting{start: true})
	d.answers(yesSoftHSM)
	files := d.acts(70)
	args := append([]string{"sign", "batch", "--json", "--cert", d.token.IDs[1], "--out", d.path("signed")}, files...)
	stdout, stderr, code := d.run(args...)
	var account batchAccount
	if err := json.Unmarshal([]byte(stdout), &account); code != 0 || err != nil || len(account.Signed) != 70 || stderr != "" {
		t.Fatalf("%d %v\n%s\n%s", code, err, stdout, stderr)
	}
	o := newOpenSSL(t)
	for i, f := range files[:3] {
		sig, err := os.ReadFile(filepath.Join(d.path("signed"), filepath.Base(f)+".p7s"))
		if err != nil {
			t.Fatal(err)
		}
		o.verify("batch", sig, fmt.Append(nil, "act ", i+1), false, d.token.CA)
	}
	asked := len(d.asked())
	_, stderr, code = d.run("sign", "batch", "--cert", d.token.IDs[1], "--out", d.path("signed"), files[0], d.path("absent"))
	if code != exitFailed || !strings.HasPrefix(stderr, "file_unreadable: ") || len(d.asked()) != asked {
		t.Errorf("%d %s", code, stderr)
	}
}

// TestSignBatchInterrupted: Ctrl+C ends a batch, and the command tells exactly what was signed: as many as there are files, and
// as the journal has.
func TestSignBatchInterrupted(t *testing.T) {
	o := setting{fault: "C_Sign:0:slow=50"}
	d := newDaemon(t, o)
	d.env = slices.DeleteFunc(d.env, func(v string) bool { return strings.HasPrefix(v, "FAULT_ONCE=") })
	d.start(o)
	d.answers(yesSoftHSM)
	files := d.acts(200)
	cmd := d.command(append([]string{"sign", "batch", "--cert", d.token.IDs[1], "--out", d.path("signed")}, files...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	made := func() int {
		list, _ := filepath.Glob(d.path("signed", "*.p7s"))
		return len(list)
	}
	d.eventually(20*time.Second, "some files are signed", func() bool { return made() >= 20 })
	cmd.Process.Signal(syscall.SIGINT)
	cmd.Wait()
	n := made()
	for _, want := range []string{fmt.Sprintf("Signed: %d of 200", n), "Not signed: " + files[199]} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if got := strings.Count(out.String(), "Not signed: "); got != 200-n || n > 100 {
		t.Errorf("%d files, %d told as not signed", n, got)
	}
	want := "user_stopped: You stopped the signing.\nStart signing again for the documents that are left.\n"
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || errOut.String() != want {
		t.Errorf("%d %q", code, errOut.String())
	}
	var signed int
	d.eventually(5*time.Second, "the journal has every end", func() bool {
		begun, ended := 0, 0
		signed = 0
		for _, r := range d.journal() {
			switch {
			case r.Type == "begin" && r.Kind == "sign":
				begun++
			case r.Type == "end" && r.Result == "ok":
				ended, signed = ended+1, signed+64 // a whole group
			case r.Type == "end" && proto.Code(r.Result) == proto.CodeRequestCancelled:
				ended, signed = ended+1, signed+numbers(t, r.Args["signed"])
			}
		}
		return begun > 0 && begun == ended
	})
	if signed != n {
		t.Errorf("%d in the journal, %d files", signed, n)
	}
}

// numbers counts those of a list like "1-12,14".
func numbers(t *testing.T, list string) (n int) {
	t.Helper()
	for one := range strings.SplitSeq(list, ",") {
		var from, to int
		switch k, _ := fmt.Sscanf(one, "%d-%d", &from, &to); {
		case one == "":
		case k == 1:
			n++
		case k == 2:
			n += to - from + 1
		default:
			t.Errorf("%q is no list", list)
		}
	}
	return n
}
