// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"gioui.org/layout"
	"gioui.org/unit"
	"gioui.org/widget"

	"persten/internal/client"
	"persten/internal/ui"
	"persten/internal/ui/look"
	"persten/proto"
)

// checkPanel verifies a file.
type checkPanel struct {
	h              *Home
	file, document string // the signature, and what it is of when it is not inside
	wanted         bool   // the document must be given
	pick, other    widget.Clickable
	page, stop     widget.Clickable
	checking       job
	saving         job
	report         *proto.Report
	words          []Line
	saved          string
}

// take verifies a file as soon as it is known: a signature, or a document with its signature beside it.
func (c *checkPanel) take(path string) {
	if sig, ok := signatureBeside(path); ok {
		path = sig
	}
	c.file, c.document = path, ""
	if doc, ok := documentBeside(path); ok {
		c.document = doc
	}
	c.run()
}

// numbered is what writeNew puts into the name of a second signature.
var numbered = regexp.MustCompile(` \(\d{1,3}\)$`)

// documentBeside finds the document of a signature named DOCUMENT.sig and the like.
func documentBeside(path string) (string, bool) {
	if !ends(path, signatureEndings) {
		return "", false
	}
	name := strings.TrimSuffix(path, filepath.Ext(path))
	for _, n := range []string{name, numbered.ReplaceAllString(name, "")} {
		if fi, err := os.Stat(n); err == nil && fi.Mode().IsRegular() {
			return n, true
		}
	}
	return "", false
}

// signatureBeside finds the signature of a document that is none itself.
func signatureBeside(path string) (string, bool) {
	if ends(path, signatureEndings) {
		return "", false
	}
	for _, e := range signatureEndings {
		if fi, err := os.Stat(path + e); err == nil && fi.Mode().IsRegular() {
			return path + e, true
		}
	}
	return "", false
}

func (c *checkPanel) run() {
	h, s, file, document := c.h, c.h.session, c.file, c.document
	c.report, c.words, c.wanted, c.saved = nil, nil, false, ""
	h.begin(&c.checking, h.say("home.verify.checking"), func(ctx context.Context) (func(), error) {
		r, err := h.verify(ctx, s, &c.checking, file, document, "")
		if e := proto.AsError(err); err != nil && e.Code == proto.CodeContentRequired {
			return func() { c.wanted = true }, nil
		}
		if err != nil {
			return nil, err
		}
		words := h.o.Words(h.lang, filepath.Base(file), r)
		return func() { c.report, c.words = r, words }, nil
	})
}

// verify asks the session about a signature; page also asks for the report for people.
func (h *Home) verify(ctx context.Context, s *client.Client, j *job, file, document string, page proto.PageForm) (*proto.Report, error) {
	handle, err := h.send(ctx, s, j, file, "")
	if err != nil {
		return nil, err
	}
	defer drop(s, handle)
	if xml, err := looksXML(file); err != nil || xml {
		if err != nil {
			return nil, err
		}
		return client.Ask[proto.Report](ctx, s, proto.MethodVerifyXML, proto.VerifyXMLParams{Content: proto.Content{Handle: handle}, Page: page})
	}
	params := proto.VerifyCMSParams{Signature: proto.Content{Handle: handle}, Page: page}
	if document != "" {
		of, err := h.send(ctx, s, j, document, "")
		if err != nil {
			return nil, err
		}
		defer drop(s, of)
		params.Content = &proto.Content{Handle: of}
	}
	return client.Ask[proto.Report](ctx, s, proto.MethodVerifyCMS, params)
}

// looksXML tells an XML document from a CMS signature by its first bytes: DER begins with the digit 0, PEM with a dash.
func looksXML(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	text := bytes.TrimLeft(head[:n], " \t\r\n\x00\xef\xbb\xbf\xff\xfe")
	return bytes.HasPrefix(text, []byte("<")), err
}

func (c *checkPanel) choose() { c.h.chosen.choose(c.h.say("home.verify.choose"), nil, c.take) }

func (c *checkPanel) items(gtx layout.Context) []layout.Widget {
	h := c.h
	if clicked(gtx, &c.pick) {
		c.choose()
	}
	if clicked(gtx, &c.other) {
		h.chosen.choose(h.say("home.verify.document"), nil, func(path string) { c.document = path; c.run() })
	}
	if clicked(gtx, &c.page) {
		c.save()
	}
	items := []layout.Widget{h.card(Plain, h.fileZone(&c.pick, c.file, h.dropWords("verify"), h.say("home.verify.choose")))}
	if w := h.working(&c.checking, &c.stop, h.say("home.verify.checking")); w != nil {
		items = append(items, w)
	}
	if c.wanted {
		items = append(items, h.card(Warn, spaced(8, h.toned(Warn, h.say("home.verify.wanted")), h.Text(h.say("home.verify.wantednext"), look.Label{}),
			row(8, h.other(&c.other, h.say("home.verify.document"))))))
	}
	if c.report != nil {
		items = append(items, c.result())
	}
	return items
}

// result is the report in words.
func (c *checkPanel) result() layout.Widget {
	h := c.h
	parts := []layout.Widget{}
	if c.document != "" && !c.report.Attached {
		parts = append(parts, h.soft(h.say("home.verify.of", "file", ui.Safe(filepath.Base(c.document), maxName))))
	}
	for i, l := range c.words {
		label := look.Label{Color: h.tone(l.Tone), Bold: l.Heading}
		if i == 0 {
			label.Size, label.Bold = 17, true
		}
		parts = append(parts, layoutInset(unit.Dp(min(l.Depth, 6)*18), 0, 0, 0, h.Text(l.Text, label)))
	}
	parts = append(parts, look.Gap(4), row(8, h.other(&c.page, h.say("home.verify.page"))))
	if w := h.working(&c.saving, nil, h.say("home.verify.checking")); w != nil {
		parts = append(parts, w)
	}
	if c.saved != "" {
		parts = append(parts, h.toned(Good, h.say("home.saved", "file", ui.Safe(c.saved, maxFact))))
	}
	return h.card(map[proto.Indication]Tone{proto.IndicationTOTALPASSED: Good, proto.IndicationTOTALFAILED: Bad}[c.report.Indication].orWarn(), spaced(4, parts...))
}

// orWarn is Warn for no tone.
func (t Tone) orWarn() Tone {
	if t == Plain {
		return Warn
	}
	return t
}

// save puts the report beside the signature, as a PDF.
func (c *checkPanel) save() {
	h, s, file, document := c.h, c.h.session, c.file, c.document
	h.begin(&c.saving, "", func(ctx context.Context) (func(), error) {
		r, err := h.verify(ctx, s, &c.saving, file, document, proto.PageFormPdf)
		if err != nil || r.Page == nil {
			return nil, err
		}
		defer drop(s, r.Page.Handle)
		out, err := writeNew(file+".pdf", func(w io.Writer) error { return s.Download(ctx, *r.Page, w) })
		return func() { c.saved = out }, err
	})
}
