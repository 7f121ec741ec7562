// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/text"
	"persten/internal/ui/report"
	"persten/internal/xmldsig"
	"persten/proto"
)

func (a *app) accreditedCommand() *cobra.Command {
	var fingerprint string
	c := &cobra.Command{
		Use: "import-accredited FILE", Short: a.t("cli.trust.accredited.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.importAccredited(cmd.Context(), args[0], fingerprint)
		},
	}
	c.Flags().StringVar(&fingerprint, "fingerprint", "", a.t("cli.flag.fingerprint"))
	return c
}

// maxAccreditedFile bounds the list, which has some 40 MB.
const maxAccreditedFile = 128 << 20

// accreditedList is what is kept of the list, as the command shows it.
type accreditedList struct {
	Signer       anchor    `json:"signer"` // whose signature the list has
	Date         time.Time `json:"date,omitzero"`
	Certificates int       `json:"certificates"`
}

// importAccredited takes the certificates of the authorities that are accredited now out of the ministry's list. The list
// has to be signed as a whole, and the person to agree, with the signer's fingerprint before their eyes or given in advance.
// One list replaces the other.
func (a *app) importAccredited(ctx context.Context, file, fingerprint string) error {
	data, err := readAtMost(file, maxAccreditedFile)
	if err != nil {
		return err
	}
	signer, err := a.signedList(ctx, data)
	if err != nil {
		return err
	}
	list, err := cert.ParseAccreditedList(bytes.NewReader(data))
	if err != nil {
		return notAList(err)
	}
	now := list.At(time.Now())
	found := accreditedList{describeAnchor(signer), list.Date, len(now)}
	if !a.json {
		a.printList(a.out, found)
	}
	if err := a.agreed(a.t("cli.trust.askList"), signer.ID(), fingerprint); err != nil {
		return err
	}
	dir, err := trustFolder(accreditedFolder)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(dir, "list.pem"), cert.PEM(now...)); err != nil {
		return err
	}
	return a.print(found, func(w io.Writer) {
		fmt.Fprintln(w, a.t("cli.trust.added", "name", text.Plural(a.lang, "count.authorities", len(now))))
	})
}

func (a *app) printList(w io.Writer, l accreditedList) {
	fmt.Fprintln(w, a.t("cli.trust.list.signed", "name", report.Line(l.Signer.Name)))
	fmt.Fprintln(w, "  "+a.t("cli.trust.fingerprint", "value", spaced(l.Signer.ID)))
	if !l.Date.IsZero() {
		fmt.Fprintln(w, a.t("cli.trust.list.dated", "date", l.Date.Local().Format(time.DateOnly)))
	}
	fmt.Fprintln(w, text.Plural(a.lang, "count.authorities", l.Certificates))
}

// signedList finds who signed the list as a whole. Whether that is the ministry the person says, by the fingerprint.
func (a *app) signedList(ctx context.Context, data []byte) (*cert.Certificate, error) {
	r, err := xmldsig.Verify(ctx, bytes.NewReader(data), cert.Trust{}, xmldsig.VerifyOptions{})
	if err != nil {
		return nil, notAList(err)
	}
	for _, s := range r.Signers {
		whole := slices.ContainsFunc(s.References, func(ref cms.Reference) bool { return ref.Whole && ref.Valid })
		if s.Valid && whole {
			return s.Certificate, nil
		}
	}
	return nil, notAList(errors.New("no signature covers the whole list"))
}

func notAList(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return proto.E(proto.CodeFormatTrustList, err, "detail", detail(err))
}

func readAtMost(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = notAList(fmt.Errorf("over %d bytes", limit))
	}
	return data, err
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
