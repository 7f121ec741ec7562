// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import "testing"

func TestDetectCharset(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Charset
	}{
		{"", UTF8}, {"plain", UTF8}, {"Привет", UTF8}, {"Привет"[:11], UTF8}, {"\xef\xbb\xbfx", UTF8},
		{"\xff\xfea\x00", UTF16LE}, {"\xfe\xff\x00a", UTF16BE}, {"l\x00o\x00g\x00", UTF16LE}, {"\x1f\x04\x40\x04", UTF16LE}, {"\xcf\xf0\xe8\xe2\xe5\xf2", Windows1251},
		{"%PDF-1.7\n%\xe2\xe3", Binary}, {"PK\x03\x04", Binary}, {"\x89PNG\r\n\x1a\n", Binary}, {"\xff\xd8\xff\xe0\x00\x10JFIF\x00", Binary},
	} {
		if got := DetectCharset([]byte(c.in)); got != c.want {
			t.Errorf("%q: %d, want %d", c.in, got, c.want)
		}
	}
}

func Test1251HasAllLetters(t *testing.T) {
	if len(upper1251) != 128 {
		t.Fatalf("%d characters above ASCII", len(upper1251))
	}
}
