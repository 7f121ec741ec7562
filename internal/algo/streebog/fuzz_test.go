// SPDX-License-Identifier: GPL-3.0-or-later

package streebog

import (
	"bytes"
	"testing"
)

// FuzzStreebog: both paths agree, however a content is cut in two, and a state that is accepted works.
func FuzzStreebog(f *testing.F) {
	had := vector
	f.Cleanup(func() { vector = had })
	state, err := newDigest(Size512).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("content"), uint16(3), state)
	f.Add(bytes.Repeat([]byte{255}, 3*BlockSize+1), uint16(BlockSize), state[1:])
	f.Fuzz(func(t *testing.T, data []byte, cut uint16, state []byte) {
		at := min(int(cut), len(data))
		var sums [2][]byte
		for i := range sums {
			vector = had && i == 0
			d := newDigest(Size512)
			d.UnmarshalBinary(state) // one that is refused must change nothing
			d.Write(data[:at])
			d.Sum(nil)
			d.Write(data[at:])
			sums[i] = d.Sum(nil)
			if i == 0 && d.UnmarshalBinary(state) != nil && !bytes.Equal(sums[i], sum(New512, data)) {
				t.Errorf("cut at %d: %x", at, sums[i])
			}
		}
		if !bytes.Equal(sums[0], sums[1]) {
			t.Errorf("%x, portable %x", sums[0], sums[1])
		}
	})
}
