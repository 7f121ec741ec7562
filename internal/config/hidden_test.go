// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"path/filepath"
	"testing"

	"persten/proto"
)

// TestHidden: the right to ask for signatures of what cannot be shown is the person's to give, ends with the site's access, and policy can
// forbid it.
func TestHidden(t *testing.T) {
	const site, other = "https://a.example", "https://b.example"
	path := filepath.Join(t.TempDir(), "origins.json")
	open := func(c *Config) *Origins {
		t.Helper()
		o, err := OpenOrigins(path, c, site)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	o := open(nil)
	want := func(origin string, allowed, known bool) {
		t.Helper()
		if a, k := o.Hidden(origin); a != allowed || k != known {
			t.Errorf("%s: %v, %v", origin, a, k)
		}
	}
	want(site, false, false)
	want(other, false, true) // it may not even ask for signatures
	if err := o.SetHidden(site, true); err != nil {
		t.Fatal(err)
	}
	want(site, true, true)
	o = open(nil)
	want(site, true, true)
	if list, err := o.List(); err != nil || len(list) != 1 || !list[0].Hidden || !list[0].Allowed {
		t.Errorf("%+v, %v", list, err)
	}
	o = open(&Config{Origins: OriginRules{Visible: true}})
	want(site, false, true)
	if err := o.SetHidden(site, true); !errors.Is(err, proto.CodePolicyForbids) {
		t.Errorf("against policy: %v", err)
	}
	o = open(nil)
	if err := errors.Join(o.Deny(site), o.Allow(site)); err != nil {
		t.Fatal(err)
	}
	want(site, false, false) // the right went with the access
	if err := o.SetHidden(site, false); err != nil {
		t.Fatal(err)
	}
	want(site, false, true)
}
