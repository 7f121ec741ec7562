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
)

// Lines is the content of a document as far as it can be shown.
type Lines struct {
	Text   []string
	Binary bool // not text
	Cut    bool // Text is the beginning only
}

// The limits of showing a document, and how the viewing process says what it met.
const (
	ViewLines   = 5000
	ViewBytes   = 1 << 20
	ViewColumns = 2000
	ViewTime    = 5 * time.Second

	ExitWhole  = 0
	ExitCut    = 10
	ExitBinary = 11
)

var errView = errors.New("the viewer failed")

// View runs command, a viewing process, over a document. The process reads descriptor 3, or standard input on Windows,
// and writes lines; nothing but its lines and its exit code is believed.
func View(ctx context.Context, content *os.File, command func(context.Context) *exec.Cmd) (Lines, error) {
	ctx, cancel := context.WithTimeout(ctx, ViewTime)
	defer cancel()
	cmd := command(ctx)
	handDocument(cmd, content)
	cmd.Env, cmd.Dir = []string{}, os.TempDir()
	var out bytes.Buffer
	cmd.Stdout = &limited{w: &out, left: 4 * ViewBytes}
	err := cmd.Run()
	code := cmd.ProcessState.ExitCode()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Lines{}, fmt.Errorf("%w: %w", errView, err)
	}
	switch code {
	case ExitWhole, ExitCut:
		return Lines{Text: split(out.Bytes()), Cut: code == ExitCut}, nil
	case ExitBinary:
		return Lines{Binary: true}, nil
	}
	return Lines{}, fmt.Errorf("%w: exit code %d", errView, code)
}

// split makes lines of a viewer's output, made safe once more: the viewer has read a hostile file.
func split(out []byte) []string {
	if len(out) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) > ViewLines {
		lines = lines[:ViewLines]
	}
	for i, l := range lines {
		lines[i] = VisibleLine(l)
	}
	return lines
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

// Showable tells from the beginning of a document whether showing it is worth a button.
func Showable(f *os.File) bool {
	head := make([]byte, 4096)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	return DetectCharset(head[:n]) != Binary
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
