// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/config"
	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui"
	"persten/proto"
)

func (a *app) journalCommand() *cobra.Command {
	c := &cobra.Command{Use: "journal", Short: a.t("cli.journal.short"), Args: noArgs, RunE: showHelp}
	var listed, exported journalFilter
	list := &cobra.Command{
		Use: "list", Short: a.t("cli.journal.list.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.listJournal(listed) },
	}
	a.journalFlags(list, &listed, 100)
	verify := &cobra.Command{
		Use: "verify", Short: a.t("cli.journal.verify.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.verifyJournal() },
	}
	var out, format string
	export := &cobra.Command{
		Use: "export", Short: a.t("journal.export.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.exportJournal(exported, out, format) },
	}
	a.journalFlags(export, &exported, 0)
	export.Flags().StringVar(&out, "out", "", a.t("cli.flag.newfile"))
	export.Flags().StringVar(&format, "format", "", a.t("journal.flag.format"))
	export.MarkFlagRequired("out")
	c.AddCommand(list, verify, export)
	return c
}

// journalFilter is what the flags say of which records.
type journalFilter struct {
	from, to, site, kind, text string
	failed                     bool
	limit                      int
}

func (a *app) journalFlags(c *cobra.Command, f *journalFilter, limit int) {
	c.Flags().StringVar(&f.from, "from", "", a.t("journal.flag.from"))
	c.Flags().StringVar(&f.to, "to", "", a.t("journal.flag.to"))
	c.Flags().StringVar(&f.site, "site", "", a.t("journal.flag.site"))
	c.Flags().StringVar(&f.kind, "kind", "", a.t("journal.flag.kind"))
	c.Flags().StringVar(&f.text, "text", "", a.t("journal.flag.text"))
	c.Flags().BoolVar(&f.failed, "failed", false, a.t("journal.flag.failed"))
	c.Flags().IntVar(&f.limit, "limit", limit, a.t("cli.flag.limit"))
}

// query checks the flags. A day in --to is counted in.
func (f journalFilter) query() (q proto.JournalListParams, err error) {
	q = proto.JournalListParams{Limit: f.limit, Kind: f.kind, Text: f.text, Origin: f.site}
	if f.failed {
		q.Result = "failed"
	}
	if f.site != "" && f.site != journal.Local {
		if q.Origin, err = config.ParseOrigin(f.site); err != nil {
			return q, err
		}
	}
	if q.From, err = dayOrMoment("--from", f.from, dawn); err == nil {
		q.To, err = dayOrMoment("--to", f.to, nextDay)
	}
	if err == nil && f.limit < 0 {
		err = usage(errors.New("--limit is negative"))
	}
	return q, err
}

// What a day means where a moment is wanted.
func dawn(day time.Time) time.Time       { return day }
func nextDay(day time.Time) time.Time    { return day.AddDate(0, 0, 1) }
func lastSecond(day time.Time) time.Time { return nextDay(day).Add(-time.Second) }

// dayOrMoment reads a moment as people write it: 2026-03-02T09:15:00Z, or 2026-03-02, whose moment in this time zone meaning tells.
func dayOrMoment(flag, s string, meaning func(time.Time) time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	day, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		return time.Time{}, usage(errors.New(flag + " wants a date such as 2026-03-02 or 2026-03-02T09:15:00Z"))
	}
	return meaning(day), nil
}

// journalFile answers journal.list and journal.verify from the file at its path.
type journalFile string

func (a *app) journalReader() (journalFile, error) {
	p, err := a.statePath("journal.jsonl")
	return journalFile(p), err
}

// permittedJournal is journalReader for a command, whose user may lack the right.
func (a *app) permittedJournal() (journalFile, error) {
	if err := a.permit(proto.RightJournal); err != nil {
		return "", err
	}
	return a.journalReader()
}

// List implements server.Journal.
func (f journalFile) List(q proto.JournalListParams) (*proto.JournalListResult, error) {
	lines, more, err := journal.Find(string(f), q)
	if err != nil {
		return nil, err
	}
	out := &proto.JournalListResult{Records: make([]proto.JournalRecord, 0, len(lines)), More: more}
	for _, l := range lines {
		out.Records = append(out.Records, l.Proto())
	}
	return out, nil
}

func (f journalFile) Verify() (proto.JournalVerifyResult, error) {
	s, err := journal.VerifySealed(string(f), journal.SystemSeals())
	return s.Proto(), err
}

func (a *app) listJournal(filter journalFilter) error {
	q, err := filter.query()
	if err != nil {
		return err
	}
	f, err := a.permittedJournal()
	if err != nil {
		return err
	}
	found, err := f.List(q)
	if err != nil {
		return err
	}
	return a.print(found.Records, func(w io.Writer) {
		if len(found.Records) == 0 {
			fmt.Fprintln(w, a.t("cli.journal.empty"))
		}
		for _, r := range found.Records {
			if r.Type != journal.TypeEnd { // its begin tells the outcome
				row := journalRow(r, a.lang)
				fmt.Fprintf(w, "%s  %s  %s  %s  %s\n", row.Time, row.Kind, row.Who, row.Documents, row.Result)
			}
		}
	})
}

func (a *app) verifyJournal() error {
	f, err := a.permittedJournal()
	if err != nil {
		return err
	}
	s, err := f.Verify()
	if err != nil {
		return err
	}
	if err := a.print(s, func(w io.Writer) {
		if s.OK {
			fmt.Fprintln(w, a.t("cli.journal.good", "records", text.Plural(a.lang, "count.records", s.Records)))
		} else {
			fmt.Fprintln(w, a.t("journal.damage."+strings.ReplaceAll(string(s.Reason), "_", ""), "line", damagedLine(s)))
		}
		if s.Seal == nil {
			fmt.Fprintln(w, a.t("journal.seal.none"))
		} else if s.OK {
			fmt.Fprintln(w, a.t("journal.seal", "seq", fmt.Sprint(s.Seal.Seq), "time", ui.Moment(a.lang, s.Seal.Time)))
		}
		if s.Unknown > 0 {
			fmt.Fprintln(w, a.t("cli.journal.unfinished", "records", text.Plural(a.lang, "count.records", s.Unknown)))
		}
	}); err != nil || s.OK {
		return err
	}
	return proto.E(proto.CodeJournalDamaged, nil, "line", fmt.Sprint(s.Line))
}

// damagedLine is the number to name: of lines that are missing at the end, the last one there is.
func damagedLine(s proto.JournalVerifyResult) string {
	if s.Reason == proto.JournalDamageEndCutOff {
		return fmt.Sprint(s.Line - 1)
	}
	return fmt.Sprint(s.Line)
}

// noteOrigin records a decision about a site made by a command.
func noteOrigin(j *journal.Journal, who signing.Caller, origin, action string) error {
	result := map[string]string{"allow": journal.OK, "deny": string(proto.CodeUserRejected), "forget": string(proto.CodeOriginNotAllowed)}[action]
	err := j.Note(journal.Record{
		Kind: "origin", User: who.User, Origin: origin, Via: string(who.Via), Result: result, Version: version,
	})
	if err != nil {
		return proto.E(proto.CodeJournalUnwritable, err)
	}
	return nil
}
