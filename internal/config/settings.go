// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"

	"persten/proto"
)

// maxSettingsFile is far more than the settings take.
const maxSettingsFile = 4 << 10

// Settings are the person's own choices, made in the window or the tray and kept in a file of their own. What config.toml or
// the machine policy says of the same thing goes before them. Several processes may share the file; it is read whenever the
// settings are asked for, so that a change holds at once.
type Settings struct {
	path string
	over UI

	mu   sync.Mutex
	told string // the fault of the file that was logged last
}

// settingsFile is the file as written; what is absent is at its default.
type settingsFile struct {
	Language      proto.LanguageSetting `json:"language,omitempty"`
	Theme         proto.Theme           `json:"theme,omitempty"`
	Notifications *bool                 `json:"notifications,omitempty"`
}

// OpenSettings keeps the settings in the file at path, which need not be there yet, under what c says.
func OpenSettings(path string, c *Config) *Settings { return &Settings{path: path, over: c.UI} }

// Get returns the settings in force. A file that cannot be used leaves the defaults and a line in the log.
func (s *Settings) Get() proto.Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over.settings(s.read())
}

// Set changes what p names and returns the settings then in force. What is fixed is proto.CodeSettingFixed, and nothing changes.
func (s *Settings) Set(p proto.SettingsSetParams) (proto.Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fixed := s.over.fixed()
	for name, wanted := range map[proto.SettingName]bool{
		proto.SettingNameLanguage: p.Language != "", proto.SettingNameTheme: p.Theme != "", proto.SettingNameNotifications: p.Notifications != nil,
	} {
		if wanted && slices.Contains(fixed, name) {
			return proto.Settings{}, proto.E(proto.CodeSettingFixed, nil, "name", "ui."+string(name))
		}
	}
	f := s.read()
	if p.Language != "" {
		f.Language = p.Language
	}
	if p.Theme != "" {
		f.Theme = p.Theme
	}
	if p.Notifications != nil {
		f.Notifications = p.Notifications
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err == nil {
		err = replaceFile(s.path, append(data, '\n'))
	}
	if err != nil {
		return proto.Settings{}, proto.E(proto.CodeFileUnwritable, err, "file", s.path)
	}
	return s.over.settings(f), nil
}

// settings are f with what the files fix put over it.
func (u UI) settings(f settingsFile) proto.Settings {
	out := proto.Settings{
		Language: proto.LanguageSettingSystem, Theme: proto.ThemeSystem, Notifications: true, Fixed: u.fixed(), Policy: u.Policy,
	}
	for _, l := range []proto.LanguageSetting{f.Language, proto.LanguageSetting(u.Language)} {
		if l != "" {
			out.Language = l
		}
	}
	for _, t := range []proto.Theme{f.Theme, proto.Theme(u.Theme)} {
		if t != "" {
			out.Theme = t
		}
	}
	for _, n := range []*bool{f.Notifications, u.Notifications} {
		if n != nil {
			out.Notifications = *n
		}
	}
	return out
}

// fixed are the settings that config.toml or policy makes.
func (u UI) fixed() []proto.SettingName {
	names := []proto.SettingName{}
	if u.Language != "" {
		names = append(names, proto.SettingNameLanguage)
	}
	if u.Theme != "" {
		names = append(names, proto.SettingNameTheme)
	}
	if u.Notifications != nil {
		names = append(names, proto.SettingNameNotifications)
	}
	return names
}

// noteSetters notes which settings policy makes.
func noteSetters(s *source, c *Config, _ []numbered) {
	for _, name := range []proto.SettingName{proto.SettingNameLanguage, proto.SettingNameTheme, proto.SettingNameNotifications} {
		if s.policy && s.has("ui."+string(name)) {
			c.UI.Policy = append(c.UI.Policy, name)
		}
	}
}

// read returns the file, or the defaults when it cannot be used; the same fault is logged once.
func (s *Settings) read() settingsFile {
	f, err := readSettings(s.path)
	fault := ""
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fault, f = err.Error(), settingsFile{}
	}
	if fault != "" && fault != s.told {
		slog.Warn("settings are not used", "file", s.path, "cause", fault)
	}
	s.told = fault
	return f
}

func readSettings(path string) (f settingsFile, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return f, err
	}
	defer file.Close()
	fi, err := file.Stat()
	if err != nil {
		return f, err
	}
	if why := foreignFile(fi); why != "" {
		return f, errors.New(why)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxSettingsFile+1))
	if err != nil {
		return f, err
	}
	return parseSettings(data)
}

// parseSettings reads strictly.
func parseSettings(data []byte) (f settingsFile, err error) {
	if len(data) > maxSettingsFile {
		return f, errors.New("too large")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return settingsFile{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return settingsFile{}, errors.New("something follows the settings")
	}
	if !slices.Contains([]proto.LanguageSetting{"", proto.LanguageSettingRu, proto.LanguageSettingEn, proto.LanguageSettingSystem}, f.Language) ||
		!slices.Contains([]proto.Theme{"", proto.ThemeSystem, proto.ThemeLight, proto.ThemeDark}, f.Theme) {
		return settingsFile{}, errors.New("a value is none that a setting may have")
	}
	return f, nil
}
