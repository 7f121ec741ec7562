// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"strings"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/config"
	"persten/internal/tsp"
	"persten/proto"
)

// newNetwork is the client of time-stamps and revocation answers that c describes, with its cache in dir.
func newNetwork(c *config.Config, dir string, offline bool) (*tsp.Client, error) {
	return tsp.New(tsp.Options{
		Offline: offline || c.Network.Offline, Proxy: c.Network.Proxy, Allow: c.Network.Allow, NoOCSP: !c.Trust.OCSP, Dir: dir,
	})
}

// stamper is one authority, with errors of the catalogue.
type stamper struct{ at *tsp.Stamper }

// newStamper asks the authority at address, which may be called wherever it is: who named it meant it. trust tells which
// authorities are believed.
func newStamper(n *tsp.Client, address string, trust cert.Trust) cms.Stamper {
	return stamper{n.Stamper(address, trust).Named()}
}

// Stamp implements cms.Stamper.
func (s stamper) Stamp(ctx context.Context, d algo.Digest, imprint []byte) ([]byte, error) {
	token, err := s.at.Stamp(ctx, d, imprint)
	return token, networkFault(err)
}

type networkCode struct {
	err  error
	code proto.Code
}

var networkFaults = []networkCode{
	{tsp.ErrTimeStamp, proto.CodeTimestampInvalid}, // first: it may wrap errors of the fetches it took to judge it
	{tsp.ErrRefused, proto.CodeNetworkRefused},
	{tsp.ErrOffline, proto.CodeNetworkOffline},
	{tsp.ErrProxyAuth, proto.CodeProxyAuth}, // proxies before what they stand in the way of
	{tsp.ErrPAC, proto.CodeProxyScript},
	{tsp.ErrProxy, proto.CodeProxyFailed},
	{tsp.ErrIdentity, proto.CodeNetworkUntrusted},
	{tsp.ErrTimeout, proto.CodeNetworkTimeout},
	{tsp.ErrUnreachable, proto.CodeNetworkUnreachable},
	{tsp.ErrTooLarge, proto.CodeNetworkAnswer},
	{tsp.ErrStatus, proto.CodeNetworkAnswer},
	{tsp.ErrAnswer, proto.CodeNetworkAnswer},
	{tsp.ErrOutdated, proto.CodeNetworkAnswer},
}

// networkFault turns what the network client says into an error of the catalogue. Errors of others pass unchanged.
func networkFault(err error) error {
	var f *tsp.Failure
	if !errors.As(err, &f) {
		return err
	}
	var refusal *tsp.Rejection
	if errors.As(err, &refusal) {
		return proto.E(proto.CodeTimestampRejected, err, "host", f.Host(), "detail", refusal.Error())
	}
	for _, known := range networkFaults {
		if errors.Is(err, known.err) {
			return proto.E(known.code, err, known.args(f)...)
		}
	}
	return err
}

// args are what the code's text has room for. The detail of a connection, which would tell a page about the network here, is not
// among it.
func (n networkCode) args(f *tsp.Failure) (pairs []string) {
	entry, _ := proto.Lookup(n.code)
	for _, name := range entry.Args {
		switch name {
		case "host":
			pairs = append(pairs, name, f.Host())
		case "detail":
			pairs = append(pairs, name, detail(f.Err))
		}
	}
	return pairs
}

// detail is an error in one line, for developers; what servers said is already cut.
func detail(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "")
	}
	return text
}
