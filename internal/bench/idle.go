// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"persten/internal/token/pkcs11"
	"persten/internal/token/tokentest"
	"persten/proto"
)

const idleAbout = "`persten session --headless` with three test modules (testdata/p11/module under three names), which show a token with a" + `
certificate; modules installed on this machine are hidden from it, except in the measurement of the first answer. Memory is read
and wake-ups are counted over %v, after the certificates were listed once and %v of quiet. RSS counts every resident page,
PSS those shared with other processes in part. The program is read from the disk, as after the machine's start; the first row is a
session whose program was just written: the kernel then has the file in pieces of 2 MiB and counts a piece as resident at its first
use. A wake-up is a voluntary context switch of any thread; how often another process took the processor away is shown beside it and
belongs to the machine. The first answer is agent.status on the user socket, from the start of the process.`

// How long the session is left alone.
const (
	idleQuiet = 45 * time.Second // timers of the last conversation end within 30
	idleSpan  = 60 * time.Second
)

// The bars of the idle session.
const (
	idleMiB   = 25
	idleWakes = 0.2
	firstMS   = 150
)

type idleWork struct {
	*workbench
	quiet, span time.Duration
}

func idlePlan(_ context.Context, w *workbench) (*plan, error) {
	i := &idleWork{w, idleQuiet, idleSpan}
	return &plan{
		about: fmt.Sprintf(idleAbout, i.span, i.quiet), versions: []string{ourVersion()},
		experiments: []experiment{
			{"First answer", i.firstAnswer},
			{"Idle, measured once", func(ctx context.Context, _ int) (*table, error) { return i.idle(ctx) }},
		},
	}, nil
}

// prepared is a session with three modules, not started.
func (w *idleWork) prepared(ctx context.Context, events string, hide []string) (*session, error) {
	so, err := tokentest.BuildModule()
	if err != nil {
		return nil, err
	}
	scenario, err := w.scenario(events)
	if err != nil {
		return nil, err
	}
	library, err := os.ReadFile(so)
	if err != nil {
		return nil, err
	}
	config := ""
	for i := range 3 {
		path := w.path(fmt.Sprintf("%s%d.so", events, i+1))
		if err := os.WriteFile(path, library, 0o700); err != nil {
			return nil, err
		}
		config += fmt.Sprintf("[[module]]\nname = \"test%d\"\npath = %q\n", i+1, path)
	}
	return w.prepare(ctx, setting{config: config, env: []string{"PERSTEN_P11_CONFIG=" + scenario}, hide: hide})
}

// scenario writes what the test modules show.
func (w *idleWork) scenario(events string) (string, error) {
	p, err := newPerson(1)
	if err != nil {
		return "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		return "", err
	}
	key, cert, file := w.path(events+".key"), w.path(events+".cer"), w.path(events+".scenario")
	text := fmt.Sprintf("events %s\nslot 1\nlabel Idle\nmechanisms ec\nkey %s id=01\ncert %s id=01\n", events, key, cert)
	for path, data := range map[string][]byte{key: der, cert: p.cert, file: []byte(text)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return "", err
		}
	}
	return file, nil
}

