// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"persten/internal/ipc"
	"persten/internal/signing"
)

// A document is opened in the system's viewer by the session, under an extension of the session's list; the copy goes with the
// prompt.
func TestShowInSystem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(file, []byte("{\\rtf1 a}"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var shown []string
	var removed atomic.Int32
	b := &person{shown: make(chan signing.Outcome, 1)}
	b.decide = func(ctx context.Context, q signing.Question) (signing.Decision, error) {
		for _, kind := range []string{"rtf", "pdf"} {
			if err := q.Documents[0].System(ctx, kind); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		for _, kind := range []string{"macros", "zip", "data", "exe", "../x", ""} {
			if q.Documents[0].System(ctx, kind) == nil {
				t.Errorf("%q was opened", kind)
			}
		}
		if q.Documents[1].System(ctx, "pdf") == nil {
			t.Error("a ready digest was opened")
		}
		for range maxShows {
			q.Documents[0].System(ctx, "png")
		}
		return signing.Decision{}, nil
	}
	fronts := Remote(func(context.Context) (ipc.FileConn, func() error, error) {
		ours, theirs, err := ipc.Pair()
		if err != nil {
			return nil, nil, err
		}
		child, err := ipc.Adopt(theirs)
		go Serve(t.Context(), child, b)
		return ours, func() error { return nil }, err
	}).(Fronts)
	fronts.Show = func(_ context.Context, content *os.File, extension string) (func(), error) {
		text, err := io.ReadAll(io.NewSectionReader(content, 0, 100))
		shown = append(shown, fmt.Sprintf("%s: %s", extension, text))
		if extension == "png" {
			err = errors.New("no program")
		}
		return func() { removed.Add(1) }, err
	}
	q := signing.Question{Kind: signing.KindSign, Documents: []signing.Document{{Name: "a", Content: f}, {Name: "b", Hidden: true}}}
	p, err := fronts.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Decide(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(shown) < 2 || shown[0] != "rtf: {\\rtf1 a}" || shown[1] != "pdf: {\\rtf1 a}" || len(shown) > maxShows {
		t.Errorf("shown %d: %s", len(shown), strings.Join(shown[:min(len(shown), 2)], ", "))
	}
	if removed.Load() != 0 {
		t.Error("a copy went before its prompt")
	}
	p.Close(signing.Outcome{Code: "user_rejected", Time: time.Now()})
	for range 500 {
		if removed.Load() == 2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d of 2 copies were removed", removed.Load())
}
