// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"persten/internal/token/tokentest"
	"persten/internal/ui/uitest"
	"persten/proto"
)

// The PINs of the proof have 4, 8, 16 and 32 characters. Rare ones, so that chance does not write the short ones; and some
// that are longer in UTF-8, so that its spelling is not ASCII's.
var (
	hsmPINs    = []string{"~Q^7", "q~7}V0^z", "V7}q0~^kX3z#Jw9@", "k9@X3z~^q7}V0#JwL5=T2(Yd8&Hs6)Rf"}
	modulePINs = []string{"§Ж7~", "Щ7ъЮ}4§ю", "ю9§Ъ2Ж}щ8Ы4~Ё6Эж", "}Щ3ъ~8Ю§1Жщ5Ы^ю0Ъ9Эж2Ё=7ы4э6Щ#ёQ"}
)

// spellings are how a PIN may lie in memory.
func spellings(pin string) map[string][]byte {
	var wide []byte
	for _, u := range utf16.Encode([]rune(pin)) {
		wide = binary.LittleEndian.AppendUint16(wide, u)
	}
	return map[string][]byte{"UTF-8": []byte(pin), "UTF-16": wide}
}

// hit is one place where a PIN was found.
type hit struct {
	pin, spelling, region string
	scenario              bool // in the text that tells the test module its PIN
}

// searchPINs looks for PINs in all writable memory of a process, and tells what else the memory must hold: its size.
func searchPINs(pid int, pins []string) (hits []hit, size int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, 0, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, 0, err
	}
	defer mem.Close()
	const step, overlap = 4 << 20, 256
	buf := make([]byte, step+overlap)
	var file string // of the mapping before
	var last int64  // where it ended
	for line := range strings.Lines(string(text)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > 1<<30 {
			continue
		}
		f := strings.Fields(line)
		region := strings.Join(f[5:], " ")
		switch {
		case region == "" && from == last && strings.Contains(file, ".so"):
			region = file + " (bss)"
		case region == "":
			region = "anonymous"
		}
		file, last = region, to
		for at := from; at < to; at += step {
			n, _ := mem.ReadAt(buf[:min(step+overlap, to-at)], at)
			size += int64(min(n, step))
			for _, pin := range pins {
				for name, s := range spellings(pin) {
					for i := bytes.Index(buf[:n], s); i >= 0 && i < step; {
						hits = append(hits, hit{pin, name, region, bytes.HasSuffix(buf[:i], []byte("pin "))})
						next := bytes.Index(buf[i+1:n], s)
						if next < 0 {
							break
						}
						i += 1 + next
					}
				}
			}
		}
	}
	return hits, size, nil
}

// show spells hits for people: how long a PIN, in what form, and where.
func show(hits []hit) string {
	count := map[string]int{}
	for _, h := range hits {
		count[fmt.Sprintf("%d characters as %s in %s", len([]rune(h.pin)), h.spelling, h.region)]++
	}
	var list []string
	for _, what := range slices.Sorted(maps.Keys(count)) {
		list = append(list, fmt.Sprintf("%s (%d)", what, count[what]))
	}
	return strings.Join(list, "; ")
}

// vendors tells whether a place belongs to a PKCS#11 library: its own data, or the scenario that it has read. The C heap is
// not only the libraries': our call of C_Login copies the PIN there too.
func (h hit) vendors() bool { return strings.Contains(h.region, ".so") || h.scenario }

// unprotected is a program of the tests that reads the PINs like a prompt and protects nothing.
func (d *daemon) unprotected(pins ...string) *exec.Cmd {
	d.t.Helper()
	dir := d.path("control")
	me, err := os.Executable()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	answers := "| hang | " + strings.Join(pins, " ") + "\n"
	for _, pin := range pins {
		answers += "| hang | " + string(spellings(pin)["UTF-16"]) + "\n"
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "answers"), []byte(answers), 0o600)
	}
	program := filepath.Join(dir, "pinentry")
	os.Remove(program)
	if err == nil {
		err = os.Symlink(me, program)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Dir, cmd.Env = dir, append(slices.Clone(d.env), "GOTRACEBACK=crash")
	in, err := cmd.StdinPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	io.WriteString(in, "GETPIN\n")
	time.Sleep(300 * time.Millisecond)
	return cmd
}

