// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/signing"
	"persten/internal/tsp"
	"persten/internal/ui/report"
	"persten/proto"
)

func (a *app) certCommand() *cobra.Command {
	c := &cobra.Command{Use: "cert", Short: a.t("cli.cert.short"), Args: noArgs, RunE: showHelp}
	c.AddCommand(a.certCheckCommand(), a.certExportCommand(), a.certImportCommand())
	return c
}

// about is which certificate a command speaks of, and with which trust.
type about struct {
	ref, demo string
	believing
}

func (a *app) certCheckCommand() *cobra.Command {
	var o about
	c := &cobra.Command{
		Use: "check ID|FILE", Short: a.t("cli.cert.check.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ref = args[0]
			return a.certCheck(cmd.Context(), o)
		},
	}
	a.trustFlags(c, &o.believing)
	c.Flags().StringVar(&o.demo, "demo-token", "", a.t("cli.flag.demo"))
	return c
}

// certCheck tells whether a certificate is good, with who says so and when.
func (a *app) certCheck(ctx context.Context, o about) error {
	found, t, done, err := a.named(ctx, o)
	if err != nil {
		return err
	}
	defer done()
	status, err := signing.CheckCertificate(ctx, found, t, cert.UseDocument, string(a.lang))
	if err != nil {
		return err
	}
	if err := a.print(status, func(w io.Writer) { report.StatusText(w, a.lang, status) }); err != nil {
		return err
	}
	return certificateOutcome(status)
}

// certificateOutcome is the error of a certificate that is not good.
func certificateOutcome(status *proto.CertificateStatus) error {
	if status.Code == "" {
		return nil
	}
	fault := proto.E(status.Code, nil, "date", reasonOf(status))
	if report.Unsure(status) {
		return &unconfirmed{fault}
	}
	return fault
}

// reasonOf is the day in the words of a status that names one.
func reasonOf(s *proto.CertificateStatus) string {
	return regexp.MustCompile(`\d{4}-\d\d-\d\d`).FindString(s.Text)
}

// named finds a certificate in a file, or on a token by its id or thumbprint. What lies beside it in the file counts as
// intermediate.
func (a *app) named(ctx context.Context, o about) (*cert.Certificate, cert.Trust, func(), error) {
	t, done, err := a.trust(o.believing)
	if err != nil {
		return nil, t, nil, err
	}
	var all []*cert.Certificate
	if _, statErr := os.Stat(o.ref); statErr == nil || !certificateRef.MatchString(o.ref) {
		all, err = certificatesIn(o.ref)
	} else {
		all, err = a.onTokens(ctx, o)
	}
	if err != nil {
		done()
		return nil, t, nil, err
	}
	t.Intermediates = append(t.Intermediates, all[1:]...)
	return all[0], t, done, nil
}

var certificateRef = regexp.MustCompile(`^([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)

func certificatesIn(file string) ([]*cert.Certificate, error) {
	if info, err := os.Stat(file); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, usage(errors.New("want a file with a certificate, not a folder"))
	}
	all, err := cert.ReadFiles(file)
	var pathErr *os.PathError
	switch {
	case errors.As(err, &pathErr):
		return nil, err
	case len(all) == 0:
		return nil, proto.E(proto.CodeFormatCertificate, err, "detail", "no certificate in the file")
	}
	return all, nil
}

func (a *app) onTokens(ctx context.Context, o about) ([]*cert.Certificate, error) {
	list, err := a.listCertificates(ctx, true, o.demo)
	if err != nil {
		return nil, err
	}
	ref := strings.ToLower(o.ref)
	for _, c := range list.Certificates {
		if c.ID == ref || c.Thumbprint == ref {
			found, err := cert.Parse(c.DER)
			return []*cert.Certificate{found}, err
		}
	}
	return nil, proto.E(proto.CodeCertificateAbsent, nil, "id", o.ref)
}

func (a *app) certExportCommand() *cobra.Command {
	var o about
	var out, format string
	c := &cobra.Command{
		Use: "export ID|FILE", Short: a.t("cli.cert.export.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ref = args[0]
			return a.certExport(cmd.Context(), o, out, format)
		},
	}
	c.Flags().StringVar(&out, "out", "", a.t("cli.flag.outfile"))
	c.Flags().StringVar(&format, "format", "", a.t("cli.flag.format"))
	c.Flags().StringVar(&o.demo, "demo-token", "", a.t("cli.flag.demo"))
	c.Flags().StringArrayVar(&o.roots, "roots", nil, a.t("cli.flag.roots"))
	c.MarkFlagRequired("out")
	return c
}

// certExport writes a certificate; with .p7b the certificates above it as far as they are known, without asking anybody.
func (a *app) certExport(ctx context.Context, o about, out, format string) error {
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(out)), ".")
	}
	if !slices.Contains([]string{"cer", "crt", "der", "pem", "p7b"}, format) {
		return usage(errors.New("--format wants cer, pem or p7b"))
	}
	o.offline = true
	found, t, done, err := a.named(ctx, o)
	if err != nil {
		return err
	}
	defer done()
	data := found.Raw
	switch format {
	case "pem":
		data = cert.PEM(found)
	case "p7b":
		var chain []*cert.Certificate
		for _, l := range t.Explain(found) {
			chain = append(chain, l.Certificate)
		}
		if data, err = cert.Bundle(chain...); err != nil {
			return err
		}
	}
	if err := os.WriteFile(out, data, 0o644); err != nil {
		return err
	}
	return a.print(map[string]string{"file": out, "id": found.ID()}, func(w io.Writer) {
		fmt.Fprintln(w, a.t("cli.cert.export.done", "file", out))
	})
}

func (a *app) certImportCommand() *cobra.Command {
	var o about
	var fetch bool
	c := &cobra.Command{
		Use: "import-crl FILE", Short: a.t("cli.cert.import.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.ref = args[0]
			return a.certImport(cmd.Context(), o, fetch)
		},
	}
	c.Flags().BoolVar(&fetch, "fetch", false, a.t("cli.flag.fetch"))
	c.Flags().StringVar(&o.demo, "demo-token", "", a.t("cli.flag.demo"))
	c.Flags().StringArrayVar(&o.roots, "roots", nil, a.t("cli.flag.roots"))
	return c
}

// imported is a revocation list that is now kept.
type imported struct {
	From       string    `json:"from"`
	Issuer     string    `json:"issuer"`
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate,omitzero"`
}

