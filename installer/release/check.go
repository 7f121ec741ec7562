// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"persten/internal/browser"
)

// finding is one thing that keeps a release from being published.
type finding struct{ check, problem string }

// checks are what must hold of the source in the folder "." before version is published.
var checks = []struct {
	name string
	run  func(version string) []string
}{
	{"versions agree", versions},
	{"changelog", changelog},
	{"work tree and tag", tagged},
	{"tests", tested},
	{"licences", licences},
}

// check says what is not as it must be. Of the packages in --dir it also checks the sums, that none is missing, and that a second
// build in --again has the same bytes.
func check(args []string, out io.Writer) error {
	f := flag.NewFlagSet("check", 0)
	version, dir, again := f.String("version", "", ""), f.String("dir", "", ""), f.String("again", "", "")
	if err := parse(f, args, "version"); err != nil {
		return err
	}
	var found []finding
	for _, c := range checks {
		found = report(out, found, c.name, c.run(strings.TrimPrefix(*version, "v")))
	}
	if *dir != "" {
		found = report(out, found, "packages", packages(*dir, strings.TrimPrefix(*version, "v")))
		found = report(out, found, "checksums", checksums(*dir))
	}
	if *again != "" {
		found = report(out, found, "two builds are equal", differences(*dir, *again))
	}
	if len(found) > 0 {
		return fmt.Errorf("check: %d things to put right before %s is published", len(found), *version)
	}
	return nil
}

func report(out io.Writer, found []finding, name string, problems []string) []finding {
	word := "ok  "
	if len(problems) > 0 {
		word = "FAIL"
	}
	fmt.Fprintln(out, word, name)
	for _, p := range problems {
		fmt.Fprintln(out, "    ", p)
		found = append(found, finding{name, p})
	}
	return found
}

// versions: every place that names the version names this one.
func versions(version string) (problems []string) {
	for file, pattern := range map[string]string{
		"proto/persten.openrpc.json":    `(?s)"info": \{.*?"version": "([^"]*)"`,
		"browserext/package.json":       `"version": "([^"]*)"`,
		"browserext/sdk/package.json":   `"version": "([^"]*)"`,
		"browserext/manifest/base.json": `"version": "([^"]*)"`,
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		if m := regexp.MustCompile(pattern).FindSubmatch(data); m == nil || string(m[1]) != version {
			problems = append(problems, fmt.Sprintf("%s says %q", file, m))
		}
	}
	slices.Sort(problems)
	return problems
}

// changelog: the version has a dated heading, and nothing waits above it.
func changelog(version string) (problems []string) {
	data, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return []string{err.Error()}
	}
	if !regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(version) + `\] - \d{4}-\d{2}-\d{2}$`).Match(data) {
		problems = append(problems, "CHANGELOG.md has no dated heading for "+version)
	}
	_, after, _ := bytes.Cut(data, []byte("## [Unreleased]"))
	before, _, _ := bytes.Cut(after, []byte("\n## "))
	if len(bytes.TrimSpace(before)) > 0 {
		problems = append(problems, "CHANGELOG.md has entries under Unreleased")
	}
	return problems
}

// tagged: what is built is what the tag names.
func tagged(version string) (problems []string) {
	if changed := command("git", "status", "--porcelain"); changed != "" {
		problems = append(problems, "files are changed or new: "+strings.ReplaceAll(changed, "\n", ", "))
	}
	if tag := command("git", "describe", "--exact-match", "--tags"); tag != "v"+version {
		problems = append(problems, fmt.Sprintf("the tag here is %q, not v%s", tag, version))
	}
	return problems
}

// tested: `make test` ended well on this commit; it leaves the commit's name behind.
func tested(string) []string {
	data, _ := os.ReadFile("bin/.stamps/tested") // absent: never tested
	head := command("git", "rev-parse", "HEAD")
	if strings.TrimSpace(string(data)) != head {
		return []string{"make test has not passed on " + head}
	}
	return nil
}

// licence are words that only the text of one licence has. All of these may be in a program under GPL-3.0-or-later.
var licence = map[string]string{
	"MIT": "Permission is hereby granted, free of charge", "BSD": "Redistribution and use in source and binary forms", "Apache-2.0": "Apache License",
	"MPL-2.0": "Mozilla Public License", "GPL-3.0": "GNU GENERAL PUBLIC LICENSE", "Unlicense": "This is free and unencumbered software", "ISC": "Permission to use, copy, modify, and",
	"zlib": "This software is provided 'as-is'",
}