// finds fails the test when the search does not find PINs that lie open.
func (d *daemon) finds(pins ...string) {
	d.t.Helper()
	hits, _, err := searchPINs(d.unprotected(pins...).Process.Pid, pins)
	if err != nil {
		d.t.Skipf("NOT RUN: this user may not read the memory of processes: %v", err)
	}
	found := map[string]bool{}
	for _, h := range hits {
		found[h.spelling+h.pin] = true
	}
	if len(found) != 2*len(pins) {
		d.t.Fatalf("the search finds %d of %d spellings of PINs in a process that hides nothing", len(found), len(pins))
	}
	d.t.Logf("control: %s", show(hits))
}

// proofTokens are four tokens of SoftHSM and four of the test module, each with a PIN of its own.
type proofTokens struct {
	hsm    tokentest.SoftHSMToken
	module string
	file   string   // scenario
	ids    []string // certificates: SoftHSM's, then the module's
	pins   []string // in the same order
}

var proofHSM = sync.OnceValues(func() (tokentest.SoftHSMToken, error) {
	dir, err := shared()
	if err != nil {
		return tokentest.SoftHSMToken{}, err
	}
	hsm, err := tokentest.MakeSoftHSM(filepath.Join(dir, "proofhsm"))
	for i, pin := range hsmPINs {
		if err == nil {
			hsm.PIN = pin
			err = hsm.Another(fmt.Sprintf("Proof %d", i))
		}
	}
	return hsm, err
})

func newProofTokens(t *testing.T) *proofTokens {
	t.Helper()
	s, so := tokentest.NewScenario(t)
	p := &proofTokens{module: so, file: s.File, pins: slices.Concat(hsmPINs, modulePINs)}
	hsm, err := proofHSM()
	if err != nil {
		t.Skipf("NOT RUN: %v", err)
	}
	p.hsm = hsm
	for i, pin := range modulePINs {
		s.Add("slot %d", i+1)
		s.Add("label Module %d", i)
		s.Add("pin %s", pin)
		s.Add("mechanisms ec")
		s.Pair("p256", "")
	}
	s.Save()
	return p
}

// learn finds the certificates of the tokens with these labels, numbered from 0.
func (p *proofTokens) learn(from *page, labels ...string) {
	from.t.Helper()
	list := from.listed()
	for _, label := range labels {
		for i := range 4 {
			at := slices.IndexFunc(list, func(c proto.Certificate) bool { return c.Token.Label == fmt.Sprintf("%s %d", label, i) })
			if at < 0 {
				from.t.Fatalf("no certificate of the token %s %d", label, i)
			}
			p.ids = append(p.ids, list[at].ID)
		}
	}
}

// env makes a session see the tokens.
func (p *proofTokens) env() []string {
	return []string{"SOFTHSM2_CONF=" + p.hsm.Conf, "PERSTEN_P11_CONFIG=" + p.file}
}

// desktop starts a display and a session bus and builds the tray's program; without them it says what is not run.
func proofDesktop(t *testing.T) []string {
	t.Helper()
	for _, tool := range []string{"Xvfb", "dbus-daemon"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("NOT RUN: the memory of the tray: no %s", tool)
			return nil
		}
	}
	dir, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "persten-desktop")
	if out, err := exec.Command("go", "build", "-o", program, "./desktop").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	display, _ := uitest.Xvfb(t, "640x480")
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address")
	out, err := bus.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Process.Kill(); bus.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return []string{"DISPLAY=" + display, "DBUS_SESSION_BUS_ADDRESS=" + strings.TrimSpace(address), "PERSTEN_DESKTOP=" + program}
}

