// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"persten/internal/journal"
	"persten/internal/rpc"
	"persten/internal/signing"
	"persten/proto"
)

// stops are the points at which a client gives a signature up: each holds the request there and says when it has come.
func stops() (points map[string]*person, reached chan struct{}) {
	reached = make(chan struct{})
	hold := func(ctx context.Context) error {
		select {
		case reached <- struct{}{}:
		case <-ctx.Done(): // nobody looks any more
		}
		<-ctx.Done()
		return ctx.Err()
	}
	asked := func(ctx context.Context, _ signing.Question) (bool, error) { return true, hold(ctx) }
	return map[string]*person{
		"hashing":  {decide: never},
		"asked":    {decide: asked},
		"approved": {decide: yes, pin: hold},
		"about to sign": {decide: yes, step: func(ctx context.Context, _ signing.Question, s signing.Step) {
			if s == signing.StepSigning {
				_ = hold(ctx)
			}
		}},
	}, reached
}

// A signature of a large document given up at any point, by a cancel or by hanging up: nothing is signed, nothing stays, the
// neighbour goes on.
func TestSigningAborted(t *testing.T) {
	large := noise(12 << 20)
	for _, way := range ways {
		points, reached := stops()
		for at, person := range points {
			data := large
			if at != "hashing" { // the others need no time: content.append of as much takes seconds, and minutes on a busy machine
				data = large[:1<<20]
			}
			for _, hangUp := range []bool{false, true} {
				b := newBench(t, person, demo)
				c, neighbour := b.dialOver(t, websocket, way), b.dialOver(t, websocket, way)
				s, other := begin(t, c, proto.ContentOpenParams{Name: "n", Size: int64(len(data))}), begin(t, neighbour, proto.ContentOpenParams{Name: "other"})
				s.write(t, data)
				if got := s.close(t); got != "" {
					t.Fatal(got)
				}
				other.write(t, data[:100])
				err := abortAt(t, c, reached, s.Handle, at, hangUp)
				if err == nil {
					t.Errorf("%s, %s: signed", way, at)
				}
				if !hangUp {
					code(t, c, proto.MethodContentDrop, proto.ContentDropParams{Handle: s.Handle})
				}
				eventually(t, "only the neighbour's is kept", func() bool { return spooled(t, filepath.Dir(b.journal)) == 2 })
				eventually(t, "no prompt is open", func() bool { return b.engine.Prompts() == 0 })
				if lines, err := journal.List(b.journal, 0); err != nil || signed(lines) {
					t.Errorf("%s, %s: journal says %+v, %v", way, at, lines, err)
				}
				if got := other.close(t); got != "" || !bytes.Equal(download(t, neighbour, other.Handle), data[:100]) {
					t.Errorf("%s, %s: the neighbour's document: %q", way, at, got)
				}
			}
		}
	}
}

func signed(lines []journal.Line) bool {
	for _, l := range lines {
		if l.Kind == "sign" && l.Result == journal.OK {
			return true
		}
	}
	return false
}

// abortAt asks for a signature and gives it up at a point.
func abortAt(t *testing.T, c *peer, reached <-chan struct{}, handle, at string, hangUp bool) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		p := proto.SignCMSParams{Certificate: gostCertificate(t), Content: &proto.Content{Handle: handle}}
		ended <- c.Call(ctx, proto.MethodSignCMS, p, nil)
	}()
	if at != "hashing" {
		select {
		case <-reached:
		case <-ctx.Done():
			t.Fatalf("never %s", at)
		}
	}
	if hangUp {
		c.Close()
		select {
		case <-c.ended:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the connection is closed, and its requests go on", at)
		}
	} else {
		cancel()
	}
	err := <-ended
	var re *rpc.Error
	if err != nil && !hangUp && !errors.Is(err, context.Canceled) && !errors.As(err, &re) {
		t.Errorf("%s: %v", at, err)
	}
	return err
}

