// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"persten/internal/fleet/fleettest"
	"persten/internal/token/tokentest"
)

// collector is the stand-in of fleettest in a process of its own, which can be killed and started again at the same address.
type collector struct {
	t       *testing.T
	dir     string
	address string
	cmd     *exec.Cmd
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
	t.Cleanup(func() { c.kill() })
	c.start()
	return c
}

func (c *collector) start() {
	c.t.Helper()
	c.cmd = exec.Command("collector", c.address, c.dir)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, e := fmt.Sscanf(line, "listening %s", &c.address); err != nil || e != nil {
		c.t.Fatalf("the collector says %q: %v", line, err)
	}
}

// kill ends it as a power cut would.
func (c *collector) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// records are those that arrived, by id; twice counts second copies.
func (c *collector) records() (by map[string]fleettest.Record, twice int) {
	c.t.Helper()
	list, err := fleettest.Records(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	by = map[string]fleettest.Record{}
	for _, r := range list {
		if _, ok := by[r.ID]; ok {
			twice++
		}
		by[r.ID] = r
	}
	return by, twice
}

// missing counts the records of the session's journal that have not arrived.
func (c *collector) missing(d *daemon) int {
	c.t.Helper()
	by, _ := c.records()
	n := 0
	for _, r := range d.journal() {
		if _, ok := by[r.Hash]; !ok {
			n++
		}
	}
	return n
}

// forwarding is a machine policy that forwards, with a rule by which the page signs without a person.
func (d *daemon) forwarding(c *collector, more string) {
	d.t.Helper()
	d.policy(fmt.Sprintf("[forward]\notlp = \"http://%s\"\n%s[[unattended]]\norigin = %q\ncertificate = %q\nper_day = 100000\npin_file = %q\n",
		c.address, more, webSite, d.token.IDs[0], d.pinFile("pin", tokentest.SoftHSMPIN)))
}

// TestForward: what a session writes into its journal arrives at the collector whole and in order, over the collector's death
// and its own; names stay at home; nobody who signs waits.
func TestForward(t *testing.T) {
	d, c := newDaemon(t, setting{}), newCollector(t)
	d.forwarding(c, "interval_seconds = 1\nmetrics_seconds = 10\n")
	d.launch("session", "--headless")
	sign := func(n int) {
		t.Helper()
		if codes := d.webPage(webSite).atOnce(d.token.IDs[0], n); codes["ok"] != n {
			t.Fatalf("%d signatures: %v", n, codes)
		}
	}
	sign(5)
	d.eventually(10*time.Second, "the first records arrive", func() bool { return c.missing(d) == 0 })
	c.kill()
	began := time.Now()
	sign(5)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("with a dead collector five signatures took %v", took)
	}
	d.stop() // and the session ends while the collector is away
	d.launch("session", "--headless")
	sign(5)
	for _, pid := range descendants(d.cmd.Process.Pid) {
		if line := commandLine(pid); strings.Contains(line, " module ") && strings.Contains(line, "softhsm") {
			syscall.Kill(pid, syscall.SIGKILL)
			d.eventually(5*time.Second, "the driver is gone", func() bool { return !running(pid) })
		}
	}
	d.eventually(10*time.Second, "the driver is back", func() bool {
		_, err := d.webPage(webSite).sign(d.token.IDs[0], []byte("text"), false)
		return err == nil
	})
	c.start()
	d.eventually(20*time.Second, "the rest arrives", func() bool { return c.missing(d) == 0 })
	by, twice := c.records()
	t.Logf("%d records, %d twice", len(by), twice)
	if len(by) != len(d.journal()) || len(by) < 30 {
		t.Errorf("%d records arrived, %d in the journal", len(by), len(d.journal()))
	}
	c.chained(by)
	c.redacted(d)
	d.eventually(25*time.Second, "figures of the second session arrive", func() bool { return c.figures()["persten.module.restarts"] == 1 })
	if f := c.figures(); f["persten.tokens"] != 1 || f["persten.certificate.days_left"] <= 0 || f["persten.key.uses"] < 6 {
		t.Errorf("figures: %v", f)
	}
}

// chained follows the journal's own chain through what arrived.
func (c *collector) chained(by map[string]fleettest.Record) {
	c.t.Helper()
	first := 0
	for id, r := range by {
		prev, _ := r.Attributes["persten.prev"].(string)
		if _, ok := by[prev]; !ok {
			first++
			if seq := r.Attributes["persten.seq"]; seq != float64(1) {
				c.t.Errorf("record %s, %v, follows one that did not arrive", id, seq)
			}
		}
	}
	if first != 1 {
		c.t.Errorf("%d records follow none", first)
	}
}

