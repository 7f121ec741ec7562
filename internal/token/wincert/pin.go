// SPDX-License-Identifier: GPL-3.0-or-later

package wincert

import (
	"unicode/utf16"
	"unicode/utf8"

	"persten/internal/secret"
)

// wide spells a PIN as UTF-16 with a zero after it, the way CNG takes it, in locked memory of its own that the caller wipes.
func wide(pin *secret.Buffer) (*secret.Buffer, error) {
	w, err := secret.NewBuffer(secret.MaxLen)
	if err != nil {
		return nil, err
	}
	fits := true
	put := func(r rune) { fits = fits && w.Append(byte(r)) && w.Append(byte(r>>8)) }
	for rest := pin.Bytes(); len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		fits = fits && r != 0 && (r != utf8.RuneError || n > 1)
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			put(high)
			put(low)
		} else {
			put(r)
		}
		rest = rest[n:]
	}
	if put(0); !fits {
		w.Wipe()
		return nil, &failure{"PIN", statusPIN}
	}
	return w, nil
}

// narrow is the PIN with a zero after it, the way CryptoAPI takes it. Which code page other letters would be read in is not known.
func narrow(pin *secret.Buffer) (*secret.Buffer, error) {
	w, err := secret.NewBuffer(secret.MaxLen)
	if err != nil {
		return nil, err
	}
	fits := true
	for _, b := range pin.Bytes() {
		fits = fits && b > 0 && b < utf8.RuneSelf && w.Append(b)
	}
	if !fits || !w.Append(0) {
		w.Wipe()
		return nil, &failure{"PIN", statusPIN}
	}
	return w, nil
}
