// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"bytes"
	"slices"
	"strings"

	"persten/internal/signing"
)

// Form is a way to show a document.
type Form string

// The forms.
const (
	FormTree    Form = "tree"    // of XML, with the signed part marked
	FormText    Form = "text"    // as it is
	FormPages   Form = "pages"   // PDF and pictures
	FormExtract Form = "extract" // the text of office formats, or what an archive holds
	FormHex     Form = "hex"
)

// How is what the journal says when a document was shown in this form.
func (f Form) How() signing.How {
	switch f {
	case FormExtract:
		return signing.HowExtracted
	case FormHex:
		return signing.HowHex
	}
	return signing.HowShown
}

// magic is how files begin that are shown as pages or by extraction.
var magic = []struct {
	at    int
	bytes string
	form  Form
}{
	{0, "%PDF-", FormPages},
	{0, "\x89PNG\r\n\x1a\n", FormPages},
	{0, "\xff\xd8\xff", FormPages},
	{0, "GIF87a", FormPages},
	{0, "GIF89a", FormPages},
	{0, "II*\x00", FormPages},
	{0, "MM\x00*", FormPages},
	{8, "WEBP", FormPages},
	{6, "\x00\x00\x00\x00", FormPages}, // BM: the reserved fields of a bitmap
	{0, "PK\x03\x04", FormExtract},
	{0, "PK\x05\x06", FormExtract},
	{0, `{\rtf`, FormExtract},
}

// Forms returns the ways to show a document, the best first. There is always one. It looks at the beginning only, and
// believes neither name nor type: a program that opens the file by its name may show something else.
func Forms(d signing.Document) []Form {
	head, err := beginning(d.Content)
	if err != nil || len(head) == 0 {
		return []Form{FormText}
	}
	text := signing.DetectCharset(head) != signing.Binary
	var forms []Form
	if text && ShowsTree(d) {
		forms = append(forms, FormTree)
	}
	if f := formOf(head); f != "" && !slices.Contains(forms, FormTree) {
		forms = append(forms, f)
	}
	if text {
		return append(forms, FormText)
	}
	return append(forms, FormHex)
}

// formOf recognises pages and what is shown by extraction.
func formOf(head []byte) Form {
	if i := bytes.Index(head[:min(len(head), 1024)], []byte("%PDF-")); i > 0 && len(bytes.TrimLeft(head[:i], " \t\r\n\xef\xbb\xbf")) == 0 {
		return FormPages
	}
	for _, m := range magic {
		container := m.at == 8 && !bytes.HasPrefix(head, []byte("RIFF")) || m.at == 6 && !bytes.HasPrefix(head, []byte("BM"))
		if !container && len(head) >= m.at && bytes.HasPrefix(head[m.at:], []byte(m.bytes)) {
			return m.form
		}
	}
	return ""
}

// Refusal is why a viewing process does not show a document in a form. The zero value is unknown.
type Refusal string

// The refusals.
const (
	RefusedBroken      Refusal = "broken"      // not what it says it is, or damaged
	RefusedEncrypted   Refusal = "encrypted"   // wants a password
	RefusedLarge       Refusal = "large"       // beyond a limit: size, number of pages or entries, pixels
	RefusedUnsupported Refusal = "unsupported" // a variant that is not known
)

var refusals = []Refusal{RefusedBroken, RefusedEncrypted, RefusedLarge, RefusedUnsupported}

// parseRefusal reads the word of a viewing process; what is not a known one is none.
func parseRefusal(word string) Refusal {
	if r := Refusal(strings.TrimSuffix(word, "\n")); slices.Contains(refusals, r) {
		return r
	}
	return ""
}

// Kind is what a document is: a word the viewing process says, out of a fixed list.
type Kind string

// kinds are the known ones. Those with an extension may be opened in the system's own viewer, under that extension and no
// other, whatever the page called the document: what could bring a program with it is not among them.
var kinds = map[Kind]string{
	"pdf": "pdf", "png": "png", "jpeg": "jpg", "gif": "gif", "tiff": "tif", "webp": "webp", "bmp": "bmp",
	"docx": "docx", "xlsx": "xlsx", "pptx": "pptx", "odt": "odt", "ods": "ods", "odp": "odp", "rtf": "rtf",
	"macros": "", "zip": "", "data": "",
}

// Extension is that of a copy for the system's viewer; "" when there is to be none.
func (k Kind) Extension() string { return kinds[k] }

// parseKind reads the word of a viewing process.
func parseKind(word string) Kind {
	if _, ok := kinds[Kind(word)]; ok {
		return Kind(word)
	}
	return "data"
}
