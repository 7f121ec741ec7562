// SPDX-License-Identifier: GPL-3.0-or-later

// Package xml splits an XML document into tokens, strictly: what it passes is well-formed XML 1.0 (fifth edition) with
// well-formed Namespaces (third edition) and has no document type declaration, so that two programs cannot read it in two
// ways. It streams: memory grows with the depth and the longest tag, not with the document.
//
// # Contract
//
// Next returns the tokens of one document in order, then io.EOF. A Token and everything in it is valid until the next call.
// A document that ends in an error has no meaning at all, whatever its first tokens were; callers act only after io.EOF.
// Errors are *Error, wrapping ErrSyntax, ErrDoctype, ErrEncoding or ErrLimit, with line and column; what the source
// returns for an error is passed on as it is.
//
// Values are what an XML processor must report: line ends are one newline (section 2.11), references are replaced,
// attribute values are normalised as CDATA (section 3.3.3), so a newline written as such is a space and one written as
// &#10; stays a newline. Text comes in pieces, split anywhere: at least at references, CR LF and the ends of CDATA sections.
// A piece can be empty, for an empty section.
//
// Tokens stand for the whole document: each begins where the one before ended. Only the XML declaration and the white
// space outside the root have none.
//
// # Encodings
//
// UTF-8, UTF-16 with a byte order mark, windows-1251, koi8-r, iso-8859-1 and US-ASCII by declaration. A declaration that
// contradicts the byte order mark is refused, and so is each byte that its encoding does not define. Offsets count bytes of the
// document read as UTF-8 without its byte order mark; Locate turns them into offsets of the source.
//
// # Refused
//
// DOCTYPE (and with it every entity but the five), unbound prefixes, attributes doubled also after resolving prefixes,
// the reserved prefixes used otherwise than as reserved, a second root, text outside the root, and whatever exceeds Limits.
// XML 1.1 is refused because programs that know it read other line ends and characters than those that do not; any other
// 1.x is read as 1.0, as the fifth edition says.
package xml

import (
	"errors"
	"fmt"
)

// What can be wrong with a document; *Error wraps one of them.
var (
	ErrSyntax   = errors.New("not well-formed XML")
	ErrDoctype  = errors.New("document type declarations are not accepted")
	ErrEncoding = errors.New("character encoding not supported or broken")
	ErrLimit    = errors.New("XML document exceeds a limit")
)

// Error tells where a document is wrong. Line and Column start at 1 and count lines and characters as a text editor
// does; Offset is in bytes of the UTF-8 form.
type Error struct {
	Kind         error // one of the errors above
	Reason       string
	Line, Column int
	Offset       int64
}

func (e *Error) Error() string {
	return fmt.Sprintf("%v: line %d, column %d: %s", e.Kind, e.Line, e.Column, e.Reason)
}

func (e *Error) Unwrap() error { return e.Kind }

// The namespaces every document knows.
const (
	XMLNamespace   = "http://www.w3.org/XML/1998/namespace"
	XMLNSNamespace = "http://www.w3.org/2000/xmlns/"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds of token.
const (
	Start       Kind = iota + 1 // a start tag, or an empty-element tag: then Empty is set and an End follows
	End                         // an end tag
	Text                        // a piece of character data inside the root; CDATA sections are text
	Comment                     // Data is between the dashes
	Instruction                 // Name.Local is the target, Data the rest
)

// Name is an element's or attribute's name, as written and resolved.
type Name struct {
	Prefix, Local []byte
	URI           string // "" is no namespace
}

// Attr is one attribute that is not a namespace declaration.
type Attr struct {
	Name
	Value []byte
}

// Binding is a namespace declaration: xmlns:Prefix="URI", or xmlns="URI" with an empty Prefix. The one xmlns:xml that is
// allowed says nothing and is left out.
type Binding struct {
	Prefix, URI string
}

// Token is one piece of a document.
type Token struct {
	Kind       Kind
	Name       Name      // Start, End; Instruction has Local only
	Attrs      []Attr    // Start: in document order
	Bindings   []Binding // Start: the declarations on this element, in document order
	Data       []byte    // Text, Comment, Instruction
	Empty      bool      // Start: written <a/>
	Depth      int       // of the element, or of what holds the token: the root is 1, before and after it is 0
	Begin, Fin int64     // the token's bytes are [Begin, Fin); the End after an Empty has Begin == Fin
}

// Limits bound what a document may ask for. A zero field takes the default.
type Limits struct {
	Depth    int   // open elements: 256
	Attrs    int   // attributes and declarations of one element: 1,024
	Tag      int   // bytes of one tag, comment or instruction: 1 MiB
	Bindings int   // declarations in scope: 4,096
	Open     int   // bytes kept of the open elements, their declarations and xml:* attributes: 4 MiB
	Size     int64 // bytes of the whole document as UTF-8: none
}
