// SPDX-License-Identifier: GPL-3.0-or-later

package journal

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"persten/proto"
)

// sealEvery is how many records come between two seals.
const sealEvery = 32

// Seal is what the system's own log keeps of a journal: that a record had this hash. Who owns the journal can write new
// ones there, but cannot take back the old.
type Seal struct {
	Seq  uint64
	Hash string
	Time time.Time // when the log took it
}

// Seals is a log of the system that keeps seals, told apart by the path of the journal.
type Seals interface {
	Put(path string, s Seal) error
	// Read returns the seals it has, the newest last. A log that is not there has none.
	Read(path string) ([]Seal, error)
	Place() string // journald or eventlog
}

// SystemLog is a log of the system that takes whole records.
type SystemLog interface {
	// Tell writes one line of text about the record whose hash is id.
	Tell(text, id string, warn bool) error
}

// SealTo has every 32nd record sealed from now on. That the log does not take a seal hinders nobody.
func (j *Journal) SealTo(s Seals) { j.seals = s }

// Seal seals the last record now, as a session does at its end.
func (j *Journal) Seal() error {
	if j.seals == nil {
		return nil
	}
	head := openHead(j.path, false)
	if head == nil {
		return nil // nothing was written yet
	}
	defer head.Close()
	seq, hash, ok := readHead(head)
	if !ok {
		return errors.New("the head cannot be read")
	}
	return j.put(seq, hash)
}

func (j *Journal) put(seq uint64, hash string) error {
	path, err := filepath.Abs(j.path)
	if err != nil || strings.ContainsAny(path, "\x00\n") {
		return errors.Join(err, errors.New("a path that cannot be sealed"))
	}
	return j.seals.Put(path, Seal{Seq: seq, Hash: hash})
}

// sealed seals l when it is due.
func (j *Journal) sealed(l Line) {
	if j.seals == nil || l.Seq%sealEvery != 0 {
		return
	}
	if err := j.put(l.Seq, l.Hash); err != nil {
		slog.Debug("the journal's head was not sealed", "place", j.seals.Place(), "cause", err)
	}
}

// VerifySealed is Verify that also holds the journal against its seals.
func VerifySealed(path string, from Seals) (Summary, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return Summary{}, err
	}
	seals, err := from.Read(whole)
	if err != nil {
		slog.Debug("seals cannot be read", "place", from.Place(), "cause", err)
	}
	s, err := verifyWith(path, seals)
	s.Place = from.Place()
	return s, err
}

// hold compares a line with its seals.
func (v *verifier) hold(n int, l Line) {
	for _, s := range v.seals[l.Seq] {
		if s.Hash != l.Hash {
			v.bad(n, proto.JournalDamageSealDiffers)
		}
	}
}
