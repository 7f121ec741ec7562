// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui/report"
	"persten/proto"
)

func (a *app) statusCommand() *cobra.Command {
	var check bool
	limits := checkLimits{}
	c := &cobra.Command{
		Use: "status", Short: a.t("cli.status.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return a.checkStatus(cmd.Context(), limits)
			}
			return a.showStatus(cmd.Context())
		},
	}
	c.Flags().BoolVar(&check, "check", false, a.t("cli.status.check"))
	c.Flags().IntVar(&limits.warn, "warn-days", 30, a.t("cli.status.warn"))
	c.Flags().IntVar(&limits.critical, "critical-days", 7, a.t("cli.status.critical"))
	return c
}

func (a *app) showStatus(ctx context.Context) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := ask[proto.AgentStatusResult](ctx, c, proto.MethodAgentStatus, proto.AgentStatusParams{})
	if err != nil {
		return err
	}
	return a.print(s, func(w io.Writer) {
		fmt.Fprintln(w, a.t("cli.status."+string(s.State), "version", s.Version))
		fmt.Fprintln(w, text.Plural(a.lang, "count.tokens", s.Tokens)+", "+text.Plural(a.lang, "count.requests", s.Prompts))
		if s.Unattended > 0 {
			fmt.Fprintln(w, text.Plural(a.lang, "count.unattended", s.Unattended))
		}
		a.printPolicy(w, s)
		printProblems(w, s.Problems)
	})
}

// level is a finding as monitoring systems know them: these are the exit codes of their plug-ins.
type level int

const (
	levelOK level = iota
	levelWarning
	levelCritical
	levelUnknown
)

var levelNames = []string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}

// exitCode ends a command that said what there is to say with a code of its own.
type exitCode level

func (exitCode) Error() string { return "a check did not pass" }

// checkLimits are the days left below which a certificate or key is told of.
type checkLimits struct{ warn, critical int }

// health is what a check found.
type health struct {
	Level    string   `json:"level"`
	Reasons  []string `json:"reasons"`
	Tokens   int      `json:"tokens"`
	Prompts  int      `json:"prompts"`
	DaysLeft *int     `json:"daysLeft,omitempty"` // of the certificate or key that ends first
	level    level
}

func (h *health) find(l level, reason string) {
	h.level = max(h.level, l)
	h.Level = levelNames[h.level]
	h.Reasons = append(h.Reasons, reason)
}

// checkStatus says in one line how the session is, for a monitoring system.
func (a *app) checkStatus(ctx context.Context, limits checkLimits) error {
	if limits.critical < 0 || limits.warn < limits.critical {
		return usage(errors.New("--warn-days is less than --critical-days"))
	}
	h := health{Level: levelNames[levelOK], Reasons: []string{}}
	if err := a.examine(ctx, limits, &h); err != nil {
		pe := commandError(err)
		l := levelUnknown
		if pe.Code == proto.CodeAgentNotRunning {
			l = levelCritical
		}
		h = health{Reasons: []string{}, level: l}
		h.find(l, string(pe.Code))
	}
	if err := a.print(h, func(w io.Writer) { fmt.Fprintln(w, h) }); err != nil {
		return err
	}
	if h.level == levelOK {
		return nil
	}
	return exitCode(h.level)
}

func (a *app) examine(ctx context.Context, limits checkLimits, h *health) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := ask[proto.AgentStatusResult](ctx, c, proto.MethodAgentStatus, proto.AgentStatusParams{})
	if err != nil {
		return err
	}
	h.Tokens, h.Prompts = s.Tokens, s.Prompts
	if s.State == proto.StatePaused {
		h.find(levelWarning, string(proto.CodeAgentPaused))
	}
	for _, p := range s.Problems {
		h.find(problemLevel(p, s.Tokens), string(p.Code))
	}
	list, err := ask[proto.CertificatesListResult](ctx, c, proto.MethodCertificatesList, proto.CertificatesListParams{All: true})
	if err != nil {
		return err
	}
	for _, cert := range list.Certificates {
		h.left(cert, limits, time.Now())
	}
	return nil
}

// problemLevel: what keeps people from signing is critical.
func problemLevel(p proto.Problem, tokens int) level {
	if p.Code != proto.CodeForwardFailed && p.Code != proto.CodePortTaken && signing.Hinders(&proto.Error{Code: p.Code, Args: p.Args}, tokens) {
		return levelCritical
	}
	return levelWarning
}

// left counts the days of a certificate that has not ended.
func (h *health) left(c proto.Certificate, limits checkLimits, now time.Time) {
	end := c.SignUntil
	if end.IsZero() {
		end = c.NotAfter
	}
	days := int(math.Floor(end.Sub(now).Hours() / 24))
	if days < 0 {
		return // another has followed it, or the tray says so each day
	}
	if h.DaysLeft == nil || days < *h.DaysLeft {
		h.DaysLeft = &days
	}
	switch {
	case days < limits.critical:
		h.find(levelCritical, fmt.Sprintf("certificate %.8s ends in %d days", c.Thumbprint, days))
	case days < limits.warn:
		h.find(levelWarning, fmt.Sprintf("certificate %.8s ends in %d days", c.Thumbprint, days))
	}
}

// String is the line of a plug-in: what is found, then figures.
func (h health) String() string {
	reasons := slices.Compact(slices.Sorted(slices.Values(h.Reasons)))
	said := "ready"
	if len(reasons) > 0 {
		said = report.Line(fmt.Sprint(reasons))
	}
	line := fmt.Sprintf("PERSTEN %s: %s | tokens=%d prompts=%d", h.Level, said, h.Tokens, h.Prompts)
	if h.DaysLeft != nil {
		line += fmt.Sprintf(" days_left=%d", *h.DaysLeft)
	}
	return line
}
