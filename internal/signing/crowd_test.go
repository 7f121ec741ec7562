// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"fmt"
	"testing"

	"persten/internal/ipc"
	"persten/proto"
)

func TestMayOpen(t *testing.T) {
	for descriptors, want := range map[int]int{0: 64, 256: 64, 1024: 64, 2048: 512, 4096: 1536, 20000: 9488, 1 << 20: 16384} {
		if got := mayOpen(descriptors); got != want {
			t.Errorf("%d descriptors: %d contents, want %d", descriptors, got, want)
		}
	}
}

// Channels with many contents get half of the room at most, whoever else is there gets the rest, and what is freed can be had
// again.
func TestCrowded(t *testing.T) {
	s, err := NewStore(t.TempDir(), BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	s.most = 400
	fill := func(channel string) (n int) {
		for ; ; n++ {
			if _, err := s.Open(channel, "a", "", 0); err != nil {
				if !errors.Is(err, proto.CodeContentQuota) {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	if n := fill("greedy"); n != 200 {
		t.Errorf("one channel has %d", n)
	}
	if n := fill("second"); n != 64 {
		t.Errorf("another batch has %d", n)
	}
	total := 264
	for i := range 4 {
		total += fill(fmt.Sprint(i))
	}
	if total != 400 {
		t.Errorf("%d in all", total)
	}
	s.DropChannel("greedy")
	if n := fill("later"); n != 64 {
		t.Errorf("after the room was freed: %d", n)
	}
}

// However many channels a site opens, together they have no more room than one, and another site has its own.
func TestCrowdedByOneSite(t *testing.T) {
	s, err := NewStore(t.TempDir(), BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	s.most = 400
	fill := func(channel string) (n int) {
		for ; n < fewContents-1; n++ { // each of them has few
			if _, err := s.Open(channel, "a", "", 0); err != nil {
				return n
			}
		}
		return n
	}
	total := 0
	for i := range 16 {
		channel := fmt.Sprint("page ", i)
		s.Bind(channel, "https://greedy.example")
		total += fill(channel)
	}
	if total != 200 {
		t.Errorf("one site has %d contents of 400", total)
	}
	s.Bind("other", "https://other.example")
	if n := fill("other"); n != fewContents-1 {
		t.Errorf("another site has %d", n)
	}
	if n := fill("program"); n != fewContents-1 {
		t.Errorf("a program has %d", n)
	}
}

// What is left to sockets is enough for all that may be open.
func TestSocketsHaveDescriptors(t *testing.T) {
	const tokensAndPrompts = 256
	if otherDescriptors < ipc.MaxSockets+tokensAndPrompts {
		t.Errorf("%d descriptors, %d sockets", otherDescriptors, ipc.MaxSockets)
	}
}
