// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// childVariable makes the test binary a child that answers each message with what its files hold.
const childVariable = "PERSTEN_TEST_PAIR_CHILD"

func init() {
	if os.Getenv(childVariable) != "" {
		if err := pairChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

func pairChild() error {
	c, err := Inherited()
	if err != nil {
		return err
	}
	for {
		msg, files, err := c.RecvFiles()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, f := range files {
			b, err := io.ReadAll(f)
			f.Close()
			if err != nil {
				return err
			}
			msg = append(append(msg, '|'), b...)
		}
		if err := c.Send(msg); err != nil {
			return err
		}
	}
}

// startPairChild starts a child, whose end is given to it among what else its command says.
func startPairChild(t *testing.T) (FileConn, *exec.Cmd) {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), childVariable+"=1"), os.Stderr
	theirs.Give(cmd)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	return ours, cmd
}

// tempFile is open until the test ends. (Its folder is not the test's own, which wine 8 cannot remove.)
func tempFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.CreateTemp("", "persten-pair-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		if err := os.Remove(f.Name()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// TestPairWithChild gives a process pipes and a file, which only it reads, beside messages of many sizes.
func TestPairWithChild(t *testing.T) {
	ours, cmd := startPairChild(t)
	document := tempFile(t)
	for i, size := range []int{0, 1, 100, firstRead, firstRead + 1, 1 << 20} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(document, "document %d", i); err != nil {
			t.Fatal(err)
		}
		if _, err := document.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		msg := strings.Repeat("x", size)
		if err := ours.SendFiles([]byte(msg), r, document); err != nil {
			t.Fatal(err)
		}
		r.Close()
		fmt.Fprintf(w, "pipe %d", i)
		w.Close()
		got, err := ours.Recv()
		if want := fmt.Sprintf("%s|pipe %d|document %d", msg, i, i); err != nil || string(got) != want {
			t.Fatalf("%d bytes: got %.80q, %v", size, got, err)
		}
		if _, err := document.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := ours.Send([]byte("plain")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		if got, err := ours.Recv(); err != nil || string(got) != "plain" {
			t.Fatalf("got %.80q, %v", got, err)
		}
	}
	wg.Wait()
	ours.Close()
	if err := cmd.Wait(); err != nil {
		t.Error("the child did not see the end:", err)
	}
}

// TestPairChildKilled: Recv and Send notice a child that is gone; one that waits for its first word, too.
func TestPairChildKilled(t *testing.T) {
	ours, cmd := startPairChild(t)
	ended := make(chan error, 1)
	go func() {
		_, err := ours.Recv()
		ended <- err
	}()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("Recv returned a message")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Recv waits for a dead child")
	}
	if err := ours.SendFiles([]byte("x"), os.Stderr); err == nil {
		t.Error("sent to a dead child")
	}
}

// TestPairClose wakes a Recv, before and after the other side has said anything.
func TestPairClose(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		ours, theirs, err := Pair()
		if err != nil {
			t.Fatal(err)
		}
		if adopted {
			child, err := Adopt(theirs)
			if err != nil {
				t.Fatal(err)
			}
			defer child.Close()
		}
		ended := make(chan error, 1)
		go func() {
			_, err := ours.Recv()
			ended <- err
		}()
		time.Sleep(50 * time.Millisecond)
		ours.Close()
		select {
		case err := <-ended:
			if err == nil {
				t.Error("Recv returned a message")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Close does not wake Recv")
		}
		theirs.Close()
	}
}
