// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui/report"
	"persten/proto"
)

func (a *app) tokensCommand() *cobra.Command {
	return &cobra.Command{
		Use: "tokens", Short: a.t("cli.tokens.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.listTokens(cmd.Context())
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) { a.printTokens(w, list) })
		},
	}
}

func (a *app) certsCommand() *cobra.Command {
	var all bool
	var demo string
	c := &cobra.Command{
		Use: "certs", Short: a.t("cli.certs.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.listCertificates(cmd.Context(), all, demo)
			if err != nil {
				return err
			}
			return a.print(list, func(w io.Writer) { a.printCertificates(w, list) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, a.t("cli.flag.all"))
	c.Flags().StringVar(&demo, "demo-token", "", a.t("cli.flag.demo"))
	c.AddCommand(a.knownCommand(), a.forgetCommand())
	return c
}

// listTokens asks the running session, or reads the tokens itself when there is none: no PIN is needed for that.
func (a *app) listTokens(ctx context.Context) (*proto.TokensListResult, error) {
	if c, err := a.connect(ctx); err == nil {
		defer c.Close()
		return ask[proto.TokensListResult](ctx, c, proto.MethodTokensList, proto.TokensListParams{Refresh: true})
	}
	keys, err := a.inventory("")
	if err != nil {
		return nil, err
	}
	defer keys.Close()
	found, problems, err := signing.New(keys, nil, nil, signing.Options{}).Tokens(ctx)
	if err != nil {
		return nil, err
	}
	out := &proto.TokensListResult{Tokens: []proto.Token{}, Problems: a.problems(problems)}
	for _, t := range found {
		out.Tokens = append(out.Tokens, signing.ListedToken(t, true))
	}
	return out, nil
}

// listCertificates is like listTokens; a demo folder is always read here.
func (a *app) listCertificates(ctx context.Context, all bool, demo string) (*proto.CertificatesListResult, error) {
	if demo == "" {
		if c, err := a.connect(ctx); err == nil {
			defer c.Close()
			p := proto.CertificatesListParams{Refresh: true, All: all}
			return ask[proto.CertificatesListResult](ctx, c, proto.MethodCertificatesList, p)
		}
	}
	keys, err := a.inventory(demo)
	if err != nil {
		return nil, err
	}
	defer keys.Close()
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	engine := signing.New(keys, nil, nil, signing.Options{
		Trust: func() cert.Trust { return a.anchors(c, nil) }, NoSoftware: c.Keyfiles.Forbid,
	})
	found, problems, err := engine.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return &proto.CertificatesListResult{
		Certificates: engine.Listed(found, all, time.Now()), Problems: a.problems(problems),
	}, nil
}

func (a *app) problems(list []*proto.Error) []proto.Problem {
	out := []proto.Problem{}
	for _, e := range list {
		out = append(out, e.Problem(string(a.lang)))
	}
	return out
}

func (a *app) printTokens(w io.Writer, list *proto.TokensListResult) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(list.Tokens) == 0 {
		fmt.Fprintln(w, a.t("cli.tokens.none"))
	} else {
		for _, c := range []string{"label", "serial", "model", "module", "slot", "state"} {
			fmt.Fprint(tw, a.t("cli.tokens.columns."+c), "\t")
		}
		fmt.Fprintln(tw)
	}
	for _, t := range list.Tokens {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t\n", report.Line(t.Label), report.Line(t.Serial), report.Line(t.Model), report.Line(t.Module), t.Slot, a.pinState(t))
	}
	tw.Flush()
	a.printModules(w, list.Problems)
}

// printModules says of each module that failed why, and what to do about it.
func (a *app) printModules(w io.Writer, list []proto.Problem) {
	for _, p := range list {
		reason := strings.ReplaceAll(p.Args["reason"], "_", "") // as keys of texts are spelled
		if p.Args["module"] == "" || !text.Has("module.reason."+reason) {
			printProblems(w, []proto.Problem{p})
			continue
		}
		fmt.Fprintln(w, a.t("cli.tokens.failed", "module", p.Args["module"], "reason", a.t("module.reason."+reason)))
		fmt.Fprintln(w, "  "+a.t("module.advice."+reason))
	}
}

// pinState says how the PIN of a token stands: what its flags tell, and the attempts left where it counts them.
func (a *app) pinState(t proto.Token) string {
	var all []string
	say := func(when bool, what string) {
		if when {
			all = append(all, what)
		}
	}
	say(t.Demo, a.t("cli.tokens.demo"))
	say(t.PINPad, a.t("cli.tokens.keypad"))
	say(t.Locked, a.t("cli.tokens.locked"))
	say(t.Final && !t.Locked, a.t("cli.tokens.final"))
	say(t.Low && !t.Final && !t.Locked, a.t("cli.tokens.low"))
	if t.Attempts > 0 && !t.Final {
		all = append(all, text.Plural(a.lang, "prompt.pin.left", t.Attempts))
	}
	if len(all) == 0 {
		return a.t("cli.tokens.ok")
	}
	return strings.Join(all, ", ")
}

func (a *app) printCertificates(w io.Writer, list *proto.CertificatesListResult) {
	if len(list.Certificates) == 0 {
		fmt.Fprintln(w, a.t("cli.certs.none"))
	}
	for _, c := range list.Certificates {
		fmt.Fprintf(w, "%s\n  %s\n", c.ID, a.t("cli.certs.line", "name", report.Line(join(c.Name, c.Organization)),
			"issuer", report.Line(c.Issuer), "until", c.NotAfter.Local().Format(time.DateOnly), "key", c.Key, "token", report.Line(c.Token.Label)))
		fmt.Fprintln(w, "  "+a.holder(c))
		if !c.Usable {
			fmt.Fprintln(w, "  "+proto.Text(c.Reason, string(a.lang), map[string]string{"date": reasonDate(c)}).What)
		}
	}
	printProblems(w, list.Problems)
}

// holder tells what kind of owner a certificate has and by which numbers they are known.
func (a *app) holder(c proto.Certificate) string {
	all := []string{a.t("cert.holder." + string(c.Holder))}
	for _, number := range [][2]string{{"inn", c.INN}, {"innle", c.INNLE}, {"ogrn", c.OGRN}, {"ogrnip", c.OGRNIP}, {"snils", c.SNILS}} {
		if number[1] != "" {
			all = append(all, a.t("prompt.cert."+number[0])+" "+report.Line(number[1]))
		}
	}
	return strings.Join(all, "; ")
}

// reasonDate is the date that explains why a certificate cannot sign, if one does.
func reasonDate(c proto.Certificate) string {
	at := c.NotAfter
	switch c.Reason {
	case proto.CodeCertificateNotYetValid:
		at = c.NotBefore
	case proto.CodeCertificateKeyExpired:
		at = c.KeyTo
	case proto.CodeCertificateKeyNotYetValid:
		at = c.KeyFrom
	}
	return at.Local().Format(time.DateOnly)
}

func printProblems(w io.Writer, list []proto.Problem) {
	for _, p := range list {
		fmt.Fprintf(w, "%s: %s %s\n", p.Code, p.Text, p.Next)
	}
}

// join puts a person and their organization on one line.
func join(name, organization string) string {
	if organization == "" || organization == name {
		return name
	}
	return name + ", " + organization
}
