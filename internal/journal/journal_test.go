// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"persten/proto"
)

// TestMain lets the test binary be the second process of TestProcesses.
func TestMain(m *testing.M) {
	if path := os.Getenv("JOURNAL_TEST_FILL"); path != "" {
		os.Exit(fill(path))
	}
	if path := os.Getenv("JOURNAL_TEST_APPEND"); path != "" {
		if err := appendMany(path, 250); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// appendMany writes n uses of a key, two records each.
func appendMany(path string, n int) error {
	j, err := Open(path)
	if err != nil {
		return err
	}
	for i := range n {
		e, err := j.Begin(context.Background(), Record{Kind: "sign", Approval: strconv.Itoa(i), Documents: []Document{{Name: "a"}}})
		if err != nil {
			return err
		}
		if err := e.End("signed", nil); err != nil {
			return err
		}
	}
	return nil
}

func open(t *testing.T) *Journal {
	t.Helper()
	j, err := Open(filepath.Join(t.TempDir(), "state", "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func verify(t *testing.T, j *Journal) Summary {
	t.Helper()
	s, err := Verify(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func notes(t *testing.T, j *Journal, n int) {
	t.Helper()
	for i := range n {
		if err := j.Note(Record{Kind: "pin", Result: "pin_incorrect", Ref: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	j := open(t)
	r := Record{
		Kind: "sign", User: "user", Origin: "https://portal.example", Top: "https://top.example", Via: "native", Program: "/usr/bin/chromium",
		CertificateSerial: "01", Thumbprint: strings.Repeat("a", 40), TokenSerial: "3a", Profile: "bes", Algorithm: "rsa-sha256",
		Version: "0.1.0", Approval: "x", Documents: []Document{{
			Name: "Договор <1>.txt", Size: 19, Digest: "00ff", Alg: "sha256", Viewed: true, Covered: []proto.Span{{Begin: 0, End: 7}, {Begin: 9, End: 19}},
		}},
	}
	e, err := j.Begin(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if s := verify(t, j); s.Unknown != 1 || !s.OK() || s.Records != 1 {
		t.Errorf("before the end: %+v", s)
	}
	if err := e.End("pin_incorrect", map[string]string{"attempts": "2"}); err != nil {
		t.Fatal(err)
	}
	if e.End("signed", nil) == nil {
		t.Error("an entry ended twice")
	}
	list, err := List(j.Path(), 0)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	begin, end := list[0], list[1]
	if begin.Type != TypeBegin || begin.Seq != 1 || begin.Origin != r.Origin || !reflect.DeepEqual(begin.Documents, r.Documents) || begin.Prev != firstPrev {
		t.Errorf("begin: %+v", begin)
	}
	if end.Type != TypeEnd || end.Of != 1 || end.Result != "pin_incorrect" || end.Args["attempts"] != "2" || end.Prev != begin.Hash {
		t.Errorf("end: %+v", end)
	}
	if begin.Time.Location().String() != "UTC" || begin.Time.IsZero() {
		t.Errorf("time %v", begin.Time)
	}
	if s := verify(t, j); !s.OK() || s.Records != 2 || s.Unknown != 0 || !s.Anchored || s.Torn != 0 {
		t.Errorf("%+v", s)
	}
	for _, l := range list {
		if err := l.Proto().Validate(); err != nil {
			t.Errorf("%s as the protocol tells it: %v", l.Type, err)
		}
	}
	if err := verify(t, j).Proto().Validate(); err != nil {
		t.Error(err)
	}
}

// TestProcesses has two processes and two goroutines append at once: one chain, nothing lost.
func TestProcesses(t *testing.T) {
	j := open(t)
	var children []*exec.Cmd
	for range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "JOURNAL_TEST_APPEND="+j.Path())
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, cmd)
	}
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- appendMany(j.Path(), 25) }()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	if s := verify(t, j); !s.OK() || s.Records != 2*500+2*50 || s.Unknown != 0 {
		t.Errorf("%+v", s)
	}
}

// TestTampering changes a journal of twenty lines in every way there is, and wants the first wrong line named.
func TestTampering(t *testing.T) {
	j := open(t)
	notes(t, j, 20)
	good, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(good, []byte("\n"))[:20]
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	cut := func(from, to int) []byte { return join(lines[from:to]...) }
	forged := bytes.Replace(lines[4], []byte(`"ref":"4"`), []byte(`"ref":"5"`), 1)
	rehashed := rehash(t, forged)
	for name, c := range map[string]struct {
		data []byte
		line int
	}{
		"untouched":        {good, 0},
		"changed":          {join(cut(0, 4), forged, cut(5, 20)), 5},
		"rehashed":         {join(cut(0, 4), rehashed, cut(5, 20)), 6},
		"last rehashed":    {join(cut(0, 19), rehash(t, bytes.Replace(lines[19], []byte(`"ref":"19"`), []byte(`"ref":"x9"`), 1))), 20},
		"removed":          {join(cut(0, 4), cut(5, 20)), 5},
		"first removed":    {cut(1, 20), 1},
		"reordered":        {join(cut(0, 4), lines[5], lines[4], cut(6, 20)), 5},
		"repeated":         {join(cut(0, 5), lines[4], cut(5, 20)), 6},
		"end cut off":      {cut(0, 17), 18},
		"all cut off":      {nil, 1},
		"inserted rubbish": {join(cut(0, 4), []byte("{}\n"), cut(4, 20)), 5},
		"empty line":       {join(cut(0, 4), []byte("\n"), cut(4, 20)), 5},
		"member added":     {join(cut(0, 4), bytes.Replace(lines[4], []byte(`{"seq"`), []byte(`{"x":1,"seq"`), 1), cut(5, 20)), 5},
	} {
		if err := os.WriteFile(j.Path(), c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if s := verify(t, j); s.BadLine != c.line || s.OK() != (c.line == 0) {
			t.Errorf("%s: first bad line %d, want %d (%s)", name, s.BadLine, c.line, s.Reason)
		}
	}
	for i := range good { // any one bit
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(j.Path(), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if i%13 == 0 || i > len(good)-200 {
			if s := verify(t, j); s.OK() && s.Torn == 0 {
				t.Fatalf("bit flipped at byte %d of %d is not noticed", i, len(good))
			}
		}
	}
}

// rehash makes a changed line fit its own hash again.
func rehash(t *testing.T, line []byte) []byte {
	t.Helper()
	cut := len(line) - 1 - tailLen
	body := append(bytes.Clone(line[:cut]), '}')
	out := append(bytes.Clone(line[:cut]), hashField+digest(body)+"\"}\n"...)
	if _, err := decode(out[:len(out)-1]); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCutStaysVisible appends after the end was cut off: the gap is still there.
func TestCutStaysVisible(t *testing.T) {
	j := open(t)
	notes(t, j, 5)
	data, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	three := bytes.Join(bytes.SplitAfter(data, []byte("\n"))[:3], nil)
	if err := os.WriteFile(j.Path(), three, 0o600); err != nil {
		t.Fatal(err)
	}
	notes(t, j, 5)
	if s := verify(t, j); s.BadLine != 4 || s.Records != 8 {
		t.Errorf("%+v", s)
	}
}

// TestTorn cuts the last line at every byte, as a power loss may: it is set aside and the chain goes on.
func TestTorn(t *testing.T) {
	j := open(t)
	notes(t, j, 2)
	data, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(j.Path() + ".head")
	if err != nil {
		t.Fatal(err)
	}
	notes(t, j, 1)
	third, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	for n := len(data) + 1; n < len(third); n += 17 {
		if err := errors.Join(os.WriteFile(j.Path(), third[:n], 0o600), os.WriteFile(j.Path()+".head", head, 0o600)); err != nil {
			t.Fatal(err)
		}
		if s := verify(t, j); !s.OK() || s.Torn != 1 || s.Records != 2 {
			t.Fatalf("cut at %d: %+v", n, s)
		}
		notes(t, j, 1)
		list, err := List(j.Path(), 0)
		if err != nil || len(list) != 4 || list[2].Type != TypeTorn || !bytes.Equal(list[2].Torn, third[len(data):n]) {
			t.Fatalf("cut at %d: %v %v", n, list, err)
		}
		if s := verify(t, j); !s.OK() || s.Torn != 1 || s.Records != 4 {
			t.Fatalf("cut at %d, after: %+v", n, s)
		}
	}
}

// TestTornHuge sets a fragment aside that is longer than the line that holds it.
func TestTornHuge(t *testing.T) {
	j := open(t)
	notes(t, j, 1)
	f, err := os.OpenFile(j.Path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	notes(t, j, 1)
	if s := verify(t, j); !s.OK() || s.Torn != 1 || s.Records != 3 {
		t.Errorf("%+v", s)
	}
	if info, err := os.Stat(j.Path()); err != nil || info.Size() > 100<<10 {
		t.Errorf("%v %v", info.Size(), err)
	}
}

func TestDamagedEndRefuses(t *testing.T) {
	j := open(t)
	if err := os.WriteFile(j.Path(), []byte("not a record\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := j.Begin(context.Background(), Record{Kind: "sign"})
	if !errors.Is(err, ErrUnwritable) || !errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}

func TestUnwritable(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not run on Windows: rights and devices of Unix")
	}
	for name, spoil := range map[string]func(t *testing.T, path string){
		"folder in its place": func(t *testing.T, path string) { must(t, os.Remove(path), os.Mkdir(path, 0o700)) },
		"symbolic link":       func(t *testing.T, path string) { must(t, os.Remove(path), os.Symlink("/dev/null", path)) },
		"full disk":           func(t *testing.T, path string) { must(t, os.Remove(path), os.Symlink("/dev/full", path)) },
		"folder gone":         func(t *testing.T, path string) { must(t, os.RemoveAll(filepath.Dir(path))) },
		"head is a folder":    func(t *testing.T, path string) { must(t, os.Mkdir(path+".head", 0o700)) },
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t)
			spoil(t, j.Path())
			if _, err := j.Begin(context.Background(), Record{Kind: "sign"}); !errors.Is(err, ErrUnwritable) {
				t.Errorf("Begin: %v", err)
			}
			if err := j.Note(Record{Kind: "pin"}); !errors.Is(err, ErrUnwritable) {
				t.Errorf("Note: %v", err)
			}
		})
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777))
	if _, err := Open(filepath.Join(dir, "journal.jsonl")); !errors.Is(err, ErrUnwritable) {
		t.Errorf("a folder others may write in: %v", err)
	}
}

// TestShortWrite runs into a file size limit in the middle of a line: nothing of the line stays. It is a process of its
// own, for the limit would hold for the log of the tests too.
func TestShortWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not run on Windows: it has no limit of file size")
	}
	j := open(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_FILL="+j.Path())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	n, err := strconv.Atoi(string(out))
	if err != nil || n < 2 {
		t.Fatalf("records before the limit: %q", out)
	}
	if s := verify(t, j); !s.OK() || s.Torn != 0 || s.Records != n {
		t.Errorf("%+v after %d", s, n)
	}
}

// fill appends until the journal is full and prints how many records were accepted. The result is an exit code.
func fill(path string) int {
	if err := limitFileSize(4096); err != nil {
		fmt.Print(err)
		return 1
	}
	for n := range 100 {
		err := (&Journal{path: path}).Note(Record{Kind: "pin", Ref: strings.Repeat("x", 300)})
		if errors.Is(err, ErrUnwritable) {
			fmt.Print(n)
			return 0
		}
		if err != nil {
			fmt.Print(err)
			return 1
		}
	}
	fmt.Print("the limit was never reached")
	return 1
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestRights(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not run on Windows: rights of Unix")
	}
	j := open(t)
	must(t, os.Chmod(j.Path(), 0o644))
	notes(t, j, 1)
	for path, want := range map[string]os.FileMode{j.Path(): 0o600, j.Path() + ".head": 0o600, filepath.Dir(j.Path()): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, want)
		}
	}
}

// TestBusy waits for the lock no longer than ctx.
func TestBusy(t *testing.T) {
	j := open(t)
	f, err := openFile(j.Path())
	must(t, err)
	defer f.Close()
	if ok, err := tryLock(f, true); !ok || err != nil {
		t.Fatal(ok, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.Begin(ctx, Record{Kind: "sign"}); !errors.Is(err, ErrUnwritable) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestList(t *testing.T) {
	if list, err := List(filepath.Join(t.TempDir(), "none"), 5); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
	if s, err := Verify(filepath.Join(t.TempDir(), "none")); err != nil || !s.OK() || s.Records != 0 {
		t.Error(s, err)
	}
	j := open(t)
	notes(t, j, 25)
	for limit, want := range map[int]int{0: 25, 1: 1, 7: 7, 24: 24, 25: 25, 26: 26 - 1} {
		list, err := List(j.Path(), limit)
		if err != nil || len(list) != want || list[len(list)-1].Seq != 25 || list[0].Seq != uint64(26-want) {
			t.Errorf("limit %d: %d lines, %v", limit, len(list), err)
		}
	}
}

// TestBounds holds hostile strings to their limits.
func TestBounds(t *testing.T) {
	j := open(t)
	must(t, j.Note(Record{Kind: "refused", Origin: strings.Repeat("я", 1<<20), Program: "a\xff\n\"}", Args: map[string]string{strings.Repeat("k", 5000): "v"}}))
	list, err := List(j.Path(), 0)
	if err != nil || len(list) != 1 || len([]rune(list[0].Origin)) != maxString || list[0].Program != "a\uFFFD\n\"}" {
		t.Fatal(err)
	}
	if err := j.Note(Record{Kind: "sign", Documents: make([]Document, 100000)}); !errors.Is(err, ErrUnwritable) {
		t.Errorf("a record of 5 MB: %v", err)
	}
	notes(t, j, 1)
	if s := verify(t, j); !s.OK() || s.Records != 2 {
		t.Errorf("%+v", s)
	}
}

// FuzzList reads any bytes as a journal: no panic, Verify and List agree on what is whole, and an append either chains or
// refuses.
func FuzzList(f *testing.F) {
	l := Line{Seq: 1, Type: TypeNote, Prev: firstPrev, Record: Record{Kind: "pin"}}
	first, err := l.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first)
	f.Add(first[:40])
	f.Add(append(bytes.Clone(first), "{\n\n"...))
	f.Add([]byte(`{"seq":18446744073709551615,"hash":"00"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "j")
		must(t, os.WriteFile(path, data, 0o600))
		list, err := List(path, 0)
		must(t, err)
		s, err := Verify(path)
		must(t, err)
		if s.Records != len(list) {
			t.Errorf("List has %d lines, Verify %d", len(list), s.Records)
		}
		err = (&Journal{path: path}).Note(Record{Kind: "pin"})
		if err != nil && !errors.Is(err, ErrUnwritable) {
			t.Errorf("untyped error %v", err)
		}
	})
}

// TestTwoWritersInTurn: what one Journal remembers of the end of the file does not hold when another has written since, nor when
// somebody has changed the last line.
func TestTwoWritersInTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	var writers []*Journal
	for range 2 {
		j, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		writers = append(writers, j)
	}
	for n := range 12 { // a a b b a a ...
		if err := writers[n/2%2].Note(Record{Kind: "pin"}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Verify(path); err != nil || !r.OK() || r.Records != 12 {
		t.Fatalf("%+v, %v", r, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // longer than the file system's clock ticks
	if err := os.WriteFile(path, bytes.Replace(text, []byte(`"seq":12`), []byte(`"seq":13`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writers[1].Note(Record{Kind: "pin"}); !errors.Is(err, ErrDamaged) {
		t.Errorf("after the last line was changed: %v", err)
	}
}
