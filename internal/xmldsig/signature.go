// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"encoding/base64"
	"fmt"
	"strings"

	"persten/internal/xmldsig/c14n"
)

// Limits of SignedInfo.
const (
	maxReferences = 128
	maxTransforms = 8
	maxOperations = 16 // XPath elements of one filter2 transform
)

// signature is one ds:Signature as read, strictly: the children the schema has, in its order, each as often as it may occur.
type signature struct {
	begin, end int64
	id         string
	problem    error // why it cannot be read; the rest may then be empty
	info       *signedInfo
	infoAt     int64
	value      []byte
	valueAt    span
	keyInfo    *element // nil when absent
	objects    []span
	properties *properties // nil without XAdES
}

// span is an element of the document by its offsets.
type span struct{ begin, end int64 }

func (s span) holds(o span) bool { return s.begin <= o.begin && o.end <= s.end }

// properties is the outline of QualifyingProperties.
type properties struct {
	target string
	signed span // SignedProperties; zero when absent
}

// signedInfo is what a signature value is made over.
type signedInfo struct {
	method     c14n.Method // of SignedInfo itself
	algorithm  string
	references []reference
}

type reference struct {
	uri, kind  string // kind is the Type attribute
	hasURI     bool
	transforms []transform
	digest     string // DigestMethod
	value      []byte
}

type transform struct {
	uri      string
	prefixes []string // InclusiveNamespaces
	paths    []expression
}

// expression is an XPath element, with Filter for filter2.
type expression struct {
	filter, text string
	namespaces   map[string]string
}

// read fills s from what the scanner kept.
func (s *signature) read(b *builder) {
	s.end = b.root.end
	s.id = b.root.attr("Id")
	if s.problem = b.err; s.problem == nil {
		s.problem = s.parse(b.root)
	}
	if s.problem == nil && b.strays > 0 {
		s.problem = malformed(b.root, "XAdES properties where they do not belong")
	}
}

func malformed(e *element, format string, args ...any) error {
	return fmt.Errorf("%w: %s at byte %d: %s", ErrFormat, e.local, e.begin, fmt.Sprintf(format, args...))
}

func (s *signature) parse(root *element) error {
	c, err := root.content("Id")
	if err != nil {
		return err
	}
	info, err := c.must(NamespaceDSig, "SignedInfo")
	if err != nil {
		return err
	}
	s.infoAt = info.begin
	if s.info, err = parseSignedInfo(info); err != nil {
		return err
	}
	value, err := c.must(NamespaceDSig, "SignatureValue")
	if err != nil {
		return err
	}
	s.valueAt = span{value.begin, value.end}
	if s.value, err = value.octets("Id"); err != nil {
		return err
	}
	s.keyInfo = c.take(NamespaceDSig, "KeyInfo")
	for o := c.take(NamespaceDSig, "Object"); o != nil; o = c.take(NamespaceDSig, "Object") {
		if err := s.object(o); err != nil {
			return err
		}
	}
	return c.done()
}

// object notes an Object and reads the outline of XAdES properties in it.
func (s *signature) object(o *element) error {
	if err := o.only("Id", "MimeType", "Encoding"); err != nil {
		return err
	}
	s.objects = append(s.objects, span{o.begin, o.end})
	for _, q := range o.children {
		if !q.is(NamespaceXAdES, "QualifyingProperties") {
			continue
		}
		if s.properties != nil {
			return malformed(q, "there is one already")
		}
		if q.attr("Target") == "" {
			return malformed(q, "no Target")
		}
		s.properties = &properties{target: q.attr("Target")}
		c := cursor{of: q}
		if signed := c.take(NamespaceXAdES, "SignedProperties"); signed != nil {
			s.properties.signed = span{signed.begin, signed.end}
		}
		c.take(NamespaceXAdES, "UnsignedProperties")
		if err := c.done(); err != nil {
			return err
		}
	}
	return nil
}

