// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/signing"
	"persten/proto"
)

func (a *app) verifyCommand() *cobra.Command {
	var content string
	var trusted []string
	c := &cobra.Command{
		Use: "verify FILE", Short: a.t("cli.verify.short"), Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.verify(args[0], content, trusted) },
	}
	c.Flags().StringVar(&content, "content", "", a.t("cli.flag.content"))
	c.Flags().StringArrayVar(&trusted, "roots", nil, a.t("cli.flag.roots"))
	return c
}

// verify needs no keys and no session. A detached signature FILE.p7s is checked against FILE when --content is not given.
func (a *app) verify(path, content string, trusted []string) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	trust := roots(append(c.Trust.Roots, trusted...))
	report, err := verifyFile(path, content, trust)
	if errors.Is(err, cms.ErrNoContent) && content == "" {
		if beside, ok := besideSignature(path); ok {
			report, err = verifyFile(path, beside, trust)
		}
	}
	if err != nil {
		return verifyError(err)
	}
	result := signing.Reported(report, string(a.lang))
	if err := a.print(result, func(w io.Writer) { a.printReport(w, result) }); err != nil {
		return err
	}
	if !report.Valid() {
		return proto.E(proto.CodeSignatureInvalid, nil)
	}
	return nil
}

func verifyFile(path, content string, trust cert.Trust) (*cms.Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if content == "" {
		return cms.Verify(f, nil, trust)
	}
	d, err := os.Open(content)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return cms.Verify(f, d, trust)
}

// besideSignature finds the document of a signature named DOCUMENT.p7s or DOCUMENT.sig.
func besideSignature(path string) (string, bool) {
	for _, suffix := range []string{".p7s", ".sig", ".sgn"} {
		if name, ok := strings.CutSuffix(path, suffix); ok {
			_, err := os.Stat(name)
			return name, err == nil
		}
	}
	return "", false
}

func verifyError(err error) error {
	var pathErr *os.PathError
	switch {
	case errors.As(err, &pathErr):
		return err
	case errors.Is(err, cms.ErrNoContent):
		return proto.E(proto.CodeContentRequired, err)
	}
	return proto.E(proto.CodeFormatCMS, err, "detail", err.Error())
}

func (a *app) printReport(w io.Writer, r *proto.VerifyCMSResult) {
	for _, s := range r.Signers {
		name, at := a.t("common.unknown"), a.t("common.unknown")
		if s.Certificate != nil {
			name = join(s.Certificate.Name, s.Certificate.Organization)
		}
		if !s.SigningTime.IsZero() {
			at = s.SigningTime.Local().Format(time.DateTime)
		}
		if !s.Valid {
			fmt.Fprintln(w, a.t("cli.verify.invalid", "reason", s.Text))
			continue
		}
		fmt.Fprintln(w, a.t("cli.verify.valid", "name", name, "time", at))
		if s.Trusted {
			fmt.Fprintln(w, a.t("cli.verify.trusted"))
		} else {
			fmt.Fprintln(w, a.t("cli.verify.untrusted"))
		}
	}
}
