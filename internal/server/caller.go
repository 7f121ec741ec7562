// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"persten/internal/signing"
	"persten/proto"
)

// setLang remembers the language the caller asked for, if any.
func (c *client) setLang(lang string) {
	if lang == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who.Lang = lang
}

func (c *client) lang() string { return c.caller().Lang }

// caller is who asks, as of now.
func (c *client) caller() signing.Caller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.who
}

// refresh makes the next listing read the tokens again.
func (c *client) refresh(wanted bool) {
	if wanted {
		c.o.Engine.Refresh()
	}
}

func (c *client) problems(list []*proto.Error) []proto.Problem {
	out := []proto.Problem{}
	for _, e := range list {
		out = append(out, e.Problem(c.lang()))
	}
	return out
}
