// SPDX-License-Identifier: GPL-3.0-or-later

package terminal

import (
	"strings"
	"testing"

	"persten/internal/signing"
	"persten/internal/ui/uitest"
)

// printed is what the terminal shows of a question, by lines.
func printed(t *testing.T, q signing.Question) []string {
	t.Helper()
	f := &fake{keys: strings.NewReader("")}
	b := On(f)
	if _, err := b.Decide(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	b.Progress(signing.StepInsert)
	return strings.Split(f.shown.String(), "\n")
}

// plainer counts the lines that do not depend on who asks.
func plainer(lines []string) (n int) {
	for _, l := range lines {
		if !strings.HasPrefix(l, "! ") {
			n++
		}
	}
	return n
}

// Nothing from outside reaches the terminal but characters that are drawn where they stand, one fact a line.
func TestHostileFields(t *testing.T) {
	uitest.Hold(t, func(q signing.Question) ([]string, int) {
		lines := printed(t, q)
		return lines, plainer(lines)
	})
}
