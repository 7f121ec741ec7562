// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"path/filepath"
	"strings"
)

// classCard is the USB interface class of smart-card readers (CCID).
const classCard = "0b"

// devices lists what is plugged into USB and is a card reader, or of a maker of tokens.
func devices(m *Machine, vendors map[string]bool) (list []device) {
	dirs, _ := filepath.Glob(m.path("/sys/bus/usb/devices/*"))
	for _, dir := range dirs {
		d := device{vendor: word(dir, "idVendor"), product: word(dir, "idProduct")}
		if d.vendor == "" {
			continue
		}
		d.reader = hasReader(dir)
		d.name = strings.TrimSpace(word(dir, "manufacturer") + " " + word(dir, "product"))
		d.name = cmp.Or(d.name, d.vendor+":"+d.product)
		if d.reader || vendors[d.vendor] {
			list = append(list, d)
		}
	}
	return list
}

// hasReader looks at the interfaces of a device.
func hasReader(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, filepath.Base(dir)+":*", "bInterfaceClass"))
	for _, f := range files {
		if word(filepath.Dir(f), "bInterfaceClass") == classCard {
			return true
		}
	}
	return false
}

// word is one line of sysfs.
func word(dir, name string) string {
	b, err := readSome(filepath.Join(dir, name))
	if err != nil || len(b) > 256 {
		return ""
	}
	return strings.TrimSpace(string(b))
}
