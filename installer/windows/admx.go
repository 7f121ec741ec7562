// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"persten/internal/config"
)

var (
	//go:embed persten.admx
	admxText string
	//go:embed persten.adml
	admlText string

	functions = template.FuncMap{"xml": escape}
	admx      = template.Must(template.New("admx").Funcs(functions).Parse(admxText))
	adml      = template.Must(template.New("adml").Funcs(functions).Parse(admlText))
)

// language is one in which the editor shows policies.
type language struct {
	Culture, Title, About, Supported, Example, Entries string
	pick                                               func(en, ru string) string
}

var languages = []language{
	{"en-US", "Persten", "Rules for the signing agent Persten on this computer.", "Windows 10, Windows Server 2016 or later",
		"Example", "Each line is one entry, written on one line between braces.", func(en, _ string) string { return en }},
	{"ru-RU", "Persten", "Правила для агента подписи Persten на этом компьютере.", "Windows 10, Windows Server 2016 или новее",
		"Пример", "Каждая строка — одна запись, в одну строку в фигурных скобках.", func(_, ru string) string { return ru }},
}

// policy is one line in the editor: a knob, or a section with many entries.
type policy struct {
	Section config.Section
	Knob    config.Knob // Name is empty for a section with many
}

// policies are all lines, in the order of the documentation.
func policies() (all []policy) {
	for _, s := range config.Sections() {
		if s.Many {
			all = append(all, policy{Section: s})
			continue
		}
		for _, k := range shown(s.Knobs) {
			all = append(all, policy{s, k})
		}
	}
	return all
}

// shown leaves out what is known only to be refused, which has no text.
func shown(knobs []config.Knob) (list []config.Knob) {
	for _, k := range knobs {
		if k.En != "" {
			list = append(list, k)
		}
	}
	return list
}

// ID is the name of the line in both files.
func (p policy) ID() string {
	if p.Section.Many {
		return p.Section.Name
	}
	return p.Section.Name + "_" + p.Knob.Name
}

// Key is where the agent reads the section.
func (p policy) Key() string { return `Software\Policies\Persten\` + p.Section.Name }

// List is the key of the values 1, 2, 3 ... of a list, or of the entries of a section with many; empty for others.
func (p policy) List() string {
	switch {
	case p.Section.Many:
		return p.Key()
	case p.Knob.Kind == config.List:
		return p.Key() + `\` + p.Knob.Name
	}
	return ""
}

// Name is the line in the editor.
func (l language) Name(p policy) string {
	if p.Section.Many {
		return "[[" + p.Section.Name + "]]"
	}
	return p.Section.Name + "." + p.Knob.Name
}

// Help is the text beside it.
func (l language) Help(p policy) string {
	if !p.Section.Many {
		return l.pick(p.Knob.En, p.Knob.Ru) + "\n\n" + l.Example + ": " + p.Knob.Name + " = " + p.Knob.Example
	}
	var b, example strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", l.pick(p.Section.En, p.Section.Ru), l.Entries)
	for _, k := range shown(p.Section.Knobs) {
		fmt.Fprintf(&b, "\n%s: %s\n", k.Name, l.pick(k.En, k.Ru))
		if k.Example != "" {
			fmt.Fprintf(&example, ", %s = %s", k.Name, k.Example)
		}
	}
	fmt.Fprintf(&b, "\n%s: { %s }", l.Example, strings.TrimPrefix(example.String(), ", "))
	return b.String()
}

// Section is what a section is about.
func (l language) Section(s config.Section) string { return l.pick(s.En, s.Ru) }

// templates are the files for the editor of group policies, by their names in the policy store.
func templates() (map[string][]byte, error) {
	files := map[string][]byte{}
	data := struct {
		Sections []config.Section
		Policies []policy
		Words    []string
		Language language
	}{config.Sections(), policies(), words(), language{}}
	var b bytes.Buffer
	if err := admx.Execute(&b, data); err != nil {
		return nil, err
	}
	files["persten.admx"] = bytes.Clone(b.Bytes())
	for _, data.Language = range languages {
		b.Reset()
		if err := adml.Execute(&b, data); err != nil {
			return nil, err
		}
		files[data.Language.Culture+"/persten.adml"] = bytes.Clone(b.Bytes())
	}
	return files, nil
}

// words are all that lines offer to choose from.
func words() (all []string) {
	for _, p := range policies() {
		if p.Knob.Kind == config.Text {
			all = append(all, p.Knob.Words...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// escape makes text safe inside XML.
func escape(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}
