// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"persten/internal/rpc"
	"persten/internal/signing"
)

// Show opens a copy of a document in the system's own viewer. extension is the copy's, out of a fixed list and never the page's.
// remove takes the copy away; it is called when the prompt ends.
type Show func(ctx context.Context, content *os.File, extension string) (remove func(), err error)

// methodSystem comes from the child: the person wants to see a document in the system's viewer. The session does it, because a
// prompt process starts no programs.
const methodSystem = "system"

// maxShows is how often one prompt may open the system's viewer.
const maxShows = 20

var errNoViewer = errors.New("no viewer for this document")

type inSystem struct {
	Index int  `json:"index"`
	Kind  Kind `json:"kind"`
}

// showInSystem answers the child.
func (p *remotePrompt) showInSystem(ctx context.Context, r *rpc.Request) error {
	var w inSystem
	if err := json.Unmarshal(r.Params, &w); err != nil {
		return err
	}
	extension := w.Kind.Extension()
	if p.fronts.Show == nil || extension == "" || w.Index < 0 || w.Index >= len(p.q.Documents) || p.shows.Add(1) > maxShows {
		return errNoViewer
	}
	d := p.q.Documents[w.Index]
	f := d.Content
	if f == nil && d.Open != nil {
		var err error
		if f, err = d.Open(ctx); err != nil {
			return err
		}
		defer f.Close()
	}
	if f == nil {
		return errNoViewer
	}
	remove, err := p.fronts.Show(ctx, f, extension)
	if err == nil {
		context.AfterFunc(p.current().life, remove)
	}
	return err
}

// offer lets the documents be opened in the system's viewer by way of the session.
func (s *stage) offer(q *signing.Question) {
	for i := range q.Documents {
		q.Documents[i].System = func(ctx context.Context, kind string) error {
			return s.conn.Call(ctx, methodSystem, inSystem{i, Kind(kind)}, nil)
		}
	}
}
