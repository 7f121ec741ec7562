// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"persten/internal/doctor"
	"persten/internal/token"
	"persten/internal/ui"
	"persten/proto"
)

func (a *app) doctorCommand() *cobra.Command {
	var root, fix string
	var s support
	var with map[string]string
	c := &cobra.Command{
		Use: "doctor [CHECK...]", Short: a.t("cli.doctor.short"),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, end := a.doctor(root)
			defer end()
			if s.file != "" {
				return a.support(cmd.Context(), d, s)
			}
			if fix != "" {
				list, err := d.Fix(cmd.Context(), proto.DoctorFixParams{ID: fix, Args: with}, string(a.lang))
				return a.diagnosed(list, err)
			}
			b := a.bar("cli.progress.checking", int64(len(d.Codes())))
			b.items = true
			list, err := d.Run(cmd.Context(), proto.DoctorRunParams{Checks: args, Certificate: s.params.Certificate}, string(a.lang), func(string, int, int) { b.add(1) })
			b.clear()
			return a.diagnosed(list, err)
		},
	}
	a.supportFlags(c, &s)
	c.AddCommand(a.explainCommand())
	c.Flags().StringVar(&fix, "fix", "", a.t("cli.flag.fix"))
	c.Flags().StringToStringVar(&with, "with", nil, a.t("bundle.flag.with"))
	c.Flags().StringVar(&root, "root", "", a.t("cli.flag.root"))
	c.Flags().MarkHidden("root")
	return c
}

// doctor is one that works without a session: it looks at the tokens itself. Call end when done with it.
func (a *app) doctor(root string) (d *doctor.Doctor, end func()) {
	keys, err := a.inventory("")
	end = func() {}
	var list token.Inventory
	if err == nil { // else the configuration cannot be read, which a check says
		list, end = keys.Inventory, keys.Close
	}
	m := a.machine(list)
	m.Root = root
	return doctor.New(m), end
}

// diagnosed prints findings; the command fails when something does not work.
func (a *app) diagnosed(list []proto.DoctorFinding, err error) error {
	if err != nil {
		return err
	}
	count := map[proto.DoctorLevel]int{}
	for _, f := range list {
		count[f.Level]++
	}
	err = a.print(proto.DoctorFindings{Findings: list}, func(w io.Writer) {
		for _, f := range list {
			a.printFinding(w, f)
		}
	})
	if err == nil && count[proto.DoctorLevelProblem] > 0 {
		err = errShown
	}
	return err
}

// widest is more than any finding has to say.
const widest = 4096

var marks = map[proto.DoctorLevel]string{
	proto.DoctorLevelOK: "✓", proto.DoctorLevelNote: "i", proto.DoctorLevelWarning: "!", proto.DoctorLevelProblem: "✗",
}

func (a *app) printFinding(w io.Writer, f proto.DoctorFinding) {
	fmt.Fprintln(w, cmp.Or(marks[f.Level], "?"), ui.Safe(f.Text.What, widest))
	if f.Text.Next != "" {
		fmt.Fprintln(w, "  "+ui.Safe(f.Text.Next, widest))
	}
	if f.Fix != nil {
		fmt.Fprintln(w, "  "+a.t("cli.doctor.fix", "label", f.Fix.Label, "id", f.Fix.ID+withArgs(f.Fix)))
	}
}

// withArgs is how a repair's arguments are given on the command line.
func withArgs(f *proto.DoctorFix) (s string) {
	for _, name := range slices.Sorted(maps.Keys(f.Args)) {
		s += fmt.Sprintf(" --with %q", name+"="+f.Args[name])
	}
	if f.Needs == proto.DoctorNeedFile {
		s += ` --with "file=..."`
	}
	return s
}
