// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"persten/internal/text"
)

// FuzzPage puts outside words everywhere a file may bring them: neither form may fail, and no element may come of them.
func FuzzPage(f *testing.F) {
	f.Add("Подписант", "file.p7s", []byte("text"))
	f.Add("<script>", "\"'>", []byte("\xff\x00<b>"))
	f.Fuzz(func(t *testing.T, name, file string, data []byte) {
		r := samples()["several"]
		for i := range r.Signers {
			s := &r.Signers[i]
			s.Certificate.Name, s.Certificate.Title, s.DocumentName, s.Location, s.Policy = name, name, name, name, name
			s.Chain[0].Name, s.Chain[0].Code = name, name
			s.Chain[1].Revocation.From = name
		}
		d := Document{Lang: text.Russian, File: file, Report: r, Content: &Content{Name: file, Data: data}}
		var page bytes.Buffer
		if err := HTML(&page, d); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(&page)
		if err != nil {
			t.Fatal(err)
		}
		for n := range root.Descendants() {
			if n.Type == html.ElementNode && strings.Contains(" script img iframe object embed link form base svg math ", " "+n.Data+" ") {
				t.Fatalf("<%s> on the page", n.Data)
			}
		}
	})
}
