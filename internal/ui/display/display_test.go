// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package display

import (
	"os/exec"
	"testing"

	"persten/internal/ui/uitest"
	"time"
)

// xvfb starts a display for this process.
func xvfb(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"Xvfb", "setxkbmap", "xdotool"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: no X server was asked", tool)
		}
	}
	display, _ := uitest.Xvfb(t, "1366x768")
	t.Setenv("DISPLAY", display)
	t.Setenv("WAYLAND_DISPLAY", "")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", name, err, out)
	}
}

func TestXServer(t *testing.T) {
	xvfb(t)
	run(t, "setxkbmap", "-layout", "us,ru")
	d := Open()
	defer d.Close()
	if got := d.Room(); got != (Room{X: 1366, Y: 768}) {
		t.Errorf("room %v", got)
	}
	expect := func(layout string, caps bool) {
		t.Helper()
		var got Keyboard
		for range 50 {
			if got = d.Keyboard(); got == (Keyboard{true, layout, caps}) {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("keyboard %+v, want %s, %v", got, layout, caps)
	}
	expect("us", false)
	run(t, "xdotool", "key", "Caps_Lock")
	expect("us", true)
	run(t, "xdotool", "key", "Caps_Lock")
	expect("us", false)
	run(t, "xdotool", "key", "ISO_Next_Group")
	run(t, "setxkbmap", "-layout", "ru")
	expect("ru", false)
	if (Keyboard{Layout: "ru"}).Latin() || !(Keyboard{Layout: "us"}).Latin() || !(Keyboard{}).Latin() {
		t.Error("which layouts type ASCII")
	}
}

func TestNoXServer(t *testing.T) {
	for _, c := range [][2]string{{"", ""}, {":987", ""}, {"nonsense", ""}, {":0", "wayland-0"}} {
		t.Setenv("DISPLAY", c[0])
		t.Setenv("WAYLAND_DISPLAY", c[1])
		d := Open()
		if d.Keyboard() != (Keyboard{}) || d.Room() != (Room{}) {
			t.Errorf("%q: something is known", c)
		}
		d.Close()
	}
}

func TestWorkArea(t *testing.T) {
	whole := Room{X: 1366, Y: 768}
	area := func(w, h byte) []byte { return []byte{0, 0, 0, 0, 30, 0, 0, 0, w, 4, 0, 0, h, 2, 0, 0} }
	if got := workArea(area(0, 0), whole); got != (Room{X: 1024, Y: 512}) {
		t.Errorf("%v", got)
	}
	for _, bad := range [][]byte{nil, area(0, 0)[:15], make([]byte, 16), {8: 255, 9: 255, 10: 255, 11: 255, 12: 1, 15: 0}} {
		if got := workArea(bad, whole); got != whole {
			t.Errorf("%v gives %v", bad, got)
		}
	}
}

// The names are a property that every client of the display may set.
func FuzzLayoutOf(f *testing.F) {
	f.Add([]byte("evdev\x00pc105\x00us,ru\x00,\x00grp:alt_shift_toggle\x00"), 1)
	f.Add([]byte("a\x00b\x00\x1b[2J,ru"), 0)
	f.Add([]byte{}, -1)
	f.Fuzz(func(t *testing.T, names []byte, group int) {
		for _, c := range layoutOf(names, group) {
			if c < 'a' || c > 'z' {
				t.Fatalf("%q, group %d", names, group)
			}
		}
		workArea(names, Room{X: 100, Y: 100})
	})
}
