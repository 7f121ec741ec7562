// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// experiment is one piece of work, measured.
type experiment struct {
	name    string
	measure func(ctx context.Context, rounds int) (*table, error)
}

// race is an experiment in which several contestants do the same work; the first is ours.
type race struct {
	name        string
	size        int // bytes of the input; 0: throughput means nothing here
	contestants []contestant
	check       func(context.Context) error // fails when the contestants do not agree; runs before anything is timed; may be nil
	faster      float64                     // what we aim at, against the fastest peer; 0: nothing
	memory      float64                     // and which part of the most frugal peer's memory; 0: nothing
}

// contestant does the work once.
type contestant struct {
	name string
	run  func(context.Context) (sample, error)
}

// sample is one run of one contestant.
type sample struct {
	work    time.Duration // the work alone, by the contestant's own clock; 0: it has none
	process time.Duration // from start to exit
	cpu     time.Duration // user and system time of all threads
	memory  int64         // peak resident bytes
}

// result is a race's samples, reduced to medians in the order of its contestants.
type result struct {
	race
	medians []sample
}

func (e race) experiment() experiment {
	return experiment{e.name, func(ctx context.Context, rounds int) (*table, error) {
		r, err := e.measure(ctx, rounds)
		if err != nil {
			return nil, err
		}
		return r.table(), nil
	}}
}

func (e race) measure(ctx context.Context, rounds int) (result, error) {
	if e.check != nil {
		if err := e.check(ctx); err != nil {
			return result{}, err
		}
	}
	samples, err := turns(ctx, rounds, e.contestants)
	if err != nil {
		return result{}, err
	}
	r := result{race: e}
	for _, s := range samples {
		r.medians = append(r.medians, medians(s))
	}
	return r, nil
}

// turns lets every contestant run once a round, and returns the samples of each.
func turns(ctx context.Context, rounds int, contestants []contestant) ([][]sample, error) {
	samples := make([][]sample, len(contestants))
	for range rounds {
		for i, c := range contestants {
			s, err := c.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

// medians takes the median of each figure by itself.
func medians(samples []sample) sample {
	return sample{
		work:    median(samples, func(s sample) time.Duration { return s.work }),
		process: median(samples, func(s sample) time.Duration { return s.process }),
		cpu:     median(samples, func(s sample) time.Duration { return s.cpu }),
		memory:  median(samples, func(s sample) int64 { return s.memory }),
	}
}

// median of an even number of samples is the mean of the two in the middle; of none, 0.
func median[S any, T ~int64 | ~float64](samples []S, of func(S) T) T {
	values := sorted(samples, of)
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}

// percentile is the smallest value that p of 100 samples do not exceed.
func percentile[S any, T cmp.Ordered](samples []S, p int, of func(S) T) (v T) {
	values := sorted(samples, of)
	if len(values) == 0 {
		return v
	}
	return values[max(0, (len(values)*p+99)/100-1)]
}

func sorted[S any, T cmp.Ordered](samples []S, of func(S) T) []T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values
}

// faster is how many times longer the peer takes than we do: the work if both have timed it, else the whole process.
func faster(ours, peer sample) float64 {
	if ours.work > 0 && peer.work > 0 {
		return float64(peer.work) / float64(ours.work)
	}
	return float64(peer.process) / float64(ours.process)
}

// worst returns our ratios against the peer that does best in each.
func (r result) worst() (speed, memory float64) {
	ours := r.medians[0]
	for i, peer := range r.medians[1:] {
		f, m := faster(ours, peer), float64(ours.memory)/float64(peer.memory)
		if i == 0 || f < speed {
			speed = f
		}
		memory = max(memory, m)
	}
	return speed, memory
}

func (r result) table() *table {
	t := &table{head: []string{"", "work", "process", "MB/s", "CPU", "memory", "Persten is"}}
	for i, c := range r.contestants {
		t.rows = append(t.rows, append([]string{c.name}, r.cells(i)...))
	}
	speed, memory := r.worst()
	if r.faster > 0 {
		t.targets = append(t.targets, target{what: "as fast as the fastest peer", got: speed, bar: r.faster, unit: "×"})
	}
	if r.memory > 0 {
		t.targets = append(t.targets, target{what: "memory of the most frugal peer", got: memory, bar: r.memory, atMost: true, unit: "×"})
	}
	return t
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
