// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"persten/internal/signing"
	"persten/proto"
)

// rawSigned is what `persten sign raw` tells.
type rawSigned struct {
	Signature   string `json:"signature"` // lower hex
	Algorithm   string `json:"algorithm"`
	Certificate string `json:"certificate"`
}

func (a *app) signRawCommand() *cobra.Command {
	var o order
	p := proto.SignRawParams{Certificate: strings.Repeat("0", 64)}
	c := &cobra.Command{
		Use: "raw --cert ID (--in FILE | --digest HEX)", Short: a.t("cli.sign.raw.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (o.in == "") == (p.Digest == "") {
				return usage(errors.New("--in FILE or --digest HEX is needed"))
			}
			p.Digest = strings.ToLower(p.Digest)
			if err := p.Validate(); err != nil {
				e := proto.AsError(err)
				return usage(fmt.Errorf("%s %s", e.Args["field"], e.Args["detail"]))
			}
			return a.signRaw(cmd.Context(), o, p)
		},
	}
	a.keyFlags(c, &o)
	f := c.Flags()
	f.StringVar(&o.in, "in", "", a.t("cli.flag.in"))
	f.StringVar(&p.Digest, "digest", "", a.t("cli.flag.digest"))
	f.StringVar(&p.Algorithm, "algorithm", "", a.t("cli.flag.algorithm"))
	f.StringVar(&p.Name, "name", "", a.t("cli.flag.name"))
	return c
}

func (a *app) signRaw(ctx context.Context, o order, p proto.SignRawParams) error {
	if err := o.keyed(); err != nil {
		return err
	}
	var in *os.File // nil: there is a digest
	if o.in != "" {
		var err error
		if in, err = os.Open(o.in); err != nil {
			return err
		}
		defer in.Close()
	}
	sign := a.rawBySession
	if o.alone() {
		sign = a.rawAlone
	}
	made, err := sign(ctx, o, in, p)
	if err != nil {
		return err
	}
	return a.print(made, func(w io.Writer) { fmt.Fprintln(w, made.Signature) })
}

func (a *app) rawBySession(ctx context.Context, o order, in *os.File, p proto.SignRawParams) (rawSigned, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return rawSigned{}, err
	}
	defer c.Close()
	p.Certificate = o.cert
	if in != nil {
		handle, err := a.uploadShown(ctx, c, o.cert, in)
		if err != nil {
			return rawSigned{}, err
		}
		p.Content = &proto.Content{Handle: handle}
	}
	r, err := ask[proto.SignRawResult](ctx, c, proto.MethodSignRaw, p)
	if err != nil {
		return rawSigned{}, err
	}
	return rawSigned{hex.EncodeToString(r.Signature), r.Algorithm, r.Certificate}, nil
}

func (a *app) rawAlone(ctx context.Context, o order, in *os.File, p proto.SignRawParams) (rawSigned, error) {
	s, engine, err := a.aloneEngine(ctx, o)
	if err != nil {
		return rawSigned{}, err
	}
	defer s.close()
	who := commandCaller(string(a.lang))
	ask := signing.RawRequest{Certificate: cmp.Or(s.cert, o.cert), Algorithm: p.Algorithm, Name: p.Name}
	if in != nil {
		content, drop, err := a.spooled(engine, who, in)
		if err != nil {
			return rawSigned{}, err
		}
		defer drop()
		ask.Content = content
	} else if ask.Digest, err = hex.DecodeString(p.Digest); err != nil {
		return rawSigned{}, err
	}
	r, err := engine.SignRaw(ctx, who, ask)
	if err != nil {
		return rawSigned{}, err
	}
	return rawSigned{hex.EncodeToString(r.Signature), string(r.Algorithm), r.Certificate.ID()}, nil
}
