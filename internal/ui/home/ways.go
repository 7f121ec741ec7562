// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"slices"
	"strings"

	"gioui.org/layout"
	"gioui.org/widget"
)

// The ways that are no page of their own.
const (
	wayLook   = "look"   // everything is checked; what is found has its buttons
	wayBundle = "bundle" // the archive for support
)

// ways are where in this window a person does what the words of an advice do with a command. The first that fits counts.
var ways = []struct{ command, way string }{
	{"persten tokens", string(Tokens)}, {"persten certs", string(Tokens)}, {"persten cert check", string(Tokens)},
	{"persten keyfile", string(Tokens)}, {"persten sign", string(Sign)}, {"persten verify", string(Sign)}, {"persten compat", string(Settings)},
	{"persten journal", string(Journal)}, {"persten origins", string(Sites)},
	{"persten doctor --bundle", wayBundle}, {"persten doctor", wayLook}, {"persten browser", wayLook}, {"persten trust", wayLook},
}

// waysIn finds the commands in words, each way once.
func waysIn(words string) (found []string) {
	for _, w := range ways {
		if strings.Contains(words, w.command) && !slices.Contains(found, w.way) {
			found = append(found, w.way)
		}
		words = strings.ReplaceAll(words, w.command, "")
	}
	return found
}

// waysOf offers the ways that an answer's words name commands for; nil where they name none.
func (p *doctorPage) waysOf(gtx layout.Context, answer string, words ...string) layout.Widget {
	h := p.h
	parts := []layout.Widget{h.soft(h.say("home.doctor.here"))}
	for _, way := range waysIn(strings.Join(words, "\n")) {
		key := answer + " " + way
		if p.ways[key] == nil {
			p.ways[key] = new(widget.Clickable)
		}
		if clicked(gtx, p.ways[key]) {
			p.follow(way)
		}
		parts = append(parts, h.other(p.ways[key], p.wayName(way)))
	}
	if len(parts) == 1 {
		return nil
	}
	return row(8, parts...)
}

func (p *doctorPage) wayName(way string) string {
	switch way {
	case wayLook:
		return p.h.say("home.doctor.run")
	case wayBundle:
		return p.h.say("home.doctor.bundle")
	}
	return p.h.say("home." + way + ".rail")
}

func (p *doctorPage) follow(way string) {
	switch way {
	case wayLook:
		p.answers = nil // what is found stands below them
		p.look()
	case wayBundle:
		p.support.request()
	default:
		p.h.open(Page(way))
	}
}
