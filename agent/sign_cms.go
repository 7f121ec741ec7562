// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"persten/internal/signing"
	"persten/proto"
)

// cmsOrder is what `persten sign cms` adds to an order, as typed.
type cmsOrder struct {
	params                    proto.SignCMSParams
	profile, addTo            string
	policy, digest, policyURI string
	attributes                proto.CMSAttributes
	location                  proto.SignerLocation
}

func (a *app) signCMSCommand() *cobra.Command {
	var o order
	var x cmsOrder
	c := &cobra.Command{
		Use: "cms --cert ID --in FILE --out FILE", Short: a.t("cli.sign.cms.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.cms, err = x.parse(); err != nil {
				return err
			}
			o.addTo = x.addTo
			return a.sign(cmd.Context(), o)
		},
	}
	a.signFlags(c, &o)
	f := c.Flags()
	f.BoolVar(&x.params.Attached, "attached", false, a.t("cli.flag.attached"))
	f.StringVar(&x.profile, "profile", "", a.t("cli.flag.cmsprofile"))
	f.StringVar(&x.params.Tsa, "tsa", "", a.t("cli.flag.tsa"))
	f.StringVar(&x.addTo, "add-to", "", a.t("cli.flag.addto"))
	f.IntVar(&x.params.Countersign, "countersign", 0, a.t("cli.flag.countersign"))
	f.StringVar(&x.params.Algorithm, "algorithm", "", a.t("cli.flag.algorithm"))
	f.StringVar(&x.policy, "policy", "", a.t("cli.flag.policy"))
	f.StringVar(&x.digest, "policy-digest", "", a.t("cli.flag.policydigest"))
	f.StringVar(&x.policyURI, "policy-uri", "", a.t("cli.flag.policyuri"))
	f.StringVar(&x.attributes.DocumentName, "document-name", "", a.t("cli.flag.documentname"))
	f.StringVar(&x.attributes.Commitment, "commitment", "", a.t("cli.flag.commitment"))
	f.StringVar(&x.location.Country, "country", "", a.t("cli.flag.country"))
	f.StringVar(&x.location.Locality, "locality", "", a.t("cli.flag.locality"))
	return c
}

// profiles are the short names of the command line.
var profiles = map[string]proto.CMSProfile{
	"": "", "bes": proto.CMSProfileCadesBes, "t": proto.CMSProfileCadesT, "472": proto.CMSProfileRu472,
}

// parse turns the flags into the parameters of sign.cms, all but the certificate and the contents.
func (x cmsOrder) parse() (*proto.SignCMSParams, error) {
	p := x.params
	var ok bool
	if p.Profile, ok = profiles[strings.ToLower(x.profile)]; !ok {
		return nil, usage(errors.New("--profile is bes, t or 472"))
	}
	if p.Tsa != "" && p.Profile != proto.CMSProfileCadesT {
		return nil, usage(errors.New("--tsa goes with --profile t"))
	}
	if p.Countersign > 0 && x.addTo == "" {
		return nil, usage(errors.New("--countersign goes with --add-to"))
	}
	var err error
	if p.Policy, err = policyFlags(x.policy, x.digest, x.policyURI); err != nil {
		return nil, err
	}
	if l := x.location; l.Country != "" || l.Locality != "" {
		x.attributes.Location = &l
	}
	if at := x.attributes; at.Location != nil || at.DocumentName != "" || at.Commitment != "" {
		p.Attributes = &at
	}
	return &p, schema(p)
}

// schema holds the parameters to the protocol's schema, also when no session will.
func schema(p proto.SignCMSParams) error {
	p.Certificate = strings.Repeat("0", 64)
	if err := p.Validate(); err != nil {
		e := proto.AsError(err)
		return usage(fmt.Errorf("%s %s", e.Args["field"], e.Args["detail"]))
	}
	return nil
}

// policyFlags reads the flags that name a signature policy; nil when there are none.
func policyFlags(id, digest, uri string) (*proto.XMLPolicy, error) {
	if id == "" {
		return nil, nil
	}
	alg, digits, _ := strings.Cut(digest, ":")
	sum, err := hex.DecodeString(digits)
	if err != nil || len(sum) == 0 {
		return nil, usage(errors.New("--policy needs --policy-digest ALGORITHM:HEX"))
	}
	return &proto.XMLPolicy{ID: id, Digest: sum, DigestAlg: alg, URI: uri}, nil
}

// cmsBySession lets the session sign; content is nil when the document is in the file of --add-to.
func (a *app) cmsBySession(ctx context.Context, c *client, o order, content *proto.Content, w io.Writer) (signed, error) {
	p := *o.cms
	p.Certificate, p.Content = o.cert, content
	if o.addTo != "" {
		f, err := os.Open(o.addTo)
		if err != nil {
			return signed{}, err
		}
		defer f.Close()
		handle, err := a.uploadShown(ctx, c, "", f)
		if err != nil {
			return signed{}, err
		}
		p.AddTo = &proto.Content{Handle: handle}
	}
	r, err := ask[proto.SignCMSResult](ctx, c, proto.MethodSignCMS, p)
	if err != nil {
		return signed{}, err
	}
	return signed{"", r.Certificate, r.SigningTime}, a.downloadShown(ctx, c, r.Signature, w)
}

// cmsAlone signs in this process; content is nil when the document is in the file of --add-to.
func cmsAlone(ctx context.Context, e *signing.Engine, who signing.Caller, id string, o order, content *signing.Content, w io.Writer) (*signing.Result, error) {
	r := signing.CMSRequest{Certificate: id, Content: content, Attached: o.cms.Attached, Algorithm: o.cms.Algorithm, Form: signing.CMSFormOf(*o.cms)}
	if o.addTo != "" {
		f, err := os.Open(o.addTo)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		handle, kept, err := e.Store().Create(who.Channel, filepath.Base(o.addTo), "", func(spool io.Writer) error {
			_, err := io.Copy(spool, f)
			return err
		})
		if err != nil {
			return nil, err
		}
		defer e.Store().Drop(who.Channel, handle)
		r.AddTo = kept
	}
	return e.SignCMS(ctx, who, r, w)
}
