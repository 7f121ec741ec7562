// SPDX-License-Identifier: GPL-3.0-or-later

package server

import (
	"context"
	"io"
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
	err = c.o.Engine.NoteOrigin(c.caller(), origin, result)
	c.Changed() // who shows sites shows them anew
	return err
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
	if p.Limit == 0 {
		p.Limit = 100
	}
	return c.o.Journal.List(p)
}

// JournalVerify checks the chain.
func (c *client) JournalVerify(context.Context, proto.JournalVerifyParams) (*proto.JournalVerifyResult, error) {
	r, err := c.o.Journal.Verify()
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// JournalExport writes what fits into a content that content.read reads.
func (c *client) JournalExport(_ context.Context, p proto.JournalExportParams) (*proto.JournalExportResult, error) {
	handle, made, err := c.o.Engine.Store().Create(c.who.Channel, "", "", func(w io.Writer) error {
		return c.o.Journal.Export(w, c.lang(), p)
	})
	if err != nil {
		return nil, err
	}
	return &proto.JournalExportResult{Handle: handle, Size: made.Size()}, nil
}

// SettingsGet tells the settings in force.
func (c *client) SettingsGet(context.Context, proto.SettingsGetParams) (*proto.SettingsGetResult, error) {
	s := c.o.Settings.Get()
	return &s, nil
}

// SettingsSet changes settings; local clients hear of it as of every change.
func (c *client) SettingsSet(_ context.Context, p proto.SettingsSetParams) (*proto.SettingsSetResult, error) {
	s, err := c.o.Settings.Set(p)
	if err != nil {
		return nil, err
	}
	c.Changed()
	return &s, nil
}

// KeyfilesList lists the files that are tokens.
func (c *client) KeyfilesList(context.Context, proto.KeyfilesListParams) (*proto.KeyfilesListResult, error) {
	return &proto.KeyfilesListResult{Files: c.o.KeyFiles.List()}, nil
}

// KeyfilesAdd makes a file a token, when the person knows its password.
func (c *client) KeyfilesAdd(ctx context.Context, p proto.KeyfilesAddParams) (*proto.KeyfilesAddResult, error) {
	f, err := c.o.KeyFiles.Add(ctx, c.caller(), p.Path)
	if err != nil {
		return nil, err
	}
	return &proto.KeyfilesAddResult{File: f}, nil
}

// KeyfilesRemove forgets a file.
func (c *client) KeyfilesRemove(_ context.Context, p proto.KeyfilesRemoveParams) (*proto.KeyfilesRemoveResult, error) {
	return &proto.KeyfilesRemoveResult{}, c.o.KeyFiles.Remove(p.Path)
}

// SignTest tries a certificate on a text of ours.
func (c *client) SignTest(ctx context.Context, p proto.SignTestParams) (*proto.SignTestResult, error) {
	return c.o.Engine.Test(ctx, c.caller(), p.Certificate)
}

// DoctorRun looks for what keeps signing from working.
func (c *client) DoctorRun(ctx context.Context, p proto.DoctorRunParams) (*proto.DoctorRunResult, error) {
	request := requestOf(ctx)
	list, err := c.o.Doctor.Run(ctx, p, c.lang(), func(check string, done, total int) {
		c.conn.Notify(proto.NotifyProgress, proto.ProgressParams{
			Request: request, Step: proto.StepChecking, Check: check, Done: done, Total: total,
		})
	})
	if err != nil {
		return nil, err
	}
	return &proto.DoctorRunResult{Findings: list}, nil
}

// DoctorFix makes a repair.
func (c *client) DoctorFix(ctx context.Context, p proto.DoctorFixParams) (*proto.DoctorFixResult, error) {
	list, err := c.o.Doctor.Fix(ctx, p, c.lang())
	if err != nil {
		return nil, err
	}
	return &proto.DoctorFixResult{Findings: list}, nil
}

// stopDelay lets the answer to agent.stop leave before the connection closes.
const stopDelay = 100 * time.Millisecond

// AgentStop ends the agent after this answer.
func (c *client) AgentStop(context.Context, proto.AgentStopParams) (*proto.AgentStopResult, error) {
	time.AfterFunc(stopDelay, c.o.Stop)
	return &proto.AgentStopResult{}, nil
}

// DoctorExplain says what is known of a trouble.
func (c *client) DoctorExplain(_ context.Context, p proto.DoctorExplainParams) (*proto.DoctorExplainResult, error) {
	return &proto.DoctorExplainResult{Answers: append([]proto.DoctorAnswer{}, c.o.Doctor.Explain(p.Query, c.lang())...)}, nil
}

// DoctorBundle makes an archive for support, a content of this channel, and drafts the letter.
func (c *client) DoctorBundle(ctx context.Context, p proto.DoctorBundleParams) (*proto.DoctorBundleResult, error) {
	var out proto.DoctorBundleResult
	handle, content, err := c.o.Engine.Store().Create(c.who.Channel, "persten-support.zip", "application/zip", func(w io.Writer) (err error) {
		out.Letter, out.Files, err = c.o.Doctor.Bundle(ctx, p, c.lang(), w)
		return err
	})
	if err != nil {
		return nil, err
	}
	out.Handle, out.Size = handle, content.Size()
	return &out, nil
}
