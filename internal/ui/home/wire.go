// SPDX-License-Identifier: GPL-3.0-or-later

package home

// What this window reads of methods that not every session has.
type (
	bundled struct {
		Handle string `json:"handle"`
		Letter string `json:"letter"`
	}
	explained struct {
		Answers []struct {
			Title string   `json:"title"`
			Fault string   `json:"fault"`
			Check []string `json:"check"`
			Next  string   `json:"next"`
		} `json:"answers"`
	}
)

const (
	methodExplain = "doctor." + "explain"
	methodBundle  = "doctor." + "bundle"
)
