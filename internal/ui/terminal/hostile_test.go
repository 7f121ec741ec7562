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
	list, fields := uitest.Strings(t), uitest.Fields()
	for _, f := range fields {
		plain := map[string]int{}
		for _, word := range []string{uitest.Plain(""), uitest.Plain("x")} {
			plain[word] = plainer(printed(t, f.Make(word)))
		}
		for _, s := range list {
			lines := printed(t, f.Make(s))
			if got, want := plainer(lines), plain[uitest.Plain(s)]; got != want {
				t.Fatalf("%s: %.40q makes %d lines of %d", f.Name, s, got, want)
			}
			for _, l := range lines {
				if err := uitest.Check(l); err != nil {
					t.Fatalf("%s: %.40q is printed as %.300q: %v", f.Name, s, l, err)
				}
			}
		}
	}
	t.Logf("%d strings in %d fields", len(list), len(fields))
}