func parseSignedInfo(e *element) (*signedInfo, error) {
	c, err := e.content("Id")
	if err != nil {
		return nil, err
	}
	info := &signedInfo{}
	method, err := c.must(NamespaceDSig, "CanonicalizationMethod")
	if err != nil {
		return nil, err
	}
	if info.method.URI, info.method.Prefixes, err = method.canonicalization(); err != nil {
		return nil, err
	}
	alg, err := c.must(NamespaceDSig, "SignatureMethod")
	if err != nil {
		return nil, err
	}
	if info.algorithm, err = alg.algorithm("HMACOutputLength"); err != nil {
		return nil, err
	}
	for r := c.take(NamespaceDSig, "Reference"); r != nil; r = c.take(NamespaceDSig, "Reference") {
		if len(info.references) == maxReferences {
			return nil, fmt.Errorf("%w: more than %d references", ErrLimit, maxReferences)
		}
		ref, err := parseReference(r)
		if err != nil {
			return nil, err
		}
		info.references = append(info.references, ref)
	}
	if len(info.references) == 0 {
		return nil, malformed(e, "no Reference")
	}
	return info, c.done()
}

func parseReference(e *element) (reference, error) {
	var ref reference
	c, err := e.content("Id", "URI", "Type")
	if err != nil {
		return ref, err
	}
	ref.uri, ref.kind = e.attr("URI"), e.attr("Type")
	for _, a := range e.attrs {
		ref.hasURI = ref.hasURI || a.uri == "" && a.local == "URI"
	}
	if t := c.take(NamespaceDSig, "Transforms"); t != nil {
		if ref.transforms, err = parseTransforms(t); err != nil {
			return ref, err
		}
	}
	method, err := c.must(NamespaceDSig, "DigestMethod")
	if err != nil {
		return ref, err
	}
	if ref.digest, err = method.algorithm(); err != nil {
		return ref, err
	}
	value, err := c.must(NamespaceDSig, "DigestValue")
	if err != nil {
		return ref, err
	}
	if ref.value, err = value.octets(); err != nil {
		return ref, err
	}
	return ref, c.done()
}

