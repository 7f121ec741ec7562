// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"io/fs"
	"reflect"
	"testing"

	"golang.org/x/sys/windows/registry"
)

// TestReadRegistry writes a policy below the user's own key and reads it as that of the machine is read.
func TestReadRegistry(t *testing.T) {
	const name = `Software\PerstenTest`
	drop := func() {
		for _, below := range []string{`\origins\allow`, `\origins`, `\ui`, ""} {
			registry.DeleteKey(registry.CURRENT_USER, name+below)
		}
	}
	drop()
	t.Cleanup(drop)
	left := maxRegistry
	if _, err := readRegistry(registry.CURRENT_USER, name, &left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no policy: %v", err)
	}
	key := func(below string) registry.Key {
		k, _, err := registry.CreateKey(registry.CURRENT_USER, name+below, registry.ALL_ACCESS)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ui, allow := key(`\UI`), key(`\origins\Allow`)
	for _, err := range []error{
		ui.SetStringValue("Language", "ru"), ui.SetDWordValue("notifications", 0), ui.SetQWordValue("wait_minutes", 5),
		allow.SetStringValue("1", "https://one.example"), allow.SetStringValue("2", "https://*.corp.example"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := readRegistry(registry.CURRENT_USER, name, &left)
	if err != nil {
		t.Fatal(err)
	}
	c := defaults()
	if err := c.mergeRegistry(root); err != nil {
		t.Fatal(err)
	}
	want := UI{Approver: "window", Language: "ru", Wait: 5 * 60e9, Notifications: new(bool)}
	if !reflect.DeepEqual(c.UI, want) || !reflect.DeepEqual(c.Origins.Policy, []string{"https://one.example", "https://*.corp.example"}) {
		t.Errorf("%+v %+v", c.UI, c.Origins)
	}
	for _, set := range []func() error{
		func() error { return ui.SetStringsValue("language", []string{"ru"}) },
		func() error { return ui.SetExpandStringValue("language", "ru") },
		func() error { return ui.SetBinaryValue("language", []byte("ru")) },
	} {
		if err := set(); err != nil {
			t.Fatal(err)
		}
		root, err := readRegistry(registry.CURRENT_USER, name, &left)
		if err != nil {
			t.Fatal(err)
		}
		if err := defaults().mergeRegistry(root); err == nil {
			t.Error("a value of another type was taken")
		}
	}
	few := 2
	if _, err := readRegistry(registry.CURRENT_USER, name, &few); err == nil {
		t.Error("too many keys were read")
	}
}
