// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rates is an experiment in which several contestants repeat one short operation.
type rates struct {
	name    string
	size    int           // bytes of the input of one operation, for MB/s; 0: operations per second
	slice   time.Duration // how long a racer works in a round
	racers  []racer
	agree   func(context.Context) error // fails when the contestants do not agree; runs before anything is timed
	targets []aim
}

// racer is a program that repeats an operation for so many milliseconds, its last argument, and then writes how often it
// did, in how many nanoseconds, and with how many of processor time.
type racer struct {
	name    string
	program string
	args    []string
}

// aim is what one contestant should be against another, both by name.
type aim struct {
	ours, peer string
	faster     float64
}

// tally is what a racer wrote.
type tally struct{ count, wall, cpu float64 }

func (t tally) each() float64 { return t.cpu / t.count } // nanoseconds of processor time

func (r rates) experiment() experiment { return experiment{r.name, r.measure} }

func (r rates) measure(ctx context.Context, rounds int) (*table, error) {
	if err := r.agree(ctx); err != nil {
		return nil, err
	}
	tallies := make([][]tally, len(r.racers))
	for range rounds {
		for i, c := range r.racers {
			t, err := c.run(ctx, r.slice)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			tallies[i] = append(tallies[i], t)
		}
	}
	return r.table(tallies), nil
}

func (c racer) run(ctx context.Context, slice time.Duration) (t tally, err error) {
	text, err := output(ctx, c.program, append(slices.Clone(c.args), strconv.FormatInt(slice.Milliseconds(), 10))...)
	if err != nil {
		return t, err
	}
	if _, err := fmt.Sscan(text, &t.count, &t.wall, &t.cpu); err != nil || t.count < 1 || t.wall <= 0 || t.cpu <= 0 {
		return t, fmt.Errorf("figures %q", text)
	}
	return t, nil
}

// table compares by processor time: all contestants have one thread, and what else runs on the machine counts less.
func (r rates) table(tallies [][]tally) *table {
	unit := "MB/s"
	if r.size == 0 {
		unit = "per second"
	}
	t := &table{head: []string{"", unit, "CPU each", "least", "most", r.racers[0].name + " is"}}
	first := median(tallies[0], tally.each)
	for i, c := range r.racers {
		each := median(tallies[i], tally.each)
		low, high := slices.MinFunc(tallies[i], slowest), slices.MaxFunc(tallies[i], slowest)
		row := []string{c.name, r.rate(median(tallies[i], wallEach)), nanoseconds(each), nanoseconds(low.each()), nanoseconds(high.each()), ""}
		if i > 0 {
			row[5] = fmt.Sprintf("%.3g × as fast", each/first)
		}
		t.rows = append(t.rows, row)
	}
	for _, a := range r.targets {
		got := r.each(tallies, a.peer) / r.each(tallies, a.ours)
		t.targets = append(t.targets, target{what: a.ours + " against " + a.peer, got: got, bar: a.faster, unit: "×"})
	}
	return t
}

func wallEach(t tally) float64     { return t.wall / t.count }
func slowest(a, b tally) int       { return int(a.each() - b.each()) }
func nanoseconds(n float64) string { return duration(time.Duration(n)) }

// each is the median of the contestant with this name.
func (r rates) each(tallies [][]tally, name string) float64 {
	i := slices.IndexFunc(r.racers, func(c racer) bool { return c.name == name })
	return median(tallies[i], tally.each)
}

func (r rates) rate(ns float64) string {
	if r.size == 0 {
		return strconv.FormatFloat(1e9/ns, 'f', 0, 64)
	}
	return fmt.Sprintf("%.3g", float64(r.size)/ns*1e3)
}

// output is what a program writes to standard output.
func output(ctx context.Context, program string, args ...string) (string, error) {
	var errs strings.Builder
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(program), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
