// SPDX-License-Identifier: GPL-3.0-or-later

package xmldsig

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"persten/internal/algo"
	"persten/internal/cms"
	"persten/internal/xmldsig/xml"
)

// FuzzSign signs whatever comes, wherever it says. What comes out is a valid signature, and the document without it; the key
// is not used for anything else.
func FuzzSign(f *testing.F) {
	f.Add(order, "", "", uint8(0))
	f.Add(order, "/*/строка[2]", "before", uint8(1))
	f.Add(order, "//a:пусто", "first-child", uint8(2))
	f.Add(soapText("<S:Header/>", ""), "", "", uint8(3))
	f.Add(soapText(foreignSecurity, wsuBody), "", "", uint8(3))
	f.Add(smevMessage, "//PersonalSignature", "", uint8(4))
	f.Add(strings.NewReplacer("ALGORITHM", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
		"DIGEST", "http://www.w3.org/2001/04/xmlenc#sha256").Replace(orderTemplate), "", "", uint8(5))
	f.Add("<r/>", "//r", "last-child", uint8(6))
	f.Fuzz(func(t *testing.T, doc, path, position string, way uint8) {
		s := signerOf(t, algo.ECDSASHA256)
		o := []Options{
			{}, {Mode: Enveloping}, {Parallel: true}, {Profile: SMEV2}, {Profile: SMEV3, References: []Ref{{ID: "a"}}},
			{Mode: Template}, {Profile: XAdESBES, Columns: 64}, {Mode: Detached, References: []Ref{{ID: "a"}}},
		}[way%8]
		o.SignatureID, o.Namespaces, o.Limits = "fuzz", map[string]string{"a": "urn:d"}, xml.Limits{Depth: 32}
		if o.Mode != Enveloping && o.Profile != SMEV2 {
			o.Place.Path = path
		}
		if o.Mode == "" && o.Profile == "" {
			o.Place.Position = Position(position)
		}
		var w bytes.Buffer
		err := Sign(context.Background(), &w, strings.NewReader(doc), s, o)
		_, planErr := Plan(context.Background(), strings.NewReader(doc), o)
		if err != nil {
			if w.Len() != 0 || s.calls != 0 || errors.Is(err, cms.ErrSelfCheck) {
				t.Fatalf("%v after %d uses of the key, %d bytes", err, s.calls, w.Len())
			}
			return
		}
		if planErr != nil {
			t.Fatalf("signed, but not planned: %v", planErr)
		}
		rep, err := Verify(context.Background(), strings.NewReader(w.String()), s.trust(), VerifyOptions{})
		if err != nil || s.calls != 1 {
			t.Fatalf("%v, %d uses of the key", err, s.calls)
		}
		valid := false
		for _, one := range rep.Signers {
			valid = valid || one.Valid && one.Certificate.Equal(s.cert)
		}
		if !valid {
			t.Fatalf("no valid signature in %s", w.String())
		}
	})
}
