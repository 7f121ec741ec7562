// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"persten/internal/text"
	"persten/proto"
)

var keep = flag.String("keep", "", "`folder` to leave the pages of TestPages in")

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func certificate() *proto.CertificateSummary {
	return &proto.CertificateSummary{
		ID: strings.Repeat("4b1f0c4e", 8), Name: "Демонстрационный Подписант", Organization: "ООО «Пример»", Title: "Бухгалтер",
		INN: "000000000000", SNILS: "00000000000", OGRN: "0000000000000", Issuer: "Persten Demo CA", Serial: "01a2b3c4",
		NotBefore: moment("2026-01-10T00:00:00Z"), NotAfter: moment("2027-01-10T00:00:00Z"), Key: "GOST R 34.10-2012 256",
	}
}

func chain(leaf proto.ChainLink) []proto.ChainLink {
	leaf.Name, leaf.NotBefore, leaf.NotAfter = "Демонстрационный Подписант", moment("2026-01-10T00:00:00Z"), moment("2027-01-10T00:00:00Z")
	return []proto.ChainLink{
		leaf,
		{
			Name: "Persten Demo CA", OK: true, NotBefore: moment("2025-01-10T00:00:00Z"), NotAfter: moment("2035-01-10T00:00:00Z"),
			Revocation: &proto.Revocation{Status: "good", Source: "crl", From: "/var/crl/root.crl", ThisUpdate: moment("2026-03-01T00:00:00Z")},
		},
		{Name: "Persten Demo Root", OK: true, Root: true, NotBefore: moment("2025-01-10T00:00:00Z"), NotAfter: moment("2035-01-10T00:00:00Z")},
	}
}

