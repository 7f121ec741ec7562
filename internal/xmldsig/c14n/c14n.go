// SPDX-License-Identifier: GPL-3.0-or-later

// Package c14n writes node-sets of an XML document in canonical form: Canonical XML 1.0 and 1.1, Exclusive XML
// Canonicalization 1.0, each with and without comments, and the SMEV transform. It reads the document once for any number
// of node-sets and keeps no tree: memory grows with depth only.
//
// A node-set is described (Nodes), not built: it is a predicate over a node and its ancestors, which is all that signatures
// use. What would need a look at later nodes is refused with ErrUnsupported when the description is made, or, where it depends
// on the document (the string-value of an element or of text in XPath, unless the job has Texts), by Run.
//
// # Contract
//
// Sets of whole subtrees (a document, an element, with subtrees cut out, also by not(ancestor-or-self::NAME)) are written as
// fast as they are read. Any other filter is decided for each element, attribute, namespace node and piece of text.
//
// What Run writes has a meaning only when Run returns nil. Job.Found, Apexes, Holes, Partial, Comments and Outside tell what
// the octets cover; who trusts a signature looks at all of them.
//
// Apexes and Holes nest like the elements they are: a hole lies in an apex, but another apex may lie in the hole (Filter 2.0
// can subtract a subtree and take back a part of it), and so on. Each list is in the order of Begin. A byte between tags
// belongs to what is signed when the innermost span around it is an apex.
//
// Time and memory for filters are bounded by an Effort.
//
// # Where the specifications are open
//
// Namespace names are written as they are; relative ones, which Canonical XML calls an error, are not refused. In version
// 1.1 the root element, and an element whose parent is not in the set, keep an xml:base that a filter took from them, as
// libxml2 has it; libxml2 does the same for other elements and for xml:lang, where here the filter prevails. In exclusive forms
// the namespace nodes of prefixes in the list, and attributes, are written also when their element is not in the set, as the
// merlin-c14n-three examples have it.
package c14n

import (
	"errors"
	"fmt"
)

// Errors.
var (
	ErrUnsupported = errors.New("transform or expression not supported")
	ErrLimit       = errors.New("canonical form exceeds a limit")
)

// The identifiers of the methods.
const (
	C14N10            = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	C14N10Comments    = C14N10 + "#WithComments"
	C14N11            = "http://www.w3.org/2006/12/xml-c14n11"
	C14N11Comments    = C14N11 + "#WithComments"
	Exclusive         = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ExclusiveComments = Exclusive + "WithComments"
)

// Method is a canonicalization method.
type Method struct {
	URI      string
	Prefixes []string // the PrefixList of InclusiveNamespaces, for the exclusive methods; "#default" is the default namespace
}

// Check returns ErrUnsupported when the method is none of the known ones or has what it cannot have.
func (m Method) Check() error {
	switch m.URI {
	case Exclusive, ExclusiveComments:
		return nil
	case C14N10, C14N10Comments, C14N11, C14N11Comments:
		if len(m.Prefixes) == 0 {
			return nil
		}
		return fmt.Errorf("%w: InclusiveNamespaces with %s", ErrUnsupported, m.URI)
	}
	return fmt.Errorf("%w: canonicalization method %q", ErrUnsupported, m.URI)
}

// comments reports whether the method writes comments.
func (m Method) comments() bool {
	return m.URI == C14N10Comments || m.URI == C14N11Comments || m.URI == ExclusiveComments
}