func parseTransforms(e *element) ([]transform, error) {
	c, err := e.content()
	if err != nil {
		return nil, err
	}
	var list []transform
	for t := c.take(NamespaceDSig, "Transform"); t != nil; t = c.take(NamespaceDSig, "Transform") {
		if len(list) == maxTransforms {
			return nil, fmt.Errorf("%w: more than %d transforms", ErrLimit, maxTransforms)
		}
		one, err := parseTransform(t)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	if len(list) == 0 {
		return nil, malformed(e, "no Transform")
	}
	return list, c.done()
}

// parseTransform reads the parameters of the transforms that have some. An unknown transform keeps only its name.
func parseTransform(e *element) (transform, error) {
	t := transform{uri: e.attr("Algorithm")}
	var err error
	switch t.uri {
	case "":
		err = malformed(e, "no Algorithm")
	case TransformXPath:
		t.paths, err = parseXPath(e)
	case TransformFilter2:
		t.paths, err = parseFilter2(e)
	case TransformEnveloped, TransformBase64, TransformSMEV:
		_, err = e.algorithm()
	default:
		if (c14n.Method{URI: t.uri}).Check() == nil {
			_, t.prefixes, err = e.canonicalization()
		}
	}
	return t, err
}

func parseXPath(e *element) ([]expression, error) {
	c, err := e.content("Algorithm")
	if err != nil {
		return nil, err
	}
	x, err := c.must(NamespaceDSig, "XPath")
	if err != nil {
		return nil, err
	}
	list, err := x.expression(nil)
	if err != nil {
		return nil, err
	}
	return list, c.done()
}

func parseFilter2(e *element) ([]expression, error) {
	c, err := e.content("Algorithm")
	if err != nil {
		return nil, err
	}
	var list []expression
	for x := c.take(NamespaceFilter2, "XPath"); x != nil; x = c.take(NamespaceFilter2, "XPath") {
		if len(list) == maxOperations {
			return nil, fmt.Errorf("%w: more than %d operations", ErrLimit, maxOperations)
		}
		if list, err = x.expression(list, "Filter"); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, malformed(e, "no XPath")
	}
	return list, c.done()
}

// expression adds an XPath element to list.
func (e *element) expression(list []expression, attrs ...string) ([]expression, error) {
	if err := e.only(attrs...); err != nil {
		return nil, err
	}
	if len(e.children) > 0 {
		return nil, malformed(e, "elements inside")
	}
	return append(list, expression{e.attr("Filter"), e.text.String(), e.namespaces}), nil
}

// algorithm reads an element that is its Algorithm attribute; parameters of the names given are passed over.
func (e *element) algorithm(parameters ...string) (string, error) {
	c, err := e.content("Algorithm")
	if err != nil {
		return "", err
	}
	for _, p := range parameters {
		c.take(NamespaceDSig, p)
	}
	if err := c.done(); err != nil {
		return "", err
	}
	if e.attr("Algorithm") == "" {
		return "", malformed(e, "no Algorithm")
	}
	return e.attr("Algorithm"), nil
}

// canonicalization reads a method with InclusiveNamespaces.
func (e *element) canonicalization() (uri string, prefixes []string, err error) {
	c, err := e.content("Algorithm")
	if err != nil {
		return "", nil, err
	}
	if n := c.take(c14n.Exclusive, "InclusiveNamespaces"); n != nil {
		if _, err := n.content("PrefixList"); err != nil {
			return "", nil, err
		}
		prefixes = strings.Fields(n.attr("PrefixList"))
	}
	if e.attr("Algorithm") == "" {
		return "", nil, malformed(e, "no Algorithm")
	}
	return e.attr("Algorithm"), prefixes, c.done()
}

// octets decodes an element that holds base64 and nothing else.
func (e *element) octets(attrs ...string) ([]byte, error) {
	if err := e.only(attrs...); err != nil {
		return nil, err
	}
	if len(e.children) > 0 || e.remarks {
		return nil, malformed(e, "not plain base64")
	}
	b, err := decodeBase64(e.text.String())
	if err != nil || len(b) == 0 {
		return nil, malformed(e, "not plain base64")
	}
	return b, nil
}

// decodeBase64 is strict but for white space: one value has one spelling.
func decodeBase64(s string) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, s))
}

// only refuses attributes of other names. Attributes with a prefix mean nothing here and are passed over.
func (e *element) only(names ...string) error {
next:
	for _, a := range e.attrs {
		if a.uri != "" {
			continue
		}
		for _, n := range names {
			if a.local == n {
				continue next
			}
		}
		return malformed(e, "attribute %q", a.local)
	}
	return nil
}

// content checks the attributes of an element without text and returns its children.
func (e *element) content(attrs ...string) (*cursor, error) {
	if err := e.only(attrs...); err != nil {
		return nil, err
	}
	if strings.Trim(e.text.String(), " \t\r\n") != "" {
		return nil, malformed(e, "text")
	}
	return &cursor{of: e}, nil
}

// cursor goes through the children of an element in order.
type cursor struct {
	of   *element
	next int
}

// take returns the next child if it has this name.
func (c *cursor) take(uri, local string) *element {
	if c.next == len(c.of.children) || !c.of.children[c.next].is(uri, local) {
		return nil
	}
	c.next++
	return c.of.children[c.next-1]
}

func (c *cursor) must(uri, local string) (*element, error) {
	if e := c.take(uri, local); e != nil {
		return e, nil
	}
	return nil, malformed(c.of, "%s expected", local)
}

func (c *cursor) done() error {
	if c.next < len(c.of.children) {
		return malformed(c.of.children[c.next], "unexpected here")
	}
	return nil
}