// samples are one report of each kind.
func samples() map[string]*proto.Report {
	good := proto.Signer{
		Certificate: certificate(), Algorithm: "gost2012-256", Valid: true, Trusted: true, Format: "cades-t",
		SigningTime: moment("2026-03-02T09:15:00Z"), Indication: "TOTAL_PASSED",
		BestTime: &proto.BestTime{Time: moment("2026-03-02T09:15:04Z"), From: "timestamp"},
		Chain: chain(proto.ChainLink{OK: true, Revocation: &proto.Revocation{
			Status: "good", Source: "ocsp", From: "http://ocsp.portal.example/", ThisUpdate: moment("2026-03-02T09:00:00Z"),
		}}),
		Timestamps: []proto.Timestamp{{
			Time: moment("2026-03-02T09:15:04Z"), Policy: "1.2.3.4.1", Serial: "2a", Valid: true, Indication: "TOTAL_PASSED",
			Authority: &proto.CertificateSummary{Name: "Служба штампов времени"},
		}},
	}
	revoked := good
	revoked.Timestamps, revoked.Format = nil, "cades-bes"
	revoked.BestTime = &proto.BestTime{Time: moment("2026-03-05T10:00:00Z"), From: "now"}
	revoked.Trusted, revoked.Indication, revoked.SubIndication = false, "INDETERMINATE", "REVOKED_NO_POE"
	words := proto.Text(proto.CodeSignerRevoked, "ru", map[string]string{"date": "2026-03-01"})
	revoked.Code, revoked.Text, revoked.Next = proto.CodeSignerRevoked, words.What, words.Next
	revoked.Chain = chain(proto.ChainLink{Code: "revoked", Revocation: &proto.Revocation{
		Status: "revoked", Source: "ocsp", From: "http://ocsp.portal.example/", ThisUpdate: moment("2026-03-05T09:00:00Z"),
		RevokedAt: moment("2026-03-01T12:00:00Z"), Reason: "keyCompromise",
	}})
	changed := good
	changed.Valid, changed.Trusted, changed.Indication, changed.SubIndication = false, false, "TOTAL_FAILED", "HASH_FAILURE"
	words = proto.Text(proto.CodeContentMismatch, "ru", nil)
	changed.Text, changed.Next, changed.BestTime = words.What, words.Next, nil
	changed.Timestamps = []proto.Timestamp{{Time: moment("2026-03-02T09:15:04Z"), Indication: "TOTAL_FAILED", SubIndication: "HASH_FAILURE", Text: "Штамп времени не подходит к этой подписи."}}
	hostile := changed
	hostile.Certificate = certificate()
	hostile.Certificate.Name = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`
	hostile.Certificate.Organization = "\u202eтекст\x07 \U0001f600"
	hostile.DocumentName = "javascript:alert(3)"
	report := func(list ...proto.Signer) *proto.Report {
		r := &proto.Report{Valid: list[0].Valid, Indication: list[0].Indication, CheckedAt: moment("2026-03-05T10:00:00Z"), Size: 48213}
		r.Signers = list
		return r
	}
	both := report(revoked, good)
	both.Signers[1].Countersignatures = []proto.Signer{good}
	return map[string]*proto.Report{
		"good": report(good), "revoked": report(revoked), "changed": report(changed), "hostile": report(hostile), "several": both, "two": report(good, good),
	}
}

var pageObject = regexp.MustCompile(`/Type /Page\b[^s]`)

// TestDigestInPlaceOfDocument: the page says what was checked when nobody had the document.
func TestDigestInPlaceOfDocument(t *testing.T) {
	r := samples()["good"]
	r.Size, r.Digest = 0, strings.Repeat("ab", 32)
	var page bytes.Buffer
	if err := HTML(&page, Document{Lang: text.English, Report: r}); err != nil {
		t.Fatal(err)
	}
	if s := page.String(); !strings.Contains(s, "in place of the document") || !strings.Contains(s, r.Digest) || strings.Contains(s, "Size of the document") {
		t.Error("the page is silent about the document")
	}
}

// TestPages makes every sample in both languages and both forms, and looks for what must stand on it. A usual
// report of one or two signatures is one page of paper.
func TestPages(t *testing.T) {
	for name, r := range samples() {
		for _, lang := range []text.Lang{text.Russian, text.English} {
			d := Document{
				Lang: lang, File: "Договор поставки.pdf.p7s", Version: "0.3", Report: r,
				Content: &Content{Name: "Договор.txt", Data: []byte("Договор № 17\nСумма: 1000 рублей\n")},
			}
			var page, pdf bytes.Buffer
			if err := HTML(&page, d); err != nil {
				t.Fatal(name, err)
			}
			if err := PDF(&pdf, d); err != nil {
				t.Fatal(name, err)
			}
			if !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF-1.")) || pdf.Len() > 200<<10 {
				t.Errorf("%s: not a PDF of a reasonable size: %d bytes", name, pdf.Len())
			}
			if n := len(pageObject.FindAll(pdf.Bytes(), -1)); n > 1 && name != "several" {
				t.Errorf("%s %s: %d pages", name, lang, n)
			}
			w := writer{d}
			for _, s := range r.Signers {
				for _, want := range []string{s.Next, string(s.SubIndication), w.t("chain"), w.at(r.CheckedAt)} {
					if !strings.Contains(html.UnescapeString(page.String()), want) {
						t.Errorf("%s %s: the page does not say %q", name, lang, want)
					}
				}
			}
			if *keep != "" {
				base := filepath.Join(*keep, name+"."+string(lang))
				if err := os.WriteFile(base+".html", page.Bytes(), 0o600); err != nil {
					t.Error(err)
				}
				if err := os.WriteFile(base+".pdf", pdf.Bytes(), 0o600); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestText: what a terminal shows has no line or escape of the file's own, and says the conclusion and the advice.
func TestText(t *testing.T) {
	for name, r := range samples() {
		r.Signers[0].Certificate.Name += "\x1b[2J\r\nforged"
		var out bytes.Buffer
		if err := Text(&out, Document{Lang: text.English, Report: r}); err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Signers {
			for _, want := range []string{string(s.Indication), s.Next} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%s: no %q in\n%s", name, want, out.String())
				}
			}
		}
		if strings.ContainsAny(out.String(), "\x1b\r") || strings.Contains(out.String(), "\nforged") {
			t.Errorf("%s: a name breaks out of its line: %q", name, out.String())
		}
	}
}

// TestPageIsClosed parses the page of a hostile file: no script, no handler, and nothing that is loaded.
func TestPageIsClosed(t *testing.T) {
	var page bytes.Buffer
	d := Document{Lang: text.English, File: `"><script>x</script>`, Report: samples()["hostile"], Content: &Content{
		Name: `"><b>`, Data: []byte("<script>alert(4)</script>"),
	}}
	if err := HTML(&page, d); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		seen++
		switch n.Data {
		case "script", "img", "iframe", "object", "embed", "link", "form", "base", "svg":
			t.Errorf("<%s> on the page", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "src" || a.Key == "style" || a.Key == "href" && !strings.HasPrefix(a.Val, "data:") {
				t.Errorf("<%s %s=%.40q>", n.Data, a.Key, a.Val)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d elements", seen)
	}
}

// TestMarked: of an XML document only what valid references cover is marked.
func TestMarked(t *testing.T) {
	data := []byte("<d><a>да</a><b>no</b></d>")
	r := &proto.Report{Signers: []proto.Signer{
		{Valid: true, References: []proto.Reference{
			{Valid: true, Begin: 3, End: 14, Holes: []proto.Span{{Begin: 6, End: 10}}}, {Valid: false, Begin: 14, End: 23}, {Valid: true, Own: true, End: 3},
		}},
		{Valid: false, References: []proto.Reference{{Valid: true, End: 25}}},
	}}
	got, _ := writer{Document{Report: r}}.shown(data)
	var b strings.Builder
	for _, p := range got {
		if p.Signed {
			b.WriteString("[" + p.Text + "]")
		} else {
			b.WriteString(p.Text)
		}
	}
	if want := "<d>[<a>]да[</a>]<b>no</b></d>"; b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
	for _, binary := range []string{"", "\x00\x01", "%PDF-1.7\x80", "\x1b[31m"} {
		if p, _ := (writer{Document{Report: r}}).shown([]byte(binary)); p != nil {
			t.Errorf("%q is shown as text", binary)
		}
	}
}
