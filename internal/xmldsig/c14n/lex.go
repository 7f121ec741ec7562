// SPDX-License-Identifier: GPL-3.0-or-later

package c14n

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexeme is a token of an expression. Its text is the operator or the name; a literal's is what is between the quotes.
type lexeme struct {
	kind lexemeKind
	text string
}

type lexemeKind uint8

const (
	lexEnd lexemeKind = iota
	lexSymbol
	lexName // an NCName, or prefix:name, or prefix:*
	lexLiteral
	lexNumber
	lexOperator // or, and, mod, div and * where XPath 1.0 section 3.7 makes them operators
)

// symbols, the longer ones first.
var symbols = []string{"::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", ",", "@", "/", "|", "+", "-", "=", "<", ">", ".", "*"}

func lex(s string) ([]lexeme, error) {
	var all []lexeme
	for s = skipSpace(s); s != ""; s = skipSpace(s) {
		l, n, err := lexOne(s)
		if err != nil {
			return nil, err
		}
		if operatorFollows(all) && (l.kind == lexName || l.text == "*" && l.kind == lexSymbol) {
			switch l.text {
			case "or", "and", "mod", "div", "*":
				l.kind = lexOperator
			}
		}
		all = append(all, l)
		s = s[n:]
	}
	return append(all, lexeme{}), nil
}

func skipSpace(s string) string { return strings.TrimLeft(s, " \t\r\n") }

// operatorFollows is the rule of XPath 1.0 section 3.7: after an operand, a name or * is an operator.
func operatorFollows(before []lexeme) bool {
	if len(before) == 0 {
		return false
	}
	l := before[len(before)-1]
	switch l.kind {
	case lexOperator:
		return false
	case lexSymbol:
		return l.text == ")" || l.text == "]" || l.text == "." || l.text == ".." || l.text == "*"
	}
	return true
}

func lexOne(s string) (lexeme, int, error) {
	if s[0] == '"' || s[0] == '\'' {
		n := strings.IndexByte(s[1:], s[0])
		if n < 0 {
			return lexeme{}, 0, unsupported("a literal is not closed")
		}
		return lexeme{lexLiteral, s[1 : n+1]}, n + 2, nil
	}
	if isDigit(s[0]) || s[0] == '.' && len(s) > 1 && isDigit(s[1]) {
		n := strings.IndexFunc(s, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if n < 0 {
			n = len(s)
		}
		return lexeme{lexNumber, s[:n]}, n, nil
	}
	for _, symbol := range symbols {
		if strings.HasPrefix(s, symbol) {
			return lexeme{lexSymbol, symbol}, len(symbol), nil
		}
	}
	n := nameLength(s)
	if n == 0 {
		r, _ := utf8.DecodeRuneInString(s)
		return lexeme{}, 0, unsupported("unexpected %q", r)
	}
	if rest := s[n:]; len(rest) > 1 && rest[0] == ':' && rest[1] != ':' {
		if rest[1] == '*' {
			return lexeme{lexName, s[:n+2]}, n + 2, nil
		}
		if m := nameLength(rest[1:]); m > 0 {
			return lexeme{lexName, s[:n+1+m]}, n + 1 + m, nil
		}
		return lexeme{}, 0, unsupported("unexpected colon")
	}
	return lexeme{lexName, s[:n]}, n, nil
}

// nameLength measures an NCName. A name that no document can have matches nothing, so the letters need not be exact.
func nameLength(s string) int {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || i > 0 && (r == '-' || r == '.' || r == 0xb7 || unicode.In(r, unicode.N, unicode.M)) {
			continue
		}
		return i
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
