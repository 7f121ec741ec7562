// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"persten/proto"
)

// peakOf is the most memory a process held since it was last asked, in MiB.
func peakOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatal("no VmHWM")
	}
	kB, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		t.Skipf("not run: %v", err) // the session is not dumpable, so only root may look
	}
	return kB >> 10
}

// noiseFile is a file of so many MiB that nobody can guess or compress.
func (d *daemon) noiseFile(mib int64) string {
	d.t.Helper()
	f, err := os.Create(d.path("large.bin"))
	if err == nil {
		_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), mib<<20)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return f.Name()
}

// TestCommandSignsLarge: a command has a gigabyte signed by the session, whose memory hardly grows, and OpenSSL accepts it.
func TestCommandSignsLarge(t *testing.T) {
	mib, growth := int64(48), 32
	if long() {
		mib = 1 << 10
	}
	d := newDaemon(t, setting{start: true, demo: true})
	d.answers(yesDemo)
	gost := d.transports()["native"].certificates()["demo gost2012-256"]
	in, o := d.noiseFile(mib), newOpenSSL(t)
	for _, attached := range []bool{false, true} {
		peakOf(t, d.cmd.Process.Pid)
		before := peakOf(t, d.cmd.Process.Pid)
		out := d.path("large.p7s")
		cmd := d.command("sign", "cms", "--cert", gost.ID, "--in", in, "--out", out, fmt.Sprintf("--attached=%v", attached))
		start := time.Now()
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		grown := peakOf(t, d.cmd.Process.Pid) - before
		used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		t.Logf("%d MiB, attached %v: %.1f s; command: user %.1f s, system %.1f s, %d MiB; session: +%d MiB over %d",
			mib, attached, time.Since(start).Seconds(), cmd.ProcessState.UserTime().Seconds(), cmd.ProcessState.SystemTime().Seconds(),
			used.Maxrss>>10, grown, before)
		if grown > growth {
			t.Errorf("the session grew by %d MiB", grown)
		}
		o.verifyFile(out, in, attached, d.ca(gost))
	}
}

// TestContentLimit: a document over the limit is refused before it is sent where its size is known, and on its way else; the
// next one is signed.
func TestContentLimit(t *testing.T) {
	d := newDaemon(t, setting{demo: true})
	config, err := os.ReadFile(d.path("config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("config.toml", string(config)+"[content]\nmax_mib = 2\n")
	d.start(setting{demo: true})
	d.answers(yesDemo)
	gost := d.transports()["native"].certificates()["demo gost2012-256"]
	sign := func(mib int64, name string) (said string, code int) {
		in, err := os.Open(d.noiseFile(mib))
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		cmd := d.command("sign", "cms", "--cert", gost.ID, "--in", name, "--out", d.path("large.p7s"))
		cmd.Stdin = struct{ io.Reader }{in} // a pipe: it has no size
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, name := range []string{d.path("large.bin"), "/dev/stdin"} {
		if said, code := sign(20, name); code != 1 || !strings.Contains(said, string(proto.CodeContentTooLarge)) {
			t.Errorf("20 MiB of %s: %d %s", name, code, said)
		}
		if _, err := os.Stat(d.path("large.p7s")); err == nil {
			t.Errorf("20 MiB of %s: there is a signature", name)
		}
	}
	if n := len(d.asked()); n > 0 {
		t.Errorf("the person was asked: %v", d.asked())
	}
	if said, code := sign(2, "/dev/stdin"); code != 0 {
		t.Errorf("2 MiB: %s", said)
	}
}

// verifyFile is verify of files that need not fit in memory twice.
func (o *openssl) verifyFile(sig, content string, attached bool, ca string) {
	o.t.Helper()
	if o == nil {
		return
	}
	args := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", sig, "-CAfile", ca, "-out", o.path("seen")}
	if !attached {
		args = append(args, "-content", content)
	}
	cmd := exec.Command("openssl", args...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+o.path("openssl.cnf"))
	if out, err := cmd.CombinedOutput(); err != nil {
		o.t.Errorf("attached %v: OpenSSL refuses: %s", attached, out)
	}
	if out, err := exec.Command("cmp", o.path("seen"), content).CombinedOutput(); err != nil {
		o.t.Errorf("attached %v: OpenSSL saw another content: %s", attached, out)
	}
}