// firstAnswer starts sessions and asks each as soon as its socket is there.
func (w *idleWork) firstAnswer(ctx context.Context, rounds int) (*table, error) {
	var took []time.Duration
	for range 3 * rounds {
		s, err := w.prepared(ctx, "wait", nil)
		if err != nil {
			return nil, err
		}
		d, err := s.firstAnswer(ctx)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	same := func(d time.Duration) time.Duration { return d }
	middle := median(took, same)
	return &table{
		head:    []string{"", "median", "least", "most"},
		rows:    [][]string{{fmt.Sprintf("Persten, %d starts", len(took)), duration(middle), duration(percentile(took, 1, same)), duration(percentile(took, 100, same))}},
		targets: []target{{what: "first answer after the start", got: middle.Seconds() * 1e3, bar: firstMS, atMost: true, unit: "ms"}},
	}, nil
}

// firstAnswer starts the session, measures, and stops it.
func (s *session) firstAnswer(ctx context.Context) (took time.Duration, err error) {
	if _, err := s.start(); err != nil {
		return 0, err
	}
	defer s.stop()
	for {
		if _, err := os.Stat(s.socket); err == nil {
			break
		}
		select {
		case <-s.ended:
			return 0, fmt.Errorf("the session has ended:\n%s", s.log.String())
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(500 * time.Microsecond):
		}
	}
	conn, err := s.dial(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var status proto.AgentStatusResult
	err = conn.Call(ctx, proto.MethodAgentStatus, proto.AgentStatusParams{}, &status)
	return time.Since(s.began), err
}

// effort is what a process has done and holds.
type effort struct {
	name             string
	woken, forced    int64
	cpu              time.Duration
	resident, shared int64
}

func effortOf(pid int, name string) effort {
	woken, forced := switches(pid)
	return effort{name, woken, forced, cpuTime(pid), resident(pid), proportional(pid)}
}

// idleKinds are the two kinds of modules: those that wait for an event by themselves, and those that have to be asked.
var idleKinds = []struct{ events, name string }{{"wait", "modules that wait"}, {"none", "modules that are asked"}}

// idle leaves a session with each kind of modules alone and says what they did meanwhile.
func (w *idleWork) idle(ctx context.Context) (*table, error) {
	var hidden []string
	for _, m := range pkcs11.Catalogue() {
		hidden = append(hidden, m.Path)
	}
	written, err := w.justWritten(ctx, hidden)
	if err != nil {
		return nil, err
	}
	var sessions []*session
	for _, kind := range idleKinds {
		s, err := w.prepared(ctx, kind.events, hidden)
		if err != nil {
			return nil, err
		}
		if err := w.run(ctx, s); err != nil {
			return nil, err
		}
		sessions = append(sessions, s)
	}
	if err := pause(ctx, w.quiet); err != nil {
		return nil, err
	}
	before := efforts(sessions)
	if err := pause(ctx, w.span); err != nil {
		return nil, err
	}
	t, err := w.table(before, efforts(sessions))
	if err == nil {
		t.rows = slices.Insert(t.rows, 0, []string{"modules that wait, session, its program just written", mebibytes(written.resident), mebibytes(written.shared), "", "", ""})
	}
	return t, err
}

// justWritten is the memory of a session whose program the kernel has in large pieces, since it was built a moment ago. After it
// the program is not in the page cache any more.
func (w *idleWork) justWritten(ctx context.Context, hidden []string) (effort, error) {
	s, err := w.prepared(ctx, idleKinds[0].events, hidden)
	if err != nil {
		return effort{}, err
	}
	program, err := os.ReadFile(s.program)
	if err != nil {
		return effort{}, err
	}
	if err := os.Remove(s.program); err != nil {
		return effort{}, err
	}
	if err := os.WriteFile(s.program, program, 0o700); err != nil {
		return effort{}, err
	}
	if err := w.run(ctx, s); err != nil {
		return effort{}, err
	}
	e := effortOf(s.pid, "session")
	s.stop()
	return e, forget(s.program)
}

// forget takes a file that nobody has mapped out of the page cache.
func forget(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return err
	}
	return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
}

// run starts the session and lists certificates once.
func (w *idleWork) run(ctx context.Context, s *session) error {
	if err := w.launch(ctx, s); err != nil {
		return err
	}
	conn, err := s.dial(ctx, nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	var list proto.CertificatesListResult
	err = conn.Call(ctx, proto.MethodCertificatesList, proto.CertificatesListParams{}, &list)
	if err == nil && len(list.Certificates) != 1 {
		err = fmt.Errorf("%d certificates; problems: %v", len(list.Certificates), list.Problems)
	}
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// efforts are, for each session, its own first and then those of its children.
func efforts(sessions []*session) (lists [][]effort) {
	for _, s := range sessions {
		var list []effort
		for i, pid := range family(s.pid) {
			name := "session"
			if i > 0 {
				name = "child " + strings.TrimSuffix(filepath.Base(commandLine(pid)), ".so")
			}
			list = append(list, effortOf(pid, name))
		}
		lists = append(lists, list)
	}
	return lists
}

func (w *idleWork) table(before, after [][]effort) (*table, error) {
	t := &table{head: []string{"", "RSS", "PSS", "wake-ups a second", "taken from it a second", "CPU in " + w.span.String()}}
	for i, kind := range idleKinds {
		if len(before[i]) != 4 || len(after[i]) != 4 {
			return nil, fmt.Errorf("%d and %d processes, want a session with three modules", len(before[i]), len(after[i]))
		}
		var sum effort
		for j, e := range after[i] {
			e = e.since(before[i][j])
			sum = sum.plus(e)
			t.rows = append(t.rows, w.row(kind.name+", "+e.name, e))
			if j == 0 {
				t.targets = append(t.targets, target{"RSS of the session, " + kind.name, float64(e.resident) / (1 << 20), idleMiB, true, "MiB"})
			}
		}
		t.rows = append(t.rows, w.row(kind.name+", all", sum))
		t.targets = append(t.targets, target{
			"wake-ups of session and children together, " + kind.name, float64(sum.woken) / w.span.Seconds(), idleWakes, true, "per second",
		})
	}
	return t, nil
}

func (w *idleWork) row(name string, e effort) []string {
	perSecond := func(n int64) string { return fmt.Sprintf("%.2f", float64(n)/w.span.Seconds()) }
	return []string{name, mebibytes(e.resident), mebibytes(e.shared), perSecond(e.woken), perSecond(e.forced), e.cpu.String()}
}

// since is what was done after earlier; memory is as it is now.
func (e effort) since(earlier effort) effort {
	e.woken, e.forced, e.cpu = e.woken-earlier.woken, e.forced-earlier.forced, e.cpu-earlier.cpu
	return e
}

func (e effort) plus(o effort) effort {
	return effort{e.name, e.woken + o.woken, e.forced + o.forced, e.cpu + o.cpu, e.resident + o.resident, e.shared + o.shared}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
