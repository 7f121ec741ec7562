// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"slices"
	"sync"

	"github.com/getlantern/systray"
)

// slot is one item of the toolkit's menu. The toolkit cannot remove items, so each is made once, shows one row after the other,
// and is hidden while there is none. Only what differs is sent, so that an open menu does not flicker.
type slot struct {
	item   *systray.MenuItem
	orders chan<- order
	subs   []*slot

	mu    sync.Mutex
	shown row
	on    bool // visible
}

// build makes the places of the menu.
func build(orders chan<- order) []*slot {
	slots := make([]*slot, places)
	for i := range slots {
		slots[i] = newSlot(systray.AddMenuItem("", ""), orders)
		if slices.Contains(separated, i) {
			systray.AddSeparator()
		}
	}
	return slots
}

// newSlot follows the clicks on an item, which the toolkit drops when nobody listens.
func newSlot(item *systray.MenuItem, orders chan<- order) *slot {
	s := &slot{item: item, orders: orders}
	item.Hide()
	go func() {
		for range item.ClickedCh {
			s.mu.Lock()
			do := s.shown.do
			s.mu.Unlock()
			if do.what != "" {
				orders <- do
			}
		}
	}()
	return s
}

// show puts rows into slots; those without a row are hidden.
func show(slots []*slot, rows []row) {
	for i, s := range slots {
		if i < len(rows) && rows[i].text != "" {
			s.set(rows[i])
		} else {
			s.hide()
		}
	}
}

func (s *slot) hide() {
	if s.on {
		s.item.Hide()
		s.on = false
	}
}

// set shows r.
func (s *slot) set(r row) {
	s.mu.Lock()
	was := s.shown
	s.shown = r
	s.mu.Unlock()
	if was.text != r.text || !s.on {
		s.item.SetTitle(label(r.text)) // also shows it
		s.on = true
	}
	if dead := r.do.what == "" && len(r.rows) == 0; dead != s.item.Disabled() {
		if dead {
			s.item.Disable()
		} else {
			s.item.Enable()
		}
	}
	for len(s.subs) < len(r.rows) {
		s.subs = append(s.subs, newSlot(s.item.AddSubMenuItem("", ""), s.orders))
	}
	show(s.subs, r.rows)
}
