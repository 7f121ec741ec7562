// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/proto"
)

// XMLRequest asks for one XML signature. The content is sealed; its owner releases it afterwards.
type XMLRequest struct {
	Certificate string // id (SHA-256) or SHA-1 thumbprint, hex
	Content     *Content
	Name, MIME  string // instead of the content's own, when not empty
	Note        string // "the site says"
	Algorithm   string // algo.ID; "": the key's default
	Form        XMLForm
}

// XMLForm is what an XML signature is to look like. It stands in the Question, so that the approval binds all of it.
type XMLForm struct {
	Mode         string            `json:"mode,omitempty"`
	Profile      string            `json:"profile,omitempty"`
	References   []string          `json:"references,omitempty"` // Ids, "" for the whole document; nil: what the profile signs
	C14N         string            `json:"c14n,omitempty"`
	Path         string            `json:"path,omitempty"` // of the signature, with its position
	Position     string            `json:"position,omitempty"`
	Namespaces   map[string]string `json:"namespaces,omitempty"`   // prefixes in Path
	IDAttributes []string          `json:"idAttributes,omitempty"` // name or {namespace}name, beside Id; nil: the usual ones
	SignatureID  string            `json:"signatureId,omitempty"`
	Columns      int               `json:"columns,omitempty"`
	KeyValue     bool              `json:"keyValue,omitempty"`
	Parallel     bool              `json:"parallel,omitempty"`
	Policy       *XMLPolicy        `json:"policy,omitempty"`
}

// XMLPolicy names a signature policy.
type XMLPolicy struct {
	ID        string `json:"id"`
	Digest    []byte `json:"digest"`
	DigestAlg string `json:"digestAlg"`
	URI       string `json:"uri,omitempty"`
}

// FormOf takes the form of a signature from the parameters of sign.xml.
func FormOf(p proto.SignXMLParams) XMLForm {
	f := XMLForm{
		Mode: string(p.Mode), Profile: string(p.Profile), C14N: p.C14N, IDAttributes: p.IDAttributes,
		SignatureID: p.SignatureID, Columns: p.Columns, KeyValue: p.KeyValue, Parallel: p.Parallel,
	}
	if p.Profile == proto.XMLProfileDsig {
		f.Profile = string(xmldsig.DSig)
	}
	for _, r := range p.References {
		f.References = append(f.References, r.ID)
	}
	if at := p.Place; at != nil {
		f.Path, f.Position, f.Namespaces = at.Path, string(at.Position), map[string]string{}
		for _, n := range at.Namespaces {
			f.Namespaces[n.Prefix] = n.URI
		}
	}
	if y := p.Policy; y != nil {
		f.Policy = &XMLPolicy{ID: y.ID, Digest: y.Digest, DigestAlg: y.DigestAlg, URI: y.URI}
	}
	return f
}

// SignXML asks the person, showing what the signature will cover, signs and writes the result to w: the document with the
// signature in it, or the signature with the document in it. On error w holds nothing of use.
func (e *Engine) SignXML(ctx context.Context, who Caller, r XMLRequest, w io.Writer) (*Result, error) {
	options, err := r.Form.options()
	if err != nil {
		return nil, err
	}
	options.MIMEType = cmp.Or(r.MIME, r.Content.MIME)
	plan, err := xmldsig.Plan(ctx, r.Content.Reader(), options)
	if err != nil {
		return nil, xmlFault(err, r)
	}
	covered, extent, err := coverage(plan)
	if err != nil {
		return nil, err
	}
	form := r.Form
	form.Mode, form.Profile = string(plan.Mode), string(plan.Profile)
	if plan.Algorithm != "" && r.Algorithm != "" && string(plan.Algorithm) != r.Algorithm { // a template has its own
		return nil, proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", string(plan.Algorithm))
	}
	return e.sign(ctx, who, order{
		method: proto.MethodSignXML, certificate: r.Certificate, algorithm: cmp.Or(algo.ID(r.Algorithm), plan.Algorithm),
		content: r.Content, name: r.Name, mime: r.MIME,
		describe: func(q *Question) {
			q.Note, q.Attached, q.XML, q.Profile = r.Note, true, &form, form.Profile+" "+form.Mode
			q.Documents[0].Covered, q.Documents[0].Whole, q.Documents[0].Rest = covered, extent == whole, extent == rest
		},
		encode: func(ctx context.Context, s cms.Signer, at time.Time, digest []byte) error {
			options.SigningTime, options.Content = at, digest
			return xmlFault(xmldsig.Sign(ctx, w, r.Content.Reader(), s, options), r)
		},
	})
}

