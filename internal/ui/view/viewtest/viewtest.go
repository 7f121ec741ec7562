// SPDX-License-Identifier: GPL-3.0-or-later

// Package viewtest makes small documents of the formats a person may be asked to sign, for tests.
package viewtest

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
)

// PDF is a document with a page for each text, in A4.
func PDF(pages ...string) []byte { return TitledPDF("", pages...) }

// TitledPDF is PDF with a title, which has no parentheses.
func TitledPDF(title string, pages ...string) []byte {
	var kids strings.Builder
	objects := []string{"<</Type/Catalog/Pages 2 0 R>>", "", "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"}
	for _, text := range pages {
		n := len(objects) + 1
		fmt.Fprintf(&kids, "%d 0 R ", n)
		draw := fmt.Sprintf("0.2 0.4 0.8 rg 50 700 200 60 re f 0 g BT /F 24 Tf 50 640 Td (%s) Tj ET", text)
		objects = append(objects,
			fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F 3 0 R>>>>/Contents %d 0 R>>", n+1),
			fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(draw), draw))
	}
	objects[1] = fmt.Sprintf("<</Type/Pages/Kids[%s]/Count %d>>", kids.String(), len(pages))
	objects = append(objects, "<</Title("+title+")>>")
	return assemble(objects, fmt.Sprintf("/Info %d 0 R", len(objects)))
}

// assemble numbers objects and makes a file of them.
func assemble(objects []string, trailer string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	offsets := make([]int, len(objects))
	for i, o := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, table)
	return b.Bytes()
}

// LockedPDF is one that wants a password.
func LockedPDF() []byte {
	key := strings.Repeat("5a", 32)
	return assemble([]string{
		"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[]/Count 0>>",
		"<</Filter/Standard/V 2/R 3/Length 128/P -4/O<" + key + ">/U<" + key + ">>>",
	}, "/Encrypt 3 0 R/ID[<00><00>]")
}

// Entry is a file of an archive.
type Entry struct{ Name, Content string }

// Zip is an archive.
func Zip(entries ...Entry) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.Name)
		if err == nil {
			_, err = w.Write([]byte(e.Content))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

const (
	relationships = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	packageRels   = "http://schemas.openxmlformats.org/package/2006/relationships"
	wordML        = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
	sheetML       = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	slideML       = "http://schemas.openxmlformats.org/presentationml/2006/main"
	drawingML     = "http://schemas.openxmlformats.org/drawingml/2006/main"
	odfOffice     = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
	odfText       = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
	odfTable      = "urn:oasis:names:tc:opendocument:xmlns:table:1.0"
)

// Relations is the part that says what a part leads to: kinds and targets in turn, with ids rId1, rId2 ...
func Relations(kindsAndTargets ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><Relationships xmlns="%s">`, packageRels)
	for i := 0; i+1 < len(kindsAndTargets); i += 2 {
		fmt.Fprintf(&b, `<Relationship Id="rId%d" Type="%s/%s" Target="%s"/>`, i/2+1, relationships, kindsAndTargets[i], kindsAndTargets[i+1])
	}
	return b.String() + "</Relationships>"
}

// Types is the part that says what the parts are.
const Types = `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>`

// DOCX is a text document with these paragraphs (as they stand in XML, so that a test can be hostile), a table and a footer.
func DOCX(paragraphs ...string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="UTF-8"?><w:document xmlns:w="%s"><w:body>`, wordML)
	for _, p := range paragraphs {
		fmt.Fprintf(&b, `<w:p><w:r><w:t xml:space="preserve">%s</w:t></w:r></w:p>`, p)
	}
	cell := func(s string) string { return `<w:tc><w:p><w:r><w:t>` + s + `</w:t></w:r></w:p></w:tc>` }
	b.WriteString(`<w:tbl><w:tr>` + cell("Товар") + cell("Цена") + `</w:tr><w:tr>` + cell("Бумага") + cell("310,00") + `</w:tr></w:tbl></w:body></w:document>`)
	return Zip(
		Entry{"[Content_Types].xml", Types},
		Entry{"_rels/.rels", Relations("officeDocument", "word/document.xml")},
		Entry{"word/document.xml", b.String()},
		Entry{"word/_rels/document.xml.rels", Relations("footer", "footer1.xml", "image", "media/image1.png")},
		Entry{"word/footer1.xml", fmt.Sprintf(`<w:ftr xmlns:w="%s"><w:p><w:r><w:t>Страница</w:t></w:r></w:p></w:ftr>`, wordML)},
		Entry{"word/media/image1.png", "\x89PNG"},
	)
}

