// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"persten/internal/cms"
	"persten/internal/signing"
	"persten/internal/token/keyfile"
	"persten/proto"
)

const inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"

// TestBatchOfXML signs documents as XML with one question that tells of each what will be covered.
func TestBatchOfXML(t *testing.T) {
	b := newBench(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}})
	var docs []string
	for i := range 10 {
		docs = append(docs, fmt.Sprintf("<order n='%d'><sum>1</sum></order>", i))
	}
	docs[4] = "<order>" + strings.Repeat("<sum>1</sum>", 20_000) + "</order>"
	r := b.batch(t, docs...)
	r.XML = &signing.XMLForm{C14N: inclusive}
	var got taken
	made, err := b.SignBatch(context.Background(), page, r, got.each)
	if err != nil || made.Count(signing.ItemSigned) != 10 {
		t.Fatalf("%+v %v", made, err)
	}
	b.account(t, made, got.list)
	q := b.person.asked
	if len(q) != 1 || q[0].XML == nil || q[0].XML.C14N != inclusive || !q[0].Attached || q[0].Profile != "xmldsig enveloped" {
		t.Fatalf("asked %+v", q)
	}
	for _, s := range got.list {
		if d := q[0].Documents[s.Index]; !d.Whole || len(d.Covered) != 1 || d.Covered[0].Element != "order" {
			t.Errorf("item %d is shown as %+v", s.Index, d)
		}
		if (s.Handle != "") != (s.Index == 4) {
			t.Fatalf("item %d came by handle %q", s.Index, s.Handle)
		}
		doc := io.ReadSeeker(strings.NewReader(string(s.Signature)))
		if s.Handle != "" {
			c, err := b.Store().Sealed(page.Channel, s.Handle)
			if err != nil {
				t.Fatal(err)
			}
			doc = c.Reader()
		}
		if report, err := b.VerifyXML(context.Background(), doc, nil); err != nil || !report.Trusted() || !report.Signers[0].References[0].Whole {
			t.Errorf("item %d: %v %+v", s.Index, err, report)
		}
	}
	b.idle(t)
}

// TestBatchFormsRefused: what cannot be made is refused before anybody is asked.
func TestBatchFormsRefused(t *testing.T) {
	b := newBench(t, &person{decide: yes})
	xml := &signing.XMLForm{}
	attached, profile, stamped := b.batch(t, "<a/>"), b.batch(t, "<a/>"), b.batch(t, "x")
	attached.XML, attached.Attached = xml, true
	profile.XML, profile.Profile = xml, cms.ProfileBES
	stamped.Profile = cms.ProfileT // nobody to ask for a time-stamp
	digests := b.digests(t, 1)
	digests.XML = xml
	broken, columns := b.batch(t, "<a/>", "<a>", "<b/>"), b.batch(t, "<a/>")
	broken.XML, columns.XML = xml, &signing.XMLForm{Columns: 7}
	for name, c := range map[string]struct {
		r    signing.BatchRequest
		want proto.Code
	}{
		"attached XML": {attached, proto.CodeRequestInvalid}, "XML with a CMS profile": {profile, proto.CodeRequestInvalid},
		"XML of a digest": {digests, proto.CodeRequestInvalid}, "a broken document": {broken, proto.CodeFormatXML},
		"no authority": {stamped, proto.CodeTimestampAbsent}, "odd lines": {columns, proto.CodeRequestInvalid},
	} {
		if _, err := b.SignBatch(t.Context(), page, c.r, nil); !errors.Is(err, c.want) || len(b.person.asked) != 0 || len(b.records(t)) != 0 {
			t.Errorf("%s: %v, %d questions", name, err, len(b.person.asked))
		}
	}
}

// TestBatchUnstamped: a signature that was to have a time-stamp and got none is not given out, and the batch ends.
func TestBatchUnstamped(t *testing.T) {
	b := withAuthority(t, &person{decide: yes, pins: []string{keyfile.DemoPIN}}, func(context.Context) error {
		return proto.E(proto.CodeTimestampAbsent, nil)
	})
	r := b.batch(t, "one", "two")
	r.Profile = cms.ProfileT
	var got taken
	_, err := b.SignBatch(t.Context(), page, r, got.each)
	if !errors.Is(err, proto.CodeTimestampAbsent) || len(got.list) != 0 {
		t.Errorf("%v, %d given", err, len(got.list))
	}
	if q := b.person.asked; len(q) != 1 || q[0].Profile != "cades-t" {
		t.Errorf("asked %+v", q)
	}
}
