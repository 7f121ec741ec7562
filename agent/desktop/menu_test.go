// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// statusIcon is the tray's icon as the panel knows it: what stands in its menu is read, and clicked, over the session bus.
type statusIcon struct {
	t    *testing.T
	menu dbus.BusObject
}

// entry is one visible line of a menu.
type entry struct {
	id      int32
	label   string
	dead    bool
	entries []entry
}

// bus joins the session bus of an environment.
func bus(t *testing.T, env []string) *dbus.Conn {
	t.Helper()
	for _, v := range env {
		address, ok := strings.CutPrefix(v, "DBUS_SESSION_BUS_ADDRESS=")
		if !ok {
			continue
		}
		c, err := dbus.Connect(address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	t.Fatal("no session bus")
	return nil
}

// iconOf finds the icon of a process, if the panel has it.
func iconOf(t *testing.T, c *dbus.Conn, pid int) *statusIcon {
	t.Helper()
	watcher := c.Object("org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher")
	v, err := watcher.GetProperty("org.kde.StatusNotifierWatcher.RegisteredStatusNotifierItems")
	if err != nil {
		return nil
	}
	items, _ := v.Value().([]string)
	for _, item := range items {
		name, path, ok := strings.Cut(item, "/")
		var owner uint32
		if c.BusObject().Call("org.freedesktop.DBus.GetConnectionUnixProcessID", 0, name).Store(&owner) != nil || !ok || int(owner) != pid {
			continue
		}
		menu, err := c.Object(name, dbus.ObjectPath("/"+path)).GetProperty("org.kde.StatusNotifierItem.Menu")
		if err != nil {
			return nil
		}
		return &statusIcon{t, c.Object(name, menu.Value().(dbus.ObjectPath))}
	}
	return nil
}

// waitIcon waits for the panel to have it.
func waitIcon(t *testing.T, c *dbus.Conn, pid int) *statusIcon {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if i := iconOf(t, c, pid); i != nil {
			return i
		}
	}
	t.Fatal("the panel has no icon of the tray")
	return nil
}

// layout is how a menu comes over the bus.
type layout struct {
	ID       int32
	Props    map[string]dbus.Variant
	Children []dbus.Variant
}

// read returns what the menu shows.
func (i *statusIcon) read() []entry {
	i.t.Helper()
	var revision uint32
	var root layout
	if err := i.menu.Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root); err != nil {
		i.t.Fatal(err)
	}
	return entries(i.t, root)
}

func entries(t *testing.T, l layout) (list []entry) {
	t.Helper()
	for _, child := range l.Children {
		var c layout
		if err := dbus.Store([]any{child.Value()}, &c); err != nil {
			t.Fatal(err)
		}
		if visible, ok := c.Props["visible"].Value().(bool); ok && !visible {
			continue
		}
		label, _ := c.Props["label"].Value().(string)
		enabled, given := c.Props["enabled"].Value().(bool)
		if label == "" {
			continue // a separator
		}
		list = append(list, entry{c.ID, label, given && !enabled, entries(t, c)})
	}
	return list
}

// find returns the entry reached by the beginnings of labels.
func find(list []entry, path ...string) *entry {
	for n := range list {
		if e := &list[n]; strings.HasPrefix(strings.TrimSpace(e.label), path[0]) {
			if len(path) == 1 {
				return e
			}
			return find(e.entries, path[1:]...)
		}
	}
	return nil
}

// has waits for an entry.
func (i *statusIcon) has(path ...string) entry {
	i.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if e := find(i.read(), path...); e != nil {
			return *e
		}
	}
	i.t.Fatalf("no %q in the menu:\n%s", path, outline(i.read(), ""))
	panic("unreachable")
}

// click does what a click on an entry does.
func (i *statusIcon) click(path ...string) {
	i.t.Helper()
	e := i.has(path...)
	if e.dead {
		i.t.Fatalf("%q cannot be clicked", path)
	}
	if err := i.menu.Call("com.canonical.dbusmenu.Event", 0, e.id, "clicked", dbus.MakeVariant(int32(0)), uint32(0)).Err; err != nil {
		i.t.Fatal(err)
	}
}

// outline is a menu in lines.
func outline(list []entry, indent string) string {
	var b strings.Builder
	for _, e := range list {
		fmt.Fprintf(&b, "%s%s\n%s", indent, e.label, outline(e.entries, indent+"    "))
	}
	return b.String()
}
