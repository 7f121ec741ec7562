// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"
)

// foreign is an error of somebody else's, which people meet beside ours.
type foreign struct {
	Family string    `json:"family"` // cryptopro, pkcs11
	Code   string    `json:"code"`
	Like   string    `json:"like"` // the code of ours that is nearest
	RU     sentences `json:"ru"`
	EN     sentences `json:"en"`
}

// families are the sections of foreign errors and what their codes look like.
var families = map[string]*regexp.Regexp{
	"cryptopro": regexp.MustCompile(`^0x[0-9A-F]{8}$`),
	"pkcs11":    regexp.MustCompile(`^CKR_[A-Z0-9_]+$`),
}

// readForeign takes the explanations of other people's errors. Each has both languages and a code of its own.
func (a *api) readForeign(data []byte) error {
	if err := strict(data, &a.foreign); err != nil {
		return fmt.Errorf("foreign.json: %w", err)
	}
	seen := map[string]bool{}
	for _, f := range a.foreign {
		form := families[f.Family]
		switch {
		case form == nil || !form.MatchString(f.Code):
			return fmt.Errorf("foreign.json: %q is no code of a known family", f.Code)
		case seen[f.Code]:
			return fmt.Errorf("foreign.json: %s is given twice", f.Code)
		case slices.Contains([]string{f.RU.What, f.RU.Next, f.EN.What, f.EN.Next}, ""):
			return fmt.Errorf("foreign.json: %s lacks a sentence", f.Code)
		case f.Like != "" && !slices.ContainsFunc(a.errors, func(e errorEntry) bool { return e.Code == f.Like }):
			return fmt.Errorf("foreign.json: %s is like %s, which is not in errors.json", f.Code, f.Like)
		}
		seen[f.Code] = true
	}
	return nil
}

//go:embed help.tmpl
var helpPage string

var helpTemplate = template.Must(template.New("help").Funcs(template.FuncMap{
	"plain": plainSentence, "spaces": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
	"join": func(s []string) string { return strings.Join(s, ", ") },
}).Parse(helpPage))

var place = regexp.MustCompile(`\{\w+\}`)

// plainSentence is a text without what only a real error knows.
func plainSentence(s string) string {
	return strings.ReplaceAll(place.ReplaceAllString(dropClauses(s), "…"), "….", "…")
}

// writeHelp writes the page that explains every code: one anchor for each, both languages.
func (a *api) writeHelp() ([]byte, error) {
	of := func(family string) []foreign {
		return slices.DeleteFunc(slices.Clone(a.foreign), func(f foreign) bool { return f.Family != family })
	}
	var b bytes.Buffer
	err := helpTemplate.Execute(&b, map[string]any{"Errors": a.errors, "CryptoPro": of("cryptopro"), "PKCS11": of("pkcs11")})
	return b.Bytes(), err
}
