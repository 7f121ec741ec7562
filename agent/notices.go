// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/proto"
)

// notices watches the session and sends what the person should know, each once.
type notices struct {
	lang  func() text.Lang
	quiet func() bool                        // the person wants to hear of waiting requests alone
	send  func(proto.AgentNoticeParams) bool // reports whether there was anybody to hear it
	open  func() []signing.Open
	keys  func(context.Context) ([]token.Key, []*proto.Error, error)
	file  string // what was told of certificates

	last struct { // token plugged in
		serial string
		at     time.Time
	}

	changed chan struct{} // requests came or went
	look    chan struct{} // certificates may be others
}

// Certificates are looked at when tokens change, when a tray has come, and twice a day.
const (
	settle   = 3 * time.Second
	halfADay = 12 * time.Hour
)

func newNotices(file string) *notices {
	return &notices{file: file, quiet: func() bool { return false }, changed: make(chan struct{}, 1), look: make(chan struct{}, 1)}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run watches until ctx ends.
func (n *notices) run(ctx context.Context) {
	reminded := reminder{}
	requests, certificates := time.NewTimer(time.Hour), time.NewTimer(halfADay)
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.look:
			certificates.Reset(settle)
		case <-certificates.C:
			n.certificates(ctx, time.Now())
			certificates.Reset(halfADay)
		case <-n.changed:
			requests.Reset(n.requests(reminded))
		case <-requests.C:
			requests.Reset(n.requests(reminded))
		}
	}
}

// requests reminds of what waits too long and tells when to look again.
func (n *notices) requests(r reminder) time.Duration {
	due, next := r.due(n.open(), time.Now())
	for _, o := range due {
		if !o.InFront() {
			r[o.ID] = true
			n.send(waitingNotice(n.lang(), o))
		}
	}
	return next
}

// reminder is the requests the person was reminded of.
type reminder map[string]bool

// due lists the requests that wait too long, and how long the next one has. One that is gone is forgotten.
func (r reminder) due(open []signing.Open, now time.Time) (due []signing.Open, next time.Duration) {
	next = time.Hour
	there := map[string]bool{}
	for _, o := range open {
		there[o.ID] = true
		switch left := o.Since.Add(tooLong).Sub(now); {
		case o.Decided || r[o.ID]:
		case left > 0:
			next = min(next, left)
		default:
			due, next = append(due, o), min(next, tooLong) // before the person's eyes now, but perhaps not for long
		}
	}
	for id := range r {
		if !there[id] {
			delete(r, id)
		}
	}
	return due, next
}

// made tells of signatures; see ui.Fronts.
func (n *notices) made(q signing.Question, o signing.Outcome, inFront bool) {
	if m, ok := madeNotice(n.lang(), q, o, inFront); ok && !n.quiet() {
		n.send(m)
	}
}

// plugged is told of each token that was plugged in, by one goroutine. Several modules may see the same one.
func (n *notices) plugged(ctx context.Context, t token.Info) {
	if n.last.serial != t.Serial || time.Since(n.last.at) > settle {
		go n.inserted(ctx, t)
	}
	n.last.serial, n.last.at = t.Serial, time.Now()
}

// inserted tells of a token, when it has been read.
func (n *notices) inserted(ctx context.Context, t token.Info) {
	keys, _, err := n.keys(ctx)
	if err != nil || n.quiet() {
		return
	}
	found := 0
	for _, k := range keys {
		if k.Certificate() != nil && k.Token().Serial == t.Serial && k.Token().Label == t.Label {
			found++
		}
	}
	n.send(insertedNotice(n.lang(), found))
}

// certificates tells of ends that have come near.
func (n *notices) certificates(ctx context.Context, now time.Time) {
	keys, _, err := n.keys(ctx)
	if err != nil || n.quiet() {
		return
	}
	told := readTold(n.file)
	fresh := told.fresh(endings(signing.ListedAll(keys, true, now), now))
	if len(fresh) == 0 || !n.send(endingNotice(n.lang(), fresh)) {
		return // nobody heard it: it is told when a tray is there
	}
	for _, e := range fresh {
		told[e.id] = stage{e.stage, e.end}
	}
	if err := told.write(n.file, now); err != nil {
		slog.Warn("what was told about certificates is not kept", "cause", err)
	}
}

// told is the stage at which the person was last told of the end of each certificate.
type told map[string]stage

type stage struct {
	Days int       `json:"days"`
	End  time.Time `json:"end"`
}

// fresh leaves out what was told.
func (t told) fresh(list []ending) (out []ending) {
	for _, e := range list {
		if was, ok := t[e.id]; !ok || e.stage < was.Days {
			out = append(out, e)
		}
	}
	return out
}

// maxTold is far more than a file about the certificates of one person takes.
const maxTold = 1 << 20

// readTold reads the file; without one that can be used everything is news.
func readTold(path string) told {
	t := told{}
	f, err := os.Open(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			slog.Warn("what was told about certificates cannot be read", "cause", err)
		}
		return t
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTold))
	if err == nil {
		err = json.Unmarshal(data, &t)
	}
	if err != nil || t == nil {
		slog.Warn("what was told about certificates cannot be read", "cause", err)
		return told{}
	}
	return t
}

// write keeps what is not over yet.
func (t told) write(path string, now time.Time) error {
	for id, s := range t {
		if s.End.Before(now) {
			delete(t, id)
		}
	}
	return writeWhole(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(t) })
}