// redacted looks for names in all that arrived.
func (c *collector) redacted(d *daemon) {
	c.t.Helper()
	text, err := os.ReadFile(c.dir + "/logs")
	if err != nil || !strings.Contains(string(text), webSite) {
		c.t.Fatalf("what arrived, %d bytes: %v", len(text), err)
	}
	for _, r := range d.journal() {
		secrets := []string{r.Program, r.CertificateSerial, r.TokenSerial}
		for _, doc := range r.Documents {
			secrets = append(secrets, doc.Name, doc.Digest)
		}
		for _, s := range secrets {
			if s != "" && strings.Contains(string(text), strconv.Quote(s)) {
				c.t.Errorf("%q of record %d has left", s, r.Seq)
			}
		}
	}
	for _, name := range []string{"persten.user", "persten.program", "persten.document_names", "persten.details"} {
		if strings.Contains(string(text), name) {
			c.t.Errorf("the field %s has left", name)
		}
	}
}

// figures are the last data points, by name of the metric.
func (c *collector) figures() map[string]float64 {
	c.t.Helper()
	list, err := fleettest.Figures(c.dir)
	if err != nil {
		c.t.Fatal(err)
	}
	last := map[string]float64{}
	for _, f := range list {
		last[f.Name] = f.Value
	}
	return last
}

// TestForwardThousand: one real session and many others, all in one process, forward to one collector that is killed and
// comes back: nothing is lost, and the real session takes next to no processor time. In short form there are fewer for less long.
func TestForwardThousand(t *testing.T) {
	desks, span, every := 50, 8*time.Second, 2*time.Second
	if long() {
		desks, span, every = 1000, 10*time.Minute, 10*time.Second
	}
	d, c := newDaemon(t, setting{}), newCollector(t)
	d.forwarding(c, fmt.Sprintf("interval_seconds = %d\n", every/time.Second))
	d.launch("session", "--headless")
	web := d.webPage(webSite)
	if _, err := web.sign(d.token.IDs[0], []byte("text"), false); err != nil { // the module loads
		t.Fatal(err)
	}
	load := startDesks(t, desks, c.address, span, every)
	spent, began, made := cpuTime(d.cmd.Process.Pid), time.Now(), 0
	for phase := 0; time.Since(began) < span; time.Sleep(max(span/60, 500*time.Millisecond)) {
		if _, err := web.sign(d.token.IDs[0], []byte("text"), false); err != nil {
			t.Fatal(err)
		}
		made++
		switch at := time.Since(began); {
		case phase == 0 && at > span*4/10:
			c.kill()
			phase++
		case phase == 1 && at > span*5/10:
			c.start()
			phase++
		}
	}
	used := float64(cpuTime(d.cmd.Process.Pid)-spent) / float64(time.Since(began))
	written := load.written()
	t.Logf("%d desks wrote %d records in %v; the session made %d signatures and used %.2f %% of a processor", desks, written, span, made, 100*used)
	if used > 0.01 {
		t.Errorf("the session used %.2f %% of a processor, want under 1 %%", 100*used)
	}
	d.eventually(6*time.Minute, "all arrives", func() bool {
		time.Sleep(time.Second)
		by, _ := c.records()
		return len(by) >= written && load.lost(by) == 0 && c.missing(d) == 0
	})
	by, twice := c.records()
	lost := load.lost(by)
	t.Logf("%d records arrived, %d twice, %d lost", len(by), twice, lost)
	if lost != 0 || len(by) != written+len(d.journal()) {
		t.Errorf("%d of %d lost; %d arrived", lost, written, len(by))
	}
}

// desks is the process of desks_test.go.
type desks struct {
	t   *testing.T
	dir string
	in  io.WriteCloser
	out *bufio.Scanner
}

func startDesks(t *testing.T, n int, address string, span, every time.Duration) *desks {
	t.Helper()
	l := &desks{t: t, dir: t.TempDir()}
	cmd := exec.Command("desks", strconv.Itoa(n), address, l.dir, span.String(), every.String())
	cmd.Stderr = os.Stderr
	var errs [3]error
	var out io.Reader
	l.in, errs[0] = cmd.StdinPipe()
	out, errs[1] = cmd.StdoutPipe()
	errs[2] = cmd.Start()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		l.in.Close() // that ends it
		cmd.Wait()
	})
	l.out = bufio.NewScanner(out)
	return l
}

// written waits until all is written and tells how much.
func (l *desks) written() (n int) {
	l.t.Helper()
	for l.out.Scan() {
		if _, err := fmt.Sscanf(l.out.Text(), "written %d", &n); err == nil {
			return n
		}
	}
	l.t.Fatal("the desks ended early")
	return 0
}

var desksHash = regexp.MustCompile(`(?m),"hash":"([0-9a-f]{64})"}$`)

// lost counts the records of the desks' journals that are not among those that arrived.
func (l *desks) lost(by map[string]fleettest.Record) (n int) {
	l.t.Helper()
	list, err := os.ReadDir(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, e := range list {
		text, err := os.ReadFile(l.dir + "/" + e.Name() + "/journal.jsonl")
		if err != nil {
			l.t.Fatal(err)
		}
		for _, m := range desksHash.FindAllStringSubmatch(string(text), -1) {
			if _, ok := by[m[1]]; !ok {
				n++
			}
		}
	}
	return n
}

// cpuTime is the user and system time of a process; the kernel counts in 10 ms.
func cpuTime(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
