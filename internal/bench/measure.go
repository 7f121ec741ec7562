// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// experiment is one piece of work that several contestants do; the first is ours.
type experiment struct {
	name        string
	size        int // bytes of the input; 0: throughput means nothing here
	contestants []contestant
	check       func(context.Context) error // fails when the contestants do not agree; runs before anything is timed; may be nil
	faster      float64                     // what we aim at, against the fastest peer; 0: nothing
	memory      float64                     // and which part of the most frugal peer's memory
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

// result is an experiment's samples, reduced to medians in the order of its contestants.
type result struct {
	experiment
	medians []sample
}

func (e experiment) measure(ctx context.Context, rounds int) (result, error) {
	if e.check != nil {
		if err := e.check(ctx); err != nil {
			return result{}, err
		}
	}
	samples := make([][]sample, len(e.contestants))
	for range rounds {
		for i, c := range e.contestants {
			s, err := c.run(ctx)
			if err != nil {
				return result{}, fmt.Errorf("%s: %w", c.name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	r := result{experiment: e}
	for _, s := range samples {
		r.medians = append(r.medians, medians(s))
	}
	return r, nil
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

func median[T time.Duration | int64](samples []sample, of func(sample) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
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
