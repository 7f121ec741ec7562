// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"persten/proto"
)

// startJournald runs systemd's own daemon in a namespace of its own, and returns it as a log.
func startJournald(t *testing.T) journald {
	t.Helper()
	const program = "/lib/systemd/systemd-journald"
	if _, err := os.Stat(program); err != nil || os.Getuid() != 0 {
		t.Skip("not run: systemd-journald is not installed, or this is not root, who alone can run it")
	}
	j := journald{fmt.Sprintf("persten%d", os.Getpid())}
	cmd := exec.Command(program, j.namespace)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		for _, pattern := range []string{"/run/systemd/journal." + j.namespace, "/run/log/journal/*." + j.namespace, "/var/log/journal/*." + j.namespace} {
			found, _ := filepath.Glob(pattern)
			for _, dir := range found {
				os.RemoveAll(dir)
			}
		}
	})
	for range 100 {
		if c, err := net.Dial("unixgram", "/run/systemd/journal."+j.namespace+"/socket"); err == nil {
			c.Close()
			return j
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Skip("not run: systemd-journald does not come up here")
	return j
}

// records makes a journal of n notes that is sealed.
func records(t *testing.T, path, kind string, n int, to Seals) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	j.SealTo(to)
	for i := range n {
		if err := j.Note(Record{Kind: kind, Ref: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

// sealedAt waits until the log has sealed a record; journald writes after it has taken.
func sealedAt(t *testing.T, from Seals, path string, seq uint64) {
	t.Helper()
	for range 100 {
		list, _ := from.Read(path)
		if len(list) > 0 && list[len(list)-1].Seq == seq {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no seal of record %d", seq)
}

// The journal is held against journald's marks: a journal that was rewritten whole, with its head, is found out.
func TestSealed(t *testing.T) {
	system := startJournald(t)
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	if s, err := VerifySealed(path, system); err != nil || !s.OK() || s.Newest != nil {
		t.Fatalf("%+v %v", s, err)
	}
	j := records(t, path, "sign", 40, system)
	sealedAt(t, system, path, 32)
	if err := j.Seal(); err != nil {
		t.Fatal(err)
	}
	sealedAt(t, system, path, 40)
	if s, err := VerifySealed(path, system); err != nil || !s.OK() || s.Newest == nil || s.Newest.Seq != 40 || time.Since(s.Newest.Time) > time.Minute {
		t.Fatalf("%+v %v", s, err)
	}
	rewrite := func(n int) Summary {
		os.Remove(path)
		os.Remove(path + ".head")
		records(t, path, "forged", n, nil)
		s, err := VerifySealed(path, system)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := Verify(path); err != nil || !plain.OK() {
			t.Fatalf("the forgery is not a good one: %+v %v", plain, err)
		}
		return s
	}
	if s := rewrite(50); s.Reason != proto.JournalDamageSealDiffers || s.BadLine != 32 {
		t.Errorf("rewritten: %+v", s)
	}
	if s := rewrite(20); s.Reason != proto.JournalDamageSealAhead || s.BadLine != 21 {
		t.Errorf("rewritten and shorter: %+v", s)
	}
	other := filepath.Join(t.TempDir(), "journal.jsonl")
	records(t, other, "sign", 3, system)
	if s, err := VerifySealed(other, system); err != nil || !s.OK() || s.Newest != nil {
		t.Errorf("another journal: %+v %v", s, err)
	}
}

// A log that is not there, or takes nothing, hinders nobody.
func TestSealNowhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j := records(t, path, "sign", 64, journald{"persten-not-there"})
	if err := j.Seal(); err == nil {
		t.Error("sealed nowhere")
	}
	if s, err := Verify(path); err != nil || s.Records != 64 {
		t.Errorf("%+v %v", s, err)
	}
	begun := time.Now()
	if _, err := j.Begin(context.Background(), Record{Kind: "sign"}); err != nil || time.Since(begun) > 5*time.Second {
		t.Error(err)
	}
}

func FuzzSeals(f *testing.F) {
	f.Add([]byte(`{"PERSTEN_SEQ":"5","PERSTEN_HASH":"` + firstPrev + `","__REALTIME_TIMESTAMP":"1795362369203752"}` + "\n"))
	f.Add([]byte(`{"PERSTEN_SEQ":["5"],"PERSTEN_HASH":null}` + "\n\x00"))
	f.Fuzz(func(t *testing.T, said []byte) {
		for _, s := range parseSeals(said) {
			if s.Seq == 0 || len(s.Hash) != 64 || s.Time.IsZero() {
				t.Errorf("%+v", s)
			}
		}
	})
}

// Whole records go to the same log, as one line each, whatever is in them.
func TestTellSystem(t *testing.T) {
	j := startJournald(t)
	if err := j.Tell("{\"kind\":\"sign\"}\nPRIORITY=0", "abc", true); err != nil {
		t.Fatal(err)
	}
	var said []byte
	for range 100 {
		said, _ = exec.Command("journalctl", "--namespace="+j.namespace, "--output=json", "--no-pager", "--quiet", "PERSTEN_RECORD=abc").Output()
		if len(said) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	var e map[string]any
	if err := json.Unmarshal(said, &e); err != nil {
		t.Fatalf("%q, %v", said, err)
	}
	if e["MESSAGE"] != `{"kind":"sign"} PRIORITY=0` || e["PRIORITY"] != "4" || e["SYSLOG_IDENTIFIER"] != "persten" {
		t.Errorf("journald has %s", said)
	}
}
