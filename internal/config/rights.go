// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"slices"

	"persten/proto"
)

// Withheld are the rights that a member of these groups does not have. Groups are compared as they are written; those of Windows
// without regard to case.
func (r Rights) Withheld(member []string) []proto.Right {
	var out []proto.Right
	for _, one := range []struct {
		right  proto.Right
		groups []string
	}{
		{proto.RightApprove, r.Approve},
		{proto.RightHidden, r.Hidden},
		{proto.RightKeys, r.Keys},
		{proto.RightSites, r.Sites},
		{proto.RightJournal, r.Journal},
	} {
		has := func(group string) bool {
			return slices.ContainsFunc(member, func(m string) bool { return sameName(m, group) })
		}
		if one.groups != nil && !slices.ContainsFunc(one.groups, has) {
			out = append(out, one.right)
		}
	}
	return out
}

// Permit is proto.CodeRightMissing when right is among those withheld.
func Permit(withheld []proto.Right, right proto.Right) error {
	if slices.Contains(withheld, right) {
		return proto.E(proto.CodeRightMissing, nil, "right", string(right))
	}
	return nil
}

// Covers reports whether the limit is about what a user signs for a site, which is empty for programs. A user whose name is not known
// is every user.
func (l Limit) Covers(origin, user string) bool {
	return (l.Origin == "" || restricts(l.Origin, origin)) && (l.User == "" || user == "" || sameName(user, l.User))
}

// Named reports whether an origin is one of these rules, exact or with a wildcard.
func Named(rules []string, origin string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool { return covers(rule, origin) })
}