// extent is how much of a document is signed.
type extent int

const (
	some extent = iota
	rest        // all but the signatures that are in it
	whole
)

// maxSpans bounds what a question carries of a document; a template can make as many holes as it has elements.
const maxSpans = 4096

// coverage lists the pieces of the document that a signature will cover, without the holes in them. Of a reference nobody
// can tell what it covers cannot be shown, and what cannot be shown is not signed.
func coverage(plan *xmldsig.Coverage) (covered []Span, much extent, err error) {
	for _, ref := range plan.References {
		if ref.Begin >= ref.End {
			return nil, 0, proto.E(proto.CodeAlgorithmUnsupported, nil, "algorithm", "")
		}
		switch {
		case ref.Whole && len(ref.Holes) == 0:
			much = whole
		case ref.Whole:
			much = max(much, rest)
		}
		at := ref.Begin
		for _, hole := range append(slices.Clone(ref.Holes), [2]int64{ref.End, ref.End}) {
			if at < hole[0] {
				covered = append(covered, Span{
					Begin: at, End: hole[0], Element: ref.Name, ID: ref.ID, Comments: ref.Comments, Instructions: ref.Instructions,
				})
			}
			at = hole[1]
		}
	}
	switch {
	case len(covered) == 0:
		return nil, 0, proto.E(proto.CodeXMLReferenceAbsent, nil, "id", "")
	case len(covered) > maxSpans:
		return nil, 0, proto.E(proto.CodeXMLLimit, nil, "line", "", "column", "", "detail", "too many pieces to sign")
	}
	return covered, much, nil
}

// options turns a form into the encoder's options.
func (f XMLForm) options() (xmldsig.Options, error) {
	o := xmldsig.Options{
		Mode: xmldsig.Mode(f.Mode), Profile: xmldsig.Profile(f.Profile), C14N: f.C14N, Namespaces: f.Namespaces,
		Place:       xmldsig.Place{Path: f.Path, Position: xmldsig.Position(f.Position)},
		SignatureID: f.SignatureID, Columns: f.Columns, KeyValue: f.KeyValue, Parallel: f.Parallel,
	}
	if f.Columns != 0 && f.Columns != 64 && f.Columns != 76 {
		return o, proto.E(proto.CodeRequestInvalid, nil, "field", "columns", "detail", "must be 0, 64 or 76")
	}
	for _, id := range f.References {
		o.References = append(o.References, xmldsig.Ref{ID: id})
	}
	names := f.IDAttributes
	if len(names) > 0 && !slices.Contains(names, "Id") {
		names = append(slices.Clone(names), "Id") // the signature's own elements have no other
	}
	for _, name := range names {
		uri, local, _ := strings.Cut(strings.TrimPrefix(name, "{"), "}")
		if local == "" {
			uri, local = "", uri
		}
		o.IDNames = append(o.IDNames, xmldsig.IDName{URI: uri, Local: local})
	}
	if p := f.Policy; p != nil {
		digest := algo.Digest(p.DigestAlg)
		if !digest.Known() || digest.Size() != len(p.Digest) {
			return o, proto.E(proto.CodeRequestInvalid, nil, "field", "policy.digest", "detail", "does not fit digestAlg")
		}
		o.Policy = &xmldsig.Policy{ID: p.ID, Digest: digest, Value: p.Digest, URI: p.URI}
	}
	return o, nil
}
