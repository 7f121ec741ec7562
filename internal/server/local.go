// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"time"

	"persten/internal/config"
	"persten/internal/signing"
	"persten/proto"
)

// The methods below are x-audience local: permit refuses them to pages.

// OriginsList lists the sites somebody decided about.
func (c *client) OriginsList(context.Context, proto.OriginsListParams) (*proto.OriginsListResult, error) {
	list, err := c.o.Origins.List()
	if err != nil {
		return nil, err
	}
	return &proto.OriginsListResult{Origins: list}, nil
}

// OriginsAllow lets a site use the agent.
func (c *client) OriginsAllow(_ context.Context, p proto.OriginsAllowParams) (*proto.OriginsAllowResult, error) {
	return &proto.OriginsAllowResult{}, c.decide(p.Origin, "", func(origin string) error {
		err := c.o.Origins.Allow(origin)
		if err == nil && p.Hidden {
			err = c.o.Origins.SetHidden(origin, true)
		}
		return err
	})
}

// OriginsDeny refuses a site without asking again.
func (c *client) OriginsDeny(_ context.Context, p proto.OriginsDenyParams) (*proto.OriginsDenyResult, error) {
	return &proto.OriginsDenyResult{}, c.decide(p.Origin, proto.CodeUserRejected, c.o.Origins.Deny)
}

// OriginsForget makes a site unknown again.
func (c *client) OriginsForget(_ context.Context, p proto.OriginsForgetParams) (*proto.OriginsForgetResult, error) {
	return &proto.OriginsForgetResult{}, c.decide(p.Origin, proto.CodeOriginNotAllowed, func(origin string) error {
		c.gate.forget(asked(origin, signing.KindOrigin), asked(origin, signing.KindHidden))
		c.o.Engine.ForgetSite(origin)
		return c.o.Origins.Forget(origin)
	})
}

// decide keeps an answer about a site that did not come from a question, and journals it like one that did.
func (c *client) decide(origin string, result proto.Code, keep func(string) error) error {
	origin, err := config.ParseOrigin(origin)
	if err != nil {
		return err
	}
	if err := keep(origin); err != nil {
		return err
	}
	return c.o.Engine.NoteOrigin(c.caller(), origin, result)
}

// CertificatesKnown lists the certificates whose tokens were seen.
func (c *client) CertificatesKnown(context.Context, proto.CertificatesKnownParams) (*proto.CertificatesKnownResult, error) {
	return &proto.CertificatesKnownResult{Certificates: c.o.Engine.Known()}, nil
}

// CertificatesForget forgets one of them, or all.
func (c *client) CertificatesForget(_ context.Context, p proto.CertificatesForgetParams) (*proto.CertificatesForgetResult, error) {
	return &proto.CertificatesForgetResult{}, c.o.Engine.Forget(p.Certificate)
}

// JournalList returns the newest records.
func (c *client) JournalList(_ context.Context, p proto.JournalListParams) (*proto.JournalListResult, error) {
	limit := p.Limit
	if limit == 0 {
		limit = 100
	}
	list, err := c.o.Journal.List(limit)
	if err != nil {
		return nil, err
	}
	return &proto.JournalListResult{Records: list}, nil
}

// JournalVerify checks the chain.
func (c *client) JournalVerify(context.Context, proto.JournalVerifyParams) (*proto.JournalVerifyResult, error) {
	r, err := c.o.Journal.Verify()
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// AgentPause stops and resumes serving pages, and signing without a person for anybody.
func (c *client) AgentPause(_ context.Context, p proto.AgentPauseParams) (*proto.AgentPauseResult, error) {
	c.paused.Store(p.Paused)
	c.o.Engine.Pause(p.Paused)
	c.Changed()
	return &proto.AgentPauseResult{}, nil
}

// stopDelay lets the answer to agent.stop leave before the connection closes.
const stopDelay = 100 * time.Millisecond

// AgentStop ends the agent after this answer.
func (c *client) AgentStop(context.Context, proto.AgentStopParams) (*proto.AgentStopResult, error) {
	time.AfterFunc(stopDelay, c.o.Stop)
	return &proto.AgentStopResult{}, nil
}
