// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"

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
	return &proto.OriginsAllowResult{}, c.o.Origins.Allow(p.Origin)
}

// OriginsDeny refuses a site without asking again.
func (c *client) OriginsDeny(_ context.Context, p proto.OriginsDenyParams) (*proto.OriginsDenyResult, error) {
	return &proto.OriginsDenyResult{}, c.o.Origins.Deny(p.Origin)
}

// OriginsForget makes a site unknown again.
func (c *client) OriginsForget(_ context.Context, p proto.OriginsForgetParams) (*proto.OriginsForgetResult, error) {
	c.gate.forget(p.Origin)
	return &proto.OriginsForgetResult{}, c.o.Origins.Forget(p.Origin)
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

// AgentPause stops and resumes serving pages.
func (c *client) AgentPause(_ context.Context, p proto.AgentPauseParams) (*proto.AgentPauseResult, error) {
	c.paused.Store(p.Paused)
	c.Changed()
	return &proto.AgentPauseResult{}, nil
}

// AgentStop ends the agent after this answer.
func (c *client) AgentStop(context.Context, proto.AgentStopParams) (*proto.AgentStopResult, error) {
	c.o.Stop()
	return &proto.AgentStopResult{}, nil
}
