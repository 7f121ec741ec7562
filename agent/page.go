// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"persten/internal/cms"
	"persten/internal/text"
	"persten/internal/ui/report"
	"persten/proto"
)

// reportPage writes a report for a site. The site has the documents; the page does not carry them.
func reportPage(w io.Writer, form proto.PageForm, lang string, r *proto.Report) error {
	d := report.Document{Lang: text.Lang(lang), Version: version, Report: r}
	if form == proto.PageFormPdf {
		return report.PDF(w, d)
	}
	return report.HTML(w, d)
}

// reportKind is the form of a report by the name of its file.
func reportKind(file string) (string, error) {
	switch ext := strings.ToLower(filepath.Ext(file)); {
	case file == "", ext == ".html", ext == ".htm", ext == ".pdf":
		return ext, nil
	}
	return "", usage(errors.New("--report wants a name that ends with .html or .pdf"))
}

// savePage writes the report for people, and shows it, as far as that was asked for.
func (a *app) savePage(ctx context.Context, o checking, d report.Document) error {
	if o.report == "" && !o.open {
		return nil
	}
	d.File = filepath.Base(o.path)
	var err error
	if d.Content, err = signedContent(ctx, o, d.Report.Attached); err != nil {
		return err
	}
	file := o.report
	if file != "" {
		if err := writePage(file, d); err != nil {
			return err
		}
		fmt.Fprintln(a.errOut, a.t("cli.verify.saved", "file", file))
	}
	if !o.open {
		return nil
	}
	if kind, _ := reportKind(file); file == "" || kind == ".pdf" {
		dir, err := os.MkdirTemp("", "persten-report-") // for this user alone
		if err != nil {
			return err
		}
		file = filepath.Join(dir, "report.html")
		if err := writePage(file, d); err != nil {
			return err
		}
	}
	link, err := fileURL(file)
	if err != nil {
		return err
	}
	return openURL(link)
}

func writePage(file string, d report.Document) error {
	write := report.HTML
	if kind, _ := reportKind(file); kind == ".pdf" {
		write = report.PDF
	}
	var b bytes.Buffer
	if err := write(&b, d); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}

// signedContent is the document for the page: beside the signature, in it, or the XML document itself.
func signedContent(ctx context.Context, o checking, attached bool) (*report.Content, error) {
	path := o.content
	if path == "" {
		path = o.path
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := &report.Content{Name: filepath.Base(path)}
	xml, err := looksXML(f)
	if err != nil {
		return nil, err
	}
	if attached && !xml && o.content == "" {
		out.Name = insideName(out.Name)
		var b atMost
		if _, err := cms.Extract(ctx, &b, f); err != nil && !errors.Is(err, errTooMuch) {
			return nil, err
		} else if err == nil {
			out.Data = b.Bytes()
		}
		return out, nil
	}
	if out.Link, err = fileURL(path); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, report.MaxContent+1))
	if len(data) <= report.MaxContent {
		out.Data = data
	}
	return out, err
}

// insideName is the name of a document by the name of the file that holds it and its signature.
func insideName(name string) string {
	for _, ext := range []string{".p7m", ".p7s", ".sig", ".sgn", ".pem"} {
		if inner, ok := strings.CutSuffix(name, ext); ok && inner != "" {
			return inner
		}
	}
	return name + ".bin"
}

// fileURL is the address of a file for a browser.
func fileURL(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs
	}
	return (&url.URL{Scheme: "file", Path: abs}).String(), nil
}

var errTooMuch = errors.New("the document is too large for the page")

// atMost keeps a document that a page can carry.
type atMost struct{ bytes.Buffer }

func (b *atMost) Write(p []byte) (int, error) {
	if b.Len()+len(p) > report.MaxContent {
		return 0, errTooMuch
	}
	return b.Buffer.Write(p)
}
