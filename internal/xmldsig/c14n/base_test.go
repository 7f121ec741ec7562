// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import "testing"

// TestRemoveDots is the table of Canonical XML 1.1 appendix A.
func TestRemoveDots(t *testing.T) {
	for _, c := range [][2]string{
		{"no/.././/pseudo-netpath/seg/file.ext", "pseudo-netpath/seg/file.ext"},
		{"no/..//.///pseudo-netpath/seg/file.ext", "pseudo-netpath/seg/file.ext"},
		{"yes/no//..//.///pseudo-netpath/seg/file.ext", "yes/pseudo-netpath/seg/file.ext"},
		{"no/../yes", "yes"}, {"no/../yes/", "yes/"}, {"no/../yes/no/..", "yes/"}, {"../../no/../..", "../../../"},
		{"no/../..", "../"}, {"no/..", ""}, {"no/../", ""}, {"/a/b/c/./../../g", "/a/g"}, {"mid/content=5/../6", "mid/6"},
		{"../../..", "../../../"}, {"no/../../", "../"}, {"..yes/..no/..no/..no/../../../..yes", "..yes/..yes"},
		{"..yes/..no/..no/..no/../../../..yes/", "..yes/..yes/"}, {"../..", "../../"}, {"../../../", "../../../"},
		{".", ""}, {"./", ""}, {"./.", ""}, {"//no/..", "/"}, {"../../no/..", "../../"}, {"../../no/../", "../../"},
		{"yes/no/../", "yes/"}, {"yes/no/no/../..", "yes/"}, {"yes/no/no/no/../../..", "yes/"},
		{"yes/no/../yes/no/no/../..", "yes/yes/"}, {"yes/no/no/no/../../../yes", "yes/yes"},
		{"yes/no/no/no/../../../yes/", "yes/yes/"}, {"/no/../", "/"}, {"/yes/no/../", "/yes/"}, {"/yes/no/no/../..", "/yes/"},
		{"/yes/no/no/no/../../..", "/yes/"}, {"../../..no/..", "../../"}, {"../../..no/../", "../../"},
		{"..yes/..no/../", "..yes/"}, {"..yes/..no/..no/../..", "..yes/"}, {"..yes/..no/..no/..no/../../..", "..yes/"},
		{"..yes/..no/../..yes/..no/..no/../..", "..yes/..yes/"}, {"/..no/../", "/"}, {"/..yes/..no/../", "/..yes/"},
		{"/..yes/..no/..no/../..", "/..yes/"}, {"/..yes/..no/..no/..no/../../..", "/..yes/"}, {"/", "/"}, {"/.", "/"},
		{"/./", "/"}, {"/./.", "/"}, {"/././", "/"}, {"/..", "/"}, {"/../..", "/"}, {"/../../..", "/"}, {"//..", "/"},
		{"//..//..", "/"}, {"//..//..//..", "/"}, {"/./..", "/"}, {"/./.././..", "/"}, {"/./.././.././..", "/"},
		{"..", "../"}, {"../", "../"},
	} {
		if got := removeDots(c[0]); got != c[1] {
			t.Errorf("removeDots(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

// TestJoinReference is the examples of Canonical XML 1.1 section 2.4 and of RFC 3986 section 5.4, where the base has a scheme.
func TestJoinReference(t *testing.T) {
	const base = "http://a/b/c/d;p?q"
	for _, c := range []struct{ base, ref, want string }{
		{"abc/", "../", ""}, {"../", "../", "../../"}, {"..", "..", "../../"}, {"foo/bar", "..", ""},
		{base, "g:h", "g:h"}, {base, "g", "http://a/b/c/g"}, {base, "./g", "http://a/b/c/g"}, {base, "g/", "http://a/b/c/g/"},
		{base, "/g", "http://a/g"}, {base, "//g", "http://g"}, {base, "?y", "http://a/b/c/d;p?y"}, {base, "g?y", "http://a/b/c/g?y"},
		{base, ";x", "http://a/b/c/;x"}, {base, "g;x?y", "http://a/b/c/g;x?y"}, {base, "", "http://a/b/c/d;p?q"},
		{base, ".", "http://a/b/c/"}, {base, "./", "http://a/b/c/"}, {base, "..", "http://a/b/"}, {base, "../", "http://a/b/"},
		{base, "../g", "http://a/b/g"}, {base, "../..", "http://a/"}, {base, "../../g", "http://a/g"},
		{base, "../../../g", "http://a/g"}, {base, "/./g", "http://a/g"}, {base, "/../g", "http://a/g"},
		{base, "g.", "http://a/b/c/g."}, {base, "..g", "http://a/b/c/..g"}, {base, "./../g", "http://a/b/g"},
		{base, "g;x=1/../y", "http://a/b/c/y"}, {base, "g?y/../x", "http://a/b/c/g?y/../x"}, {"http://a", "b", "http://a/b"},
		{"http://a/b#c", "", "http://a/b"},
	} {
		if got := joinReference(c.base, c.ref); got != c.want {
			t.Errorf("joinReference(%q, %q) = %q, want %q", c.base, c.ref, got, c.want)
		}
	}
}