func (a *app) certImport(ctx context.Context, o about, fetch bool) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	client, err := a.network(c, false)
	if err != nil {
		return err
	}
	defer client.Close()
	var kept []imported
	if fetch {
		kept, err = a.fetchLists(ctx, client, o)
	} else {
		kept, err = importList(client, o.ref)
	}
	if len(kept) > 0 {
		if printErr := a.print(kept, func(w io.Writer) { a.printImported(w, kept) }); printErr != nil {
			return printErr
		}
	}
	return err
}

func (a *app) printImported(w io.Writer, kept []imported) {
	for _, k := range kept {
		next := a.t("common.unknown")
		if !k.NextUpdate.IsZero() {
			next = k.NextUpdate.Local().Format(time.DateTime)
		}
		fmt.Fprintln(w, a.t("cli.cert.import.done", "issuer", report.Line(k.Issuer), "time", k.ThisUpdate.Local().Format(time.DateTime), "next", next))
	}
}

func importList(client *tsp.Client, file string) ([]imported, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	l, err := client.Import(file)
	var pathErr *os.PathError
	switch {
	case errors.As(err, &pathErr):
		return nil, err
	case err != nil:
		return nil, proto.E(proto.CodeFormatCrl, err, "detail", err.Error())
	}
	return []imported{listed(file, l)}, nil
}

func listed(from string, l *cert.CRL) imported {
	return imported{from, issuerName(l.RawIssuer), l.ThisUpdate, l.NextUpdate}
}

// issuerName is how people know an issuer: its common name, else its organization, else all of its name.
func issuerName(raw []byte) string {
	var rdn pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &rdn); err != nil {
		return ""
	}
	var n pkix.Name
	n.FillFromRDNSequence(&rdn)
	if len(n.Organization) > 0 {
		return cmp.Or(n.CommonName, n.Organization[0])
	}
	return cmp.Or(n.CommonName, n.String())
}

// fetchLists asks for the list of every certificate in the chain that names where it is.
func (a *app) fetchLists(ctx context.Context, client *tsp.Client, o about) (kept []imported, err error) {
	found, t, done, err := a.named(ctx, o)
	if err != nil {
		return nil, err
	}
	defer done()
	t.Source = client
	return fetchChainLists(ctx, client, t, found)
}

// fetchChainLists is fetchLists for a certificate that was found.
func fetchChainLists(ctx context.Context, client *tsp.Client, t cert.Trust, found *cert.Certificate) (kept []imported, err error) {
	path := t.Validate(ctx, found, cert.UseAny)
	var errs []error
	for i, l := range path.Links {
		var issuer *cert.Certificate
		if i+1 < len(path.Links) {
			issuer = path.Links[i+1].Certificate
		}
		for _, address := range l.Certificate.X509.CRLDistributionPoints {
			answer, err := client.FetchCRL(ctx, address, issuer)
			errs = append(errs, err)
			if answer.DER == nil {
				continue
			}
			parsed, err := cert.ParseCRL(answer.DER)
			if errs = append(errs, err); err == nil {
				kept = append(kept, listed(address, parsed))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return kept, proto.E(proto.CodeRevocationUnknown, err)
	}
	if len(kept) == 0 {
		return nil, proto.E(proto.CodeRevocationUnknown, errors.New("no certificate of the chain names a revocation list"))
	}
	return kept, nil
}
