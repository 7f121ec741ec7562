// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

// Command bench lets Persten and programs of others do the same work on the same data, in turn and in one run, and writes
// what it measured to BENCHMARKS.md.
//
//	go run ./internal/bench [-rounds 5] [-sizes 10,100] [-out BENCHMARKS.md] all|GROUP...
//
// Every contestant is a process of its own, so that its memory is its own too; ours are this program, started again, or a
// real session with real modules. In each round all contestants of an experiment run once, one after another; a figure is
// the median of the rounds. Before anything is timed the results are compared: a contestant that computes something else
// stops the run.
//
// # Groups
//
// A group is a section of BENCHMARKS.md: a plan of experiments. Each experiment measures in its own way and gives back a
// table, the sentences below it, and targets with what was reached. A missed target is written down as such and does not
// stop the run. A group whose programs are not installed does; the sections of groups that do not run are kept.
//
// Documents, tokens and keys are made in a temporary folder and removed; nothing is sent anywhere.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"
)

// group is a section of BENCHMARKS.md.
type group struct {
	name, title string
	limit       time.Duration // what the group may take
	plan        func(ctx context.Context, w *workbench) (*plan, error)
}

// plan is what a group measures, and with which versions of whose programs.
type plan struct {
	versions    []string
	about       string
	experiments []experiment
}

var groups = []group{
	{"gost", "GOST primitives", 5 * time.Minute, gostPlan},
	{"listing", "Certificate listing", 5 * time.Minute, listingPlan},
	{"idle", "Idle session", 5 * time.Minute, idlePlan},
	{"api", "One signature over the API", 3 * time.Minute, apiPlan},
	{"batch", "Batches", 3 * time.Minute, batchPlan},
	{"stream", "Large documents", 6 * time.Minute, streamPlan},
	{"xml", "XML", 5 * time.Minute, xmlPlan},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		exit(child(os.Args[2:]))
	}
	rounds := flag.Int("rounds", 5, "how often each contestant runs")
	sizes := flag.String("sizes", "10,100", "sizes of the XML documents, in MB")
	out := flag.String("out", "BENCHMARKS.md", "file to write; sections of groups that do not run are kept")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exit(run(ctx, flag.Args(), *sizes, *rounds, *out))
}

func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

// run measures the named groups. One that fails does not keep the others from running.
func run(ctx context.Context, names []string, list string, rounds int, out string) error {
	sizes, err := parseSizes(list)
	if err != nil {
		return err
	}
	if rounds < 1 {
		return fmt.Errorf("%d rounds", rounds)
	}
	wanted, err := chosen(names)
	if err != nil {
		return err
	}
	var failed error
	for _, g := range wanted {
		if err := runGroup(ctx, g, sizes, rounds, out); err != nil {
			err = fmt.Errorf("%s: %w", g.name, err)
			fmt.Fprintln(os.Stderr, "bench:", err)
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func chosen(names []string) ([]group, error) {
	known := []string{"all"}
	for _, g := range groups {
		known = append(known, g.name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no group %q: %s", name, strings.Join(known, ", "))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("say what to measure: %s", strings.Join(known, ", "))
	}
	return slices.DeleteFunc(slices.Clone(groups), func(g group) bool {
		return !slices.Contains(names, "all") && !slices.Contains(names, g.name)
	}), nil
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
	dir, err := os.MkdirTemp("", "pb-") // short: it holds sockets
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeoutCause(ctx, g.limit, fmt.Errorf("not done in %v; fewer -rounds or smaller -sizes take less", g.limit))
	defer cancel()
	w, err := newWorkbench(dir, sizes)
	if err != nil {
		return err
	}
	defer w.close()
	began := time.Now()
	p, err := g.plan(ctx, w)
	if err != nil {
		return cmp.Or(context.Cause(ctx), err)
	}
	tables := make([]*table, 0, len(p.experiments))
	for _, e := range p.experiments {
		t, err := e.measure(ctx, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", e.name, cmp.Or(context.Cause(ctx), err))
		}
		t.name = e.name
		fmt.Fprint(os.Stderr, t.text())
		tables = append(tables, t)
	}
	fmt.Fprintf(os.Stderr, "%s took %v\n", g.name, time.Since(began).Round(time.Second))
	return replaceSection(out, g.title, section(g, p, tables, rounds))
}