// XLSX is a workbook with a shared text, a number, a day and a formula.
func XLSX() []byte {
	return Zip(
		Entry{"[Content_Types].xml", Types},
		Entry{"_rels/.rels", Relations("officeDocument", "xl/workbook.xml")},
		Entry{"xl/workbook.xml", fmt.Sprintf(`<workbook xmlns="%s" xmlns:r="%s"><sheets><sheet name="Счёт" sheetId="1" r:id="rId1"/></sheets></workbook>`, sheetML, relationships)},
		Entry{"xl/_rels/workbook.xml.rels", Relations("worksheet", "worksheets/sheet1.xml", "sharedStrings", "sharedStrings.xml", "styles", "styles.xml")},
		Entry{"xl/sharedStrings.xml", fmt.Sprintf(`<sst xmlns="%s"><si><t>Итого</t></si></sst>`, sheetML)},
		Entry{"xl/styles.xml", fmt.Sprintf(`<styleSheet xmlns="%s"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`, sheetML)},
		Entry{"xl/worksheets/sheet1.xml", fmt.Sprintf(`<worksheet xmlns="%s"><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1"><v>37200</v></c>`+
			`<c r="C1" s="1"><v>46348</v></c><c r="D1"><f>B1*2</f><v>74400</v></c></row></sheetData></worksheet>`, sheetML)},
	)
}

// PPTX is a presentation of one slide.
func PPTX() []byte {
	return Zip(
		Entry{"[Content_Types].xml", Types},
		Entry{"_rels/.rels", Relations("officeDocument", "ppt/presentation.xml")},
		Entry{"ppt/presentation.xml", fmt.Sprintf(`<p:presentation xmlns:p="%s" xmlns:r="%s"><p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst></p:presentation>`, slideML, relationships)},
		Entry{"ppt/_rels/presentation.xml.rels", Relations("slide", "slides/slide1.xml")},
		Entry{"ppt/slides/slide1.xml", fmt.Sprintf(`<p:sld xmlns:p="%s" xmlns:a="%s"><a:p><a:r><a:t>Доклад</a:t></a:r></a:p></p:sld>`, slideML, drawingML)},
	)
}

// ODT is a text document with these paragraphs.
func ODT(paragraphs ...string) []byte {
	return odf("text", "<office:text><text:p>"+strings.Join(paragraphs, "</text:p><text:p>")+"</text:p></office:text>")
}

// ODS is a sheet of one row with a cell that is there twice, and an empty one that fills the row to its end.
func ODS() []byte {
	return odf("spreadsheet", `<office:spreadsheet><table:table table:name="Лист1"><table:table-row>`+
		`<table:table-cell table:number-columns-repeated="2"><text:p>100</text:p></table:table-cell>`+
		`<table:table-cell table:number-columns-repeated="16382"/></table:table-row></table:table></office:spreadsheet>`)
}

func odf(kind, body string) []byte {
	spaces := fmt.Sprintf(`xmlns:office="%s" xmlns:text="%s" xmlns:table="%s"`, odfOffice, odfText, odfTable)
	return Zip(
		Entry{"mimetype", "application/vnd.oasis.opendocument." + kind},
		Entry{"content.xml", fmt.Sprintf(`<office:document-content %s><office:body>%s</office:body></office:document-content>`, spaces, body)},
		Entry{"styles.xml", fmt.Sprintf(`<office:document-styles %s><office:styles><text:p>нет</text:p></office:styles><office:master-styles>`+
			`<text:p>Колонтитул</text:p></office:master-styles></office:document-styles>`, spaces)},
	)
}
