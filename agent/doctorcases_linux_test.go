// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"persten/proto"
)

var updateCases = flag.Bool("update-cases", false, "write internal/doctor/CASES.md")

const casesDir = "../internal/doctor/testdata/cases"

// broken is one way in which a computer does not work: a script that breaks one thing of a healthy set-up. Its head says
//
//	# how: what it breaks, in a few words
//	# code: what the doctor must find, and nothing else
//	# with: codes that may follow from it
//	# before: the script runs before the session starts
//	# needs: programs and files without which it cannot be built
type broken struct {
	name, how, code string
	with, needs     []string
	before          bool
}

func readBroken(t *testing.T, file string) broken {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b := broken{name: strings.TrimSuffix(filepath.Base(file), ".sh")}
	for line := range strings.Lines(string(text)) {
		word, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "#")), ":")
		value = strings.TrimSpace(value)
		switch {
		case !strings.HasPrefix(line, "#"):
		case word == "how":
			b.how = value
		case word == "code":
			b.code = value
		case word == "with":
			b.with = strings.Fields(value)
		case word == "needs":
			b.needs = strings.Fields(value)
		case word == "before":
			b.before = true
		}
	}
	if b.how == "" || b.code == "" {
		t.Fatalf("%s says neither how it breaks nor what is to be found", file)
	}
	return b
}

// row is a line of CASES.md.
type row struct{ name, how, code, finding, advice, fix string }

// Each broken set-up is found by its own code and by no other; the healthy one gives no finding at all. CASES.md is the table of
// what was found.
func TestDoctorCases(t *testing.T) {
	ward := newWard(t)
	t.Run("healthy", func(t *testing.T) {
		p := ward.admit(t)
		p.start()
		for _, f := range p.examine() {
			if f.Level != proto.DoctorLevelOK {
				t.Errorf("false alarm: %s %s: %s", f.Code, f.Subject, f.Text.What)
			}
		}
	})
	files, err := filepath.Glob(filepath.Join(ward.cases, "*.sh"))
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	rows := make([]row, len(files))
	t.Run("broken", func(t *testing.T) {
		for i, file := range files {
			b := readBroken(t, file)
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				rows[i] = b.run(t, ward, file)
			})
		}
	})
	if !t.Failed() {
		compareCases(t, computerCases, rows)
	}
}

func (b broken) run(t *testing.T, w *ward, file string) row {
	for _, program := range b.needs {
		if _, err := exec.LookPath(program); err != nil && !(filepath.IsAbs(program) && isThere(program)) {
			t.Skipf("not run: %s is not installed", program)
		}
	}
	p := w.admit(t)
	if b.before {
		p.script(file)
		p.start()
	} else {
		p.start()
		p.script(file)
	}
	var own *proto.DoctorFinding
	list := p.examine()
	for _, f := range list {
		switch {
		case f.Code == b.code && f.Level != proto.DoctorLevelOK:
			own = &f
		case f.Level != proto.DoctorLevelOK && !slices.Contains(b.with, f.Code):
			t.Errorf("also found: %s %s: %s", f.Code, f.Subject, f.Text.What)
		}
	}
	if own == nil {
		t.Fatalf("%s was not found in %+v", b.code, list)
	}
	r := row{b.name, b.how, b.code, p.anonymous(own.Text.What), p.anonymous(own.Text.Next), "-"}
	if own.Fix != nil {
		r.fix = own.Fix.Label
		p.repair(own)
	}
	return r
}

// repair makes the repair and wants the finding gone.
func (p *patient) repair(f *proto.DoctorFinding) {
	p.t.Helper()
	var after proto.DoctorFindings
	out, code := p.persten("doctor", "--json", "--root", p.path("root"), "--fix", f.Fix.ID)
	if err := json.Unmarshal(out, &after); err != nil {
		p.t.Fatalf("repair %s: %v, code %d: %s", f.Fix.ID, err, code, out)
	}
	for _, again := range after.Findings {
		if again.Code == f.Code && again.Level != proto.DoctorLevelOK {
			p.t.Errorf("after the repair %s: %s", f.Fix.ID, again.Text.What)
		}
	}
}

const casesFile = "../internal/doctor/CASES.md"

const casesHead = `# Broken set-ups and what the doctor finds

Each case breaks one thing on a healthy set-up. The doctor must find the cause by its own code and report nothing else, and the
repair, where there is one, must take the finding away; the healthy set-ups give no finding. Tests hold that and these tables to
account; with ` + "`go test ./agent -run 'TestDoctor(Cases|Certificates)' -update-cases`" + ` they write them.
`

// The parts of CASES.md and what their set-ups are made of.
const (
	computerCases    = "The computer"
	certificateCases = "Certificates and tokens"
)

var casesAbout = map[string]string{
	computerCases: "`testdata/cases/*.sh` on a running session with a SoftHSM token, a profile that Chromium wrote with the extension in it, pcscd, a display with\n" +
		"a place for icons, and a server for time-stamps. What cannot be installed by a script (CryptoPro CSP, USB devices) is shown by the files it leaves.\n",
	certificateCases: "`agent/doctorcerts_linux_test.go` on a token behind the project's PKCS#11 test library, with a CA, its lists and a server of its own.\n",
}

const casesColumns = "| case | how it is broken | code | finding | advice | repair |\n|---|---|---|---|---|---|\n"

