// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/signing"
	"persten/internal/ui"
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
	c.Flags().StringArrayVar(&o.roots, "roots", nil, a.t("cli.flag.roots"))
	c.Flags().StringArrayVar(&o.idAttributes, "id-attr", nil, a.t("cli.flag.idattr"))
	return c
}

// checking is a parsed `persten verify` command line.
type checking struct {
	path, content       string
	roots, idAttributes []string
}

// verify needs no keys and no session. A detached signature FILE.p7s is checked against FILE when --content is not given.
func (a *app) verify(ctx context.Context, o checking) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	trust := roots(append(c.Trust.Roots, o.roots...))
	report, err := verifyFile(ctx, o, trust)
	if errors.Is(err, cms.ErrNoContent) && o.content == "" {
		if beside, ok := besideSignature(o.path); ok {
			o.content = beside
			report, err = verifyFile(ctx, o, trust)
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
		return cms.Verify(f, nil, trust)
	}
	d, err := os.Open(o.content)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return cms.Verify(f, d, trust)
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
	case errors.Is(err, cms.ErrNoContent):
		return proto.E(proto.CodeContentRequired, err)
	}
	return proto.E(proto.CodeFormatCMS, err, "detail", err.Error())
}

func (a *app) printReport(w io.Writer, r *proto.Report) {
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
		for _, ref := range s.References {
			a.printCovered(w, ref)
		}
		if s.Trusted {
			fmt.Fprintln(w, a.t("cli.verify.trusted"))
		} else {
			fmt.Fprintln(w, a.t("cli.verify.untrusted"))
		}
	}
}

// printCovered says what a signature speaks of; its own parts say nothing to people, but for what was put into it.
func (a *app) printCovered(w io.Writer, r proto.Reference) {
	element := ui.Safe(r.Element, maxElement)
	switch {
	case r.Own && r.Element == "Object":
		fmt.Fprintln(w, "  "+a.t("cli.verify.inside"))
	case r.Own:
		return
	case r.Whole:
		fmt.Fprintln(w, "  "+a.t("cli.verify.whole"))
	case r.Begin == r.End:
		fmt.Fprintln(w, "  "+a.t("cli.verify.uncertain"))
	case len(r.Holes) > 0:
		fmt.Fprintln(w, "  "+a.t("cli.verify.holes", "name", element, "id", ui.Safe(r.ID, maxElement), "n", strconv.Itoa(len(r.Holes))))
	default:
		fmt.Fprintln(w, "  "+a.t("cli.verify.element", "name", element, "id", ui.Safe(r.ID, maxElement)))
	}
}

const maxElement = 80 // columns of an element's name or Id
