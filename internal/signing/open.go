// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"slices"
	"time"
)

// Open is a question that is before the person, or whose key is in use.
type Open struct {
	ID        string
	Kind      Kind
	Origin    string // empty for a program
	Documents int
	Since     time.Time
	Decided   bool // the person has said yes
	prompt    Prompt
}

// Raiser is a Prompt that can come before other windows. Raise reports whether it did.
type Raiser interface{ Raise() bool }

// InFront reports whether the person has the window of the question before them, as far as it can tell.
func (o Open) InFront() bool {
	f, ok := o.prompt.(interface{ InFront() bool })
	return ok && f.InFront()
}

// OpenRequests lists the open questions, the oldest first.
func (e *Engine) OpenRequests() []Open {
	e.desk.mu.Lock()
	defer e.desk.mu.Unlock()
	return slices.Clone(e.desk.shown)
}

// Raise brings the window of an open question to the front, if it has one that can come.
func (e *Engine) Raise(id string) bool {
	for _, o := range e.OpenRequests() {
		if r, ok := o.prompt.(Raiser); ok && o.ID == id {
			return r.Raise()
		}
	}
	return false
}

// show lists a question as open until hide.
func (d *desk) show(q Question, p Prompt) (hide func()) {
	o := Open{ID: q.ID, Kind: q.Kind, Origin: q.Origin, Since: time.Now(), prompt: p}
	if q.Kind == KindSign {
		o.Documents = len(q.Documents)
	}
	d.mu.Lock()
	d.shown = append(d.shown, o)
	d.mu.Unlock()
	d.changed()
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.shown = slices.DeleteFunc(d.shown, func(o Open) bool { return o.ID == q.ID })
	}
}

// agreed notes the person's yes. Questions that policy answers are not listed.
func (d *desk) agreed(id string) {
	d.mu.Lock()
	n := slices.IndexFunc(d.shown, func(o Open) bool { return o.ID == id })
	if n >= 0 {
		d.shown[n].Decided = true
	}
	d.mu.Unlock()
	if n >= 0 {
		d.changed()
	}
}
