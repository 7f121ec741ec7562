// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"persten/proto"
)

// fillDisk makes every write to the spool of a bench answer that the disk is full: behind the descriptors is /dev/full.
func fillDisk(t *testing.T, b *bench) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range list {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || !strings.Contains(to, filepath.Dir(b.journal)+"/spool/content-") {
			continue
		}
		fd, _ := strconv.Atoi(e.Name())
		info, err := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		if err != nil || !strings.Contains(string(info), "flags:\t0100002") && !strings.Contains(string(info), "flags:\t02100002") {
			continue // the reading one
		}
		if err := syscall.Dup3(int(full.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Fatalf("%d descriptors write to the spool", n)
	}
}

// A disk that is full ends the document, with its own code, and the connection and the next document go on.
func TestDiskFullWhileStreaming(t *testing.T) {
	for _, way := range ways {
		b := newBench(t, &person{decide: yes}, demo)
		c := b.dialOver(t, websocket, way)
		s := begin(t, c, proto.ContentOpenParams{Name: "n", DigestAlg: "sha256"})
		s.write(t, noise(2<<20))
		for s.binary != nil && s.received < 1<<20 {
			s.hear(t)
		}
		if s.binary == nil { // the answer to a piece comes after those before it
			p := proto.ContentAppendParams{Handle: s.Handle, Data: []byte("x"), Size: s.sent + 1}
			if got := code(t, c, proto.MethodContentAppend, p); got != "" {
				t.Fatal(got)
			}
			s.sent++
		}
		fillDisk(t, b)
		if s.binary != nil {
			s.piece(t, s.sent, noise(100))
			if p := s.failure(t); p.Problem.Code != proto.CodeContentDiskFull {
				t.Errorf("told %+v", p)
			}
			if got := s.close(t); got != proto.CodeContentDiskFull {
				t.Errorf("closing answers %q", got)
			}
			eventually(t, "nothing is kept", func() bool { return spooled(t, filepath.Dir(b.journal)) == 0 })
		} else {
			p := proto.ContentAppendParams{Handle: s.Handle, Data: []byte("more"), Size: s.sent + 4}
			if got := code(t, c, proto.MethodContentAppend, p); got != proto.CodeContentDiskFull {
				t.Errorf("appending answers %q", got)
			}
			code(t, c, proto.MethodContentDrop, proto.ContentDropParams{Handle: s.Handle})
		}
		next := begin(t, c, proto.ContentOpenParams{Name: "n"})
		next.write(t, noise(100))
		if got := next.close(t); got != "" || len(b.person.questions()) != 0 {
			t.Errorf("%s: the next document: %q", way, got)
		}
	}
}
