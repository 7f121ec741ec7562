// SPDX-License-Identifier: GPL-3.0-or-later

package tokentest

import (
	"slices"
	"testing"
)

func TestTable(t *testing.T) {
	checks := []string{"list", "sign"}
	before := Table("Check", checks, []Column{
		{"a", []Result{{"list", Passed}, {"sign", Passed}}}, {"b", []Result{{"list", Passed}, {"sign", NotApplicable}}}, {"c", nil},
	})
	want := "| Check | a | b | c |\n|---|---|---|---|\n| list | ok | ok | not run |\n| sign | ok | – | not run |\n"
	if before != want {
		t.Errorf("got\n%s", before)
	}
	now := Table("Check", append(checks, "hang"), []Column{
		{"a", nil}, {"b", []Result{{"list", Failed}, {"sign", NotApplicable}, {"hang", Passed}}}, {"c", []Result{{"list", Passed}}},
	})
	got := Differences(before, "# Title\n\n"+now)
	slices.Sort(got)
	if !slices.Equal(got, []string{"Check / hang / b: new, ok", "Check / list / b: was ok, now FAIL"}) {
		t.Errorf("differences %q", got)
	}
	if d := Differences(before, before); len(d) != 0 {
		t.Errorf("a table differs from itself: %q", d)
	}
}