// roles are the processes of a running session, by what they do.
func (d *daemon) roles() map[string][]int {
	all := map[string][]int{"session": {d.cmd.Process.Pid}}
	for _, pid := range descendants(d.cmd.Process.Pid) {
		line := commandLine(pid)
		switch {
		case strings.Contains(line, " module "):
			all["module"] = append(all["module"], pid)
		case strings.Contains(line, " prompt "):
			all["prompt"] = append(all["prompt"], pid)
		case strings.HasSuffix(line, " tray"):
			all["tray"] = append(all["tray"], pid)
		}
	}
	return all
}

// TestPINLeavesNoTrace has people log in again and again with PINs of four lengths. The PIN is at no time in the memory of
// the session, the tray or the native host; a second after use it is in none of ours at all, nor in a log or the journal.
func TestPINLeavesNoTrace(t *testing.T) {
	logins := 40
	if long() {
		logins = 1000
	}
	tokens := newProofTokens(t)
	pins := tokens.pins
	d := newModuleDaemon(t, []string{tokens.module}, append(tokens.env(), proofDesktop(t)...), "-v")
	d.finds(pins...)
	browser := d.chromium()
	pages := []*page{browser.page(nativeSite), d.webPage(webSite)}
	tokens.learn(pages[0], "Proof", "Module")
	never := map[string]int{"session": d.cmd.Process.Pid, "host": browser.cmd.Process.Pid}
	if strings.Contains(strings.Join(d.env, " "), "DISPLAY=:") {
		d.eventually(10*time.Second, "the tray runs", func() bool { return len(d.roles()["tray"]) == 1 })
		never["tray"] = d.roles()["tray"][0]
	}
	w := watchMemory(t, never, pins)
	began := time.Now()
	for n := range logins {
		id, pin := tokens.ids[n%len(tokens.ids)], tokens.pins[n%len(tokens.ids)]
		d.answers("| approve | " + pin)
		if _, err := pages[n/len(tokens.ids)%2].call("sign.cms", signRequest(id)); err != nil {
			t.Fatalf("login %d: %v", n+1, err)
		}
	}
	t.Logf("%d logins in %v", logins, time.Since(began).Round(time.Second))
	if n := d.count("GETPIN", ""); n != logins {
		t.Errorf("%d PINs were entered for %d logins", n, logins)
	}
	time.Sleep(time.Second)
	w.end()
	for what, pid := range never {
		if !running(pid) {
			t.Errorf("the %s is not the process it was", what)
		}
	}
	for _, pid := range d.roles()["module"] {
		hits, size, err := searchPINs(pid, pins)
		if err != nil || size == 0 {
			t.Errorf("memory of a module: %d bytes, %v", size, err)
		}
		library := filepath.Base(commandLine(pid))
		ours := slices.DeleteFunc(slices.Clone(hits), hit.vendors)
		theirs := slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return !h.vendors() })
		t.Logf("module %s: %d KiB, %d hits in memory of ours, %d in the library's: %s", library, size>>10, len(ours), len(theirs), show(theirs))
		if len(ours) > 0 {
			t.Errorf("module %s, one second after use: %s", library, show(ours))
		}
		if len(theirs) > 0 && library != filepath.Base(tokens.module) { // whose scenario holds the PINs
			t.Logf("module %s keeps PINs in memory of its own", library)
		}
	}
	d.noPINWritten(pins)
}

// memoryWatch searches processes again and again.
type memoryWatch struct {
	t      *testing.T
	stop   chan struct{}
	done   chan struct{}
	rounds int
}

// watchMemory searches processes for PINs until it is ended, at least twice.
func watchMemory(t *testing.T, pids map[string]int, pins []string) *memoryWatch {
	w := &memoryWatch{t: t, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for ended := false; !ended; {
			select {
			case <-w.stop:
				ended = true
			case <-time.After(200 * time.Millisecond):
			}
			w.rounds++
			for what, pid := range pids {
				hits, size, err := searchPINs(pid, pins)
				if err != nil || size < 1<<20 {
					t.Errorf("memory of the %s: %d bytes, %v", what, size, err)
				}
				if len(hits) > 0 {
					t.Errorf("the %s holds a PIN: %s", what, show(hits))
				}
				if ended {
					t.Logf("%s: %d KiB searched each time", what, size>>10)
				}
			}
		}
	}()
	return w
}

