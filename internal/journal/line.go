// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"persten/proto"
)

// The types of lines.
const (
	TypeBegin = "begin" // a key is about to be used
	TypeEnd   = "end"   // how it ended; Of is the begin's seq
	TypeNote  = "note"  // anything else
	TypeTorn  = "torn"  // what a power loss left of a line
)

// Limits of one line.
const (
	maxLine   = 4 << 20
	maxString = 1024 // characters of a field
	maxTorn   = 64 << 10
)

// firstPrev is the prev of the first line.
const firstPrev = "0000000000000000000000000000000000000000000000000000000000000000"

// Line is one line of the journal.
type Line struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Type string    `json:"type"`
	Of   uint64    `json:"of,omitempty"`
	Record
	Torn []byte `json:"torn,omitempty"` // at most the first 64 KiB
	Prev string `json:"prev"`
	Hash string `json:"-"` // last in the file
}

const hashField = `,"hash":"`

// tailLen is the length of a line's end: the hash and what surrounds it.
const tailLen = len(hashField) + 2*sha256.Size + len(`"}`)

// encode returns the line as it stands in the file, with its line end, and sets the hash.
func (l *Line) encode() ([]byte, error) {
	body, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	if len(body)+tailLen > maxLine {
		return nil, errors.New("record is too large")
	}
	l.Hash = digest(body)
	out := append(body[:len(body)-1], hashField...)
	return append(out, l.Hash+"\"}\n"...), nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// decode reads one line, without its line end, and checks its own hash; the chain is the caller's to check.
func decode(raw []byte) (Line, error) {
	var l Line
	if len(raw) > maxLine {
		return l, errors.New("line is too long")
	}
	cut := len(raw) - tailLen
	if cut < 1 || !bytes.HasPrefix(raw[cut:], []byte(hashField)) || !bytes.HasSuffix(raw, []byte(`"}`)) {
		return l, errors.New("line has no hash")
	}
	hash := string(raw[cut+len(hashField) : len(raw)-2])
	body := append(bytes.Clone(raw[:cut]), '}')
	if digest(body) != hash {
		return l, errors.New("line does not fit its hash")
	}
	if err := json.Unmarshal(body, &l); err != nil {
		return l, fmt.Errorf("line is not a record: %w", err)
	}
	l.Hash = hash
	return l, nil
}

// clean bounds the strings of a record, which may come from a page.
func (r Record) clean() Record {
	for _, s := range []*string{&r.Kind, &r.User, &r.Origin, &r.Top, &r.Via, &r.Program, &r.CertificateSerial, &r.Thumbprint,
		&r.TokenSerial, &r.Profile, &r.Algorithm, &r.Result, &r.Version, &r.Approval, &r.By, &r.Ref} {
		*s = clip(*s)
	}
	documents := make([]Document, len(r.Documents))
	for i, d := range r.Documents {
		d.Name, d.Digest, d.Alg = clip(d.Name), clip(d.Digest), clip(d.Alg)
		documents[i] = d
	}
	r.Documents = documents
	args := make(map[string]string, len(r.Args))
	for k, v := range r.Args {
		args[clip(k)] = clip(v)
	}
	r.Args = args
	return r
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= maxString {
		return s
	}
	return string([]rune(s)[:maxString-1]) + "…"
}

// Proto returns the line as journal.list tells it.
func (l Line) Proto() proto.JournalRecord {
	r := proto.JournalRecord{
		Seq: int64(l.Seq), Time: l.Time, Type: l.Type, Of: int64(l.Of), Kind: l.Kind, User: l.User, Origin: l.Origin, Top: l.Top,
		Via: l.Via, Program: l.Program, CertificateSerial: l.CertificateSerial, Thumbprint: l.Thumbprint,
		TokenSerial: l.TokenSerial, Profile: l.Profile, Algorithm: l.Algorithm, Result: l.Result, Args: l.Args,
		Version: l.Version, Approval: l.Approval, By: l.By, Ref: l.Ref, Hash: l.Hash,
		AddTo: l.AddTo, Countersign: l.Countersign,
	}
	for _, d := range l.Documents {
		r.Documents = append(r.Documents, proto.JournalDocument(d))
	}
	return r
}
