// SPDX-License-Identifier: GPL-3.0-or-later

package view

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"persten/internal/ui"
)

// relation is how a part of an OOXML document names another.
type relation struct{ id, kind, target string }

// extractOOXML reads DOCX, XLSX and PPTX. It goes the way the office programs go, by relations from the root and not by the
// names of the parts, so that it reads the part that they show.
func (a *archive) extractOOXML(p *paper) (ui.Kind, error) {
	types, err := a.text("[Content_Types].xml")
	if err != nil {
		return "", err
	}
	root, err := a.relations("")
	if err != nil {
		return "", err
	}
	main := only(root, "officeDocument")
	if main == "" {
		return "zip", a.list(p)
	}
	kind, err := a.readMain(main, p)
	if strings.Contains(strings.ToLower(types), "macroenabled") || a.macros() {
		kind = "macros"
	}
	return kind, err
}

// readMain reads the main part by its root element.
func (a *archive) readMain(main string, p *paper) (ui.Kind, error) {
	d, err := a.tokens(main)
	if err != nil {
		return "", err
	}
	root, err := d.root()
	if err != nil {
		return "", err
	}
	parts, err := a.relations(main)
	if err != nil {
		return "", err
	}
	switch root.Local {
	case "document":
		return "docx", a.readWord(main, parts, p)
	case "workbook":
		return "xlsx", a.readWorkbook(d, parts, p)
	case "presentation":
		return "pptx", a.readSlides(d, parts, p)
	}
	return "zip", a.list(p)
}

// readWord prints the document and what stands outside its text.
func (a *archive) readWord(main string, parts []relation, p *paper) error {
	if err := a.paragraphs(main, p); err != nil {
		return err
	}
	for _, kind := range []string{"header", "footer", "footnotes", "endnotes", "comments"} {
		for _, r := range parts {
			if r.kind != kind {
				continue
			}
			if err := a.section(r.target, p); err != nil {
				return err
			}
		}
	}
	return a.unseen(parts, p)
}

// unseen lists what belongs to a document and is no text.
func (a *archive) unseen(parts []relation, p *paper) error {
	for _, r := range parts {
		if slices.Contains([]string{"image", "oleObject", "package", "aFChunk", "chart", "diagramData", "control"}, r.kind) {
			p.write("[+] " + r.target)
			if err := p.end(); err != nil {
				return err
			}
		}
	}
	return nil
}

// section prints a part under its name.
func (a *archive) section(name string, p *paper) error {
	p.write("— " + name + " —")
	if err := p.end(); err != nil {
		return err
	}
	return a.paragraphs(name, p)
}

// readSlides prints the slides in their order.
func (a *archive) readSlides(d *tokens, parts []relation, p *paper) error {
	for {
		e, err := d.next("sldId")
		if errors.Is(err, io.EOF) {
			return a.unseen(parts, p)
		}
		if err != nil {
			return err
		}
		if err := a.section(target(parts, attribute(e, "id", "relationships")), p); err != nil {
			return err
		}
	}
}

