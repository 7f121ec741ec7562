// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/ui/report"
	"persten/proto"
)

// knownCommand lists the certificates whose tokens the session has seen.
func (a *app) knownCommand() *cobra.Command {
	return &cobra.Command{
		Use: "known", Short: a.t("cli.certs.known"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			list, err := ask[proto.CertificatesKnownResult](cmd.Context(), c, proto.MethodCertificatesKnown, proto.CertificatesKnownParams{})
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) { a.printKnown(w, list.Certificates) })
		},
	}
}

func (a *app) printKnown(w io.Writer, list []proto.KnownCertificate) {
	if len(list) == 0 {
		fmt.Fprintln(w, a.t("cli.certs.nothing"))
	}
	for _, k := range list {
		c := k.Certificate
		fmt.Fprintf(w, "%s\n  %s\n", c.ID, a.t("cli.certs.seen", "name", report.Line(join(c.Name, c.Organization)),
			"label", report.Line(k.Label), "serial", report.Line(k.Serial), "seen", k.Seen.Format(time.DateOnly)))
	}
}

// forgetCommand has the session forget one of them, or all.
func (a *app) forgetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "forget [ID]", Short: a.t("cli.certs.forget"), Args: atMostOneArg,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			var p proto.CertificatesForgetParams
			if len(args) > 0 {
				p.Certificate = args[0]
			}
			if _, err := ask[proto.CertificatesForgetResult](cmd.Context(), c, proto.MethodCertificatesForget, p); err != nil {
				return err
			}
			return a.print(proto.CertificatesForgetResult{}, func(w io.Writer) { fmt.Fprintln(w, a.t("cli.certs.forgotten")) })
		},
	}
}
