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
		case f.Like != "" && !a.hasError(f.Like):
			return fmt.Errorf("foreign.json: %s is like %s, which is not in errors.json", f.Code, f.Like)
		}
		seen[f.Code] = true
	}
	return nil
}

// known is a trouble people arrive with, in the words they have for it.
type known struct {
	ID      string   `json:"id"`
	Fault   string   `json:"fault"`
	Code    string   `json:"code"`
	Run     string   `json:"run"`
	Numbers []string `json:"numbers"`
	Terms   []string `json:"terms"`
	Words   []string `json:"words"`
	RU      cure     `json:"ru"`
	EN      cure     `json:"en"`
}

type cure struct {
	Title string   `json:"title"`
	Check []string `json:"check"`
	Next  string   `json:"next"`
}

// faults are where a trouble has to be mended, in words.
var faults = map[string]struct{ ru, en string }{
	"desk":        {"на этом компьютере", "on this computer"},
	"certificate": {"в сертификате", "in the certificate"},
	"portal":      {"на стороне портала", "at the portal"},
}

func (k known) FaultRU() string { return faults[k.Fault].ru }
func (k known) FaultEN() string { return faults[k.Fault].en }

// told is a cure with the headings of its language.
type told struct {
	cure
	CheckTitle, NextTitle string
}

func (k known) InRU() told { return told{k.RU, "Что проверить", "Что делать:"} }
func (k known) InEN() told { return told{k.EN, "What to check", "What to do:"} }

var knownID = regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)*$`)

// readKnown takes the troubles people arrive with.
func (a *api) readKnown(data []byte) error {
	if err := strict(data, &a.known); err != nil {
		return fmt.Errorf("known.json: %w", err)
	}
	seen := map[string]bool{}
	for _, k := range a.known {
		switch {
		case !knownID.MatchString(k.ID) || seen[k.ID] || a.hasError(k.ID):
			return fmt.Errorf("known.json: %q is no name, or is given twice", k.ID)
		case faults[k.Fault].ru == "":
			return fmt.Errorf("known.json: %s is nobody's fault", k.ID)
		case len(k.Words) == 0 || !k.RU.whole() || !k.EN.whole() || len(k.RU.Check) != len(k.EN.Check):
			return fmt.Errorf("known.json: %s lacks words, a step or a sentence", k.ID)
		case k.Code != "" && !a.hasError(k.Code):
			return fmt.Errorf("known.json: %s is like %s, which is not in errors.json", k.ID, k.Code)
		}
		seen[k.ID] = true
	}
	return nil
}

func (c cure) whole() bool {
	return c.Title != "" && c.Next != "" && len(c.Check) > 1 && !slices.Contains(c.Check, "")
}

func (a *api) hasError(code string) bool {
	return slices.ContainsFunc(a.errors, func(e errorEntry) bool { return e.Code == code })
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

// writeHelp writes the page that explains every code and the troubles people arrive with: one anchor for each, both languages.
func (a *api) writeHelp() ([]byte, error) {
	of := func(family string) []foreign {
		return slices.DeleteFunc(slices.Clone(a.foreign), func(f foreign) bool { return f.Family != family })
	}
	var b bytes.Buffer
	err := helpTemplate.Execute(&b, map[string]any{"Known": a.known, "Errors": a.errors, "CryptoPro": of("cryptopro"), "PKCS11": of("pkcs11")})
	return b.Bytes(), err
}