func (w *memoryWatch) end() {
	close(w.stop)
	<-w.done
	w.t.Logf("searched %d times", w.rounds)
}

// noPINWritten looks at the session's log, with those of its children, and at every file of its state.
func (d *daemon) noPINWritten(pins []string) {
	d.t.Helper()
	log := d.log.String()
	texts := map[string][]byte{"log": []byte(log)}
	for _, root := range []string{"state", "run", "config", "home"} {
		filepath.WalkDir(d.path(root), func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				texts[path], _ = os.ReadFile(path)
			}
			return nil
		})
	}
	journal := texts[d.path("state", "persten", "journal.jsonl")]
	if len(journal) == 0 {
		d.t.Error("no journal")
	}
	for name, text := range texts {
		for _, pin := range pins {
			for spelling, s := range spellings(pin) {
				if bytes.Contains(text, s) {
					d.t.Errorf("%s has the PIN of %d characters as %s", name, len([]rune(pin)), spelling)
				}
			}
		}
	}
	d.t.Logf("log of %d bytes with %d debug lines, journal of %d, %d files: searched", len(log), strings.Count(log, "level=DEBUG"), len(journal), len(texts)-2)
}

// slowDaemon is a session whose tokens are SoftHSM's four, behind a library that does one thing slowly.
func slowDaemon(t *testing.T, fault string, env ...string) (*daemon, *proofTokens) {
	t.Helper()
	tokens := newProofTokens(t)
	so, err := faulty()
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "FAULT="+fault, "FAULT_CONF="+tokens.hsm.Conf, "FAULT_MODULE="+tokens.hsm.Module)
	return newModuleDaemon(t, []string{so}, env, "-v"), tokens
}

// TestPINLeavesThePrompt looks into a prompt process one second after it handed the PIN over, while the token works; and
// into the library's process at that time.
func TestPINLeavesThePrompt(t *testing.T) {
	d, tokens := slowDaemon(t, "C_Sign:0:slow=2000")
	p := d.webPage(webSite)
	tokens.learn(p, "Proof")
	rounds := []int{0, 3}
	if long() {
		rounds = []int{0, 1, 2, 3}
	}
	for _, i := range rounds {
		pin, id := hsmPINs[i], tokens.ids[i]
		d.finds(pin)
		d.answers("| approve | " + pin)
		before := d.count("GETPIN", "")
		call := later(func() error { _, err := p.call("sign.cms", signRequest(id)); return err })
		d.eventually(10*time.Second, "the PIN is given", func() bool { return d.count("GETPIN", "") > before })
		time.Sleep(1100 * time.Millisecond)
		roles := d.roles()
		if len(roles["prompt"]) != 1 || len(roles["module"]) == 0 {
			t.Fatalf("%d prompts and %d modules run", len(roles["prompt"]), len(roles["module"]))
		}
		for what, pids := range roles {
			for _, pid := range pids {
				hits, size, err := searchPINs(pid, []string{pin})
				if err != nil || size < 1<<20 {
					t.Errorf("memory of the %s: %d bytes, %v", what, size, err)
				}
				ours := slices.DeleteFunc(slices.Clone(hits), func(h hit) bool { return what == "module" && h.vendors() })
				t.Logf("PIN of %d characters, %s: %d KiB, %d hits; %s", len(pin), what, size>>10, len(hits), show(hits))
				if len(ours) > 0 {
					t.Errorf("the %s holds a PIN one second after use: %s", what, show(ours))
				}
			}
		}
		if err := within(t, 20*time.Second, "the signature", call); err != nil {
			t.Error(err)
		}
	}
	d.noPINWritten(hsmPINs)
}

// cores are the core files under the folder of the daemon.
func (d *daemon) cores() map[string][]byte {
	list := map[string][]byte{}
	filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.HasPrefix(e.Name(), "core") {
			list[path], _ = os.ReadFile(path)
		}
		return nil
	})
	return list
}

