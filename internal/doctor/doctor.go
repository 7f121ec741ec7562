// SPDX-License-Identifier: GPL-3.0-or-later

// Package doctor finds out why signing does not work on this computer, and says what to do about it.
//
// # Checks and findings
//
// A [Check] looks at one thing and returns a [Finding] for each cause it found; none means that all is well. A cause has a
// code and a text of two sentences, what was found and what to do now, in internal/text under doctor.CODE.what and .next
// (underscores of the code left out). A code of the error catalogue that has no such text keeps the catalogue's. What the agent
// can repair by itself has a [Fix], a button with the label doctor.fix.ID. Adding a check costs one row in checks, adding a
// repair one in fixes, and a row in CASES.md for each cause.
//
// # What a check may do
//
// It looks at a [Machine] and at nothing else, changes nothing, tries no PIN and sends nothing about a person. Files and answers
// it reads are data from outside: each has a limit. It obeys its context; one that does not, because the thing it looks at hangs,
// is given up after its time, which is a finding of its own. A text never advises to switch off a protection: it names the
// path, port or publisher to allow.
//
// # Concurrency
//
// The checks of a run work side by side. A [Doctor] may be used by many goroutines.
//
// # Why so
//
// internal/doctor is a list of checks and a list of repairs, each a row in registry.go. A check looks at a Machine, which the
// agent wires (agent/machine.go), and returns findings: a code, a level, arguments for the text, and the id of a repair if there
// is one.
//
//   - One cause, one code. internal/doctor/CASES.md is the table of broken set-ups, made by scripts; each is found by its own
//     code and by no other, and the healthy one gives none. A cause that another check says better is left to it.
//   - A check may hang, because what it looks at does. All run side by side, each for 20 s at most; one that is late is given up
//     and is a finding itself.
//   - Where it runs. persten doctor looks from its own process, with or without a session, so it sees the person's folders,
//     processes and display as they are. doctor.run is the same in the session, for the window; in the sandboxed unit some of it
//     (other programs' processes, writing beside browsers) is out of sight or reach, and the finding names the command that does
//     it.
//   - No library of others in the process. pcscd is asked over its own socket. A driver is judged by its head, and then by what
//     its own child process says.
//   - Browsers' profiles and policies are read (browser.Look) for our extension's id and nothing else.
//   - Servers are reached by tsp, as signatures reach them: a refused address is the same fault here and there.
//
// # Words
//
//   - What people arrive with is data, proto/known.json: the words of portals and of people, who is at fault (desk, certificate,
//     portal), what to check, what to do. doctor.explain, persten doctor explain and the help page search it together with our
//     errors and other people's. Phrases are compared by weighted words and trigrams; a code decides before words do; what only
//     sounds alike finds nothing. The page works without the agent, so the search is there twice, in Go and in TypeScript, with
//     one list of phrases as the test of both.
//   - Certificates are looked at without a PIN. Where public halves hide until the login nobody can tell whether key and
//     certificate belong together; the check of each signature does. An old certificate beside a good one is a note, not a
//     problem.
//   - Repairs that trust need the person twice: the first call answers with the fingerprint, and only its button trusts. A
//     fetched issuer is kept, not trusted.
//   - The archive for support is an allowlist of kinds of values, not a list of secrets to remove (internal/doctor/allow.go).
package doctor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"persten/internal/text"
	"persten/proto"
)

// Level says how much a finding hinders.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Note    Level = "note"    // good to know
	Warning Level = "warning" // something may not work
	Problem Level = "problem" // something does not work
)

// Finding is one cause that a check found.
type Finding struct {
	Code    string
	Subject string // what it is about: a browser, a file, a port; {subject} of the texts
	Level   Level
	Args    map[string]string // for the texts and for the fix
	Fix     string            // id of a repair, or empty
	Check   string            // the check that found it; filled in by Run

	agree bool // the finding asks, and its repair is the yes
}

// Check looks for causes of one kind.
type Check struct {
	Code  string
	Fault proto.DoctorFault // where the causes lie; empty is the desk
	Run   func(ctx context.Context, m *Machine) []Finding
}

// Fix repairs a cause.
type Fix struct {
	ID    string
	Check string           // runs again afterwards
	Args  []string         // of the finding's, those it wants
	Needs proto.DoctorNeed // what the person gives first
	Do    func(ctx context.Context, m *Machine, args map[string]string) error
}

// found is a finding; args are pairs of name and value.
func found(l Level, code, subject string, args ...string) Finding {
	f := Finding{Code: code, Subject: subject, Level: l, Args: map[string]string{}}
	for i := 0; i+1 < len(args); i += 2 {
		f.Args[args[i]] = args[i+1]
	}
	return f
}

func problem(code, subject string, args ...string) Finding {
	return found(Problem, code, subject, args...)
}

