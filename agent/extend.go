// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/signing"
	"persten/proto"
)

// extending is a parsed `persten extend` command line.
type extending struct {
	file, out, content, tsa string
	signer                  int // from 1; 0: all that have no time-stamp
	believing
}

func (a *app) extendCommand() *cobra.Command {
	var o extending
	c := &cobra.Command{
		Use: "extend FILE --out FILE", Short: a.t("cli.extend.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			if o.out == "" || o.signer < 0 || cmd.Flags().Changed("signer") && o.signer == 0 {
				return usage(errors.New("--out is needed, and --signer counts from 1"))
			}
			return a.extend(cmd.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.out, "out", "", a.t("cli.flag.newfile"))
	f.StringVar(&o.tsa, "tsa", "", a.t("cli.flag.tsa"))
	f.IntVar(&o.signer, "signer", 0, a.t("cli.flag.signer"))
	f.StringVar(&o.content, "content", "", a.t("cli.flag.content"))
	f.StringArrayVar(&o.roots, "roots", nil, a.t("cli.flag.roots"))
	return c
}

// extended is what `persten extend` tells.
type extended struct {
	File    string          `json:"file"`
	Signers []stampedSigner `json:"signers"`
}

type stampedSigner struct {
	Signer    int       `json:"signer"` // from 1
	Time      time.Time `json:"time"`
	Authority string    `json:"authority"`
}

// extend gives signatures their time-stamps, into a new file. It needs no key. Only what is intact is stamped, so a detached
// signature needs its document, found as `persten verify` does; the result is verified before it has its name.
func (a *app) extend(ctx context.Context, o extending) error {
	if _, err := os.Lstat(o.out); err == nil {
		return &os.PathError{Op: "create", Path: o.out, Err: os.ErrExist}
	}
	f, err := os.Open(o.file)
	if err != nil {
		return err
	}
	defer f.Close()
	trust, done, err := a.trust(o.believing)
	if err != nil {
		return err
	}
	defer done()
	c, err := a.config()
	if err != nil {
		return err
	}
	authority := a.stampers(c, func() cert.Trust { return trust })(o.tsa)
	if authority == nil {
		return proto.E(proto.CodeTimestampAbsent, nil)
	}
	wanted, err := o.wanted(ctx, f)
	if err != nil {
		return err
	}
	made := extended{File: o.out}
	err = writeChecked(o.out, func(w io.Writer) error {
		return extendError(cms.Extend(ctx, w, f, authority, wanted...))
	}, func(r io.ReadSeeker) (err error) {
		made.Signers, err = o.stamped(ctx, r, wanted)
		return err
	})
	if err != nil {
		return err
	}
	return a.print(made, func(w io.Writer) { fmt.Fprintln(w, a.t("cli.extend.done", "file", o.out)) })
}

// wanted is which signers get a time-stamp, from 0, and leaves f at its beginning. It finds the document.
func (o *extending) wanted(ctx context.Context, f io.ReadSeeker) (list []int, err error) {
	r, err := o.intact(ctx, f)
	if errors.Is(err, cms.ErrNoContent) && o.content == "" {
		if beside, ok := besideSignature(o.file); ok {
			o.content = beside
			r, err = o.intact(ctx, f)
		}
	}
	if err != nil {
		return nil, err
	}
	if o.signer > len(r.Signers) {
		return nil, proto.E(proto.CodeSignerAbsent, nil, "signer", strconv.Itoa(o.signer))
	}
	for i, s := range r.Signers {
		if o.signer == 0 && len(s.TimeStamps) > 0 || o.signer > 0 && o.signer != i+1 {
			continue
		}
		if !s.Intact {
			return nil, signing.VerifyFault(&cms.Report{Signers: []cms.SignerReport{s}})
		}
		list = append(list, i)
	}
	if len(list) == 0 {
		return nil, extendError(cms.ErrStamped)
	}
	_, err = f.Seek(0, io.SeekStart)
	return list, err
}

// intact looks at the mathematics of a signature; nobody is asked about certificates.
func (o *extending) intact(ctx context.Context, r io.ReadSeeker) (*cms.Report, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if o.content == "" {
		return signing.VerifyCMS(ctx, r, nil, cert.Trust{})
	}
	d, err := os.Open(o.content)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return signing.VerifyCMS(ctx, r, d, cert.Trust{})
}

// stamped verifies the new file: every wanted signer is as intact as before and has a time-stamp that fits.
func (o *extending) stamped(ctx context.Context, r io.ReadSeeker, wanted []int) (list []stampedSigner, err error) {
	report, err := o.intact(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, i := range wanted {
		if i >= len(report.Signers) || !report.Signers[i].Intact { // it was, a moment ago
			return nil, proto.E(proto.CodeContentChanged, nil)
		}
		stamps := report.Signers[i].TimeStamps
		if len(stamps) != 1 {
			return nil, extendError(cms.ErrStamp)
		}
		ts := stamps[0]
		if err := errors.Join(ts.Problem, ts.Signer.Problem); err != nil || ts.Signer.Certificate == nil {
			return nil, extendError(errors.Join(cms.ErrStamp, err))
		}
		list = append(list, stampedSigner{i + 1, ts.Time.UTC(), ts.Signer.Certificate.Card().Owner.Name()})
	}
	return list, nil
}

// extendError finds the catalogue's word; what an authority's client says has its own already.
func extendError(err error) error {
	var known *proto.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, cms.ErrStamped):
		return usage(err)
	case errors.Is(err, cms.ErrStamp):
		return proto.E(proto.CodeTimestampInvalid, err, "detail", detail(err))
	case errors.Is(err, cms.ErrContentChanged):
		return proto.E(proto.CodeContentChanged, err)
	case errors.Is(err, cms.ErrFormat), errors.Is(err, cms.ErrLimit):
		return verifyError(err)
	}
	return err
}
