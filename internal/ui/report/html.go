// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var page = template.Must(template.New("page").Parse(pageHTML))

// HTML writes the page. It stands for itself: nothing in it is loaded from elsewhere, and the PDF is in it.
func HTML(out io.Writer, d Document) error {
	w := writer{d}
	var pdf bytes.Buffer
	if err := PDF(&pdf, d); err != nil {
		return err
	}
	style := sha256.Sum256([]byte(pageCSS))
	doc := w.make()
	return page.Execute(out, map[string]any{
		"Page": doc, "Content": w.content(), "Style": template.CSS(pageCSS), "PDF": dataURL("application/pdf", pdf.Bytes()),
		"StyleHash": "sha256-" + base64.StdEncoding.EncodeToString(style[:]), "PDFName": strings.TrimSuffix(baseName(d.File), ".") + ".pdf",
		"SavePDF": w.t("savePDF"), "Words": labels{w.t("advice"), w.t("details"), w.t("chain.missing")},
	})
}

// labels are what every signer's part of the template says.
type labels struct{ Advice, Details, NoChain string }

// With is what the template of a signer gets.
func (l labels) With(s signer) map[string]any { return map[string]any{"S": s, "Words": l} }

// dataURL is safe as a link: the kind is ours or an octet stream, the rest base64.
func dataURL(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

func baseName(path string) string {
	if i := strings.LastIndexAny(path, `/\`); i >= 0 {
		path = path[i+1:]
	}
	if path == "" {
		return "report"
	}
	return path
}

// content is the signed document on the page.
type content struct {
	Title, Name, Open string
	URL               template.URL
	Download          bool
	Pieces            []piece // its beginning, when it is text
	Notes             []string
	Changed           string
}

// piece is a run of the shown text.
type piece struct {
	Text   string
	Signed bool
}

// maxShown is how much of a text stands on the page.
const maxShown = 64 << 10

func (w writer) content() *content {
	c := w.d.Content
	if c == nil {
		return nil
	}
	out := &content{Title: w.t("content"), Name: c.Name, Open: w.t("open")}
	switch {
	case c.Data != nil:
		out.URL, out.Download = dataURL("application/octet-stream", c.Data), true
	case strings.HasPrefix(c.Link, "file:"):
		out.URL = template.URL(c.Link)
	}
	if !w.d.Report.Valid {
		out.Changed = w.t("content.changed")
		for _, s := range w.d.Report.Signers {
			if s.Valid {
				out.Changed = ""
			}
		}
	}
	out.Pieces, out.Notes = w.shown(c.Data)
	return out
}

// shown cuts the beginning of a text into what is signed and what is not. Offsets of references count bytes of the document in
// UTF-8 without its mark, so a document in another encoding is not shown.
func (w writer) shown(data []byte) ([]piece, []string) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) == 0 || !utf8.Valid(data) || bytes.ContainsFunc(data, odd) {
		return nil, nil
	}
	var notes []string
	end := len(data)
	if end > maxShown {
		for end = maxShown; !utf8.RuneStart(data[end]); end-- {
		}
		notes = append(notes, w.t("content.start"))
	}
	signed := w.signedBytes(end)
	if signed == nil {
		return []piece{{string(data[:end]), false}}, notes
	}
	var out []piece
	for from := 0; from < end; {
		to := from + 1
		for to < end && (signed[to] == signed[from] || !utf8.RuneStart(data[to])) {
			to++
		}
		out = append(out, piece{string(data[from:to]), signed[from]})
		from = to
	}
	return out, append(notes, w.t("content.marked"))
}

// odd reports characters no text has.
func odd(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' && r != '\f'
}

// signedBytes marks what valid references of signatures that hold cover; nil when signatures cover the document as a whole.
func (w writer) signedBytes(n int) []bool {
	var marks []bool
	for _, s := range w.d.Report.Signers {
		for _, r := range s.References {
			if marks == nil {
				marks = make([]bool, n)
			}
			if !s.Valid || !r.Valid || r.Own {
				continue
			}
			covered := make([]bool, n)
			fill(covered, r.Begin, r.End, true)
			for _, h := range r.Holes {
				fill(covered, h.Begin, h.End, false)
			}
			for i, c := range covered {
				marks[i] = marks[i] || c
			}
		}
	}
	return marks
}

func fill(b []bool, from, to int64, v bool) {
	n := int64(len(b))
	for i := max(0, from); i < min(to, n); i++ {
		b[i] = v
	}
}
