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
	"time"
)

const fileHead = `# Benchmarks

Written by ` + "`make bench`" + `; do not edit. Persten and other programs do the same work on the same files, in turn and in one run.

- work: the contestant's own clock, without starting the process. Ratios compare work with work, and whole processes where
  one of the two has no such clock.
- process: from start to exit. CPU: user and system time of all threads. Memory: peak resident set of the process (wait4).
- A figure is the median of the runs, each by itself. MB is 10⁶ bytes.

`

// section is the group's part of the file.
func section(g group, p *plan, results []result, rounds int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", g.title)
	fmt.Fprintf(&b, "%s, %s. %s. Medians of %d.\n\n%s\n", time.Now().Format(time.DateOnly), machine(), strings.Join(p.versions, "; "), rounds, p.about)
	for _, r := range results {
		fmt.Fprintf(&b, "\n### %s\n\n%s", r.name, r.markdown())
	}
	return b.String()
}

func (r result) markdown() string {
	var b strings.Builder
	b.WriteString("| | work | process | MB/s | CPU | memory | Persten is |\n|---|---:|---:|---:|---:|---:|---|\n")
	for i, c := range r.contestants {
		fmt.Fprintf(&b, "| %s |", c.name)
		for _, cell := range r.cells(i) {
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	if v := r.verdict(); v != "" {
		b.WriteString("\n" + v + "\n")
	}
	return b.String()
}

// text is the same for the terminal.
func (r result) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", r.name)
	for i, c := range r.contestants {
		cells := r.cells(i)
		fmt.Fprintf(&b, "  %-45s %9s %9s %6s MB/s %9s cpu %8s  %s\n", c.name, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5])
	}
	if v := r.verdict(); v != "" {
		fmt.Fprintf(&b, "  %s\n", v)
	}
	return b.String()
}

func (r result) cells(i int) []string {
	s, ratio := r.medians[i], ""
	if i > 0 {
		ours := r.medians[0]
		ratio = fmt.Sprintf("%.2f × as fast, memory × %.2g", faster(ours, s), float64(ours.memory)/float64(s.memory))
	}
	return []string{duration(s.work), duration(s.process), r.throughput(s), duration(s.cpu), megabytes(s.memory), ratio}
}

func (r result) throughput(s sample) string {
	took := s.work
	if took == 0 {
		took = s.process
	}
	if r.size == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", float64(r.size)/1e6/took.Seconds())
}

// verdict holds the result against the target, each time against the peer that is hardest to beat.
func (r result) verdict() string {
	if r.faster == 0 {
		return ""
	}
	speed, memory := r.worst()
	return fmt.Sprintf("Target: %g × as fast as the fastest peer: %s, %.2f. Memory below × %.2g of the most frugal peer's: %s, %.2g.",
		r.faster, met(speed >= r.faster), speed, r.memory, met(memory < r.memory), memory)
}

func met(ok bool) string {
	if ok {
		return "met"
	}
	return "**missed**"
}

func duration(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
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
