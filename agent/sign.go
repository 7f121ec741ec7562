// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/secret"
	"persten/proto"
)

// order is a parsed `persten sign` command line.
type order struct {
	cert, in, out string
	attached      bool                 // of a batch
	cms           *proto.SignCMSParams // what a CMS signature is to look like; nil makes XML
	addTo         string               // file with a CMS signature that gets one more
	xml           *proto.SignXMLParams // what an XML signature is to look like
	key           string               // PKCS#12 file
	pinFD, passFD int                  // -1: not given
	pin           *secret.Buffer
	standalone    bool
	demo          string
}

// signed is what a signature command tells of its result.
type signed struct {
	File        string    `json:"file"`
	Certificate string    `json:"certificate"`
	SigningTime time.Time `json:"signingTime"`
}

func (a *app) signCommand() *cobra.Command {
	sign := &cobra.Command{Use: "sign", Short: a.t("cli.sign.short"), Args: noArgs, RunE: showHelp}
	sign.AddCommand(a.signCMSCommand(), a.signXMLCommand(), a.signRawCommand(), a.signBatchCommand(), a.signTestCommand())
	return sign
}

// signFlags are the flags of every signature: what, where to, and with which key.
func (a *app) signFlags(c *cobra.Command, o *order) {
	c.Flags().StringVar(&o.in, "in", "", a.t("cli.flag.in"))
	c.Flags().StringVar(&o.out, "out", "", a.t("cli.flag.out"))
	a.keyFlags(c, o)
}

// keyFlags say with which key.
func (a *app) keyFlags(c *cobra.Command, o *order) {
	f := c.Flags()
	f.StringVar(&o.cert, "cert", "", a.t("cli.flag.cert"))
	f.StringVar(&o.key, "key", "", a.t("cli.flag.key"))
	f.IntVar(&o.passFD, "pass-fd", -1, a.t("cli.flag.passfd"))
	f.IntVar(&o.pinFD, "pin-fd", -1, a.t("cli.flag.pinfd"))
	f.BoolVar(&o.standalone, "standalone", false, a.t("cli.flag.standalone"))
	f.StringVar(&o.demo, "demo-token", "", a.t("cli.flag.demo"))
}

func (o order) check() error {
	if o.in == "" && o.addTo == "" || o.out == "" {
		return usage(errors.New("--in and --out are needed"))
	}
	return o.keyed()
}

// keyed checks that a key is named.
func (o order) keyed() error {
	switch {
	case o.cert == "" && o.key == "":
		return usage(errors.New("--cert ID or --key FILE is needed"))
	case o.key != "" && o.passFD < 0:
		return usage(errors.New("--key needs --pass-fd"))
	}
	return nil
}

func (a *app) sign(ctx context.Context, o order) error {
	if err := o.check(); err != nil {
		return err
	}
	var in *os.File // nil: the document is in the file of --add-to
	if o.in != "" {
		var err error
		if in, err = os.Open(o.in); err != nil {
			return err
		}
		defer in.Close()
	}
	sign := a.signBySession
	if o.alone() {
		sign = a.signAlone
	}
	var made signed
	err := writeWhole(o.out, func(w io.Writer) (err error) {
		made, err = sign(ctx, o, in, w)
		return err
	})
	if err != nil {
		return err
	}
	made.File = o.out
	return a.print(made, func(w io.Writer) { fmt.Fprintln(w, a.t("cli.sign.done", "file", o.out)) })
}

// alone reports whether this process signs.
func (o order) alone() bool { return o.standalone || o.key != "" || o.pinFD >= 0 || o.demo != "" }

// signBySession lets the running session ask in its own window.
func (a *app) signBySession(ctx context.Context, o order, in *os.File, w io.Writer) (signed, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return signed{}, err
	}
	defer c.Close()
	var content *proto.Content
	if in != nil {
		handle, err := a.uploadShown(ctx, c, o.cert, in)
		if err != nil {
			return signed{}, err
		}
		content = &proto.Content{Handle: handle}
	}
	if o.xml != nil {
		p := *o.xml
		p.Certificate, p.Content = o.cert, *content
		r, err := ask[proto.SignXMLResult](ctx, c, proto.MethodSignXML, p)
		if err != nil {
			return signed{}, err
		}
		return signed{"", r.Certificate, r.SigningTime}, a.downloadShown(ctx, c, r.Document, w)
	}
	return a.cmsBySession(ctx, c, o, content, w)
}

func showHelp(c *cobra.Command, _ []string) error { return c.Help() }
