// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"encoding/xml"
	"strconv"
	"strings"

	"persten/internal/ui"
)

// odfKinds are the documents by their mimetype.
var odfKinds = map[string]ui.Kind{
	"application/vnd.oasis.opendocument.text":         "odt",
	"application/vnd.oasis.opendocument.spreadsheet":  "ods",
	"application/vnd.oasis.opendocument.presentation": "odp",
}

// extractODF reads ODT, ODS and ODP: the content, then headers and footers, which stand among the styles.
func (a *archive) extractODF(p *paper) (ui.Kind, error) {
	mime, err := a.text("mimetype")
	if err != nil {
		return "", err
	}
	kind, ok := odfKinds[strings.TrimSpace(mime)]
	if !ok {
		return "zip", a.list(p)
	}
	if a.encrypted() {
		return "", refused(ui.RefusedEncrypted)
	}
	if a.macros() {
		kind = "macros"
	}
	if err := a.readODF("content.xml", "body", p); err != nil {
		return kind, err
	}
	if a.has("styles.xml") {
		return kind, a.readODF("styles.xml", "master-styles", p)
	}
	return kind, nil
}

// encrypted tells whether the manifest says that the content is.
func (a *archive) encrypted() bool {
	s, err := a.text("META-INF/manifest.xml")
	return err == nil && strings.Contains(s, "encryption-data")
}

// readODF prints what is within an element of a part.
func (a *archive) readODF(part, within string, p *paper) error {
	d, err := a.tokens(part)
	if err != nil {
		return err
	}
	o := odf{tokens: d, paper: p}
	err = d.each(func(t xml.Token) error {
		if !o.within(within) || o.within("tracked-changes") {
			return nil
		}
		switch t := t.(type) {
		case xml.StartElement:
			return o.start(t)
		case xml.EndElement:
			return o.finish(t.Name.Local)
		case xml.CharData:
			if o.within("p") || o.within("h") {
				p.write(string(t))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.end()
}

// odf is a document on its way to paper.
type odf struct {
	*tokens
	paper  *paper
	cells  int // of the row, from 1; 0: no row
	repeat int // of the cell
	from   int // where its text begins
}

func (o *odf) start(e xml.StartElement) error {
	switch e.Name.Local {
	case "table":
		if n := attribute(e, "name", "table"); n != "" {
			o.paper.write("— " + n + " —")
			return o.paper.end()
		}
	case "s":
		o.paper.write(strings.Repeat(" ", times(attribute(e, "c", "text"))))
	case "tab":
		o.paper.write("    ")
	case "line-break":
		return o.paper.newLine()
	case "table-row":
		o.cells = 1
	case "table-cell", "covered-table-cell":
		if o.cells > 1 {
			o.paper.write(" | ")
		}
		o.repeat, o.from = times(attribute(e, "number-columns-repeated", "table")), o.paper.line.Len()
	case "image", "object", "object-ole", "plugin":
		o.paper.write("[+] " + attribute(e, "href", "xlink"))
	}
	return nil
}

func (o *odf) finish(name string) error {
	switch name {
	case "table-cell", "covered-table-cell":
		o.cells++
		if text := o.paper.line.String(); o.from < len(text) { // an empty cell that is repeated fills the sheet to its edge
			for range o.repeat - 1 {
				o.paper.write(" | " + text[o.from:])
			}
		}
	case "table-row":
		o.cells = 0
		row := strings.TrimRight(o.paper.line.String(), " |")
		o.paper.line.Reset()
		o.paper.write(row)
		return o.paper.end()
	case "p", "h":
		if o.cells > 0 {
			o.paper.write(" ")
			return nil
		}
		return o.paper.newLine()
	}
	return nil
}

// times reads how often something is repeated, within reason.
func times(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 1
	}
	return min(n, maxRepeated)
}
