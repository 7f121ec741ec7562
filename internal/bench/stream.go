// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const streamAbout = `A file is signed from a page in headless Chromium: CAdES-BES, detached, GOST R 34.10-2012 256 of the practice token, through
` + "`persten session`" + ` and the SDK, with a person who says yes at once. Hash only is one pass of our Streebog-256 over the same file, in a
process of its own. The page's file is in the page cache, as after a download. What a stage costs alone is measured in the same
rounds: Chromium reading the file and doing nothing with it, Chromium sending it with the SDK's messages and window to a WebSocket
that drops everything, and a program writing it to the spool's disk. Sending includes transport, spooling, and hashing behind it. After the
approval the sealed file is digested once more before the key is used. Memory is the session's peak resident set over all rounds, above
what it had when it was idle.`

// The bars of large documents.
const (
	hashTimes = 2  // hash-only time
	growthMiB = 32 // resident memory of the session
	pageMiBps = 9  // through the extension
)

type streamWork struct {
	*workbench
	*site
	s    *session
	idle int64 // resident bytes before the first document
}

// newStreamWork starts a session that lets the page in.
func newStreamWork(ctx context.Context, w *workbench) (*streamWork, error) {
	t := &streamWork{workbench: w}
	var err error
	if t.site, err = openSite(ctx); err != nil {
		return nil, err
	}
	set, err := t.setting()
	if err != nil {
		return nil, err
	}
	if t.s, err = w.session(ctx, set); err != nil {
		return nil, err
	}
	time.Sleep(time.Second) // it lists its token
	t.idle = resident(t.s.pid)
	return t, nil
}

func streamPlan(ctx context.Context, w *workbench) (*plan, error) {
	t, err := newStreamWork(ctx, w)
	if err != nil {
		return nil, err
	}
	return &plan{
		about: streamAbout, versions: []string{ourVersion(), t.version(ctx)},
		experiments: []experiment{
			{"1 GiB over the WebSocket", func(ctx context.Context, rounds int) (*table, error) { return t.whole(ctx, 1<<30, rounds) }},
			{"4 GiB over the WebSocket", func(ctx context.Context, _ int) (*table, error) { return t.whole(ctx, 4<<30, 1) }},
			{"128 MiB through the extension", func(ctx context.Context, rounds int) (*table, error) { return t.extension(ctx, 128<<20, rounds) }},
		},
	}, nil
}

// yesSayer is a pinentry that approves and knows the practice PIN.
const yesSayer = `#!/bin/sh
echo 'OK Pleased to meet you'
while read -r command _; do
	case $command in
	GETPIN) echo 'D 12345678'; echo OK ;;
	BYE) echo OK; exit 0 ;;
	*) echo OK ;;
	esac
