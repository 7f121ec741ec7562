// SPDX-License-Identifier: GPL-3.0-or-later

// Command reference writes the administrators' reference of all knobs into installer/ADMIN.md, between its two marks, from the
// table in package config. With -check it only tells whether what stands there is up to date.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"persten/internal/config"
)

const (
	file  = "installer/ADMIN.md"
	begin = "<!-- knobs: written by go run ./internal/config/reference -->\n"
	end   = "<!-- end of knobs -->\n"
)

func main() {
	check := flag.Bool("check", false, "write nothing")
	flag.Parse()
	if err := run(*check); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(check bool) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	made, err := insert(old)
	switch {
	case err != nil:
		return err
	case check && !bytes.Equal(old, made):
		return errors.New(file + " is not up to date: make generate")
	case check:
		return nil
	}
	return os.WriteFile(file, made, 0o644)
}

// insert puts the reference between the marks.
func insert(text []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, errors.New(file + " has no place for the reference")
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(begin)
	for _, s := range config.Sections() {
		section(&b, s)
	}
	b.WriteString("\n" + end)
	b.Write(after)
	return b.Bytes(), nil
}

func section(w io.Writer, s config.Section) {
	name := "[" + s.Name + "]"
	if s.Many {
		name = "[" + name + "]"
	}
	fmt.Fprintf(w, "\n### `%s`\n\n%s%s\n", name, s.En, whose(s.Policy))
	if s.Many {
		fmt.Fprintf(w, "\nOne entry:\n\n")
		examples(w, s.Name, config.List, "["+record(s, plain)+"]", "["+record(s, windows)+"]")
	}
	for _, k := range s.Knobs {
		if k.Example == "" { // known only to be refused
			continue
		}
		fmt.Fprintf(w, "\n#### `%s.%s`\n\n%s %s%s\n", s.Name, k.Name, bounds(k), k.En, whose(k.Policy && !s.Policy))
		if !s.Many {
			fmt.Fprintln(w)
			examples(w, s.Name+"."+k.Name, k.Kind, k.Example, windows(k))
		}
	}
}

func whose(policy bool) string {
	if policy {
		return " Machine policy only."
	}
	return ""
}

// record is an entry of a section of many, without those of its knobs that exclude others.
func record(s config.Section, example func(config.Knob) string) string {
	var all []string
	for _, k := range s.Knobs {
		if k.Name != "user" {
			all = append(all, k.Name+" = "+example(k))
		}
	}
	return "{ " + strings.Join(all, ", ") + " }"
}

func plain(k config.Knob) string { return k.Example }

func windows(k config.Knob) string { return cmp.Or(k.Windows, k.Example) }

// bounds says what values a knob has.
func bounds(k config.Knob) string {
	switch {
	case k.Kind == config.Number:
		return fmt.Sprintf("A number from %d to %d.", k.Min, k.Max)
	case k.Words != nil && k.Kind == config.List:
		return "A list of `" + strings.Join(k.Words, "`, `") + "`."
	case k.Words != nil:
		return "One of `" + strings.Join(k.Words, "`, `") + "`."
	}
	return map[config.Kind]string{config.Bool: "true or false.", config.Text: "A text.", config.List: "A list of texts."}[k.Kind]
}

// examples are one value in the ways of administrators: the file, Ansible for it, and the registry of Windows, which Group Policy
// writes.
func examples(w io.Writer, key string, kind config.Kind, value, windows string) {
	line := key + " = " + value
	fmt.Fprintf(w, "- `/etc/persten/policy.toml`: `%s`\n", line)
	fmt.Fprintf(w, "- Ansible: `ansible.builtin.lineinfile: { path: /etc/persten/policy.toml, create: true, owner: root, mode: \"0644\", regexp: '^%s ?=', line: '%s' }`\n",
		strings.ReplaceAll(key, ".", `\.`), strings.ReplaceAll(line, "'", "''"))
	fmt.Fprintf(w, "- Group Policy: %s\n", registry(key, kind, windows))
}

// registry says how a value stands in the registry.
func registry(key string, kind config.Kind, value string) string {
	path := `HKLM\Software\Policies\Persten\` + strings.ReplaceAll(key, ".", `\`)
	at := strings.LastIndexByte(path, '\\')
	switch kind {
	case config.List:
		return fmt.Sprintf("key `%s`, values %s (REG_SZ)", path, entries(value))
	case config.Bool:
		return fmt.Sprintf("key `%s`, value `%s` = %d (REG_DWORD)", path[:at], path[at+1:], map[string]int{"true": 1}[value])
	case config.Number:
		return fmt.Sprintf("key `%s`, value `%s` = %s (REG_DWORD)", path[:at], path[at+1:], value)
	}
	return fmt.Sprintf("key `%s`, value `%s` = `%s` (REG_SZ)", path[:at], path[at+1:], strings.Trim(value, `"'`))
}

// entries are those of a list as values of a key: texts without their quotes, tables as they stand.
func entries(list string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(list, "["), "]")
	if strings.HasPrefix(inner, "{") {
		return "`1` = `" + inner + "`"
	}
	var all []string
	for i, e := range strings.Split(inner, ", ") {
		all = append(all, fmt.Sprintf("`%d` = `%s`", i+1, strings.Trim(e, `"'`)))
	}
	return strings.Join(all, ", ")
}
