// SPDX-License-Identifier: GPL-3.0-or-later

// Package fleet tells an administrator's collector what a session does: the journal, record by record, and a few figures.
//
// # Contract
//
// The journal on disk is the queue. Each way out (OTLP, syslog, the system's own log) reads it from a place of its own, sends a
// bounded batch, and moves the place when the other side has taken it. So a collector that is away loses nothing, memory is
// flat, and signing, which only appends, never waits. A record arrives at least once; its hash is its id (log.record.uid), by
// which a second copy can be dropped. Records arrive in order, but for one that the collector refuses by itself: it is left
// out with a line in the log, so that it does not hold up the others. Figures are not queued: the next ones replace them.
//
// What leaves is a list ([fields]): names, numbers of people and paths only where policy names their group.
//
// # Engines
//
// OTLP is the protobuf form over HTTP. Its dozen messages are written field by field (protowire); tests read them with the official ones
// (go.opentelemetry.io/proto/slim/otlp), which would cost each process of Persten 2 MiB of memory. The exporters of the OpenTelemetry
// SDK queue in memory and drop what does not fit, and would bring the SDK and gRPC into the daemon.
// Syslog is RFC 5424 in the frames of RFC 5425.
package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"persten/internal/config"
	"persten/internal/journal"
	"persten/proto"
)

// Options say what is sent and where.
type Options struct {
	Journal  string // path of the journal
	State    string // folder in which the places are kept
	Forward  config.Forward
	Version  string
	Instance string // tells sessions apart, without saying whose they are
	// Figures are read for each report; nil sends none.
	Figures func(context.Context) (Figures, error)
	// Problem names what has kept a way out from working for a while, or nil when it works again.
	Problem func(of string, e *proto.Error)
}

// Exporter sends until its context ends.
type Exporter struct {
	senders []*sender
	reports *reporter // nil: none
}

// New prepares what policy asks for. A certificate file that cannot be read is proto.CodeFileUnreadable.
func New(o Options) (*Exporter, error) {
	secure, err := tlsConfig(o.Forward)
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "-"
	}
	told := newTold(o.Forward.Fields)
	e := &Exporter{}
	add := func(name, to string, s sink) {
		e.senders = append(e.senders, &sender{
			sink: s, name: name, to: to, journal: o.Journal, every: o.Forward.Every, problem: o.Problem,
			place: placeFile(o.State, name),
		})
	}
	if o.Forward.OTLP != "" {
		c := newOTLP(o, told, host, secure)
		add("otlp", hostOf(o.Forward.OTLP), c)
		if o.Figures != nil {
			e.reports = &reporter{otlp: c, figures: o.Figures, every: o.Forward.MetricsEvery, journal: o.Journal, owner: told}
		}
	}
	if o.Forward.Syslog != "" {
		add("syslog", o.Forward.Syslog, &syslog{address: o.Forward.Syslog, tls: secure, host: host, version: o.Version, told: told})
	}
	if o.Forward.System {
		add("system", "localhost", systemLog{journal.System(), told})
	}
	return e, nil
}

// Sent are the places up to which each way out that policy asks for has sent the journal, by what a session keeps in state. What lies
// behind one of them has still to be sent.
func Sent(state string, f config.Forward) (list []journal.Position) {
	for name, on := range map[string]bool{"otlp": f.OTLP != "", "syslog": f.Syslog != "", "system": f.System} {
		if on {
			list = append(list, readPlace(placeFile(state, name)))
		}
	}
	return list
}

func placeFile(state, name string) string { return filepath.Join(state, "forward-"+name+".json") }

// Run sends until ctx ends. What is not sent by then is sent by the next session.
func (e *Exporter) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range e.senders {
		wg.Go(func() { s.run(ctx) })
	}
	if e.reports != nil {
		wg.Go(func() { e.reports.run(ctx) })
	}
	wg.Wait()
}

// pause waits for about d; many machines that were switched on at once must not call at once.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d - d/10 + rand.N(d/5+1))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// warn writes to the log what did not leave.
func warn(name string, err error) {
	slog.Warn("forwarding", "to", name, "cause", err)
}

func unreadable(file string, err error) error {
	return proto.E(proto.CodeFileUnreadable, fmt.Errorf("forwarding: %w", err), "file", file)
}
