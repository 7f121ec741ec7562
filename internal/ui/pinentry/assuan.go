// SPDX-License-Identifier: GPL-3.0-or-later

package pinentry

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"persten/internal/secret"
)

// Limits of the protocol.
const (
	maxLine  = 1000 // bytes of a line without its end
	maxLines = 64   // status and comment lines before an answer
)

var (
	// errDeclined is the person pressing the other button, closing the dialog or letting its time run out.
	errDeclined = errors.New("declined")
	errProtocol = errors.New("the pinentry program does not speak Assuan")
)

// assuan is the client side of the protocol. PINs pass through it without being held.
type assuan struct {
	r io.Reader
	w io.Writer
}

// set sends one text; an answer other than OK does not matter.
func (a *assuan) set(command, value string) { a.command(command+" "+escape(value), nil) }

// command sends a line and reads the answer. Data lines go to pin, which may be nil.
func (a *assuan) command(line string, pin *secret.Buffer) error {
	if len(line) > maxLine {
		return fmt.Errorf("%w: line of %d bytes", errProtocol, len(line))
	}
	if _, err := io.WriteString(a.w, line+"\n"); err != nil {
		return err
	}
	return a.answer(pin)
}

// answer reads lines up to OK or ERR.
func (a *assuan) answer(pin *secret.Buffer) error {
	for range maxLines {
		line, err := a.line(pin)
		if err != nil {
			return err
		}
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "OK":
			return nil
		case "ERR":
			return refusal(rest)
		case "S", "D", "#", "":
		case "INQUIRE":
			if _, err := io.WriteString(a.w, "CAN\n"); err != nil {
				return err
			}
		default:
			if !strings.HasPrefix(line, "#") {
				return fmt.Errorf("%w: %.20q", errProtocol, line)
			}
		}
	}
	return fmt.Errorf("%w: no answer in %d lines", errProtocol, maxLines)
}

// refusal reads an error number of libgpg-error; its low 16 bits are the code.
func refusal(rest string) error {
	number, _, _ := strings.Cut(rest, " ")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return fmt.Errorf("%w: %.20q", errProtocol, rest)
	}
	switch n & 0xffff {
	case 62, 99, 114, 198: // timeout, canceled, not confirmed, fully canceled
		return errDeclined
	}
	return fmt.Errorf("pinentry: error %d", n)
}

// line reads one line. Of a data line only "D" is returned: the rest goes into pin, or nowhere.
func (a *assuan) line(pin *secret.Buffer) (string, error) {
	var c [1]byte
	defer clear(c[:])
	line := make([]byte, 0, 80)
	for len(line) <= maxLine {
		if _, err := io.ReadFull(a.r, c[:]); err != nil {
			return "", fmt.Errorf("pinentry ended: %w", err)
		}
		if c[0] == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, c[0])
		if string(line) == "D " {
			return "D", a.data(pin)
		}
	}
	return "", fmt.Errorf("%w: line too long", errProtocol)
}

// data decodes a data line into pin, byte by byte.
func (a *assuan) data(pin *secret.Buffer) error {
	var c [1]byte
	var code, digits int
	defer clear(c[:])
	for range maxLine {
		if _, err := io.ReadFull(a.r, c[:]); err != nil {
			return fmt.Errorf("pinentry ended: %w", err)
		}
		b := c[0]
		switch {
		case b == '\n' && digits == 0:
			return nil
		case b == '%' && digits == 0:
			digits, code = 2, 0
			continue
		case digits > 0:
			v, ok := hexDigit(b)
			if !ok {
				return fmt.Errorf("%w: bad escape", errProtocol)
			}
			code = code<<4 | v
			if digits--; digits > 0 {
				continue
			}
			b = byte(code)
			code = 0
		}
		if pin != nil && !pin.Append(b) {
			return secret.ErrTooLong
		}
	}
	return fmt.Errorf("%w: line too long", errProtocol)
}

func hexDigit(b byte) (int, bool) {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0'), true
	case b|0x20 >= 'a' && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10, true
	}
	return 0, false
}

// escape spells what would end or change a line: control characters and the percent sign.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '%' || c == 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
