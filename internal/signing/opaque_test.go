// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"crypto/sha256"
	"strings"
	"testing"
)

// A bare value must not be had, without the right for it, over what signatures of other forms are made over.
func TestOpaque(t *testing.T) {
	digests := sha256.Sum256([]byte("https://other.example"))
	for name, c := range map[string]struct {
		in   string
		want bool
	}{
		"text":                 {"Прошу предоставить отпуск.", false},
		"text of a script":     {utf16le("Прошу предоставить отпуск."), false},
		"word for a login":     {"5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55", false},
		"nothing":              {"", false},
		"XML":                  {`<order><SignedInfo/></order>`, false},
		"long text in 1251":    {strings.Repeat("\xcf\xf0\xe8\xea\xe0\xe7 ", 60), false},
		"PDF":                  {"%PDF-1.7\n%\xe2\xe3" + strings.Repeat("\x00", 400), false},
		"archive":              {"PK\x03\x04" + strings.Repeat("\x00", 400), false},
		"attributes of CMS":    {"\x31\x81\x9f\x30\x18\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03" + strings.Repeat("\x05", 300), true},
		"certificate request":  {"\x30\x82\x01\x00\x02\x01\x00" + strings.Repeat("\x0c", 300), true},
		"SignedInfo":           {`<SignedInfo xmlns="http://www.w3.org/2000/09/xmldsig#"></SignedInfo>`, true},
		"SignedInfo, prefixed": {`<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + strings.Repeat(" ", 400), true},
		"web token":            {"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0", true},
		"web token, plain":     {"eyJhbGciOiJFUzI1NiIsImI2NCI6ZmFsc2V9.any text", true},
		"web token, long head": {"eyJhbGciOiJFUzI1NiIsIngiOiI" + strings.Repeat("A", 5000) + ".eyJzdWIiOiJhIn0", true},
		"SignedInfo, far away": {"<" + strings.Repeat("d", 5000) + `:SignedInfo xmlns:d="x"></d:SignedInfo>`, true},
		"long word and text":   {strings.Repeat("A", 4000) + " and more " + strings.Repeat("text ", 100), false},
		"marked text":          {"\xef\xbb\xbfПрошу предоставить отпуск.", false},
		"marked as UTF-8":      {"\xef\xbb\xbf" + string(digests[:]), true},
		"digests for a login":  {string(digests[:]) + string(digests[:]), true},
		"marked digests":       {"\xff\xfe" + string(digests[:]), true},
		"handshake":            {strings.Repeat(" ", 64) + "TLS 1.3, client CertificateVerify\x00" + string(digests[:]), true},
		"short in 1251":        {"\xcf\xf0\xe8\xea\xe0\xe7", true},
		"short archive":        {"PK\x03\x04\x00", true},
	} {
		if got := opaque([]byte(c.in)[:min(len(c.in), 4<<10)], int64(len(c.in))); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzOpaque(f *testing.F) {
	f.Add([]byte("<SignedInfo>"), int64(12))
	f.Add([]byte("\x31\x03\x30\x01\x00"), int64(5))
	f.Fuzz(func(t *testing.T, head []byte, size int64) {
		// Attributes of CMS are a DER SET: whatever is in it and however long it is, its lengths and tags are no text.
		der := append([]byte{0x31, 0x82, byte(len(head) >> 8), byte(len(head)), 0x30, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48}, head...)
		if !opaque(der, size) {
			t.Errorf("%x of %d bytes can be shown", der, size)
		}
	})
}