done
`

func (t *streamWork) setting() (setting, error) {
	pinentry := t.path("pinentry")
	return setting{
		config: fmt.Sprintf("[ui]\napprover = \"pinentry\"\npinentry = %q\n[origins]\nallow = [%q]\n", pinentry, t.origin),
		args:   []string{"--demo-token", t.path("demo")},
	}, os.WriteFile(pinentry, []byte(yesSayer), 0o700)
}

// stages are the milliseconds that a page saw go by; 0 where it sees nothing.
type stages struct {
	Sent, Waiting, Signing, Whole float64
	Bytes                         int64
	Key, Browser                  string

	browserCPU, sessionCPU time.Duration
}

func millis(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// parts are what is measured of one round.
type parts struct {
	hash, read, sink, spool time.Duration
	signed                  stages
}

// whole signs a file of size bytes and does each part of the work alone, in turn.
func (t *streamWork) whole(ctx context.Context, size int64, rounds int) (*table, error) {
	file, err := t.document(size)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	var all []parts
	for range rounds {
		p, err := t.round(ctx, file, size)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return t.table(size, all), nil
}

func (t *streamWork) round(ctx context.Context, file string, size int64) (p parts, err error) {
	alone := func(d *time.Duration, work ...string) {
		if err == nil {
			var s sample
			s, err = t.command("", true, t.self, append([]string{"child"}, work...)...).run(ctx)
			*d = s.work
		}
	}
	alone(&p.hash, "digest", file)
	if p.signed, err = t.sent(ctx, "websocket", file); err == nil && p.signed.Bytes != size {
		err = fmt.Errorf("%d bytes were signed of %d", p.signed.Bytes, size)
	}
	for way, d := range map[string]*time.Duration{"sink": &p.sink, "read": &p.read} {
		if err != nil {
			break
		}
		var s stages
		s, err = t.sent(ctx, way, file)
		*d = millis(s.Whole)
	}
	alone(&p.spool, "spool", file, t.path("spooled"))
	return p, err
}

func (t *streamWork) table(size int64, all []parts) *table {
	hash := median(all, func(p parts) time.Duration { return p.hash })
	whole := median(all, func(p parts) time.Duration { return millis(p.signed.Whole) })
	out := &table{head: []string{"", "time", "MB/s", "share of the whole"}}
	row := func(name string, share bool, of func(parts) time.Duration) {
		d, part := median(all, of), ""
		if share {
			part = fmt.Sprintf("%.0f %%", 100*d.Seconds()/whole.Seconds())
		}
		out.rows = append(out.rows, []string{name, duration(d), fmt.Sprintf("%.0f", float64(size)/1e6/d.Seconds()), part})
	}
	row("Persten, from the page's call to its signature", true, func(p parts) time.Duration { return millis(p.signed.Whole) })
	row("– sending, spooling and hashing behind it", true, func(p parts) time.Duration { return millis(p.signed.Sent) })
	row("– rest of that, until the person is asked", true, func(p parts) time.Duration { return millis(p.signed.Waiting - p.signed.Sent) })
	row("– approval, PIN, token", true, func(p parts) time.Duration { return millis(p.signed.Signing - p.signed.Waiting) })
	row("– second digest, signature and its check", true, func(p parts) time.Duration { return millis(p.signed.Whole - p.signed.Signing) })
	row("Alone: hash only", false, func(p parts) time.Duration { return p.hash })
	row("Alone: Chromium reads the file", false, func(p parts) time.Duration { return p.read })
	row("Alone: Chromium to a WebSocket that drops everything", false, func(p parts) time.Duration { return p.sink })
	row("Alone: written to the spool's disk", false, func(p parts) time.Duration { return p.spool })
	out.notes = []string{fmt.Sprintf("Processor time: session %.1f s, Chromium and its driver %.1f s.",
		median(all, func(p parts) time.Duration { return p.signed.sessionCPU }).Seconds(),
		median(all, func(p parts) time.Duration { return p.signed.browserCPU }).Seconds())}
	out.targets = []target{
		{what: "whole time against hash only", got: whole.Seconds() / hash.Seconds(), bar: hashTimes, atMost: true, unit: "×"},
		{what: "growth of the session's memory", got: float64(t.peak()-t.idle) / (1 << 20), bar: growthMiB, atMost: true, unit: "MiB"},
	}
	return out
}

func (t *streamWork) extension(ctx context.Context, size int64, rounds int) (*table, error) {
	file, err := t.document(size)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	var all []stages
	for range rounds {
		s, err := t.sent(ctx, "extension", file)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	sent := median(all, func(s stages) time.Duration { return millis(s.Sent) })
	whole := median(all, func(s stages) time.Duration { return millis(s.Whole) })
	rate := float64(size) / (1 << 20) / sent.Seconds()
	cpu := median(all, func(s stages) time.Duration { return s.browserCPU })
	return &table{
		head: []string{"", "time", "MiB/s"},
		rows: [][]string{
			{"sending, base64 in JSON, through page, worker, browser and host", duration(sent), fmt.Sprintf("%.1f", rate)},
			{"whole", duration(whole), fmt.Sprintf("%.1f", float64(size)/(1<<20)/whole.Seconds())},
		},
		notes:   []string{fmt.Sprintf("Processor time: Chromium, its driver and the host %.1f s.", cpu.Seconds())},
		targets: []target{{what: "rate of sending", got: rate, bar: pageMiBps, unit: "MiB/s"}},
	}, nil
}

// document writes a file of random bytes.
func (t *streamWork) document(size int64) (string, error) {
	path := t.path("document-" + strconv.FormatInt(size>>20, 10))
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	noise, piece := rand.NewChaCha8([32]byte{5}), make([]byte, 1<<20)
	for range size >> 20 {
		noise.Read(piece)
		if _, err := f.Write(piece); err != nil {
			return "", err
		}
	}
	return path, f.Close()
}

// peak is the most memory the session has held since it was started.
func (t *streamWork) peak() int64 {
	return 1024 * number(fmt.Sprintf("/proc/%d/status", t.s.pid), "VmHWM:")
}

// root is the folder of the source tree.
func root(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "persten").Output()
	return strings.TrimSpace(string(out)), err
}

func (t *streamWork) version(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, chromium(), "--version").Output()
	if err != nil {
		return "Chromium of an unknown version"
	}
	return strings.TrimSpace(string(out))
}

func chromium() string {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	return "/usr/bin/chromium"
}

// needed says what of the browser's side is not there.
func needed(tree string) error {
	if _, err := exec.LookPath("node"); err != nil {
		return fmt.Errorf("%w: installer/deps.sh build", err)
	}
	for _, path := range []string{chromium(), filepath.Join(tree, "browserext/dist/sdk/umd/persten.js"), filepath.Join(tree, "browserext/node_modules/playwright-core")} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w: make build deps-test", err)
		}
	}
	return nil
}