// paragraphs prints a part of paragraphs, tabs, breaks and tables, as texts, slides and notes have them. Deleted text is left out.
func (a *archive) paragraphs(part string, p *paper) error {
	d, err := a.tokens(part)
	if err != nil {
		return err
	}
	cells := 0
	err = d.each(func(t xml.Token) error {
		switch t := t.(type) {
		case xml.StartElement:
			return d.openWord(t.Name.Local, p, &cells)
		case xml.EndElement:
			return closeWord(t.Name.Local, p, &cells)
		case xml.CharData:
			if d.in("t") {
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

// openWord is the beginning of an element.
func (d *tokens) openWord(name string, p *paper, cells *int) error {
	switch name {
	case "tab":
		if !d.in("tabs") {
			p.write("    ")
		}
	case "br", "cr":
		return p.newLine()
	case "noBreakHyphen":
		p.write("-")
	case "tr":
		*cells = 1
	case "tc":
		if *cells > 1 {
			p.write(" | ")
		}
	}
	return nil
}

// closeWord is the end of one. Within a row of a table paragraphs make no lines.
func closeWord(name string, p *paper, cells *int) error {
	switch {
	case name == "tc" && *cells > 0:
		*cells++
	case name == "tr":
		*cells = 0
		return p.end()
	case name == "p" && *cells > 0:
		p.write(" ")
	case name == "p":
		return p.newLine()
	}
	return nil
}

// macros tells whether a document brings a program with it.
func (a *archive) macros() bool {
	for _, f := range a.zip.File {
		n := strings.ToLower(f.Name)
		if strings.HasSuffix(n, "vbaproject.bin") || strings.HasPrefix(n, "basic/") || strings.HasPrefix(n, "scripts/") {
			return true
		}
	}
	return false
}

// text is a small part as it is.
func (a *archive) text(name string) (string, error) {
	r, err := a.open(name)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

// relations are those of a part, or of the document. There need not be any.
func (a *archive) relations(part string) ([]relation, error) {
	dir, base := path.Split(part)
	r, err := a.open(path.Join(dir, "_rels", base+".rels"))
	if errors.Is(err, errAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	d := newTokens(r)
	var list []relation
	for {
		e, err := d.next("Relationship")
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		target := attribute(e, "Target", "")
		if attribute(e, "TargetMode", "") != "External" && !strings.HasPrefix(target, "/") {
			target = path.Join(dir, target)
		}
		list = append(list, relation{attribute(e, "Id", ""), path.Base(attribute(e, "Type", "")), strings.TrimPrefix(target, "/")})
	}
}

// only is the target of the one relation of a kind; of two nobody knows which counts.
func only(list []relation, kind string) string {
	found := ""
	for _, r := range list {
		if r.kind == kind && found != "" {
			return ""
		}
		if r.kind == kind {
			found = r.target
		}
	}
	return found
}

// target is what an id leads to.
func target(list []relation, id string) string {
	for _, r := range list {
		if r.id == id {
			return r.target
		}
	}
	return ""
}

// tokens reads XML within limits. Documents with a DOCTYPE are refused.
type tokens struct {
	*xml.Decoder
	path []string // the elements around
}

// tokens are those of a part.
func (a *archive) tokens(part string) (*tokens, error) {
	r, err := a.open(part)
	if err != nil {
		return nil, err
	}
	return newTokens(r), nil
}

func newTokens(r io.Reader) *tokens {
	d := xml.NewDecoder(r)
	d.CharsetReader = func(charset string, r io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("%w: charset %q", refused(ui.RefusedUnsupported), charset)
	}
	return &tokens{Decoder: d}
}

// token is the next one; io.EOF comes after the end of the root.
func (d *tokens) token() (xml.Token, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case xml.StartElement:
		if d.path = append(d.path, t.Name.Local); len(d.path) > maxDepth {
			return nil, refused(ui.RefusedLarge)
		}
	case xml.EndElement:
		d.path = d.path[:len(d.path)-1]
	case xml.Directive:
		return nil, refused(ui.RefusedUnsupported)
	}
	return t, nil
}

// each hands every token to use, until the end of the root.
func (d *tokens) each(use func(xml.Token) error) error {
	for {
		t, err := d.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = use(t)
		}
		if err != nil {
			return err
		}
	}
}

// next is the next beginning of an element of that name.
func (d *tokens) next(name string) (xml.StartElement, error) {
	for {
		t, err := d.token()
		if err != nil {
			return xml.StartElement{}, err
		}
		if e, ok := t.(xml.StartElement); ok && e.Name.Local == name {
			return e, nil
		}
	}
}

// root is the name of the first element.
func (d *tokens) root() (xml.Name, error) {
	for {
		t, err := d.token()
		if err != nil {
			return xml.Name{}, err
		}
		if e, ok := t.(xml.StartElement); ok {
			return e.Name, nil
		}
	}
}

// in tells whether the innermost element has that name.
func (d *tokens) in(name string) bool { return len(d.path) > 0 && d.path[len(d.path)-1] == name }

// within tells whether any element around has that name.
func (d *tokens) within(name string) bool { return slices.Contains(d.path, name) }

// attribute is the value of an attribute; space, if given, is a part of the name of its namespace.
func attribute(e xml.StartElement, name, space string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && strings.Contains(a.Name.Space, space) {
			return a.Value
		}
	}
	return ""
}
