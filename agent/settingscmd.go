// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"persten/proto"
)

// settingsCommand shows the settings, after changing those whose flags are given. A running session reads them anew.
func (a *app) settingsCommand() *cobra.Command {
	var p proto.SettingsSetParams
	var notices string
	c := &cobra.Command{
		Use: "settings", Short: a.t("settings.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if notices != "" {
				yes, err := strconv.ParseBool(notices)
				if err != nil {
					return usage(fmt.Errorf("--notifications wants true or false"))
				}
				p.Notifications = &yes
			}
			return a.setSettings(p)
		},
	}
	c.Flags().StringVar((*string)(&p.Language), "language", "", a.t("settings.flag.language"))
	c.Flags().StringVar((*string)(&p.Theme), "theme", "", a.t("settings.flag.theme"))
	c.Flags().StringVar(&notices, "notifications", "", a.t("settings.flag.notifications"))
	return c
}

func (a *app) setSettings(p proto.SettingsSetParams) error {
	if err := p.Validate(); err != nil {
		e := proto.AsError(err)
		return usage(fmt.Errorf("--%s %s", e.Args["field"], e.Args["detail"]))
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	now := s.Get()
	if p != (proto.SettingsSetParams{}) {
		if now, err = s.Set(p); err != nil {
			return err
		}
	}
	return a.print(now, func(w io.Writer) {
		fmt.Fprintf(w, "language: %s\ntheme: %s\nnotifications: %v\n", now.Language, now.Theme, now.Notifications)
		for _, name := range now.Fixed {
			key := "settings.fixed"
			if slices.Contains(now.Policy, name) {
				key = "settings.policy"
			}
			fmt.Fprintln(w, a.t(key, "name", string(name)))
		}
	})
}
