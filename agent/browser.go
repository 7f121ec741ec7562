// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"persten/internal/browser"
)

func (a *app) browserCommand() *cobra.Command {
	var o browser.Options
	c := &cobra.Command{Use: "browser", Short: a.t("cli.browser.short"), Args: noArgs, RunE: showHelp}
	c.PersistentFlags().StringVar(&o.UserDataDir, "user-data-dir", "", a.t("cli.flag.userdata"))
	c.PersistentFlags().BoolVar(&o.System, "system", false, a.t("cli.flag.system"))
	c.PersistentFlags().StringVar(&o.Root, "root", "", a.t("cli.flag.root"))
	act := func(name string, do func(browser.Options) ([]browser.Target, error)) *cobra.Command {
		return &cobra.Command{
			Use: name, Short: a.t("cli.browser." + name + ".short"), Args: noArgs,
			RunE: func(*cobra.Command, []string) (err error) {
				if o.Executable, err = programIn(o.Root); err != nil {
					return err
				}
				if _, err := do(o); err != nil {
					return err
				}
				return a.browserStatus(o)
			},
		}
	}
	nothing := func(browser.Options) ([]browser.Target, error) { return nil, nil }
	c.AddCommand(act("install", browser.Install), act("uninstall", browser.Uninstall), act("status", nothing))
	return c
}

// programIn is the path this program will have when root is the root of a machine: packages are filled in a folder.
func programIn(root string) (string, error) {
	me, err := self()
	if err != nil || root == "" {
		return me, err
	}
	below, err := filepath.Rel(root, me)
	if err != nil || !filepath.IsLocal(below) {
		return "", usage(fmt.Errorf("--root %s: this program is not in it", root))
	}
	return filepath.Join("/", below), nil
}

// browserStatus lists the browsers that are here, and those that are connected.
func (a *app) browserStatus(o browser.Options) error {
	all, err := browser.Status(o)
	if err != nil {
		return err
	}
	var list []browser.TargetState
	for _, s := range all {
		if s.Found || s.State != browser.Absent {
			list = append(list, s)
		}
	}
	return a.print(list, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, a.t("cli.browser.none"))
		}
		for _, s := range list {
			fmt.Fprintf(w, "%s: %s (%s)\n", s.Browser, a.t("cli.browser."+string(s.State)), s.Path)
		}
	})
}
