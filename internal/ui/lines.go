// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"

	"persten/internal/signing"
)

// Lines is the content of a document as far as it can be shown.
type Lines struct {
	Text    []string
	Kind    Kind // of what was extracted
	Cut     bool // Text is the beginning only
	Refused bool // the document cannot be shown in this form
	Refusal Refusal
}

// The limits of showing a document, and how the viewing process says what it met.
const (
	ViewLines   = 5000
	ViewBytes   = 1 << 20 // of a document shown as text
	ViewOutput  = 4 * ViewBytes
	ViewColumns = 2000
	ViewTime    = 5 * time.Second

	ExitWhole   = 0
	ExitCut     = 10
	ExitRefused = 12 // cannot be shown in this form; the output is the reason
)

var errView = errors.New("the viewer failed")

// Viewer makes the command of a viewing process. The process reads the document ([Given]) and writes lines or pixels;
// nothing but these, counted, and its exit code is believed.
type Viewer func(ctx context.Context, args ...string) *exec.Cmd

// Lines reads a document as text, as what can be extracted, or in hexadecimal.
func (v Viewer) Lines(ctx context.Context, content *os.File, form Form) (Lines, error) {
	out, code, err := v.run(ctx, content, string(form))
	switch {
	case err != nil:
		return Lines{}, err
	case code == ExitRefused:
		return Lines{Refused: true, Refusal: parseRefusal(string(out))}, nil
	case code != ExitWhole && code != ExitCut:
		return Lines{}, fmt.Errorf("%w: exit code %d", errView, code)
	}
	l := Lines{Cut: code == ExitCut}
	if form == FormExtract {
		kind, text, _ := bytes.Cut(out, []byte("\n"))
		l.Kind, out = parseKind(string(kind)), text
	}
	l.Text = split(out, ViewLines)
	for i, t := range l.Text {
		l.Text[i] = VisibleLine(t) // once more: the viewer has read a hostile file
	}
	return l, nil
}

// Tree reads an XML document as a tree, in which the covered pieces are marked as signed.
func (v Viewer) Tree(ctx context.Context, content *os.File, covered []signing.Span) (Tree, error) {
	spans, err := spansText(covered)
	if err != nil {
		return Tree{}, err
	}
	out, code, err := v.run(ctx, content, "tree", spans)
	switch {
	case err != nil:
		return Tree{}, err
	case code == ExitRefused:
		return Tree{Refused: true, Reason: parseReason(out)}, nil
	case code != ExitWhole && code != ExitCut:
		return Tree{}, fmt.Errorf("%w: exit code %d", errView, code)
	}
	t := Tree{Marked: len(covered) > 0, Cut: code == ExitCut}
	for _, l := range split(out, ViewLines) {
		row, err := parseRow(l)
		if err != nil {
			return Tree{}, err
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}

// run starts a viewing process and returns what it wrote and its exit code.
func (v Viewer) run(ctx context.Context, content *os.File, args ...string) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(ctx, ViewTime)
	defer cancel()
	cmd := v(ctx, args...)
	prepare(cmd, content)
	var out bytes.Buffer
	cmd.Stdout = &limited{w: &out, left: ViewOutput}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, 0, fmt.Errorf("%w: %w", errView, err)
	}
	return out.Bytes(), cmd.ProcessState.ExitCode(), nil
}

// split makes at most so many lines of a viewer's output.
func split(out []byte, most int) []string {
	if len(out) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	return lines[:min(len(lines), most)]
}

// VisibleLine is Safe for a line of a text: spaces stay as they are, because they may be layout.
func VisibleLine(s string) string {
	end := ""
	if len(s) > ViewColumns*utf8.UTFMax {
		s, end = s[:ViewColumns*utf8.UTFMax], "…"
	}
	var b strings.Builder
	for i, word := range strings.Split(s, " ") {
		if i > 0 {
			b.WriteByte(' ')
		}
		for _, c := range cells(word, 'x') {
			b.WriteString(c)
		}
	}
	return b.String() + end
}

// prepare gives a viewing process its document, and nothing else of ours.
func prepare(cmd *exec.Cmd, content *os.File) {
	cmd.Env, cmd.Dir = []string{}, os.TempDir()
	handDocument(cmd, content)
}

// beginning reads so much of a document as tells what it is.
func beginning(f *os.File) ([]byte, error) {
	head := make([]byte, 4096)
	n, err := f.ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return head[:n], err
}

// limited lets a child write so much and no more.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errView
	}
	l.left -= len(p)
	return l.w.Write(p)
}
