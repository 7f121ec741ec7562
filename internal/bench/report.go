// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

const fileHead = `# Benchmarks

Written by ` + "`make bench`" + `; do not edit. Persten and other programs do the same work on the same data, in turn and in one run.

- work: the contestant's own clock, without starting the process. Ratios compare work with work, and whole processes where
  one of the two has no such clock.
- process: from start to exit. CPU: user and system time of all threads; CPU each: of one operation. Memory: peak resident set of
  the process (wait4).
- A figure is the median of the runs, each by itself. MB is 10⁶ bytes, MiB 2²⁰.
- A target that is missed stands here as missed; the sentences with it say why.

`

// table is what an experiment found: cells ready to be printed, the first of a row naming it, and what goes below them.
type table struct {
	name    string // the experiment's
	head    []string
	rows    [][]string
	notes   []string // paragraphs
	targets []target
}

// target is a figure and what it should be.
type target struct {
	what     string
	got, bar float64
	atMost   bool   // else at least
	unit     string // "×", "ms", "MiB", "%"
}

func (t target) met() bool {
	if t.atMost {
		return t.got <= t.bar
	}
	return t.got >= t.bar
}

func (t target) String() string {
	bound, verdict := "at least", "**missed**"
	if t.atMost {
		bound = "at most"
	}
	if t.met() {
		verdict = "met"
	}
	return fmt.Sprintf("Target: %s: %s %s %s: %s, %s.", t.what, bound, figure(t.bar), t.unit, verdict, figure(t.got))
}

// figure is three digits, or all before the point.
func figure(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// section is the group's part of the file.
func section(g group, p *plan, tables []*table, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", g.title)
	fmt.Fprintf(&b, "%s, %s. %s. Medians of %d.\n\n%s\n", time.Now().Format(time.DateOnly), machine(), strings.Join(p.versions, "; "), rounds, p.about)
	for _, t := range tables {
		fmt.Fprintf(&b, "\n### %s\n\n%s", t.name, t.markdown())
	}
	return b.String()
}

func (t *table) markdown() string {
	var b strings.Builder
	writeRow(&b, t.head)
	b.WriteString("|---|" + strings.Repeat("---:|", max(0, len(t.head)-1)) + "\n")
	for _, row := range t.rows {
		writeRow(&b, row)
	}
	for _, note := range t.notes {
		b.WriteString("\n" + note + "\n")
	}
	for i, target := range t.targets {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString("- " + target.String() + "\n")
	}
	return b.String()
}

func writeRow(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// text is the same for the terminal.
func (t *table) text() string {
	var b strings.Builder
	b.WriteString(t.name + "\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{t.head}, t.rows...) {
		fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	w.Flush()
	for _, note := range t.notes {
		b.WriteString("  " + note + "\n")
	}
	for _, target := range t.targets {
		b.WriteString("  " + target.String() + "\n")
	}
	return b.String()
}

func duration(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f µs", d.Seconds()*1e6)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	default:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// replaceSection puts text into the file in place of the section with the same heading, or at the end.
func replaceSection(path, title, text string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, sections, _ := strings.Cut("\n"+string(old), "\n## ")
	var kept []string
	done := false
	for s := range strings.SplitSeq(sections, "\n## ") {
		name, _, _ := strings.Cut(s, "\n")
		switch {
		case name == title:
			kept, done = append(kept, strings.TrimSpace(text)), true
		case name != "":
			kept = append(kept, "## "+strings.TrimSpace(s))
		}
	}
	if !done {
		kept = append(kept, strings.TrimSpace(text))
	}
	return os.WriteFile(path, []byte(fileHead+strings.Join(kept, "\n\n")+"\n"), 0o644)
}

// machine names the processor, its cores, the memory and the system.
func machine() string {
	return fmt.Sprintf("%s, %d cores, %s of memory, %s", first("/proc/cpuinfo", `model name\s*:\s*(.+)`), runtime.NumCPU(),
		memory(first("/proc/meminfo", `MemTotal:\s*(\d+)`)), first("/etc/os-release", `PRETTY_NAME="(.+)"`))
}

func memory(kib string) string {
	var n int64
	if _, err := fmt.Sscan(kib, &n); err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%d GiB", (n+1<<19)>>20)
}

// first returns the first group of the pattern in the file.
func first(path, pattern string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	m := regexp.MustCompile(pattern).FindSubmatch(data)
	if m == nil {
		return "unknown"
	}
	return string(m[1])
}

// ourVersion is the commit measured and the compiler.
func ourVersion() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	commit := strings.TrimSpace(string(out))
	if err != nil || commit == "" {
		commit = "of no known commit"
	}
	return "Persten " + commit + " (" + runtime.Version() + ")"
}
