// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"strconv"
	"strings"

	"persten/internal/xmldsig"
	"persten/internal/xmldsig/xml"
	"persten/proto"
)

// xmlFault turns an error of the XML packages into one of the catalogue; r is what was asked for.
func xmlFault(err error, r XMLRequest) error {
	var bad *xml.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return documentFault(bad)
	case errors.Is(err, xmldsig.ErrReference):
		return referenceFault(err)
	case errors.Is(err, xmldsig.ErrUnsupported):
		return proto.E(proto.CodeAlgorithmUnsupported, err, "algorithm", "")
	case errors.Is(err, xmldsig.ErrPlace):
		return proto.E(proto.CodeXMLPlaceAbsent, err, "path", r.Form.Path)
	case errors.Is(err, xmldsig.ErrTemplate):
		return proto.E(proto.CodeXMLTemplateAbsent, err, "detail", detailOf(err))
	case errors.Is(err, xmldsig.ErrBreaks):
		return proto.E(proto.CodeXMLSignatureHurt, err)
	case errors.Is(err, xmldsig.ErrOptions):
		return proto.E(proto.CodeRequestInvalid, err, "field", "params", "detail", detailOf(err))
	case errors.Is(err, xmldsig.ErrNoSignature):
		return proto.E(proto.CodeXMLSignatureAbsent, err)
	case errors.Is(err, xmldsig.ErrLimit):
		return proto.E(proto.CodeXMLLimit, err, "line", "", "column", "", "detail", detailOf(err))
	case errors.Is(err, xmldsig.ErrFormat):
		return proto.E(proto.CodeFormatXML, err, "line", "", "column", "", "detail", detailOf(err))
	case errors.Is(err, xmldsig.ErrChanged):
		return proto.E(proto.CodeContentChanged, err)
	}
	return fault(err)
}

// detailOf is an error's text for developers; it may quote the document, so it is kept short and on one line.
func detailOf(err error) string {
	const limit = 200
	text := []rune(strings.ToValidUTF8(err.Error(), "?"))
	for i, r := range text {
		if !strconv.IsPrint(r) {
			text[i] = '?'
		}
	}
	return string(text[:min(len(text), limit)])
}

// documentFault tells where a document cannot be read.
func documentFault(bad *xml.Error) error {
	code := proto.CodeFormatXML
	switch bad.Kind {
	case xml.ErrDoctype:
		code = proto.CodeXMLDoctype
	case xml.ErrLimit:
		code = proto.CodeXMLLimit
	}
	e := proto.E(code, bad, "line", strconv.Itoa(bad.Line), "column", strconv.Itoa(bad.Column))
	if code != proto.CodeXMLDoctype {
		e.Args["detail"] = bad.Reason
	}
	return e
}

// referenceFault tells which Id does not name exactly one element.
func referenceFault(err error) error {
	var bad *xmldsig.ReferenceError
	if !errors.As(err, &bad) {
		return proto.E(proto.CodeXMLReferenceAbsent, err, "id", "")
	}
	code := proto.CodeXMLReferenceAbsent
	if bad.Found > 1 {
		code = proto.CodeXMLReferenceAmbiguous
	}
	return proto.E(code, err, "id", strings.TrimPrefix(bad.URI, "#"))
}
