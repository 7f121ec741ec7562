// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"log/slog"

	"persten/internal/signing"
)

// unattended puts the rules of machine policy that concern this user before the person. Only a session has them: a command
// that signs by itself has its own way of being approved.
func (a *app) unattended(ask signing.Approver) (signing.Approver, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	var grants []signing.Grant
	for _, u := range c.Unattended {
		if u.User == "" || u.User == userName() {
			grants = append(grants, signing.Grant(u))
		}
	}
	if len(grants) == 0 {
		return ask, nil
	}
	record, err := a.statePath("journal.jsonl")
	if err != nil {
		return nil, err
	}
	state, err := a.statePath("")
	if err != nil {
		return nil, err
	}
	u := signing.NewUnattended(ask, grants, record, state)
	slog.Info("signatures without a person", "rules", len(grants), "active", u.Active())
	return u, nil
}
