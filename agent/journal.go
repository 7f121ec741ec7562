// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/proto"
)

func (a *app) journalCommand() *cobra.Command {
	c := &cobra.Command{Use: "journal", Short: a.t("cli.journal.short"), Args: noArgs, RunE: showHelp}
	limit := 100
	list := &cobra.Command{
		Use: "list", Short: a.t("cli.journal.list.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.listJournal(limit) },
	}
	list.Flags().IntVar(&limit, "limit", limit, a.t("cli.flag.limit"))
	verify := &cobra.Command{
		Use: "verify", Short: a.t("cli.journal.verify.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.verifyJournal() },
	}
	c.AddCommand(list, verify)
	return c
}

// journalFile answers journal.list and journal.verify from the file at its path.
type journalFile string

func (a *app) journalReader() (journalFile, error) {
	p, err := a.statePath("journal.jsonl")
	return journalFile(p), err
}

func (f journalFile) List(limit int) ([]proto.JournalRecord, error) {
	lines, err := journal.List(string(f), limit)
	out := make([]proto.JournalRecord, 0, len(lines))
	for _, l := range lines {
		out = append(out, l.Proto())
	}
	return out, err
}

func (f journalFile) Verify() (proto.JournalVerifyResult, error) {
	s, err := journal.Verify(string(f))
	return s.Proto(), err
}

func (a *app) listJournal(limit int) error {
	f, err := a.journalReader()
	if err != nil {
		return err
	}
	list, err := f.List(limit)
	if err != nil {
		return err
	}
	return a.print(list, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, a.t("cli.journal.empty"))
		}
		for _, r := range list {
			if r.Type != "begin" { // its end tells the outcome; one without an end is reported by verify
				a.printRecord(w, r, list)
			}
		}
	})
}

// printRecord prints one line a person can read: when, what, for whom, which documents, how it ended.
func (a *app) printRecord(w io.Writer, r proto.JournalRecord, list []proto.JournalRecord) {
	about := r
	for _, begin := range list {
		if r.Of != 0 && begin.Seq == r.Of {
			about = begin
		}
	}
	var names []string
	for _, d := range about.Documents {
		if d.Login {
			d.Name += " (" + a.t("journal.login") + ")"
		}
		names = append(names, d.Name)
	}
	result := a.t("journal.result.ok")
	if r.Result != journal.OK {
		result = proto.Text(proto.Code(r.Result), string(a.lang), r.Args).What
	}
	who := about.Origin
	if who == "" {
		who = about.Via
	}
	if about.By == journal.ByPolicy {
		who += " (" + a.t("journal.by.policy") + ")"
	}
	fmt.Fprintf(w, "%s  %s  %s  %s  %s\n", r.Time.Local().Format(time.DateTime), a.t("journal.kind."+about.Kind), who,
		strings.Join(names, ", "), result)
}

func (a *app) verifyJournal() error {
	f, err := a.journalReader()
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
		}
		if s.Unknown > 0 {
			fmt.Fprintln(w, a.t("cli.journal.unfinished", "records", text.Plural(a.lang, "count.records", s.Unknown)))
		}
	}); err != nil || s.OK {
		return err
	}
	return proto.E(proto.CodeJournalDamaged, nil, "line", fmt.Sprint(s.Line))
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
