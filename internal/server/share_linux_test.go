// SPDX-License-Identifier: GPL-3.0-or-later

package server_test

import (
	"syscall"
	"testing"

	"persten/internal/ipc"
	"persten/proto"
)

// The connections of one site have the room of one: another site still opens documents when they get no more.
func TestRoomOfOneSite(t *testing.T) {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := was
	few.Cur = 1024 + 2*160 // the store has room for 160 documents
	if few.Cur > was.Cur {
		t.Skip("fewer descriptors than that are allowed here")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, &person{decide: yes}, demo)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := b.origins.Allow(other); err != nil {
		t.Fatal(err)
	}
	fill := func(who ipc.Peer) (n int) {
		c := b.dial(t, who)
		for ; n < 60; n++ {
			if _, bad := call[proto.ContentOpenResult](t, c, proto.MethodContentOpen, proto.ContentOpenParams{Name: "n"}); bad != nil {
				if bad.Code != proto.CodeContentQuota {
					t.Fatal(bad)
				}
				return n
			}
		}
		return n
	}
	total := 0
	for range 4 {
		total += fill(websocket)
	}
	if total != 80 {
		t.Errorf("one site has %d documents of 160", total)
	}
	if n := fill(ipc.Peer{Via: ipc.ViaWebSocket, Origin: other}); n != 60 {
		t.Errorf("another site has %d", n)
	}
}
