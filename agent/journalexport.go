// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui/report"
	"persten/proto"
)

// maxJournalPages bounds a PDF, which is for reading.
const maxJournalPages = 10000

// journalWords is a record in words people read: when, what, for whom, which documents, how it ended.
type journalWords struct {
	Number, Time, Kind, Who, Documents, Digests, Certificate, Algorithm, Result string
}

func journalRow(r proto.JournalRecord, lang text.Lang) journalWords {
	t := func(key string) string { return text.Get(lang, key, nil) }
	var names, digests []string
	for _, d := range r.Documents {
		if d.Login {
			d.Name += " (" + t("journal.login") + ")"
		}
		if d.How != "" && d.How != string(signing.HowShown) { // nothing to say of what was simply looked at, or not opened
			d.Name += " (" + t("journal.how."+d.How) + ")"
		}
		names, digests = append(names, d.Name), append(digests, d.Alg+" "+d.Digest)
	}
	who := r.Origin
	if key := "journal.via." + r.Via; who == "" && text.Has(key) {
		who = text.Get(lang, key, map[string]string{"program": r.Program})
	}
	if r.By == journal.ByPolicy {
		who += " (" + t("journal.by.policy") + ")"
	}
	return journalWords{
		Number: strconv.FormatInt(r.Seq, 10), Time: r.Time.Local().Format(time.DateTime), Kind: t("journal.kind." + r.Kind), Who: who,
		Documents: strings.Join(names, ", "), Digests: strings.Join(digests, ", "), Certificate: r.CertificateSerial, Algorithm: r.Algorithm,
		Result: journalResult(r, lang),
	}
}

func journalResult(r proto.JournalRecord, lang text.Lang) string {
	switch r.Result {
	case journal.OK, journal.Unknown:
		return text.Get(lang, "journal.result."+r.Result, nil)
	case "":
		return ""
	}
	return proto.Text(proto.Code(r.Result), string(lang), r.Args).What
}

// Export implements server.Journal.
func (f journalFile) Export(w io.Writer, lang string, p proto.JournalExportParams) error {
	q := proto.JournalListParams{
		Limit: p.Limit, From: p.From, To: p.To, Origin: p.Origin, Kind: p.Kind, Result: p.Result, Text: p.Text,
	}
	if p.Format == proto.JournalFormatPdf && (q.Limit == 0 || q.Limit > maxJournalPages) {
		q.Limit = maxJournalPages
	}
	found, err := f.List(q)
	if err != nil {
		return err
	}
	l := text.Parse(lang)
	switch p.Format {
	case proto.JournalFormatJSON:
		return writeJSONLines(w, found.Records)
	case proto.JournalFormatPdf:
		return journalPDF(w, l, found)
	}
	return writeCSV(w, l, found.Records)
}

func writeJSONLines(w io.Writer, list []proto.JournalRecord) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, r := range list {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// journalColumns are those of a table, in order.
var journalColumns = []string{"number", "time", "kind", "who", "documents", "digests", "certificate", "algorithm", "result"}

func (r journalWords) cells() []string {
	return []string{r.Number, r.Time, r.Kind, r.Who, r.Documents, r.Digests, r.Certificate, r.Algorithm, r.Result}
}

// writeCSV writes what a table program opens with a double click: the byte order mark tells it the letters, and the separator
// is that of its language.
func writeCSV(w io.Writer, lang text.Lang, list []proto.JournalRecord) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if lang == text.Russian {
		c.Comma = ';'
	}
	var head []string
	for _, name := range journalColumns {
		head = append(head, text.Get(lang, "journal.column."+name, nil))
	}
	c.Write(head)
	for _, r := range list {
		if r.Type == journal.TypeEnd {
			continue
		}
		cells := journalRow(r, lang).cells()
		for i := range cells {
			cells[i] = inert(cells[i])
		}
		c.Write(cells)
	}
	c.Flush()
	return c.Error()
}

// inert keeps a table program from reading a text as a formula: the name of a document comes from a page.
func inert(cell string) string {
	cell = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, cell)
	if strings.IndexAny(strings.TrimSpace(cell), "=+-@|") == 0 {
		return "'" + cell
	}
	return cell
}

// exportJournal writes a file of the kind its name or --format says.
func (a *app) exportJournal(filter journalFilter, out, format string) error {
	if format == "" {
		format = strings.TrimPrefix(strings.ToLower(filepath.Ext(out)), ".")
	}
	f := proto.JournalFormat(format)
	if f != proto.JournalFormatCsv && f != proto.JournalFormatJSON && f != proto.JournalFormatPdf {
		return usage(fmt.Errorf("--format %q: want csv, json or pdf", format))
	}
	q, err := filter.query()
	if err != nil {
		return err
	}
	j, err := a.permittedJournal()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	err = j.Export(file, string(a.lang), proto.JournalExportParams{
		Format: f, Limit: q.Limit, From: q.From, To: q.To, Origin: q.Origin, Kind: q.Kind, Result: q.Result, Text: q.Text,
	})
	if err != nil {
		os.Remove(out)
		return err
	}
	return file.Close()
}

// journalPDF writes the records as a table for people.
func journalPDF(w io.Writer, lang text.Lang, found *proto.JournalListResult) error {
	t := report.Table{Lang: lang, Title: text.Get(lang, "journal.title", nil), Widths: []float64{8, 31, 28, 45, 52, 32, 24, 47}}
	for _, name := range slices.DeleteFunc(slices.Clone(journalColumns), func(s string) bool { return s == "digests" }) {
		t.Columns = append(t.Columns, text.Get(lang, "journal.column."+name, nil))
	}
	for _, r := range found.Records {
		if r.Type == journal.TypeEnd {
			continue
		}
		j := journalRow(r, lang)
		t.Rows = append(t.Rows, []string{j.Number, j.Time, j.Kind, j.Who, j.Documents, j.Certificate, j.Algorithm, j.Result})
	}
	if found.More {
		t.Note = text.Get(lang, "journal.pdf.more", map[string]string{"n": strconv.Itoa(len(t.Rows))})
	}
	return t.PDF(w)
}
