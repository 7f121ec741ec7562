// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"persten/internal/text"
)

// Size says how large a document is, for people: "812 B", "14.2 KB".
func Size(lang text.Lang, n int64) string {
	units := []string{"b", "kb", "mb", "gb", "tb"}
	v, i := float64(n), 0
	for ; v >= 1023.95 && i < len(units)-1; i++ {
		v /= 1024
	}
	number := strconv.FormatFloat(v, 'f', 1, 64)
	if i == 0 {
		number = strconv.FormatInt(n, 10)
	}
	if lang == "ru" {
		number = strings.Replace(number, ".", ",", 1)
	}
	return say(lang, "prompt.size."+units[i], "n", number)
}

// Date is a day, in the order the language has.
func Date(lang text.Lang, t time.Time) string {
	if lang == "ru" {
		return t.Local().Format("02.01.2006")
	}
	return t.Local().Format("2 Jan 2006")
}

// Moment is a day and a time with its zone.
func Moment(lang text.Lang, t time.Time) string {
	return Date(lang, t) + t.Local().Format(" 15:04:05 -07:00")
}

// Clock writes a time as 0:07 or 1:02:03.
func Clock(d time.Duration) string {
	s := int64(d.Round(time.Second).Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// digestNames are the names people compare digests by.
var digestNames = map[string]string{
	"sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512",
	"streebog256": "Streebog-256", "streebog512": "Streebog-512",
}

// DigestName is what people call a digest algorithm.
func DigestName(alg string) string {
	if name, ok := digestNames[alg]; ok {
		return name
	}
	return Safe(alg, 20)
}

// digest is both ends of a digest in groups of four; Full of a Document has all of it.
func digest(alg, hex string) string {
	h := Safe(hex, 128)
	if len(h) > 24 {
		h = fmt.Sprintf("%s %s … %s %s", h[:4], h[4:8], h[len(h)-8:len(h)-4], h[len(h)-4:])
	}
	return DigestName(alg) + ": " + h
}

// say is text.Get with its arguments in line: name, value, name, value.
func say(lang text.Lang, key string, args ...string) string {
	m := make(map[string]string, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return text.Get(lang, key, m)
}

// Say is a line of the interface in the card's language; args are name, value, name, value.
func (c Card) Say(key string, args ...string) string { return say(c.Lang, key, args...) }
