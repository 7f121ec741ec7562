// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// family is a process and all that descend from it, parents first.
func family(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		fields := statFields(path)
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || len(fields) < 2 || fields[0] == "Z" {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// statFields are the fields of a stat file that follow the name: state, parent, ...
func statFields(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
}

// resident is the resident memory of a process in bytes.
func resident(pid int) int64 { return 1024 * number(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:") }

// proportional is the same with every page that n processes share counted for 1/n.
func proportional(pid int) int64 {
	return 1024 * number(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
}

// number is the figure that a line of a /proc file begins with name for; 0 when there is none.
func number(path, name string) int64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == name {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n
		}
	}
	return 0
}

// cpuTime is the user and system time of a process and of its children that have ended; the kernel counts in 10 ms.
func cpuTime(pid int) time.Duration {
	var ticks int64
	if f := statFields(fmt.Sprintf("/proc/%d/stat", pid)); len(f) > 14 {
		for _, field := range f[11:15] {
			n, _ := strconv.ParseInt(field, 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// switches counts how often the threads of a process have been given a processor, and how often another took it away.
func switches(pid int) (voluntary, forced int64) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, t := range tasks {
		voluntary += number(t, "voluntary_ctxt_switches:")
		forced += number(t, "nonvoluntary_ctxt_switches:")
	}
	return voluntary, forced
}

func commandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}