func (r row) String() string {
	return fmt.Sprintf("| %s | %s | `%s` | %s | %s | %s |\n", r.name, r.how, r.code, r.finding, r.advice, r.fix)
}

// compareCases holds one part of CASES.md to what was found, or writes it. A case that was not run here has no name and is left out.
func compareCases(t *testing.T, part string, rows []row) {
	t.Helper()
	parts := readCases(t)
	known := map[string]string{}
	for line := range strings.Lines(parts[part]) {
		if f := strings.Split(line, " | "); len(f) == 6 {
			known[strings.TrimPrefix(f[0], "| ")] = line
		}
	}
	delete(known, "case")
	table := casesAbout[part] + "\n" + casesColumns
	for _, r := range rows {
		if r.name == "" {
			continue
		}
		table += r.String()
		if !*updateCases && known[r.name] != r.String() {
			t.Errorf("CASES.md has\n%swant\n%s", known[r.name], r)
		}
	}
	if !*updateCases && len(known) > len(rows) {
		t.Errorf("CASES.md has %d cases more than there are", len(known)-len(rows))
	}
	if *updateCases {
		parts[part] = table
		writeCases(t, parts)
	}
}

// readCases returns the parts by their headings.
func readCases(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(casesFile)
	if err != nil && !*updateCases {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, p := range strings.Split(string(text), "\n## ")[1:] {
		heading, body, _ := strings.Cut(p, "\n\n")
		parts[heading] = body
	}
	return parts
}

func writeCases(t *testing.T, parts map[string]string) {
	t.Helper()
	text := casesHead
	for _, heading := range []string{computerCases, certificateCases} {
		if parts[heading] != "" {
			text += "\n## " + heading + "\n\n" + strings.TrimRight(parts[heading], "\n") + "\n"
		}
	}
	if err := os.WriteFile(casesFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// patient is one set-up: folders, environment, and the session that runs in it.
type patient struct {
	*ward
	t       *testing.T
	dir     string
	env     []string
	port    string
	session *exec.Cmd
	log     logBuffer
}

func (p *patient) path(name ...string) string {
	return filepath.Join(append([]string{p.dir}, name...)...)
}

// script breaks the set-up. What it starts ends with the case; what it writes into $ENV is added to the environment of persten.
func (p *patient) script(file string) {
	p.t.Helper()
	log, err := os.Create(p.path("script.log"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("bash", "-eu", file)
	cmd.Env = append(slices.Clone(p.env), "PATH="+os.Getenv("PATH"), "PERSTEN="+p.program, "ROOT="+p.path("root"), "ENV="+p.path("env"),
		"PORT="+p.port, "CONFIG="+p.path("config.toml"), "RUN="+p.path("run"), "STATE="+p.path("state", "persten"), "DIR="+p.dir,
		"SELF="+p.self, "CASES="+p.cases, "MODULE="+p.token.Module, "NEXT="+p.next)
	if p.session != nil {
		cmd.Env = append(cmd.Env, fmt.Sprintf("SESSION=%d", p.session.Process.Pid))
	}
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		apart, _ := os.ReadFile(p.path("kill"))
		for _, pid := range strings.Fields(string(apart)) {
			if n, err := strconv.Atoi(pid); err == nil && n > 1 {
				syscall.Kill(-n, syscall.SIGKILL)
			}
		}
	})
	timer := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Wait(); err != nil {
		said, _ := os.ReadFile(p.path("script.log"))
		p.t.Fatalf("%s: %v\n%s", file, err, said)
	}
}

// variables is the environment of persten: what a script wrote comes last and so counts. DOCTOR in it is another persten to ask.
func (p *patient) variables() []string {
	more, _ := os.ReadFile(p.path("env"))
	return append(slices.Clone(p.env), strings.Fields(string(more))...)
}

func (p *patient) persten(args ...string) (stdout []byte, code int) {
	p.t.Helper()
	program := p.program
	for _, v := range p.variables() {
		if other, ok := strings.CutPrefix(v, "DOCTOR="); ok {
			program = other
		}
	}
	cmd := exec.Command(program, args...)
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.Dir = p.variables(), &out, &errOut, p.dir
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		p.t.Fatal(err)
	}
	if out.Len() == 0 {
		p.t.Fatalf("persten %v: %s", args, errOut.String())
	}
	return out.Bytes(), cmd.ProcessState.ExitCode()
}

// examine runs the doctor; its exit code must say what its findings do.
func (p *patient) examine() []proto.DoctorFinding {
	p.t.Helper()
	var list proto.DoctorFindings
	out, code := p.persten("doctor", "--json", "--root", p.path("root"))
	if err := json.Unmarshal(out, &list); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	if err := list.Validate(); err != nil {
		p.t.Error(err)
	}
	bad := slices.ContainsFunc(list.Findings, func(f proto.DoctorFinding) bool { return f.Level == proto.DoctorLevelProblem })
	if bad != (code == exitFailed) {
		p.t.Errorf("exit code %d, a problem: %v", code, bad)
	}
	return list.Findings
}

// anonymous takes out of a text what is other in each run.
func (p *patient) anonymous(text string) string {
	pairs := []string{p.path("root"), "", p.path("home"), "~", p.program, "/usr/bin/persten", p.dir, "~", p.port, "24117", "|", "\\|"}
	text = randomPort.ReplaceAllString(strings.NewReplacer(pairs...).Replace(text), "tsa.example")
	return processNumber.ReplaceAllString(text, "${1}N")
}
