// SPDX-License-Identifier: GPL-3.0-or-later

package proto

import (
	"strings"
	"sync"
)

// Sentence is what a person reads about an error: what happened, and what to do now.
type Sentence struct {
	What string `json:"what"`
	Next string `json:"next"`
}

// Entry is one error of the catalogue.
type Entry struct {
	Code   Code     `json:"code"`
	RPC    int      `json:"rpc"`    // the number in JSON-RPC errors; never reused
	Args   []string `json:"args"`   // names of the arguments
	Retry  string   `json:"retry"`  // never, after_user_action, later
	Client bool     `json:"client"` // the browser's side raises it too, or alone; its texts go into the SDK
	Doc    string   `json:"doc"`
	RU     Sentence `json:"ru"`
	EN     Sentence `json:"en"`
	Since  string   `json:"since"`
}

// Entries returns the whole catalogue of errors, in its order. The caller must not change it.
var Entries = sync.OnceValue(func() []Entry { return embedded[[]Entry]("errors.json", ErrorsJSON) })

var catalogue = sync.OnceValue(func() map[Code]Entry {
	all := Entries()
	m := make(map[Code]Entry, len(all))
	for _, e := range all {
		m[e.Code] = e
	}
	return m
})

// Lookup returns the catalogue's entry of a code.
func Lookup(code Code) (Entry, bool) {
	e, ok := catalogue()[code]
	return e, ok
}

// Number returns the JSON-RPC number of a code; that of internal for an unknown one.
func Number(code Code) int {
	if e, ok := catalogue()[code]; ok {
		return e.RPC
	}
	return catalogue()[CodeInternal].RPC
}

// Text returns what the catalogue says of a code in a language, with the arguments in their places. A clause in double
// square brackets is left out when one of its arguments is missing, empty or -1 (not known). An unknown code reads as
// internal, an unknown language as English.
func Text(code Code, lang string, args map[string]string) Sentence {
	e, ok := catalogue()[code]
	if !ok {
		e = catalogue()[CodeInternal]
	}
	s := e.EN
	if lang == string(LangRu) {
		s = e.RU
	}
	return Sentence{What: Fill(s.What, args), Next: Fill(s.Next, args)}
}

// Data returns the data member of the JSON-RPC error for e.
func (e *Error) Data(lang string) ErrorData {
	s := Text(e.Code, lang, e.Args)
	args := e.Args
	if args == nil {
		args = map[string]string{}
	}
	return ErrorData{Code: e.Code, Args: args, Text: s.What, Next: s.Next}
}

// Problem returns e as a listing reports it beside its results.
func (e *Error) Problem(lang string) Problem {
	return Problem(e.Data(lang))
}

// Fill puts args in the {name} places of a template and drops the [[clauses]] whose arguments are not known.
func Fill(template string, args map[string]string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "[[")
		text, _ := replace(before, args)
		b.WriteString(text)
		if !found {
			return b.String()
		}
		clause, after, _ := strings.Cut(rest, "]]")
		if text, known := replace(clause, args); known {
			b.WriteString(text)
		}
		template = after
	}
}

// replace fills one stretch of a template and reports whether every argument in it is known. Values are never scanned
// for places of their own.
func replace(s string, args map[string]string) (string, bool) {
	var b strings.Builder
	known := true
	for {
		before, rest, found := strings.Cut(s, "{")
		b.WriteString(before)
		if !found {
			return b.String(), known
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			b.WriteString("{" + rest)
			return b.String(), known
		}
		value := args[name]
		if value == "" || value == "-1" {
			known = false
		}
		b.WriteString(value)
		s = after
	}
}
