// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Kinds of envelope.
const (
	kindOpen  = "open"
	kindRPC   = "rpc"
	kindPart  = "part"
	kindClose = "close"
)

// envelope is one frame between browser, host and session.
type envelope struct {
	Ch   string          `json:"ch"`
	From *from           `json:"from,omitempty"`
	Kind string          `json:"kind"`
	More bool            `json:"more,omitempty"`
	Body json.RawMessage `json:"body,omitempty"`
}

// from says who calls, as the browser told the extension.
type from struct {
	Origin    string `json:"origin"`
	Top       string `json:"top,omitempty"`
	Frame     frame  `json:"frame,omitempty"`
	Extension string `json:"extension,omitempty"`
}

// frame is a frame number; browsers count in numbers.
type frame string

func (f *frame) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err == nil && len(b) > 0 && b[0] != '"' {
		*f = frame(n)
		return nil
	}
	return json.Unmarshal(b, (*string)(f))
}

const maxFrameName = 20

// parseEnvelope reads a frame. Members are matched exactly; unknown ones are refused.
func parseEnvelope(b []byte) (*envelope, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: envelope is not UTF-8", ErrProtocol)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return nil, fmt.Errorf("%w: envelope is not an object", ErrProtocol)
	}
	e := &envelope{}
	for name, value := range members {
		if err := e.set(name, value); err != nil {
			return nil, fmt.Errorf("%w: envelope member %.20q: %w", ErrProtocol, name, err)
		}
	}
	return e, e.check()
}

func (e *envelope) set(name string, value json.RawMessage) error {
	switch name {
	case "ch":
		return json.Unmarshal(value, &e.Ch)
	case "kind":
		return json.Unmarshal(value, &e.Kind)
	case "more":
		return json.Unmarshal(value, &e.More)
	case "from":
		d := json.NewDecoder(bytes.NewReader(value))
		d.DisallowUnknownFields()
		return d.Decode(&e.From)
	case "body":
		e.Body = value
		return nil
	}
	return fmt.Errorf("unknown")
}

func (e *envelope) check() error {
	switch {
	case !validChannel(e.Ch):
		return fmt.Errorf("%w: envelope without a channel", ErrProtocol)
	case e.Kind == kindOpen && e.From == nil, (e.Kind == kindRPC || e.Kind == kindPart) && e.Body == nil:
		return fmt.Errorf("%w: incomplete %s", ErrProtocol, e.Kind)
	case e.Kind != kindOpen && e.Kind != kindRPC && e.Kind != kindPart && e.Kind != kindClose:
		return fmt.Errorf("%w: unknown kind %.20q", ErrProtocol, e.Kind)
	}
	return nil
}

func validChannel(ch string) bool {
	if len(ch) != 32 {
		return false
	}
	for i := range len(ch) {
		if !hexDigit(ch[i]) {
			return false
		}
	}
	return true
}

// encode writes the envelope. Body is put in as it stands, for it was JSON when it came.
func (e *envelope) encode() ([]byte, error) {
	body := e.Body
	head := *e
	head.Body = nil
	b, err := json.Marshal(&head)
	if err != nil || body == nil {
		return b, err
	}
	b = append(b[:len(b)-1], `,"body":`...)
	b = append(b, body...)
	return append(b, '}'), nil
}

// message makes the frame of a whole message.
func messageFrame(ch string, msg []byte) []byte {
	b := make([]byte, 0, len(msg)+64)
	b = append(b, `{"ch":"`...)
	b = append(b, ch...)
	b = append(b, `","kind":"rpc","body":`...)
	b = append(b, msg...)
	return append(b, '}')
}

func closeFrame(ch, reason string) []byte {
	b := []byte(`{"ch":"` + ch + `","kind":"close"`)
	if reason != "" {
		b = append(b, `,"body":`...)
		b = strconv.AppendQuoteToASCII(b, reason) // reasons are our own plain words
	}
	return append(b, '}')
}

// cut makes part frames of a message, each body at most MaxPart bytes long and cut between characters.
func cut(ch string, msg []byte) [][]byte {
	var frames [][]byte
	for first := true; first || len(msg) > 0; first = false {
		part, n := quotePart(msg)
		msg = msg[n:]
		b := make([]byte, 0, len(part)+80)
		b = append(b, `{"ch":"`...)
		b = append(b, ch...)
		b = append(b, `","kind":"part","more":`...)
		b = strconv.AppendBool(b, len(msg) > 0)
		b = append(b, `,"body":`...)
		b = append(b, part...)
		frames = append(frames, append(b, '}'))
	}
	return frames
}

// quotePart quotes as much of text as fits into one part and returns how much that was. text is UTF-8.
func quotePart(text []byte) (quoted []byte, n int) {
	quoted = append(make([]byte, 0, min(2*len(text), MaxPart)+2), '"')
	for n < len(text) {
		_, size := utf8.DecodeRune(text[n:])
		was := len(quoted)
		quoted = appendEscaped(quoted, text[n:n+size])
		if len(quoted) >= MaxPart {
			quoted = quoted[:was]
			break
		}
		n += size
	}
	return append(quoted, '"'), n
}

func appendEscaped(b, char []byte) []byte {
	switch c := char[0]; {
	case c == '"' || c == '\\':
		return append(b, '\\', c)
	case c < 0x20:
		return fmt.Appendf(b, `\u%04x`, c)
	}
	return append(b, char...)
}

// channelOf finds the channel of a frame that was not, or could not be, read. The extension writes it first; nowhere else
// is it looked for, since the rest of a frame can be a page's.
func channelOf(head []byte) (string, bool) {
	const mark = `{"ch":"`
	if !bytes.HasPrefix(head, []byte(mark)) || len(head) < len(mark)+32 {
		return "", false
	}
	ch := string(head[len(mark) : len(mark)+32])
	return ch, validChannel(ch)
}
