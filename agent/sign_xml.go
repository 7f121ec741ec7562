// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"persten/proto"
)

// xmlOrder is what `persten sign xml` adds to an order, as typed.
type xmlOrder struct {
	params                    proto.SignXMLParams
	mode, profile             string
	references, ns            []string
	place, position           string
	policy, digest, policyURI string
}

func (a *app) signXMLCommand() *cobra.Command {
	var o order
	var x xmlOrder
	c := &cobra.Command{
		Use: "xml --cert ID --in FILE [--out FILE]", Short: a.t("cli.sign.xml.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.out == "" && o.in != "" {
				o.out = besideDocument(o.in)
			}
			if o.xml, err = x.parse(); err != nil {
				return err
			}
			return a.sign(cmd.Context(), o)
		},
	}
	a.signFlags(c, &o)
	f := c.Flags()
	f.StringVar(&x.mode, "mode", "", a.t("cli.flag.mode"))
	f.StringVar(&x.profile, "profile", "", a.t("cli.flag.profile"))
	f.StringArrayVar(&x.references, "ref", nil, a.t("cli.flag.ref"))
	f.StringVar(&x.params.C14N, "c14n", "", a.t("cli.flag.c14n"))
	f.StringVar(&x.place, "place", "", a.t("cli.flag.place"))
	f.StringVar(&x.position, "position", "", a.t("cli.flag.position"))
	f.StringArrayVar(&x.ns, "ns", nil, a.t("cli.flag.ns"))
	f.StringArrayVar(&x.params.IDAttributes, "id-attr", nil, a.t("cli.flag.idattr"))
	f.StringVar(&x.params.SignatureID, "signature-id", "", a.t("cli.flag.signatureid"))
	f.StringVar(&x.params.Algorithm, "algorithm", "", a.t("cli.flag.algorithm"))
	f.IntVar(&x.params.Columns, "columns", 0, a.t("cli.flag.columns"))
	f.BoolVar(&x.params.KeyValue, "key-value", false, a.t("cli.flag.keyvalue"))
	f.BoolVar(&x.params.Parallel, "parallel", false, a.t("cli.flag.parallel"))
	f.StringVar(&x.policy, "policy", "", a.t("cli.flag.policy"))
	f.StringVar(&x.digest, "policy-digest", "", a.t("cli.flag.policydigest"))
	f.StringVar(&x.policyURI, "policy-uri", "", a.t("cli.flag.policyuri"))
	return c
}

// besideDocument is where a signed document goes when nothing else is said: contract.xml becomes contract.signed.xml.
func besideDocument(in string) string {
	ext := filepath.Ext(in)
	return strings.TrimSuffix(in, ext) + ".signed" + ext
}

// parse turns the flags into the parameters of sign.xml, all but the certificate and the document.
func (x xmlOrder) parse() (*proto.SignXMLParams, error) {
	p := x.params
	p.Mode, p.Profile = proto.XMLMode(x.mode), proto.XMLProfile(x.profile)
	for _, id := range x.references {
		p.References = append(p.References, proto.XMLReference{ID: id})
	}
	if x.place != "" || x.position != "" {
		p.Place = &proto.XMLPlace{Path: x.place, Position: proto.XMLPosition(x.position)}
		for _, ns := range x.ns {
			prefix, uri, ok := strings.Cut(ns, "=")
			if !ok {
				return nil, usage(errors.New("--ns is PREFIX=NAMESPACE"))
			}
			p.Place.Namespaces = append(p.Place.Namespaces, proto.XMLNamespace{Prefix: prefix, URI: uri})
		}
	}
	var err error
	if p.Policy, err = policyFlags(x.policy, x.digest, x.policyURI); err != nil {
		return nil, err
	}
	return &p, usable(p)
}

// usable holds the parameters to the protocol's schema, also when no session will.
func usable(p proto.SignXMLParams) error {
	p.Certificate, p.Content = strings.Repeat("0", 64), proto.Content{Inline: []byte{}}
	if err := p.Validate(); err != nil {
		e := proto.AsError(err)
		return usage(fmt.Errorf("%s %s", e.Args["field"], e.Args["detail"]))
	}
	return nil
}
