// SPDX-License-Identifier: GPL-3.0-or-later

package browser

// Look lists the browsers that are here. Profiles and policies are not read on Windows yet.
func Look(o Options) (all []Seen) {
	for _, t := range append(userTargets(), systemTargets(o.Root)...) {
		if t.Found {
			all = append(all, Seen{Name: t.Browser, Family: t.Family, Hosts: o.hostStates([]Target{t})})
		}
	}
	return all
}
