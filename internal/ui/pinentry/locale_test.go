// SPDX-License-Identifier: GPL-3.0-or-later

package pinentry

import "testing"

func TestASCIILocale(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "LC_CTYPE"},
		{map[string]string{"LANG": "C"}, "LC_CTYPE"},
		{map[string]string{"LANG": "ru_RU.UTF-8", "LC_CTYPE": "POSIX"}, "LC_CTYPE"},
		{map[string]string{"LC_ALL": "C", "LANG": "ru_RU.UTF-8"}, "LC_ALL"},
		{map[string]string{"LANG": "ru_RU.UTF-8"}, ""},
		{map[string]string{"LC_ALL": "C.UTF-8", "LANG": "C"}, ""},
	} {
		if got := ascii(func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%v: %q, want %q", c.env, got, c.want)
		}
	}
}
