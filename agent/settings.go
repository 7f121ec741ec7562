// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"persten/internal/config"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/proto"
)

// themeVariable names the environment variable by which the session tells its children the theme of the settings. Without it
// they follow the desktop.
const themeVariable = "PERSTEN_THEME"

// settings are the person's, under what the configuration says.
func (a *app) settings() (*config.Settings, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	p, err := a.statePath("settings.json")
	if err != nil {
		return nil, err
	}
	return config.OpenSettings(p, c), nil
}

// language is the one that s chooses, or otherwise.
func language(s proto.Settings, otherwise text.Lang) text.Lang {
	if s.Language == proto.LanguageSettingSystem {
		return otherwise
	}
	return text.Lang(s.Language)
}

// chosenEnv tells a child of the session what the settings say of its window.
func chosenEnv(s proto.Settings) []string {
	env := []string{text.Variable + "=" + string(language(s, text.FromEnv()))}
	if s.Theme != proto.ThemeSystem {
		env = append(env, themeVariable+"="+string(s.Theme))
	}
	return env
}

// spoken asks in the language the person chose, whatever the caller's is.
type spoken struct {
	signing.Approver
	settings *config.Settings
}

func (s spoken) Ask(ctx context.Context, q signing.Question) (signing.Prompt, error) {
	q.Lang = string(language(s.settings.Get(), text.Lang(q.Lang)))
	return s.Approver.Ask(ctx, q)
}
