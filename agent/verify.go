// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/signing"
	"persten/internal/ui/report"
	"persten/proto"
)

func (a *app) verifyCommand() *cobra.Command {
	var o checking
	c := &cobra.Command{
		Use: "verify FILE", Short: a.t("cli.verify.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.path = args[0]
			return a.verify(cmd.Context(), o)
		},
	}
	c.Flags().StringVar(&o.content, "content", "", a.t("cli.flag.content"))
	c.Flags().StringArrayVar(&o.idAttributes, "id-attr", nil, a.t("cli.flag.idattr"))
	c.Flags().StringVar(&o.report, "report", "", a.t("cli.flag.report"))
	c.Flags().BoolVar(&o.open, "open", false, a.t("cli.flag.openreport"))
	a.trustFlags(c, &o.believing)
	c.AddCommand(a.verifyLoginCommand())
	return c
}

// checking is a parsed `persten verify` command line.
type checking struct {
	path, content string
	idAttributes  []string
	report        string // file of the page for people
	open          bool   // show it
	believing
}

// verify needs no keys and no session. A detached signature FILE.p7s is checked against FILE when --content is not given. Its exit
// code tells the three outcomes apart.
func (a *app) verify(ctx context.Context, o checking) error {
	trust, done, err := a.trust(o.believing)
	if err != nil {
		return err
	}
	defer done()
	if _, err := reportKind(o.report); err != nil {
		return err
	}
	found, err := verifyFile(ctx, o, trust)
	if errors.Is(err, cms.ErrNoContent) && o.content == "" {
		if beside, ok := besideSignature(o.path); ok {
			o.content = beside
			found, err = verifyFile(ctx, o, trust)
		}
	}
	if err != nil {
		return verifyError(err)
	}
	d := report.Document{Lang: a.lang, File: o.path, Version: version, Report: signing.Reported(found, string(a.lang))}
	if err := a.print(d.Report, func(w io.Writer) { report.Text(w, d) }); err != nil {
		return err
	}
	if err := a.savePage(ctx, o, d); err != nil {
		return err
	}
	return outcome(found.Indication(), signing.VerifyFault(found))
}

// outcome is the error of a check that did not pass.
func outcome(i cms.Indication, fault *proto.Error) error {
	switch i {
	case cms.TotalPassed:
		return nil
	case cms.TotalFailed:
		return fault
	}
	if fault == nil { // a report without signatures
		fault = proto.E(proto.CodeSignatureInvalid, nil)
	}
	return &unconfirmed{fault}
}

// unconfirmed is the outcome of a check that neither passed nor failed. It has an exit code of its own.
type unconfirmed struct{ cause *proto.Error }

func (u *unconfirmed) Error() string { return "not confirmed: " + u.cause.Error() }
func (u *unconfirmed) Unwrap() error { return u.cause }

func verifyFile(ctx context.Context, o checking, trust cert.Trust) (*cms.Report, error) {
	f, err := os.Open(o.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if xml, err := looksXML(f); err != nil || xml {
		if err == nil && o.content != "" {
			err = usage(errors.New("--content does not go with an XML document: its signature is inside"))
		}
		if err != nil {
			return nil, err
		}
		return signing.VerifyXML(ctx, f, trust, o.idAttributes)
	}
	if o.content == "" {
		return signing.VerifyCMS(ctx, f, nil, trust)
	}
	d, err := os.Open(o.content)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return signing.VerifyCMS(ctx, f, d, trust)
}

// looksXML tells an XML document from a CMS signature by its first bytes, and leaves f at its beginning. DER begins with the
// digit 0, PEM with a dash.
func looksXML(f io.ReadSeeker) (bool, error) {
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	head = head[:n]
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} { // UTF-8, UTF-16
		if rest, ok := bytes.CutPrefix(head, []byte(mark)); ok {
			head = rest
			break
		}
	}
	return bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n\x00"), []byte("<")), nil
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
	var known *proto.Error
	switch {
	case errors.As(err, &pathErr), errors.As(err, &known), errors.Is(err, context.Canceled):
		return err
	}
	return proto.E(proto.CodeFormatCMS, err, "detail", err.Error())
}
