// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

// Command bench lets Persten and programs of others do the same work on the same files, in turn and in one run, and writes
// what it measured to BENCHMARKS.md.
//
//	go run ./internal/bench [-rounds 5] [-sizes 10,100] [-out BENCHMARKS.md] all|xml
//
// Every contestant is a process of its own, so that its memory is its own too; ours are this program, started again. In
// each round all contestants of an experiment run once, one after another; a figure is the median of the rounds. Before
// anything is timed the results are compared: a contestant that computes something else stops the run.
//
// Documents and keys are made in a temporary folder and removed; nothing is sent anywhere.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"
)

// limit bounds what one group may take.
const limit = 5 * time.Minute

// group is a section of BENCHMARKS.md.
type group struct {
	name, title string
	setup       func(ctx context.Context, dir string, sizes []int) (*plan, error)
}

// plan is what a group measures, and with which versions of whose programs.
type plan struct {
	versions    []string
	about       string
	experiments []experiment
}

var groups = []group{
	{"xml", "XML", xmlPlan},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		exit(child(os.Args[2:]))
	}
	rounds := flag.Int("rounds", 5, "how often each contestant runs")
	sizes := flag.String("sizes", "10,100", "sizes of the documents, in MB")
	out := flag.String("out", "BENCHMARKS.md", "file to write; sections of groups that do not run are kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, flag.Arg(0), *sizes, *rounds, *out))
}

func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(ctx context.Context, name, list string, rounds int, out string) error {
	sizes, err := parseSizes(list)
	if err != nil {
		return err
	}
	if rounds < 1 {
		return fmt.Errorf("%d rounds", rounds)
	}
	known := []string{"all"}
	ran := false
	for _, g := range groups {
		known = append(known, g.name)
		if name != "all" && name != g.name {
			continue
		}
		ran = true
		if err := runGroup(ctx, g, sizes, rounds, out); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
	}
	if !ran {
		return fmt.Errorf("say what to measure: %s", strings.Join(known, ", "))
	}
	return nil
}

func parseSizes(list string) (sizes []int, err error) {
	for _, s := range strings.Split(list, ",") {
		mb, err := strconv.ParseFloat(s, 64)
		if err != nil || mb <= 0 || mb > 1000 {
			return nil, fmt.Errorf("size %q: want MB, up to 1000", s)
		}
		sizes = append(sizes, int(mb*1e6))
	}
	return sizes, nil
}

func runGroup(ctx context.Context, g group, sizes []int, rounds int, out string) error {
	dir, err := os.MkdirTemp("", "persten-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done in %v; fewer -rounds or smaller -sizes take less", limit))
	defer cancel()
	began := time.Now()
	p, err := g.setup(ctx, dir, sizes)
	if err != nil {
		return err
	}
	results := make([]result, 0, len(p.experiments))
	for _, e := range p.experiments {
		r, err := e.measure(ctx, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, cmp.Or(context.Cause(ctx), err))
		}
		fmt.Fprint(os.Stderr, r.text())
		results = append(results, r)
	}
	fmt.Fprintf(os.Stderr, "%s took %v\n", g.name, time.Since(began).Round(time.Second))
	return replaceSection(out, g.title, section(g, p, results, rounds))
}
