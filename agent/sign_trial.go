// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"persten/internal/ui"
	"persten/proto"
)

func (a *app) signTestCommand() *cobra.Command {
	var o order
	c := &cobra.Command{
		Use: "test --cert ID", Short: a.t("trial.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.signTest(cmd.Context(), o) },
	}
	a.keyFlags(c, &o)
	return c
}

// signTest tries a certificate and tells what came of it. What was signed is verified already; whom the certificate leads to is
// another matter, and is told.
func (a *app) signTest(ctx context.Context, o order) error {
	if err := o.keyed(); err != nil {
		return err
	}
	try := a.testBySession
	if o.alone() {
		try = a.testAlone
	}
	r, err := try(ctx, o)
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) {
		fmt.Fprintln(w, a.t("trial.done", "name", r.Certificate.Name))
		fmt.Fprintln(w, a.t("trial.digest", "alg", r.DigestAlg, "digest", r.Digest))
		fmt.Fprintln(w, a.t("trial.algorithm", "algorithm", r.Algorithm))
		fmt.Fprintln(w, a.t("trial.time", "time", ui.Moment(a.lang, r.Time)))
		for _, s := range r.Report.Signers {
			if s.Text != "" {
				fmt.Fprintln(w, s.Text+"\n"+s.Next)
			}
		}
	})
}

func (a *app) testBySession(ctx context.Context, o order) (*proto.SignTestResult, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return ask[proto.SignTestResult](ctx, c, proto.MethodSignTest, proto.SignTestParams{Certificate: o.cert})
}

func (a *app) testAlone(ctx context.Context, o order) (*proto.SignTestResult, error) {
	s, engine, err := a.aloneEngine(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return engine.Test(ctx, commandCaller(string(a.lang)), cmp.Or(s.cert, o.cert))
}
