// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"persten/internal/signing"
)

// batchOf is a question about n documents with a text each.
func batchOf(t *testing.T, lang string, n int) signing.Question {
	t.Helper()
	q := question(t, lang)
	q.Batch, q.Documents = true, nil
	name := map[string]string{"ru": "Акт сверки № %d.txt", "en": "Statement %d.txt"}[lang]
	dir := t.TempDir()
	for i := range n {
		content := fmt.Sprintf(name+"\n\n"+contract, i+1)
		d := signing.Document{Name: fmt.Sprintf(name, i+1), Size: int64(len(content)), Digest: "aa", Alg: "sha256"}
		d.Open = func(context.Context) (*os.File, error) {
			path := filepath.Join(dir, fmt.Sprint(i))
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				return nil, err
			}
			return os.Open(path)
		}
		q.Documents = append(q.Documents, d)
	}
	return q
}

// TestBatchInTheWindow: a thousand documents are searched and one is opened; while they are signed the window counts, and the
// person stops it.
func TestBatchInTheWindow(t *testing.T) {
	for _, lang := range languages(0) {
		t.Run(lang, func(t *testing.T) {
			s := newScreen(t)
			a := s.ask(t.Context(), batchOf(t, lang, 1000))
			s.shot("batch-asking-" + lang)
			s.click(482, 289) // the first "Show"
			time.Sleep(2 * time.Second)
			s.shot("batch-open-" + lang)
			s.click(200, 253) // the search field
			s.typed("99")
			time.Sleep(300 * time.Millisecond)
			s.shot("batch-found-" + lang)
			s.click(200, s.height()-114) // the field for the PIN
			s.typed("12345678")
			s.keys("Return")
			if d := s.decision(a); !d.Approved || len(d.Viewed) == 0 || !d.Viewed[0] || d.Viewed[1] {
				t.Fatalf("approved %v, viewed %v", d.Approved, d.Viewed[:min(len(d.Viewed), 3)])
			}
			a.Progress(signing.StepSigning)
			counter, stopper := a.Prompt.(signing.Counter), a.Prompt.(signing.Stopper)
			for n := 0; n <= 240; n += 60 {
				counter.Count(n, 1000)
				time.Sleep(400 * time.Millisecond)
			}
			s.shot("batch-running-" + lang)
			select {
			case <-stopper.Stopped():
				t.Fatal("stopped by itself")
			default:
			}
			s.keys("Escape")
			select {
			case <-stopper.Stopped():
			case <-time.After(patience):
				t.Fatal("not stopped")
			}
			s.shot("batch-stopping-" + lang)
			a.Close(signing.Outcome{Code: "user_stopped", Time: time.Now(), Owner: "Демонстрационный Подписант",
				Batch: &signing.BatchOutcome{Signed: 241, NotSigned: 759}})
			s.listening()
			s.shot("batch-stopped-" + lang)
			s.keys("Return")
			s.closes()
		})
	}
}

// click presses a mouse button at a place of the window.
func (s *screen) click(x, y int) {
	s.t.Helper()
	s.xdotool("search", "--onlyvisible", "--name", "^Persten", "mousemove", "--window", "%1", fmt.Sprint(x), fmt.Sprint(y), "click", "1")
	time.Sleep(200 * time.Millisecond)
}

// height is the window's.
func (s *screen) height() (h int) {
	s.t.Helper()
	for line := range strings.Lines(s.xdotool("search", "--onlyvisible", "--name", "^Persten", "getwindowgeometry", "--shell", "%1")) {
		fmt.Sscanf(line, "HEIGHT=%d", &h)
	}
	return h
}

// TestBatchStopButton: the button stops the batch, and so does closing the window, which could not be stopped any more.
func TestBatchStopButton(t *testing.T) {
	s := newScreen(t)
	for name, stop := range map[string]func(){
		"button": func() { s.keys("Tab", "space") },
		"window": func() { s.keys("alt+F4") },
	} {
		a := s.ask(t.Context(), batchOf(t, "ru", 3))
		s.typed("12345678")
		s.keys("Return")
		if d := s.decision(a); !d.Approved {
			t.Fatal("not approved")
		}
		a.Prompt.(signing.Counter).Count(1, 3)
		s.listening()
		stop()
		select {
		case <-a.Prompt.(signing.Stopper).Stopped():
		case <-time.After(patience):
			s.shot("failed")
			t.Fatalf("%s: not stopped", name)
		}
		s.prompt.Process.Kill()
		s.closes()
	}
}
