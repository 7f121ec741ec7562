// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestPipe(t *testing.T) {
	a, b := Pipe()
	for _, msg := range []string{"one", "", "three"} {
		if err := a.Send([]byte(msg)); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"one", "", "three"} {
		if got, err := b.Recv(); err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
	}
	var long *FrameError
	if err := a.Send(bytes.Repeat([]byte("x"), MaxFrame+1)); !errors.As(err, &long) {
		t.Errorf("a long message: %v", err)
	}
	if err := b.Send([]byte("last")); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if got, err := a.Recv(); err != nil || string(got) != "last" {
		t.Errorf("what was sent before the end: %q, %v", got, err)
	}
	if _, err := a.Recv(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
	if err := a.Send([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("to the end: %v", err)
	}
}