// A client that reads its result in part and goes, or asks for more than it reads, leaves nothing.
func TestReadingBackAborted(t *testing.T) {
	for _, way := range ways {
		for _, deaf := range []bool{false, true} {
			b := newBench(t, &person{decide: yes}, demo)
			c := b.dialOver(t, websocket, way)
			s := begin(t, c, proto.ContentOpenParams{Name: "n"})
			s.write(t, noise(3<<20))
			if got := s.close(t); got != "" {
				t.Fatal(got)
			}
			p := proto.SignCMSParams{Certificate: certificate(t), Content: &proto.Content{Handle: s.Handle}, Attached: true}
			made, bad := call[proto.SignCMSResult](t, c, proto.MethodSignCMS, p)
			if bad != nil || made.Signature.Handle == "" {
				t.Fatalf("%+v %+v", made, bad)
			}
			read := proto.ContentReadParams{Handle: made.Signature.Handle, Length: 500_000}
			if got := code(t, c, proto.MethodContentRead, read); got != "" {
				t.Error(got)
			}
			if deaf { // 50 MB of answers; what does not go out is bounded
				for i := range 100 {
					text := fmt.Sprintf(`{"jsonrpc":"2.0","id":"r%d","method":"content.read","params":{"handle":%q,"offset":0,"length":500000}}`, i, read.Handle)
					if err := c.raw.Send([]byte(text)); err != nil {
						t.Fatal(err)
					}
				}
			}
			good := b.dialOver(t, websocket, way)
			next := begin(t, good, proto.ContentOpenParams{Name: "n"})
			next.write(t, []byte("x"))
			if got := next.close(t); got != "" {
				t.Error(got)
			}
			c.Close()
			<-c.ended
			eventually(t, "one document is kept", func() bool { return spooled(t, filepath.Dir(b.journal)) == 1 })
		}
	}
}

// smallDisk puts a disk of a few MiB behind a folder.
func smallDisk(t *testing.T, dir string, size int) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", size)); err != nil {
		t.Skipf("NOT RUN: a full disk: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// A disk that has not the room is told of at once, where the size is announced, or when the document comes near its end; a
// small one that finds no byte left ends with the same word. Nothing stays on the disk.
func TestFullDisk(t *testing.T) {
	const MiB = 1 << 20
	for _, way := range ways {
		for name, f := range map[string]struct {
			disk, announced, sent int
			at                    string // where it is told
		}{
			"announced":    {80 * MiB, 20 * MiB, 0, "open"},
			"not":          {80 * MiB, 0, 20 * MiB, "sending"},
			"small":        {MiB / 2, 0, MiB - 1, "sending"},
			"announced, 4": {MiB / 2, MiB - 1, MiB - 1, "sending"},
		} {
			dir := t.TempDir()
			smallDisk(t, filepath.Join(dir, "spool"), f.disk)
			b := newBenchIn(t, dir, &person{decide: yes}, demo)
			c := b.dialOver(t, websocket, way)
			p := proto.ContentOpenParams{Name: "n", Size: int64(f.announced)}
			if f.at == "open" {
				if got := code(t, c, proto.MethodContentOpen, p); got != proto.CodeContentDiskFull {
					t.Errorf("%s, %s: %q", way, name, got)
				}
			} else {
				s := begin(t, c, p)
				if got := sendUntilFull(t, s, noise(f.sent)); got != proto.CodeContentDiskFull {
					t.Errorf("%s, %s: %q", way, name, got)
				}
				code(t, c, proto.MethodContentDrop, proto.ContentDropParams{Handle: s.Handle})
			}
			eventually(t, "nothing is kept", func() bool { return spooled(t, dir) == 0 })
			var st unix.Statfs_t
			if err := unix.Statfs(filepath.Join(dir, "spool"), &st); err != nil || st.Bavail != st.Blocks {
				t.Errorf("%s, %s: %d of %d blocks are free, %v", way, name, st.Bavail, st.Blocks, err)
			}
			next := begin(t, c, proto.ContentOpenParams{Name: "n"})
			next.write(t, noise(100))
			if got := next.close(t); got != "" || len(b.person.questions()) != 0 {
				t.Errorf("%s, %s: the next document: %q", way, name, got)
			}
		}
	}
}

// sendUntilFull sends pieces and returns what is told in the end.
func sendUntilFull(t *testing.T, s *sending, data []byte) proto.Code {
	t.Helper()
	if s.binary == nil {
		for at := 0; at < len(data); at += 400_000 {
			piece := data[at:min(len(data), at+400_000)]
			if got := code(t, s.peer, proto.MethodContentAppend, proto.ContentAppendParams{Handle: s.Handle, Data: piece, Size: int64(at + len(piece))}); got != "" {
				return got
			}
		}
		return ""
	}
	for at := 0; at < len(data) && at < s.Window; at += 400_000 {
		s.piece(t, int64(at), data[at:min(len(data), at+400_000)])
	}
	return s.failure(t).Problem.Code
}