// crash sends SIGSEGV and waits for the end.
func (d *daemon) crash(what string, pid int) {
	d.t.Helper()
	limits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	for line := range strings.Lines(string(limits)) {
		if strings.HasPrefix(line, "Max core file size") {
			d.t.Logf("%s: %s", what, strings.Join(strings.Fields(line), " "))
		}
	}
	if err := syscall.Kill(pid, syscall.SIGSEGV); err != nil {
		d.t.Errorf("%s: %v", what, err)
	}
	d.eventually(15*time.Second, what+" ends of SIGSEGV", func() bool { return !running(pid) })
}

// TestCrashLeavesNoPIN: with core files allowed, none of a process that crashes while a PIN is about has the PIN, and those
// that touch PINs leave none at all. A process without protection leaves one, with the PIN.
func TestCrashLeavesNoPIN(t *testing.T) {
	pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
	if name := strings.TrimSpace(string(pattern)); name == "" || strings.ContainsAny(name[:1], "|/") || !strings.HasPrefix(name, "core") {
		t.Skipf("NOT RUN: the system sends core files elsewhere: %q", name)
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: old.Max, Max: old.Max}); err != nil || old.Max < 1<<30 {
		t.Skipf("NOT RUN: core files are limited to %d bytes: %v", old.Max, err)
	}
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_CORE, &old) })

	pin := hsmPINs[3]
	d, tokens := slowDaemon(t, "C_Login:0:slow=3000", "GOTRACEBACK=crash") // Go leaves cores only when told to
	control := d.unprotected(pin)
	control.Process.Signal(syscall.SIGSEGV)
	control.Wait()
	found := 0
	for path, core := range d.cores() {
		found += bytes.Count(core, []byte(pin))
		t.Logf("control: a core of %d KiB", len(core)>>10)
		os.Remove(path)
	}
	if found == 0 {
		t.Skipf("NOT RUN: a process without protection left no core file with the PIN (%v)", control.ProcessState)
	}
	t.Logf("control: %d copies of the PIN", found)

	tokens.learn(d.webPage(webSite), "Proof")
	id := tokens.ids[3]
	for _, victim := range []string{"prompt", "module", "host", "session"} {
		d.answers("| approve | " + pin)
		b := d.chromium()
		p := b.page(nativeSite)
		p.listed()
		before := d.count("GETPIN", "")
		p.begin("sign.cms", signRequest(id))
		d.eventually(15*time.Second, "the PIN is given", func() bool { return d.count("GETPIN", "") > before })
		time.Sleep(300 * time.Millisecond) // now the library logs in, slowly
		pids := d.roles()[victim]
		if victim == "host" {
			pids = []int{b.cmd.Process.Pid}
		}
		if victim == "module" { // the one that logs in, and so has the PIN at this moment
			pids = slices.DeleteFunc(pids, func(pid int) bool { return filepath.Base(commandLine(pid)) != "faults.so" })
		}
		if len(pids) != 1 {
			t.Fatalf("%d processes of the role %s", len(pids), victim)
		}
		if hits, _, err := searchPINs(pids[0], []string{pin}); err == nil {
			t.Logf("%s: the PIN is in its memory %d times when it crashes", victim, len(hits))
			if victim == "module" && len(hits) == 0 {
				t.Error("the module has no PIN when it crashes: nothing is shown")
			}
		}
		d.crash(victim, pids[0])
		if victim != "host" && victim != "session" {
			b.cmd.Process.Kill()
		}
		time.Sleep(200 * time.Millisecond)
		for path, core := range d.cores() {
			t.Errorf("the %s left a core file of %d KiB", victim, len(core)>>10)
			for spelling, s := range spellings(pin) {
				if n := bytes.Count(core, s); n > 0 {
					t.Errorf("the core file of the %s has the PIN %d times as %s", victim, n, spelling)
				}
			}
			os.Remove(path)
		}
	}
	for spelling, s := range spellings(pin) {
		if bytes.Contains([]byte(d.log.String()), s) {
			t.Errorf("the PIN is in what crashing processes print, as %s", spelling)
		}
	}
}
