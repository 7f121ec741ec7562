// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"context"
	"log/slog"
	"time"
)

// wanted is something that may be kept.
type wanted struct {
	question
	more  []byte        // tells it from others of the same address
	again time.Duration // after which the server is asked whether it is still current
	force bool          // ask the server now
	read  func(body []byte) (reading, error)
}

// reading is what an answer turned out to be. until is when it says that a newer one will be there, zero when it does not; keep
// says that it is worth keeping.
type reading struct {
	until time.Time
	keep  bool
}

// load answers from the cache or asks. An entry that is old comes together with the error that told why no newer one was to
// be had; offline an old entry comes without one.
func (c *Client) load(ctx context.Context, w wanted) (*entry, error) {
	file := name(w.kind.name, w.url, w.more)
	kept := c.cache.get(file, w.kind.limit)
	switch {
	case kept != nil && (c.offline || !w.force && c.fresh(kept, w.again)):
		return kept, nil
	case c.offline:
		return nil, failure(w.url, ErrOffline)
	}
	if err := c.failed.last(file); err != nil && !w.force {
		return kept, err
	}
	e, err := c.flights.do(ctx, file, func(ctx context.Context) (*entry, error) { return c.renew(ctx, w, file, kept) })
	if e == nil {
		e = kept
	}
	if ctx.Err() == nil {
		c.failed.note(file, err)
	}
	return e, err
}

// fresh reports whether e need not be asked for again. A time of ours that lies before the entry's is no reason to believe it.
func (c *Client) fresh(e *entry, again time.Duration) bool {
	now := c.now()
	return !now.Before(e.Checked) && now.Sub(e.Checked) < again && (e.Until.IsZero() || now.Before(e.Until))
}

// renew asks the server and keeps the answer. An answer that is out of date is returned with ErrOutdated and not kept.
func (c *Client) renew(ctx context.Context, w wanted, file string, kept *entry) (*entry, error) {
	if kept != nil {
		w.etag, w.modified = kept.ETag, kept.Modified
	}
	a, err := c.fetch(ctx, w.question)
	if err != nil {
		return nil, err
	}
	now := c.now().UTC().Truncate(time.Second)
	if a.body == nil {
		current := *kept
		current.Checked = now
		c.keep(file, &current)
		return &current, c.outdated(&current)
	}
	r, err := w.read(a.body)
	if err != nil {
		return nil, failure(w.url, err)
	}
	e := &entry{
		Kind: w.kind.name, URL: w.url, Got: now, Checked: now, Until: r.until, ETag: a.etag, Modified: a.modified, body: a.body,
	}
	err = c.outdated(e)
	if r.keep && err == nil {
		c.keep(file, e)
	}
	return e, err
}

func (c *Client) outdated(e *entry) error {
	if !e.Until.IsZero() && c.now().After(e.Until) {
		return failure(e.URL, ErrOutdated)
	}
	return nil
}

func (c *Client) keep(file string, e *entry) {
	if err := c.cache.put(file, e); err != nil {
		slog.Warn("an answer could not be kept", "cause", err)
	}
}
