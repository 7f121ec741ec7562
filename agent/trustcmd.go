// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/config"
	"persten/internal/ui/report"
	"persten/proto"
)

func (a *app) trustCommand() *cobra.Command {
	c := &cobra.Command{Use: "trust", Short: a.t("cli.trust.short"), Args: noArgs, RunE: showHelp}
	c.AddCommand(a.trustListCommand(), a.trustAddCommand(), a.trustRemoveCommand(), a.accreditedCommand())
	return c
}

func (a *app) trustListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: a.t("cli.trust.list.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			list := []anchor{}
			for _, r := range a.anchors(c, nil).Roots {
				list = append(list, describeAnchor(r))
			}
			return a.print(list, func(w io.Writer) {
				if len(list) == 0 {
					fmt.Fprintln(w, a.t("cli.trust.list.none"))
				}
				for _, one := range list {
					a.printAnchor(w, one)
				}
			})
		},
	}
}

// anchor is a trusted certificate as the command shows it.
type anchor struct {
	Name       string    `json:"name"`
	ID         string    `json:"id"` // SHA-256
	Thumbprint string    `json:"thumbprint"`
	NotBefore  time.Time `json:"notBefore"`
	NotAfter   time.Time `json:"notAfter"`
}

func describeAnchor(c *cert.Certificate) anchor {
	d := c.Card()
	return anchor{d.Owner.Name(), d.SHA256, d.SHA1, d.NotBefore.UTC(), d.NotAfter.UTC()}
}

func (a *app) printAnchor(w io.Writer, one anchor) {
	fmt.Fprintf(w, "%s\n", report.Line(one.Name))
	fmt.Fprintf(w, "  %s – %s\n", one.NotBefore.Local().Format(time.DateOnly), one.NotAfter.Local().Format(time.DateOnly))
	fmt.Fprintln(w, "  "+a.t("cli.trust.fingerprint", "value", spaced(one.ID)))
	fmt.Fprintln(w, "  "+a.t("cli.trust.thumbprint", "value", spaced(one.Thumbprint)))
}

// spaced breaks a fingerprint into groups that people can compare.
func spaced(hex string) string {
	var b strings.Builder
	for i := 0; i < len(hex); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.ToUpper(hex[i:min(i+4, len(hex))]))
	}
	return b.String()
}

func (a *app) trustAddCommand() *cobra.Command {
	var fingerprint string
	c := &cobra.Command{
		Use: "add FILE", Short: a.t("cli.trust.add.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.trustAdd(args[0], fingerprint) },
	}
	c.Flags().StringVar(&fingerprint, "fingerprint", "", a.t("cli.flag.fingerprint"))
	return c
}

// trustAdd takes a root certificate into the folder of trusted ones, after the person has compared its fingerprint, or given the
// one the authority publishes. Nothing is trusted silently.
func (a *app) trustAdd(file, fingerprint string) error {
	all, err := certificatesIn(file)
	if err != nil {
		return err
	}
	c := all[0]
	if len(all) > 1 {
		return usage(errors.New("the file holds several certificates; add them one by one"))
	}
	if !c.SelfIssued() || c.CheckSignatureFrom(c) != nil {
		fmt.Fprintln(a.errOut, a.t("cli.trust.notroot", "issuer", report.Line(c.Card().Issuer.Name())))
		return proto.E(proto.CodeCertificateUntrusted, nil)
	}
	if !a.json {
		a.printAnchor(a.out, describeAnchor(c))
	}
	if err := a.agreed(a.t("cli.trust.ask"), c.ID(), fingerprint); err != nil {
		return err
	}
	if err := keepCertificate(rootsFolder, c); err != nil {
		return err
	}
	return a.print(describeAnchor(c), func(w io.Writer) {
		fmt.Fprintln(w, a.t("cli.trust.added", "name", report.Line(c.Card().Owner.Name())))
	})
}

// agreed is the consent: the fingerprint that was given in advance, or the person's word at the terminal.
func (a *app) agreed(question, id, fingerprint string) error {
	if fingerprint != "" {
		given := strings.ToLower(strings.NewReplacer(" ", "", ":", "", "-", "").Replace(fingerprint))
		if given != id {
			return proto.E(proto.CodeUserRejected, fmt.Errorf("the fingerprint is another: %s", id))
		}
		return nil
	}
	if !interactive() {
		return proto.E(proto.CodeUserRejected, errors.New("nobody to ask; give --fingerprint"))
	}
	fmt.Fprint(a.errOut, question)
	answer, err := bufio.NewReader(io.LimitReader(a.in, 64)).ReadString('\n')
	if err != nil {
		return proto.E(proto.CodeUserRejected, err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "да", "д", "yes", "y":
		return nil
	}
	return proto.E(proto.CodeUserRejected, nil)
}

func trustFolder(name string) (string, error) {
	own, err := config.ConfigDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(own, name)
	return dir, os.MkdirAll(dir, 0o700)
}

func (a *app) trustRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: a.t("cli.trust.remove.short"), Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := trustFolder(rootsFolder)
			if err != nil {
				return err
			}
			id := strings.ToLower(args[0])
			if !certificateRef.MatchString(id) {
				return usage(errors.New("want the SHA-256 or SHA-1 fingerprint that `persten trust list` shows"))
			}
			added, err := cert.ReadFiles(dir)
			for _, c := range added {
				if c.ID() == id || c.Thumbprint() == id {
					if err := os.Remove(filepath.Join(dir, c.ID()+".pem")); err != nil {
						return err
					}
					return a.print(describeAnchor(c), func(w io.Writer) {
						fmt.Fprintln(w, a.t("cli.trust.removed", "name", report.Line(c.Card().Owner.Name())))
					})
				}
			}
			return proto.E(proto.CodeCertificateAbsent, err, "id", id)
		},
	}
}
