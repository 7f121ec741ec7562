// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"log/slog"
	"os/user"

	"persten/internal/config"
	"persten/internal/signing"
	"persten/proto"
)

// withheld are the rights that machine policy keeps from this user. Groups are looked up once. What cannot be looked up is no
// group the user is in.
func (a *app) withheld() ([]proto.Right, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	return c.Rights.Withheld(groups()), nil
}

// permit is the error of a command for which the user lacks a right.
func (a *app) permit(right proto.Right) error {
	withheld, err := a.withheld()
	if err != nil {
		return err
	}
	return config.Permit(withheld, right)
}

// groups are this user's groups of the operating system, by name and by number or SID.
func groups() (names []string) {
	me, err := user.Current()
	if err != nil {
		slog.Warn("groups of the user are not known", "cause", err)
		return nil
	}
	ids, err := me.GroupIds()
	if err != nil {
		slog.Warn("groups of the user are not known", "cause", err)
	}
	for _, id := range ids {
		names = append(names, id)
		if g, err := user.LookupGroupId(id); err == nil {
			names = append(names, g.Name)
		}
	}
	return names
}

// rules are what machine policy says of this user's signatures; nil when it says nothing.
func (a *app) rules() (*signing.Rules, error) {
	withheld, err := a.withheld()
	if err != nil {
		return nil, err
	}
	var limits []signing.Limit
	for _, l := range a.loaded.Limits {
		limits = append(limits, signing.Limit{
			Covers: l.Covers, PerHour: l.PerHour, PerDay: l.PerDay, Documents: l.Documents, Size: l.Size,
		})
	}
	if len(withheld) == 0 && len(limits) == 0 {
		return nil, nil
	}
	record, err := a.statePath("journal.jsonl")
	if err != nil {
		return nil, err
	}
	return signing.NewRules(withheld, limits, record), nil
}
