// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token/keyfile"
)

const crashEnv = "PERSTEN_BATCH_JOURNAL"

// TestBatchChild is the process that TestBatchKilled kills: it signs without end and tells of each signature.
func TestBatchChild(t *testing.T) {
	path := os.Getenv(crashEnv)
	if path == "" {
		t.Skip("only as a child of TestBatchKilled")
	}
	b := newBench(t, &person{decide: yes})
	j, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	e := signing.New(b.demo, b.person, j, signing.Options{Store: b.Store()})
	r := b.digests(t, signing.MaxBatch)
	for {
		b.person.pins = []string{keyfile.DemoPIN}
		if _, err := e.SignBatch(context.Background(), page, r, func(s signing.BatchSigned) { fmt.Println("signed", s.Index) }); err != nil {
			t.Fatal(err)
		}
	}
}

// Killed at any moment, a batch leaves a journal that verifies, goes on, and announced every signature that came out.
func TestBatchKilled(t *testing.T) {
	rounds := 20
	if os.Getenv("PERSTEN_LONG") != "" {
		rounds = 100
	}
	for range rounds {
		dir := t.TempDir()
		path := filepath.Join(dir, "journal.jsonl")
		cmd := exec.Command(os.Args[0], "-test.run=^TestBatchChild$", "-test.v")
		cmd.Env = append(os.Environ(), crashEnv+"="+path, "TMPDIR="+dir) // killed, it cannot sweep
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		at, returned := rand.IntN(700), 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var i int
			if n, _ := fmt.Sscanf(lines.Text(), "signed %d", &i); n == 1 {
				if returned++; returned == at+1 {
					time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, func() { cmd.Process.Kill() })
				}
			}
		}
		cmd.Wait()
		sum, err := journal.Verify(path)
		if err != nil || !sum.OK() {
			t.Fatalf("killed after %d signatures: %+v %v", returned, sum, err)
		}
		list, err := journal.List(path, 0)
		if err != nil {
			t.Fatal(err)
		}
		announced := 0
		for _, l := range list {
			if l.Type == journal.TypeBegin {
				announced += len(l.Documents)
			}
		}
		if returned <= at || returned > announced {
			t.Errorf("%d signatures came out, %d were announced", returned, announced)
		}
		j, err := journal.Open(path)
		if err == nil {
			err = j.Note(journal.Record{Kind: "origin"})
		}
		if sum, bad := journal.Verify(path); err != nil || bad != nil || !sum.OK() {
			t.Errorf("the journal does not go on: %v %v %+v", err, bad, sum)
		}
	}
}
