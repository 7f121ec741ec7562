// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Bounds of what a site has signed to let somebody in.
const (
	shortWord  = 256  // a bare random word
	longestAsk = 1024 // one with an explanation around it
	leastWord  = 16   // shorter ones are numbers of documents
)

// looksLikeLogin reports whether content, asked for by a page of origin, looks like what sites have signed to let a person in: a
// random word and nothing to read, or a text around one that speaks of logging in or names the site. It is a warning, not a
// rule: what is missed is still signed only after a question.
func looksLikeLogin(content []byte, origin string) bool {
	if len(content) < leastWord || len(content) > longestAsk {
		return false
	}
	charset := DetectCharset(content)
	if charset == Binary {
		return len(content) <= shortWord && !magic(content)
	}
	text := charset.Decode(content)
	words := candidates.FindAllString(text, -1)
	rest := text
	for _, w := range words {
		if random(w) {
			rest = strings.Replace(rest, w, " ", 1)
		}
	}
	found := rest != text
	if found && len(content) <= shortWord && !readable(rest) {
		return true
	}
	named := names(text, origin)
	spoken := loginWords.MatchString(rest)
	return found && (named || spoken) || named && spoken
}

var (
	candidates = regexp.MustCompile(`[A-Za-z0-9+/_-]{14,}={0,2}`)
	hexWord    = regexp.MustCompile(`^[0-9A-Fa-f-]+$`)
	base32Word = regexp.MustCompile(`^[A-Z2-7]{24,}$`)
	loginWords = regexp.MustCompile(`(?i)\b(log[ -]?[io]n|sign[ -]?in|oauth|openid|authenticat|challenge|nonce)|(^|\PL)(вход|войти|авторизац|аутентиф)`)
	lettered   = regexp.MustCompile(`\pL{3,}`)
)

// random tells words that programs make from those of people and from numbers of accounts and documents: hexadecimal digits of
// both kinds, base32, or an alphabet of capitals, small letters and digits in which the kind changes all the time. One that is
// joined to other words makes the whole a program's.
func random(w string) bool {
	return scrambled(w) || slices.ContainsFunc(strings.FieldsFunc(w, func(r rune) bool { return strings.ContainsRune("-_/+", r) }), scrambled)
}

func scrambled(w string) bool {
	if len(w) < leastWord || !strings.ContainsAny(w, "0123456789+/=") {
		return false
	}
	if hexWord.MatchString(w) && strings.ContainsAny(w, "abcdefABCDEF") || base32Word.MatchString(w) {
		return true
	}
	changes, last := 0, rune(0)
	for _, r := range w {
		k := kind(r)
		if last != 0 && k != last {
			changes++
		}
		last = k
	}
	return 3*changes >= len(w)
}

func kind(r rune) rune {
	switch {
	case unicode.IsUpper(r):
		return 'A'
	case unicode.IsLower(r):
		return 'a'
	case unicode.IsDigit(r):
		return '0'
	}
	return '+'
}

// readable reports whether there are words for people in text.
func readable(text string) bool { return lettered.MatchString(text) }

// names reports whether a text for people names the site. Documents for programs name it too, in their namespaces and links.
func names(text, origin string) bool {
	if strings.HasPrefix(text, "<") || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
		return false
	}
	u, err := url.Parse(origin)
	return err == nil && u.Hostname() != "" && strings.Contains(strings.ToLower(text), u.Hostname())
}

// login reports whether the content looks like a login.
func (c *Content) login(origin string) bool {
	if n := c.Size(); n < leastWord || n > longestAsk {
		return false
	}
	b, err := io.ReadAll(c.Reader())
	return err == nil && looksLikeLogin(b, origin)
}
