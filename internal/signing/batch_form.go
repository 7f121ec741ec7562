// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"cmp"
	"context"
	"io"
	"time"

	"persten/internal/cms"
	"persten/internal/xmldsig"
	"persten/proto"
)

// form settles what the signatures of the batch look like, and puts it into the question. This file is the one place that
// knows the forms of a batch.
func (b *batch) form(q *Question) (err error) {
	q.Note, q.Attached, q.Batch = b.r.Note, b.r.Attached || b.r.XML != nil, true
	if b.r.XML == nil {
		f := CMSForm{Profile: b.r.Profile}
		q.Profile = f.name()
		b.cms, err = b.e.cmsOptions(CMSRequest{Attached: b.r.Attached, Form: f})
		b.cms.Checked = true
		return err
	}
	if b.r.Attached || b.r.Profile != "" {
		return batchFault("xml", "goes with neither attached nor profile")
	}
	form := *b.r.XML
	form.Mode, form.Profile = string(xmldsig.Enveloped), string(xmldsig.DSig)
	q.XML, q.Profile = &form, form.Profile+" "+form.Mode
	b.xml, err = form.options()
	return err
}

// cover notes what a signature of document i will speak of, when it is an XML signature.
func (b *batch) cover(ctx context.Context, i int, d *Document) error {
	if b.r.XML == nil {
		return nil
	}
	c := b.r.Items[i].Content
	if c == nil {
		return batchFault(field(i, "content.digest"), "cannot be signed as XML: there is no document")
	}
	plan, err := xmldsig.Plan(ctx, c.Reader(), b.xml)
	if err != nil {
		return xmlFault(err, XMLRequest{})
	}
	covered, extent, err := coverage(plan)
	d.Covered, d.Whole, d.Rest = covered, extent == whole, extent == rest
	if b.spans += len(covered); err == nil && b.spans > maxSpans { // a question travels in one message
		err = proto.E(proto.CodeXMLLimit, nil, "line", "", "column", "", "detail", "too many pieces to sign")
	}
	return err
}

// encode writes the signature of item i in the form that was approved.
func (b *batch) encode(ctx context.Context, w io.Writer, i int, s cms.Signer, at time.Time) error {
	c := b.r.Items[i].Content
	if b.r.XML != nil {
		o := b.xml
		o.MIMEType, o.SigningTime, o.Content = cmp.Or(b.r.Items[i].MIME, c.MIME), at, b.digests[i]
		return xmlFault(xmldsig.Sign(ctx, w, c.Reader(), s, o), XMLRequest{})
	}
	o := b.cms
	o.SigningTime, o.Digest = at, b.digests[i]
	if o.Profile == cms.ProfileT {
		o.Chain = b.e.embedded(s.Certificate(), o.Profile)
	}
	if c == nil {
		return cms.Sign(ctx, w, nil, s, o)
	}
	return cms.Sign(ctx, w, c.Reader(), s, o)
}

// made is the media type of what a batch makes.
func (r BatchRequest) made() string {
	if r.XML != nil {
		return "application/xml"
	}
	return "application/pkcs7-signature"
}

// BatchFormOf takes the form of the signatures of a batch from the parameters of sign.batch.
func BatchFormOf(p proto.SignBatchParams) (profile cms.Profile, xml *XMLForm) {
	if p.XML != nil {
		xml = &XMLForm{C14N: p.XML.C14N, Columns: p.XML.Columns}
	}
	return cms.Profile(p.Profile), xml
}
