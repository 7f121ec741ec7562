// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"persten/internal/config"
)

// origins is what policy, configuration and the person say of sites; allow adds sites for this process alone.
func (a *app) origins(allow ...string) (*config.Origins, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	p, err := a.statePath("origins.json")
	if err != nil {
		return nil, err
	}
	o, err := config.OpenOrigins(p, c, allow...)
	if err != nil {
		return nil, err
	}
	withheld, err := a.withheld()
	o.Withhold(withheld)
	return o, err
}

// originsCommand works on the file of decisions, which a running session reads again when it changes. Granting and
// taking back are journalled like the answers to a question.
func (a *app) originsCommand() *cobra.Command {
	c := &cobra.Command{Use: "origins", Short: a.t("cli.origins.short"), Args: noArgs, RunE: showHelp}
	list := &cobra.Command{
		Use: "list", Short: a.t("cli.origins.list.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.listOrigins() },
	}
	change := func(name string, do func(*config.Origins, string) error) *cobra.Command {
		return &cobra.Command{
			Use: name + " ORIGIN", Short: a.t("cli.origins." + name + ".short"), Args: exactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return a.changeOrigin(name, args[0], do) },
		}
	}
	var hidden bool
	allow := change("allow", func(o *config.Origins, origin string) error {
		err := o.Allow(origin)
		if err == nil && hidden {
			err = o.SetHidden(origin, true)
		}
		return err
	})
	allow.Flags().BoolVar(&hidden, "hidden", false, a.t("cli.flag.hidden"))
	c.AddCommand(list, allow, change("deny", (*config.Origins).Deny),
		change("forget", (*config.Origins).Forget))
	return c
}

func (a *app) changeOrigin(action, origin string, do func(*config.Origins, string) error) error {
	canonical, err := config.ParseOrigin(origin)
	if err != nil {
		return err
	}
	o, err := a.origins()
	if err != nil {
		return err
	}
	j, err := a.journal()
	if err != nil {
		return err
	}
	if err := do(o, canonical); err != nil {
		return err
	}
	return noteOrigin(j, commandCaller(string(a.lang)), canonical, action)
}

func (a *app) listOrigins() error {
	o, err := a.origins()
	if err != nil {
		return err
	}
	list, err := o.List()
	if err != nil {
		return err
	}
	return a.print(list, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, a.t("cli.origins.none"))
		}
		for _, one := range list {
			word := a.t("cli.origins.denied")
			if one.Allowed {
				word = a.t("cli.origins.allowed")
			}
			if one.Hidden {
				word += ", " + a.t("cli.origins.hidden")
			}
			fmt.Fprintf(w, "%s  %s (%s)\n", one.Origin, word, a.t("cli.origins.source."+string(one.Source)))
		}
	})
}
