// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

const asking = "https://lk.portal.example"

func utf16le(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

// What sites have signed to let people in, by the forms they are known in.
func TestLooksLikeLogin(t *testing.T) {
	for name, c := range map[string]string{
		"uuid":                  "5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55",
		"uuid in braces":        "{5F0C6A2E-8F5D-4C67-9A2E-0D6B7F3C1A55}",
		"uuid of a script":      utf16le("5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55"),
		"uuid quoted":           `"5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55"` + "\r\n",
		"uuid without dashes":   "5f0c6a2e8f5d4c679a2e0d6b7f3c1a55",
		"nonce of Web eID":      "rCkLzvPpZpSBgWKHvDsCgnqFfWc0ubIyUFQjKbIoPTM=",
		"origin and nonce":      strings.Repeat("\x9c\x31\x00\xfe", 16),
		"random bytes":          "\x8a\x17\x02\xe4\x91\x44\xbc\x10\x77\x05\x6e\xd3\x29\x88\xf0\x1b",
		"hexadecimal":           "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
		"salt and random":       "sAlt7Qx29c1f0a66b7d14e0cbf1f2a3d4e5f607",
		"salt joined to hex":    "salt-of-the-portal-9f86d081884c7d659a2feaa0c55ad015",
		"path of a random word": "auth/v2/Zx81kQpA09sLmW3eTq4m",
		"base32":                "MFRGGZDFMZTWQ2LKNNWG23TPOA",
		"time and uuid":         "2026-03-02 09:15:00 5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55",
		"state of ESIA":         "openid fullname 2026.03.02 09:15:00 +0300 PORTAL 5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55",
		"JSON":                  `{"challenge":"q83vEjRWeJASNFZ4kKvN7w==","origin":"https://lk.portal.example"}`,
		"JSON, id alone":        `{"id":"5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55"}`,
		"XML":                   `<auth><nonce>q83vEjRWeJASNFZ4kKvN7w==</nonce></auth>`,
		"words of the site":     "Вход на lk.portal.example 02.03.2026 09:15:00",
		"words and nonce":       "Для входа подпишите: 5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55. Вход в личный кабинет",
		"site and nonce":        "lk.portal.example wants you: 8fGk29dLxQ01pZr7Tq4m",
		"sign in, as wallets":   "lk.portal.example wants you to sign in with your certificate.\n\nNonce: 32891756aB71\nIssued At: 2026-03-02T09:15:00Z",
		"certificate's answer":  "auth:nonce=Zx81kQpA09sLmW3e",
	} {
		if !looksLikeLogin([]byte(c), asking) {
			t.Errorf("%s: %q does not", name, c)
		}
	}
}

// Documents, short ones among them, are not called a login.
func TestDocumentsDoNotLookLikeLogin(t *testing.T) {
	for name, c := range map[string]string{
		"sentence":              "Прошу предоставить отпуск с 1 по 14 июля 2026 года.",
		"sentence of a script":  utf16le("Прошу предоставить отпуск с 1 по 14 июля."),
		"sentence in 1251":      "\xcf\xf0\xee\xf8\xf3 \xef\xf0\xe5\xe4\xee\xf1\xf2\xe0\xe2\xe8\xf2\xfc \xee\xf2\xef\xf3\xf1\xea \xf1 1 \xe8\xfe\xeb\xff",
		"English":               "I agree to the terms of contract 17 of March 2, 2026.",
		"number":                "40702810900000012345",
		"sum":                   "1234567890.50",
		"date":                  "2026-03-02T09:15:00.000+03:00",
		"file with its number":  "Договор act-of-acceptance-9f86d081884c7d659a2feaa0c55ad015.pdf",
		"numbers joined":        "contract-final-40702810900000012345-version-2",
		"capitals":              "APPENDIXTOTHECONTRACTNUMBER",
		"number of a contract":  "INV-20260302-0000017",
		"number in Russian":     "ДОГ-2026-000017/АБ",
		"account":               "GB29NWBK60161331926819",
		"name of a field":       "PersonalAccountStatement",
		"name of a file":        "contract-final-version-2.docx",
		"link":                  "https://lk.portal.example/documents/17",
		"order in XML":          `<order number="17"><item>Бумага</item><sum>100</sum></order>`,
		"order with its number": `<order id="5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55"><item>Paper</item></order>`,
		"namespace of the site": `<o:order xmlns:o="http://lk.portal.example/schemas" id="5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55">Бумага</o:order>`,
		"order in JSON":         `{"order":"5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55","amount":100,"back":"https://lk.portal.example/ok"}`,
		"statement with number": "Заявление № 5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55: прошу закрыть счёт.",
		"about an entrance":     "Заявка на входной контроль партии 17, сто штук.",
		"digest in words":       "Контрольная сумма файла договор.pdf: 9f86d081884c7d659a2feaa0c55ad015",
		"empty":                 "",
		"yes":                   "да",
		"PDF":                   "%PDF-1.4\n1 0 obj\n<</Type/Catalog>>",
		"archive":               "PK\x03\x04\x14\x00\x00\x00\x08\x00\x9c\x31\x00\xfe\x00\x01",
		"picture":               "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00",
		"long text with a code": strings.Repeat("Статья 1. Вход на lk.portal.example. ", 40) + "5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55",
		"long binary":           strings.Repeat("\x9c\x31\x00\xfe", 65),
	} {
		if looksLikeLogin([]byte(c), asking) {
			t.Errorf("%s: %q does", name, c)
		}
	}
}

// A text names a site without its port.
func TestTextNamesSiteOfAPort(t *testing.T) {
	if !looksLikeLogin([]byte("Вход на lk.portal.example 02.03.2026 09:15:00"), asking+":8443") {
		t.Error("not a login on another port")
	}
}

// Random words are seen for what they are in every spelling, but for one in two hundred.
func TestRandomWords(t *testing.T) {
	missed := map[string]int{}
	const runs = 5000
	for range runs {
		b := make([]byte, 32)
		rand.Read(b)
		for name, s := range map[string]string{
			"hex 16": hex.EncodeToString(b[:16]), "HEX 32": strings.ToUpper(hex.EncodeToString(b)), "base64 16": base64.StdEncoding.EncodeToString(b[:16]),
			"base64 32": base64.StdEncoding.EncodeToString(b), "base64url 32": base64.RawURLEncoding.EncodeToString(b), "bytes": string(b),
			"base32 20": base32.StdEncoding.EncodeToString(b[:20]), "joined hex": "salt-of-the-portal-" + hex.EncodeToString(b[:16]),
		} {
			if !looksLikeLogin([]byte(s), asking) {
				missed[name]++
			}
		}
	}
	for name, n := range missed {
		if n > runs/200 {
			t.Errorf("%s: %d of %d missed", name, n, runs)
		}
	}
	t.Log(missed)
}

func FuzzLooksLikeLogin(f *testing.F) {
	f.Add([]byte("5f0c6a2e-8f5d-4c67-9a2e-0d6b7f3c1a55"), asking)
	f.Add([]byte("Вход на lk.portal.example"), "https://[::1]:x")
	f.Fuzz(func(t *testing.T, content []byte, origin string) {
		if got := looksLikeLogin(content, origin); got && len(content) > longestAsk {
			t.Error("a long document looks like a login")
		}
		if looksLikeLogin(bytes.Repeat(content, 2+longestAsk/(len(content)+1)), origin) && len(content) > 0 {
			t.Error("a long document looks like a login")
		}
	})
}