// licences: every module in the programs comes with the text of a licence that allows it there.
func licences(string) (problems []string) {
	var lines []string
	for _, system := range []string{"linux", "windows"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Dir}}{{end}}{{end}}", "./agent", "./agent/desktop")
		list.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=1")
		out, err := list.Output()
		if err != nil {
			return []string{"go list: " + err.Error()}
		}
		lines = slices.AppendSeq(lines, strings.Lines(string(out)))
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	for _, line := range lines {
		module, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && licenceOf(dir) == "" {
			problems = append(problems, module+" has no licence that is known here")
		}
	}
	if len(lines) < 2 {
		problems = append(problems, "go list names no modules")
	}
	return problems
}

func licenceOf(dir string) string {
	files, _ := filepath.Glob(filepath.Join(dir, "*")) // the pattern is sound
	for _, file := range files {
		base := strings.ToUpper(filepath.Base(file))
		if !strings.HasPrefix(base, "LICEN") && !strings.HasPrefix(base, "COPYING") && !strings.HasPrefix(base, "UNLICENSE") {
			continue
		}
		data, _ := os.ReadFile(file) // a folder has none
		for name, words := range licence {
			if bytes.Contains(data, []byte(words)) {
				return name
			}
		}
	}
	return ""
}

// wanted are the packages of every release.
var wanted = []string{"persten_.*\\.deb", "persten-desktop_.*\\.deb", "persten-[0-9].*\\.rpm", "persten-desktop-[0-9].*\\.rpm", "persten-.*-x64\\.msi",
	"persten-.*-x64-user\\.msi", "persten-chrome-.*\\.zip", "persten-firefox-.*\\.zip", "persten-sdk-.*\\.tgz", "persten-[0-9].*\\.cdx\\.json",
	"persten-desktop-.*\\.cdx\\.json"}

func packages(dir, version string) (problems []string) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for _, pattern := range wanted {
		whole := regexp.MustCompile("^" + pattern + "$")
		if !slices.ContainsFunc(files, func(f os.DirEntry) bool { return whole.MatchString(f.Name()) }) {
			problems = append(problems, "no "+pattern)
		}
	}
	if _, err := packagesIn(dir, "", version); err != nil {
		problems = append(problems, err.Error())
	}
	return append(problems, foreignID(dir)...)
}

// foreignID: the native host lets in one extension alone, so a CRX by another key would install and reach nothing.
func foreignID(dir string) []string {
	data, err := os.ReadFile(filepath.Join(dir, "update.xml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there is no CRX
	}
	if !bytes.Contains(data, []byte(`appid="`+browser.ExtensionID+`"`)) {
		return []string{"the CRX is by another key than manifest/chrome.json and internal/browser name"}
	}
	return nil
}

// checksums: SHA256SUMS names every other file, and each is as it says.
func checksums(dir string) (problems []string) {
	data, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		return []string{err.Error()}
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if sum, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			sums[strings.TrimLeft(name, " *")] = sum
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for _, file := range files {
		name := file.Name()
		_, sum, err := measure(filepath.Join(dir, name))
		if name != "SHA256SUMS" && (err != nil || sums[name] != sum) {
			problems = append(problems, name+" is not what SHA256SUMS says")
		}
		delete(sums, name)
	}
	for name := range sums {
		problems = append(problems, name+" is missing")
	}
	return problems
}

// differences between two folders of packages.
func differences(dir, again string) (problems []string) {
	a, errA := os.ReadDir(dir)
	b, errB := os.ReadDir(again)
	if err := errors.Join(errA, errB); err != nil {
		return []string{err.Error()}
	}
	names := map[string]bool{}
	for _, f := range slices.Concat(a, b) {
		names[f.Name()] = true
	}
	for name := range names {
		_, first, errA := measure(filepath.Join(dir, name))
		_, second, errB := measure(filepath.Join(again, name))
		if errA != nil || errB != nil || first != second {
			problems = append(problems, name)
		}
	}
	slices.Sort(problems)
	return problems
}

// command is the output of a program, empty when it fails.
func command(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out))
}
