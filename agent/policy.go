// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"persten/internal/config"
	"persten/proto"
)

// policyCommand is for administrators: a file is checked before it is sent to a thousand desks.
func (a *app) policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: a.t("policy.short"), Args: noArgs, RunE: showHelp}
	check := &cobra.Command{
		Use: "check FILE", Short: a.t("policy.check.short"), Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := config.CheckPolicy(args[0]); err != nil {
				return err
			}
			return a.print(map[string]bool{"ok": true}, func(w io.Writer) {
				fmt.Fprintln(w, a.t("policy.check.good", "file", args[0]))
			})
		},
	}
	get := &cobra.Command{
		Use: "get KNOB", Short: a.t("policy.get.short"), Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			v, known := c.Get(args[0])
			if !known {
				return usage(fmt.Errorf("%q is no single value of the settings", args[0]))
			}
			return json.NewEncoder(a.out).Encode(v)
		},
	}
	c.AddCommand(check, get)
	return c
}

// printPolicy tells a person what others set for them.
func (a *app) printPolicy(w io.Writer, s *proto.AgentStatusResult) {
	if s.Policy {
		fmt.Fprintln(w, a.t("policy.there"))
	}
	if len(s.Withheld) == 0 {
		return
	}
	var rights []string
	for _, r := range s.Withheld {
		rights = append(rights, a.t("policy.right."+string(r)))
	}
	fmt.Fprintln(w, a.t("policy.withheld", "rights", strings.Join(rights, ", ")))
}
