// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// hostilePair is a pair whose child's end the test writes to itself.
func hostilePair(t *testing.T, frames ...[]byte) FileConn {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	child, err := Adopt(theirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); child.Close() })
	for _, b := range frames {
		if _, err := child.(*pipeStream).f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	return ours
}

func head(size, count uint32) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, size), count)
}

// TestPairHostileChild: a child names no handle of its parent, and no length is believed.
func TestPairHostileChild(t *testing.T) {
	victim := tempFile(t)
	number := binary.LittleEndian.AppendUint64(nil, uint64(victim.Fd()))
	for name, frame := range map[string][]byte{
		"a handle of the parent": append(append(head(1, 1), number...), 'x'),
		"very many handles":      head(1, 1<<31),
	} {
		if _, files, err := hostilePair(t, frame).RecvFiles(); !errors.Is(err, ErrProtocol) || files != nil {
			t.Errorf("%s: %v, %v", name, files, err)
		}
	}
	if _, err := victim.WriteString("still open"); err != nil {
		t.Error(err)
	}
	var large *FrameError
	if _, err := hostilePair(t, head(1<<31, 0)).Recv(); !errors.As(err, &large) {
		t.Error("length:", err)
	}
}

func TestPairChildSendsNoFiles(t *testing.T) {
	ours, theirs, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	child, err := Adopt(theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	defer child.Close()
	if err := child.SendFiles([]byte("x"), os.Stdin); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}

// TestPairFailedGift: when one file cannot be given, the child keeps none of them.
func TestPairFailedGift(t *testing.T) {
	ours := hostilePair(t)
	before := handles(t)
	good, closed := tempFile(t), tempFile(t)
	closed.Close()
	for range 20 {
		if err := ours.SendFiles(nil, good, closed); err == nil {
			t.Fatal("sent a closed file")
		}
	}
	if after := handles(t); after > before+10 { // the first gift opens the process
		t.Errorf("%d handles were open, now %d", before, after)
	}
}

func handles(t *testing.T) uint32 {
	t.Helper()
	var n uint32
	r, _, err := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetProcessHandleCount").Call(uintptr(windows.CurrentProcess()), uintptrOf(&n))
	if r == 0 {
		t.Skip("NOT RUN: handles are not counted here:", err)
	}
	return n
}

func uintptrOf(n *uint32) uintptr { return uintptr(unsafe.Pointer(n)) }
