// SPDX-License-Identifier: GPL-3.0-or-later

package logon

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// bodyVariable makes the test binary a process of a session that ends as the value says.
const bodyVariable = "PERSTEN_TEST_LOGON"

func TestMain(m *testing.M) {
	switch os.Getenv(bodyVariable) {
	case "stay":
		time.Sleep(time.Minute)
	case "quit":
		os.Exit(0)
	case "crash":
		os.Exit(3)
	}
	restartSoon, restartLate, lookAgain = 10*time.Millisecond, 80*time.Millisecond, time.Hour
	os.Exit(m.Run())
}

// desks is a machine whose sessions are processes of this user.
type desks struct {
	mu      sync.Mutex
	on      []uint32
	body    map[uint32]string
	started map[uint32]int
	alive   map[uint32]*os.Process
}

func (d *desks) Sessions() ([]uint32, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.on), nil
}

func (d *desks) Run(ctx context.Context, session uint32) error {
	cmd := exec.CommandContext(ctx, os.Args[0])
	d.mu.Lock()
	cmd.Env = append(os.Environ(), bodyVariable+"="+d.body[session])
	err := cmd.Start()
	d.started[session]++
	d.alive[session] = cmd.Process
	d.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.alive, session)
	}()
	return cmd.Wait()
}

// keep starts Keep over sessions that are what their words say.
func keep(t *testing.T, bodies ...string) (d *desks, change func(on ...uint32)) {
	t.Helper()
	d = &desks{body: map[uint32]string{}, started: map[uint32]int{}, alive: map[uint32]*os.Process{}}
	for i, b := range bodies {
		d.on, d.body[uint32(i+1)] = append(d.on, uint32(i+1)), b
	}
	changed := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { Keep(ctx, d, changed); close(done) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if n := len(d.alive); n > 0 {
			t.Errorf("%d processes outlive Keep", n)
		}
	})
	return d, func(on ...uint32) {
		d.mu.Lock()
		d.on = on
		d.mu.Unlock()
		changed <- struct{}{}
	}
}

func eventually(t *testing.T, what string, d *desks, ok func() bool) {
	t.Helper()
	for range 500 {
		d.mu.Lock()
		yes := ok()
		d.mu.Unlock()
		if yes {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("not seen within 5 s: %s", what)
}

func TestKeep(t *testing.T) {
	d, change := keep(t, "stay", "quit", "crash")
	eventually(t, "session 1 runs, 2 ended once, 3 is started again and again", d, func() bool {
		return d.alive[1] != nil && d.started[2] == 1 && d.alive[2] == nil && d.started[3] >= 4
	})
	d.mu.Lock()
	killed := d.alive[1]
	d.mu.Unlock()
	killed.Kill()
	eventually(t, "the killed one is back", d, func() bool { return d.started[1] == 2 && d.alive[1] != nil })
	change(1, 2)
	eventually(t, "session 3 is over", d, func() bool { return d.alive[3] == nil })
	time.Sleep(2 * restartLate)
	d.mu.Lock()
	crashed := d.started[3]
	d.mu.Unlock()
	change()
	eventually(t, "all have logged off", d, func() bool { return len(d.alive) == 0 })
	change(1, 2)
	eventually(t, "both are back after the next logon", d, func() bool { return d.started[1] == 3 && d.started[2] == 2 })
	if d.started[3] != crashed {
		t.Error("a session that is over was started again")
	}
}
