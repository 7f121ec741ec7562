// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/token/tokentest"
	"persten/proto"
)

// long reports whether the long forms of these tests are wanted: as many rounds as the product promises to stand.
func long() bool { return os.Getenv("PERSTEN_LONG") != "" }

// newModuleDaemon starts a session whose only tokens are those of these modules. SoftHSM, which the session finds too, has
// none. args go to the session.
func newModuleDaemon(t *testing.T, modules []string, env []string, args ...string) *daemon {
	t.Helper()
	d := newDaemon(t, setting{})
	d.write("empty.conf", "directories.tokendir = "+d.path("empty")+"\nobjectstore.backend = file\nlog.level = ERROR\n")
	d.env = append(d.env, "SOFTHSM2_CONF="+d.path("empty.conf"))
	d.env = append(d.env, env...)
	config, err := os.ReadFile(d.path("config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for i, path := range modules {
		fmt.Fprintf(&list, "[[module]]\nname = \"test %d\"\npath = %q\n", i+1, path)
	}
	sites := "allow = ["
	for i := range moreSites {
		sites += strconv.Quote(moreSite(i)) + ", "
	}
	d.write("config.toml", list.String()+strings.Replace(string(config), "allow = [", sites, 1))
	d.launch(append([]string{"session"}, args...)...)
	return d
}

// moreSites are allowed beside the usual two: a site may only ask so often.
const moreSites = 24

func moreSite(i int) string { return fmt.Sprintf("https://more%d.example", i) }

// listener is a page's connection that notes when tokens.changed arrives.
type listener struct {
	ipc.Conn
	changed chan time.Time
}

func (l *listener) Recv() ([]byte, error) {
	b, err := l.Conn.Recv()
	if err == nil && bytes.Contains(b, []byte(`"tokens.changed"`)) {
		select {
		case l.changed <- time.Now():
		default:
		}
	}
	return b, err
}

// listening opens a page on each transport and tells when each hears of tokens.
func (d *daemon) listening() (map[string]*page, map[string]*listener) {
	d.t.Helper()
	socket, status, err := d.handshake(http.Header{"Origin": {webSite}})
	if err != nil {
		d.t.Fatalf("WebSocket: %d, %v", status, err)
	}
	tab, err := d.chromium().open(nativeSite, nativeSite)
	if err != nil {
		d.t.Fatal(err)
	}
	heard := map[string]*listener{
		"websocket": {&socketConn{c: socket}, make(chan time.Time, 64)},
		"native":    {tab, make(chan time.Time, 64)},
	}
	pages := map[string]*page{
		"websocket": newPage(d.t, heard["websocket"], webSite),
		"native":    newPage(d.t, heard["native"], nativeSite),
	}
	for _, p := range pages {
		p.ask("agent.hello", object{"protocol": proto.Protocol}, &proto.AgentHelloResult{})
	}
	return pages, heard
}

// listed are the certificates a page is shown without asking for a new look.
func (p *page) listed() []proto.Certificate {
	p.t.Helper()
	var r proto.CertificatesListResult
	p.ask("certificates.list", object{}, &r)
	return r.Certificates
}

// TestHotPlugReachesPages pulls a token and puts it back: pages on both transports are told in time, and their lists follow.
func TestHotPlugReachesPages(t *testing.T) {
	rounds := map[string]int{"wait": 20, "none": 2}
	if long() {
		rounds["none"] = 20
	}
	for _, c := range []struct {
		events, name string
		limit        time.Duration
	}{
		{"wait", "slot events", time.Second},
		{"none", "no slot events", 1500 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, so := tokentest.NewScenario(t)
			present := s.Path("present")
			s.Add("events %s", c.events)
			s.Add("slot 1")
			s.Add("label Stays")
			s.Add("mechanisms ec")
			stays := s.Pair("p256", "")
			s.Add("slot 2")
			s.Add("label Travels")
			s.Add("mechanisms ec")
			s.Add("present %s", present)
			travels := s.Pair("p256", "")
			s.Save()
			d := newModuleDaemon(t, []string{so}, []string{"PERSTEN_P11_CONFIG=" + s.File})
			h := &hotPlug{d: d, present: present, stays: stays.ID(), travels: travels.ID(), limit: c.limit, took: map[string][]time.Duration{}}
			h.pages, h.heard = d.listening()
			h.check("at first", false)
			time.Sleep(1500 * time.Millisecond) // until the watch has begun
			for i := range rounds[c.events] {
				// Where a module is polled, the moment within the second counts.
				pause := time.Duration(50)
				if c.events == "none" {
					pause += time.Duration(i * 137 % 900)
				}
				time.Sleep(pause * time.Millisecond)
				h.move("insertion", true)
				time.Sleep(pause * time.Millisecond)
				h.move("removal", false)
			}
			for what, all := range h.took {
				slices.Sort(all)
				t.Logf("%s, %s: %d times, median %v, max %v", c.name, what, len(all),
					all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond))
			}
		})
	}
}

// hotPlug is a token that comes and goes, seen by pages.
type hotPlug struct {
	d              *daemon
	present        string
	stays, travels string // certificates
	limit          time.Duration
	pages          map[string]*page
	heard          map[string]*listener
	took           map[string][]time.Duration
}

