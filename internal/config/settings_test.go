// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"persten/proto"
)

func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	off, none := false, []proto.SettingName{}
	s, other := OpenSettings(path, defaults()), OpenSettings(path, defaults())
	usual := proto.Settings{Language: "system", Theme: "system", Notifications: true, Fixed: none}
	if got := s.Get(); !reflect.DeepEqual(got, usual) {
		t.Errorf("without a file: %+v", got)
	}
	if _, err := s.Set(proto.SettingsSetParams{Theme: "dark", Notifications: &off}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Set(proto.SettingsSetParams{Language: "ru"})
	want := proto.Settings{Language: "ru", Theme: "dark", Notifications: false, Fixed: none}
	if err != nil || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(other.Get(), want) {
		t.Errorf("%+v, another process sees %+v; %v", got, other.Get(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
}

// What the files say goes first, and cannot be changed here.
func TestSettingsFixed(t *testing.T) {
	c, err := read("[ui]\nlanguage = \"en\"\ntheme = \"light\"\nnotifications = false\n", false)
	if err != nil {
		t.Fatal(err)
	}
	s := OpenSettings(filepath.Join(t.TempDir(), "settings.json"), c)
	want := proto.Settings{Language: "en", Theme: "light", Fixed: []proto.SettingName{"language", "theme", "notifications"}}
	if got := s.Get(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	on := true
	for name, p := range map[string]proto.SettingsSetParams{
		"ui.language": {Language: "ru"}, "ui.theme": {Theme: "dark"}, "ui.notifications": {Notifications: &on},
	} {
		_, err := s.Set(p)
		if e := proto.AsError(err); e == nil || e.Code != proto.CodeSettingFixed || e.Args["name"] != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file that cannot be used leaves the defaults and one line of the log, and the next change replaces it.
func TestSettingsBroken(t *testing.T) {
	var log bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	path := filepath.Join(t.TempDir(), "settings.json")
	s := OpenSettings(path, defaults())
	for _, content := range []string{"", "{", `{"theme":"pink"}`, `{"theme":"dark"} {}`, `{"colour":"red"}`, `[]`, `{"language":7}`, strings.Repeat(" ", maxSettingsFile+1)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := s.Get(); got.Theme != "system" || got.Language != "system" || !got.Notifications {
			t.Errorf("%.40q: %+v", content, got)
		}
	}
	before := strings.Count(log.String(), "settings are not used")
	s.Get()
	s.Get()
	if after := strings.Count(log.String(), "settings are not used"); before == 0 || after != before {
		t.Errorf("%d lines, then %d", before, after)
	}
	if got, err := s.Set(proto.SettingsSetParams{Theme: "dark"}); err != nil || got.Theme != "dark" {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := OpenSettings(filepath.Join(path, "below"), defaults()).Set(proto.SettingsSetParams{Theme: "dark"}); !errors.Is(err, proto.CodeFileUnwritable) {
		t.Error(err)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add([]byte(`{"language":"ru","theme":"dark","notifications":false}`))
	f.Add([]byte(`{"theme":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSettings(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseSettings(again); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s: %+v %v", again, back, err)
		}
		got := UI{}.settings(s)
		if err := got.Validate(); err != nil {
			t.Errorf("%+v: %v", got, err)
		}
	})
}

// TestSettingsByPolicy: a person is told whether the machine's policy or their own file makes a setting.
func TestSettingsByPolicy(t *testing.T) {
	c := defaults()
	if err := errors.Join(
		c.merge("config.toml", []byte("[ui]\nlanguage = \"ru\"\ntheme = \"dark\"\n"), false),
		c.merge("policy.toml", []byte("[ui]\nlanguage = \"en\"\nnotifications = true\n"), true),
	); err != nil {
		t.Fatal(err)
	}
	got := OpenSettings(filepath.Join(t.TempDir(), "s.json"), c).Get()
	if fmt.Sprint(got.Fixed) != "[language theme notifications]" || fmt.Sprint(got.Policy) != "[language notifications]" || got.Language != "en" {
		t.Errorf("%+v", got)
	}
}
