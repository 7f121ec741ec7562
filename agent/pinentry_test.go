// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pinentryMain is the person of the tests: a pinentry program that answers from the file "answers" beside it and writes
// what it was asked to the file "asked".
//
// Each line of answers is "TEXT | ACTION | PIN PIN...". The first line whose TEXT stands somewhere in what the prompt
// has shown counts; an empty TEXT always does. ACTION is approve, reject, approve-reject (yes, but no PIN), or hang (until answers says something else). The
// first GETPIN of a prompt gets the first PIN, the second the second and so on; a PIN too many is a cancel. The file is
// read anew at each question. Like real ones, this pinentry does not notice while it waits that its caller has gone.
func pinentryMain() {
	p := &person{dir: filepath.Dir(startedAs)}
	p.note("start", "")
	fmt.Println("OK Pleased to meet you")
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 64<<10)
	for in.Scan() {
		command, rest, _ := strings.Cut(in.Text(), " ")
		if command == "BYE" {
			fmt.Println("OK closing connection")
			break
		}
		p.answer(command, rest)
	}
	p.note("end", "")
}

// startedAs is how the program was called; testscript shortens it before commands run.
var startedAs = os.Args[0]

// person is one running prompt.
type person struct {
	dir, shown string // shown: the texts set for the next dialog
	seen       string // what was shown since the start
	pins       int    // given
}

// The answers of Assuan that say no.
const (
	assuanCancelled    = "ERR 83886179 Operation cancelled <Pinentry>"
	assuanNotConfirmed = "ERR 83886194 Not confirmed <Pinentry>"
)

func (p *person) answer(command, rest string) {
	if strings.HasPrefix(command, "SET") {
		text, err := url.PathUnescape(rest)
		if err != nil {
			text = rest
		}
		p.shown += text + "\n"
		fmt.Println("OK")
		return
	}
	if command != "CONFIRM" && command != "GETPIN" && command != "MESSAGE" {
		fmt.Println("OK")
		return
	}
	p.note(command, p.shown)
	p.seen += p.shown
	p.shown = ""
	if command == "MESSAGE" {
		fmt.Println("OK")
		return
	}
	action, pins := p.script()
	for action == "hang" {
		time.Sleep(50 * time.Millisecond)
		action, pins = p.script()
	}
	switch {
	case action == "reject":
		fmt.Println(assuanNotConfirmed)
	case command == "CONFIRM":
		fmt.Println("OK")
	case action == "approve-reject" || p.pins >= len(pins):
		fmt.Println(assuanCancelled)
	default:
		fmt.Println("D " + pins[p.pins])
		fmt.Println("OK")
		p.pins++
	}
}

// script finds the line of answers that fits what is shown.
func (p *person) script() (action string, pins []string) {
	lines, err := os.ReadFile(filepath.Join(p.dir, "answers"))
	if err != nil {
		return "reject", nil
	}
	for line := range strings.Lines(string(lines)) {
		f := strings.Split(line, "|")
		if len(f) == 3 && strings.Contains(p.seen, strings.TrimSpace(f[0])) {
			return strings.TrimSpace(f[1]), strings.Fields(f[2])
		}
	}
	return "reject", nil
}

// note appends one line: process, what happened, what was shown. One write, so that lines of several prompts do not mix.
func (p *person) note(event, shown string) {
	f, err := os.OpenFile(filepath.Join(p.dir, "asked"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%d %s %s\n", os.Getpid(), event, strings.ReplaceAll(strings.TrimSpace(shown), "\n", " / "))
}
