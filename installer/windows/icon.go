// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
)

// iconSizes are the pictures of the extension that go into the programs' icon.
var iconSizes = []int{16, 32, 48, 128}

// icon puts them into one ICO file, as PNG, which Windows reads since Vista.
func icon() ([]byte, error) {
	var pictures []byte
	le := binary.LittleEndian
	head := le.AppendUint16(le.AppendUint16(make([]byte, 2), 1), uint16(len(iconSizes)))
	start := len(head) + 16*len(iconSizes)
	for _, size := range iconSizes {
		png, err := os.ReadFile(filepath.Join(moduleRoot(), "browserext", "icons", fmt.Sprintf("%d.png", size)))
		if err != nil {
			return nil, err
		}
		head = append(head, byte(size), byte(size), 0, 0)
		head = le.AppendUint16(le.AppendUint16(head, 1), 32) // planes, bits of a pixel
		head = le.AppendUint32(le.AppendUint32(head, uint32(len(png))), uint32(start+len(pictures)))
		pictures = append(pictures, png...)
	}
	return append(head, pictures...), nil
}