// move puts the token in or pulls it, and waits for every page to hear.
func (h *hotPlug) move(what string, in bool) {
	t := h.d.t
	t.Helper()
	for _, l := range h.heard {
		for len(l.changed) > 0 {
			<-l.changed
		}
	}
	began := time.Now()
	var err error
	if in {
		err = os.WriteFile(h.present, nil, 0o600)
	} else {
		err = os.Remove(h.present)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range h.heard {
		select {
		case at := <-l.changed:
			took := at.Sub(began)
			h.took[what+", "+name] = append(h.took[what+", "+name], took)
			if took > h.limit {
				t.Errorf("%s reached %s after %v, want at most %v", what, name, took, h.limit)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s did not reach %s in 5 s", what, name)
		}
	}
	h.check("after "+what, in)
}

// check compares what pages list with where the token is.
func (h *hotPlug) check(when string, in bool) {
	h.d.t.Helper()
	for name, p := range h.pages {
		var ids []string
		for _, c := range p.listed() {
			ids = append(ids, c.ID)
		}
		if !slices.Contains(ids, h.stays) || slices.Contains(ids, h.travels) != in {
			h.d.t.Errorf("%s %s lists %d certificates; the one that travels is among them: %v, want %v", when, name, len(ids),
				slices.Contains(ids, h.travels), in)
		}
	}
}

// TestOneTokenTwoModules: a token that two modules show is one entry, and signs; two tokens with one label are two.
func TestOneTokenTwoModules(t *testing.T) {
	s, so := tokentest.NewScenario(t)
	s.Add("slot 1")
	s.Add("label Same name")
	s.Add("pin 135790")
	s.Add("mechanisms ec")
	first := s.Pair("p256", "")
	s.Add("slot 2")
	s.Add("label Same name")
	s.Add("pin 135790")
	s.Add("mechanisms ec")
	second := s.Pair("p256", "")
	s.Save()
	again := s.Path("other.so")
	b, err := os.ReadFile(so)
	if err == nil {
		err = os.WriteFile(again, b, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := newModuleDaemon(t, []string{so, again}, []string{"PERSTEN_P11_CONFIG=" + s.File})
	d.answers("| approve | 135790")
	for name, p := range d.transports() {
		count := map[string]int{}
		for _, c := range p.listed() {
			count[c.ID]++
			if c.Token.Label != "Same name" {
				t.Errorf("%s: token %q", name, c.Token.Label)
			}
		}
		if len(count) != 2 || count[first.ID()] != 1 || count[second.ID()] != 1 {
			t.Errorf("%s: %v, want each of two certificates once", name, count)
		}
		var tokens proto.TokensListResult
		p.ask("tokens.list", object{"refresh": true}, &tokens)
		ours := func(p proto.Problem) bool { return p.Args["module"] != "opensc" } // it needs a service this machine may lack
		if len(tokens.Tokens) != 2 || slices.ContainsFunc(tokens.Problems, ours) {
			t.Errorf("%s: %d tokens, %v; want 2", name, len(tokens.Tokens), tokens.Problems)
		}
		for id := range count {
			if _, err := p.sign(id, []byte("document"), true); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	modules := 0
	for _, pid := range descendants(d.cmd.Process.Pid) {
		line := commandLine(pid)
		if strings.HasSuffix(line, so) || strings.HasSuffix(line, again) {
			modules++
		}
	}
	if modules != 2 {
		t.Errorf("%d of the two modules run: the test has not compared two", modules)
	}
}

// TestIdle measures what a session with three modules costs while nothing happens.
func TestIdle(t *testing.T) {
	s, so := tokentest.NewScenario(t)
	s.Add("events wait")
	s.Add("slot 1")
	s.Add("mechanisms ec")
	s.Pair("p256", "")
	s.Save()
	modules := []string{so}
	b, err := os.ReadFile(so)
	for i := range 2 {
		modules = append(modules, s.Path(fmt.Sprintf("copy%d.so", i)))
		if err == nil {
			err = os.WriteFile(modules[i+1], b, 0o700)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range []string{"wait", "none"} {
		text, _ := os.ReadFile(s.File)
		if err := os.WriteFile(s.File, bytes.Replace(text, []byte("events wait"), []byte("events "+events), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		d := newModuleDaemon(t, modules, []string{"PERSTEN_P11_CONFIG=" + s.File})
		d.webPage(webSite).listed()
		time.Sleep(time.Second)
		span := time.Second
		if long() {
			span = 20 * time.Second
		}
		family := append([]int{d.cmd.Process.Pid}, descendants(d.cmd.Process.Pid)...)
		before := map[int]effort{}
		for _, pid := range family {
			before[pid] = effortOf(pid)
		}
		time.Sleep(span)
		for i, pid := range family {
			e := effortOf(pid)
			what := "session"
			if i > 0 {
				what = "module " + filepath.Base(commandLine(pid))
			}
			t.Logf("events %s, %s: %.1f wake-ups and %.2f ms of CPU a second", events, what,
				float64(e.wakes-before[pid].wakes)/span.Seconds(), float64(e.cpu-before[pid].cpu)*10/span.Seconds())
		}
	}
}

// effort is what a process has done so far.
type effort struct {
	wakes int // voluntary context switches of all threads
	cpu   int // hundredths of a second
}

func effortOf(pid int) effort {
	var e effort
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, f := range threads {
		text, _ := os.ReadFile(f)
		for line := range strings.Lines(string(text)) {
			if n, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				wakes, _ := strconv.Atoi(strings.TrimSpace(n))
				e.wakes += wakes
			}
		}
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])); len(f) > 12 {
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		e.cpu = user + system
	}
	return e
}
