// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"persten/internal/config"
	"persten/internal/fleet"
	"persten/internal/journal"
	"persten/proto"
)

// desksMain is a process full of exporters: desks N COLLECTOR DIR SPAN EVERY. Each has a journal of its own, in which a key is used now and
// then for SPAN; then it says "written RECORDS" and goes on exporting until its input ends.
func desksMain() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	var spans [2]time.Duration
	for i := range spans {
		if spans[i], err = time.ParseDuration(os.Args[4+i]); err != nil {
			panic(err)
		}
	}
	span, every := spans[0], spans[1]
	slog.SetDefault(slog.New(slog.DiscardHandler)) // they all tell of the collector's death
	ctx, stop := context.WithCancel(context.Background())
	var writers, exporters sync.WaitGroup
	var written atomic.Int64
	for i := range n {
		dir := filepath.Join(os.Args[3], fmt.Sprintf("desk%04d", i))
		j, e := desk(dir, os.Args[2], every)
		exporters.Go(func() { e.Run(ctx) })
		writers.Go(func() { written.Add(int64(work(j, span))) })
	}
	writers.Wait()
	fmt.Println("written", written.Load())
	io.Copy(io.Discard, os.Stdin)
	stop()
	exporters.Wait()
}

func desk(dir, collector string, every time.Duration) (*journal.Journal, *fleet.Exporter) {
	j, err := journal.Open(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		panic(err)
	}
	e, err := fleet.New(fleet.Options{
		Journal: j.Path(), State: dir, Version: "test", Instance: filepath.Base(dir),
		Forward: config.Forward{OTLP: "http://" + collector, Every: every, MetricsEvery: time.Minute},
		Figures: func(context.Context) (fleet.Figures, error) {
			return fleet.Figures{Tokens: 1, Certificates: []proto.Certificate{{Thumbprint: dir, NotAfter: time.Now().AddDate(0, 1, 0)}}}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	return j, e
}

// work uses a key now and then, and returns the number of lines that were written.
func work(j *journal.Journal, span time.Duration) (lines int) {
	end := time.Now().Add(span)
	for {
		wait := rand.N(min(time.Minute, span/2)) // twice a minute, more than people sign
		if time.Until(end) < wait {
			time.Sleep(time.Until(end))
			return lines
		}
		time.Sleep(wait)
		r := journal.Record{Kind: "sign", Origin: "https://web.example", User: "desk", Documents: []journal.Document{{Name: "doc.txt", Size: 100}}}
		entry, err := j.Begin(context.Background(), r)
		if err == nil {
			err = entry.End(journal.OK, nil)
		}
		if err != nil {
			panic(err)
		}
		lines += 2
	}
}
