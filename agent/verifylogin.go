// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/config"
	"persten/internal/signing"
	"persten/internal/ui/report"
	"persten/proto"
)

// maxLoginToken bounds the file of a login token.
const maxLoginToken = 64 << 10

// verifyingLogin is a parsed `persten verify login` command line.
type verifyingLogin struct {
	path, origin, nonce string
	believing
}

func (a *app) verifyLoginCommand() *cobra.Command {
	var o verifyingLogin
	c := &cobra.Command{
		Use: "login FILE", Short: a.t("cli.verify.login.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.path = args[0]; o.origin == "" || o.nonce == "" {
				return usage(errors.New("verify login wants --origin and --nonce"))
			}
			return a.verifyLogin(cmd.Context(), o)
		},
	}
	c.Flags().StringVar(&o.origin, "origin", "", a.t("cli.flag.loginorigin"))
	c.Flags().StringVar(&o.nonce, "nonce", "", a.t("cli.flag.nonce"))
	a.trustFlags(c, &o.believing)
	return c
}

// verifyLogin checks a login token for a server: that it answers this challenge of this site, and that its certificate is good.
// Whether the challenge is the server's own, fresh and used for the first time, only the server knows. Exit codes are verify's.
func (a *app) verifyLogin(ctx context.Context, o verifyingLogin) error {
	origin, err := config.ParseOrigin(o.origin)
	if err != nil {
		return err
	}
	token, err := a.readLoginToken(o.path)
	if err != nil {
		return err
	}
	found, err := signing.CheckLogin(token, origin, o.nonce)
	if err != nil {
		return err
	}
	trust, done, err := a.trust(o.believing)
	if err != nil {
		return err
	}
	defer done()
	status, err := signing.CheckCertificate(ctx, found, trust, cert.UseLogin, string(a.lang))
	if err != nil {
		return err
	}
	if err := a.print(status, func(w io.Writer) {
		fmt.Fprintln(w, a.t("cli.verify.login.answers", "origin", origin))
		report.StatusText(w, a.lang, status)
	}); err != nil {
		return err
	}
	return certificateOutcome(status)
}

// readLoginToken reads a token from a file, "-" being the standard input. Members it does not know are passed over.
func (a *app) readLoginToken(path string) (*proto.LoginToken, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxLoginToken+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxLoginToken {
		return nil, proto.E(proto.CodeRequestTooLarge, nil, "limit", fmt.Sprint(maxLoginToken))
	}
	token := new(proto.LoginToken)
	if err := json.Unmarshal(data, token); err != nil {
		return nil, proto.E(proto.CodeRequestMalformed, err, "detail", "not a login token")
	}
	return token, nil
}
