// SPDX-License-Identifier: GPL-3.0-or-later

package tokentest

import (
	"fmt"
	"strings"
)

// Column is one implementation in a table of results.
type Column struct {
	Name    string
	Results []Result // none: not run
}

// Table writes checks down and implementations across, as Markdown. A cell that a column does not have was not run.
func Table(title string, checks []string, columns []Column) string {
	var b strings.Builder
	b.WriteString("| " + title + " |")
	for _, c := range columns {
		b.WriteString(" " + c.Name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, check := range checks {
		b.WriteString("| " + check + " |")
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.outcome(check))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (c Column) outcome(check string) string {
	for _, r := range c.Results {
		if r.Check == check {
			return r.Outcome
		}
	}
	return NotRun
}

// Differences compares a table with one written before and lists the cells that differ, but for those that one of the two
// runs did not run.
func Differences(before, now string) []string {
	was := cells(before)
	var different []string
	for at, outcome := range cells(now) {
		old, known := was[at]
		switch {
		case outcome == NotRun || old == NotRun:
		case !known:
			different = append(different, at+": new, "+outcome)
		case old != outcome:
			different = append(different, at+": was "+old+", now "+outcome)
		}
	}
	return different
}

// cells reads the tables of a Markdown text: "title / row / column" to the contents.
func cells(text string) map[string]string {
	all := map[string]string{}
	var head []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			head = nil
			continue
		}
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		if head == nil {
			head = row
			continue
		}
		for i := 1; i < len(row) && i < len(head); i++ {
			if row[0] != "---" {
				all[head[0]+" / "+row[0]+" / "+head[i]] = row[i]
			}
		}
	}
	return all
}
