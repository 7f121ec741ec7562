// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"persten/internal/doctor"
	"persten/proto"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain TEXT|CODE", Short: a.t("explain.short"),
		Args: func(c *cobra.Command, args []string) error {
			if err := cobra.MinimumNArgs(1)(c, args); err != nil {
				return usage(err)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			answers := (&doctor.Doctor{}).Explain(strings.Join(args, " "), string(a.lang))
			err := a.print(proto.DoctorExplainResult{Answers: append([]proto.DoctorAnswer{}, answers...)}, func(w io.Writer) {
				if len(answers) == 0 {
					fmt.Fprintln(w, a.t("explain.none"))
				}
				for _, one := range answers[:min(1, len(answers))] {
					a.printAnswer(w, one)
				}
				for i, one := range answers {
					if i > 0 {
						fmt.Fprintln(w, a.t("explain.other", "title", one.Title, "id", one.ID))
					}
				}
			})
			if err == nil && len(answers) == 0 {
				err = errShown
			}
			return err
		},
	}
}

func (a *app) printAnswer(w io.Writer, one proto.DoctorAnswer) {
	fmt.Fprintf(w, "%s\n%s\n", one.Title, a.t("explain.fault."+string(one.Fault)))
	for i, step := range one.Check {
		fmt.Fprintf(w, "  %d. %s\n", i+1, step)
	}
	fmt.Fprintln(w, a.t("explain.next", "next", one.Next))
	if one.Run != "" {
		fmt.Fprintln(w, a.t("explain.run", "check", one.Run))
	}
	fmt.Fprintln(w, a.t("cli.more", "code", one.Page))
}

// support is what the archive for support is made with.
type support struct {
	file   string
	params proto.DoctorBundleParams
	yes    bool
}

func (a *app) supportFlags(c *cobra.Command, s *support) {
	c.Flags().StringVar(&s.file, "bundle", "", a.t("bundle.flag.bundle"))
	c.Flags().StringVar(&s.params.About, "about", "", a.t("bundle.flag.about"))
	c.Flags().StringVar(&s.params.Certificate, "certificate", "", a.t("bundle.flag.certificate"))
	c.Flags().BoolVar(&s.params.Attach, "with-certificate", false, a.t("bundle.flag.attach"))
	c.Flags().BoolVar(&s.yes, "yes", false, a.t("bundle.flag.yes"))
}

// support writes the archive and, beside it, the letter, after the person has seen what is in both. Nothing is sent.
func (a *app) support(ctx context.Context, d *doctor.Doctor, s support) error {
	var archive bytes.Buffer
	letter, files, err := d.Bundle(ctx, s.params, string(a.lang), &archive)
	if err != nil {
		return err
	}
	letterFile := strings.TrimSuffix(s.file, ".zip") + ".letter.txt"
	a.print(map[string]any{"file": s.file, "size": archive.Len(), "files": files, "letter": letterFile}, func(w io.Writer) {
		fmt.Fprintln(w, a.t("bundle.cli.in", "file", s.file))
		for _, f := range files {
			fmt.Fprintf(w, "  %-16s %6d  %s\n", f.Name, f.Size, f.About)
		}
		fmt.Fprintf(w, "\n%s\n\n%s\n", a.t("bundle.cli.letter", "file", letterFile), letter)
	})
	if interactive() && !s.yes {
		if err := a.agreed(a.t("bundle.cli.ask"), "", ""); err != nil {
			return err
		}
	}
	for name, data := range map[string][]byte{s.file: archive.Bytes(), letterFile: []byte(letter)} {
		err := writeWhole(name, func(w io.Writer) error { _, err := w.Write(data); return err })
		if err != nil {
			return err
		}
	}
	if !a.json {
		fmt.Fprintln(a.out, a.t("bundle.cli.done", "file", s.file, "letter", letterFile))
	}
	return nil
}