func warning(code, subject string, args ...string) Finding {
	return found(Warning, code, subject, args...)
}

func note(code, subject string, args ...string) Finding { return found(Note, code, subject, args...) }

// by offers a repair with the finding.
func (f Finding) by(fix string) Finding {
	f.Fix = fix
	return f
}

// patience is how long one check may take. It is longer than the deadlines of what the checks wait for.
const patience = 20 * time.Second

// maxFindings is how many a single check may report.
const maxFindings = 64

// Doctor runs checks on a machine.
type Doctor struct {
	m        *Machine
	checks   []Check
	fixes    []Fix
	patience time.Duration
}

// New returns a doctor with all checks.
func New(m *Machine) *Doctor {
	return &Doctor{m: m, checks: checks, fixes: fixes, patience: patience}
}

// Codes lists the checks in the order of their findings.
func (d *Doctor) Codes() (codes []string) {
	for _, c := range d.checks {
		codes = append(codes, c.Code)
	}
	return codes
}

// Run runs checks side by side and tells their findings in the order of the checks; a check that found nothing has one of level
// OK. ended, which may be nil, is told after each check, one call at a time. An unknown code is proto.CodeRequestInvalid.
func (d *Doctor) Run(ctx context.Context, p proto.DoctorRunParams, lang string, ended func(check string, done, total int)) ([]proto.DoctorFinding, error) {
	list, err := d.run(ctx, p, ended)
	if err != nil {
		return nil, err
	}
	return d.told(list, text.Lang(lang)), nil
}

func (d *Doctor) run(ctx context.Context, p proto.DoctorRunParams, ended func(check string, done, total int)) ([]Finding, error) {
	chosen, err := d.choose(p.Checks)
	if err != nil {
		return nil, err
	}
	m := *d.m
	m.Certificate = p.Certificate
	results, over := make([][]Finding, len(chosen)), make(chan int, len(chosen))
	for i, c := range chosen {
		go func() {
			results[i] = d.examine(ctx, &m, c)
			over <- i
		}()
	}
	for done := 1; done <= len(chosen); done++ {
		if i := <-over; ended != nil {
			ended(chosen[i].Code, done, len(chosen))
		}
	}
	return slices.Concat(results...), ctx.Err()
}

func (d *Doctor) choose(codes []string) ([]Check, error) {
	if len(codes) == 0 {
		return d.checks, nil
	}
	var chosen []Check
	for _, c := range d.checks {
		if slices.Contains(codes, c.Code) {
			chosen = append(chosen, c)
		}
	}
	for _, code := range codes {
		if !slices.Contains(d.Codes(), code) {
			return nil, proto.E(proto.CodeRequestInvalid, fmt.Errorf("no check %q", code), "field", "checks", "detail", "no such check")
		}
	}
	return chosen, nil
}

// examine runs one check. One that outlives its time is left behind: what it finds goes nowhere.
func (d *Doctor) examine(ctx context.Context, m *Machine, c Check) []Finding {
	ctx, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- guarded(ctx, m, c) }()
	var list []Finding
	select {
	case list = <-done:
	case <-ctx.Done():
		list = []Finding{warning("check_hung", "", "check", c.Code)}
	}
	if len(list) == 0 {
		list = []Finding{found(OK, c.Code, "")}
	}
	list = list[:min(len(list), maxFindings)]
	for i := range list {
		list[i].Check = c.Code
	}
	return list
}

// guarded turns a panic of a check, which has read what others wrote, into a finding.
func guarded(ctx context.Context, m *Machine, c Check) (list []Finding) {
	defer func() {
		if p := recover(); p != nil {
			slog.Error("check panicked", "check", c.Code, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			list = []Finding{warning("check_failed", "", "check", c.Code)}
		}
	}()
	return c.Run(ctx, m)
}

// Fix makes a repair and tells what its check finds afterwards. An unknown id is proto.CodeRequestInvalid.
func (d *Doctor) Fix(ctx context.Context, p proto.DoctorFixParams, lang string) ([]proto.DoctorFinding, error) {
	i := slices.IndexFunc(d.fixes, func(f Fix) bool { return f.ID == p.ID })
	if i < 0 {
		return nil, proto.E(proto.CodeRequestInvalid, fmt.Errorf("no repair %q", p.ID), "field", "id", "detail", "no such repair")
	}
	fix := d.fixes[i]
	var ask *question
	if err := fix.Do(ctx, d.m, p.Args); errors.As(err, &ask) {
		ask.Check, ask.agree = fix.Check, true
		return d.told([]Finding{ask.Finding}, text.Lang(lang)), nil
	} else if err != nil {
		return nil, repairFailed(err)
	}
	return d.Run(ctx, proto.DoctorRunParams{Checks: []string{fix.Check}}, lang, nil)
}
