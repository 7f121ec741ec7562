// SPDX-License-Identifier: GPL-3.0-or-later

// Package journal is the append-only record of every use of a key.
//
// # Contract
//
// Before a key is used, [Journal.Begin] writes what is about to happen; after it, [Entry.End] writes how it ended. Both are
// on disk (fsync) before they return. What uses no key, such as a refusal, a wrong PIN or a decision about a site, is one
// [Journal.Note]. A journal that cannot be written answers [ErrUnwritable], and then the key must not be used.
// A record never holds content or a PIN.
//
// # File
//
// One JSON object a line. Each has seq (from 1), time (UTC), the record, prev (hash of the line before, zeros in the first)
// and, last, hash: SHA-256 over the line as it would be without its hash. Beside the file, NAME.head holds seq and hash of
// the last line, so that cutting off the end is noticed too. Whoever owns both files can still forge both: against the owner
// the chain is only as good as a copy of the head kept elsewhere. That copy is a [Seal] in the system's own log, one every 32
// records and one at the end of a session.
//
// Lines may be forgotten when policy says how long they are kept ([Journal.Expire]); NAME.base then holds seq and hash of the last
// that went.
//
// A line cut short by a power loss is set aside, in base64, in a line of type torn, and the chain goes on after it.
// A begin without an end is a use of the key whose outcome is not known; [Verify] counts them.
//
// # Concurrency
//
// Any number of goroutines and processes may append: each append takes a lock between processes, reads the end of the file
// anew, unless it is just what this Journal wrote last, and writes after it. Readers take the same lock, shared.
package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"persten/proto"
)

// ErrUnwritable says that a record could not be put on disk. The cause is wrapped beside it.
var ErrUnwritable = errors.New("journal cannot be written")

// ErrDamaged says that the last line of the journal is not one the journal wrote, so nothing can be chained to it.
var ErrDamaged = errors.New("journal is damaged")

// lockWait is how long an append waits for other processes.
const lockWait = 5 * time.Second

// Record is what one line says. Empty fields are left out.
type Record struct {
	Kind              string            `json:"kind"` // sign, refused, pin, origin, expired ...
	User              string            `json:"user,omitempty"`
	Origin            string            `json:"origin,omitempty"`
	Top               string            `json:"top,omitempty"`
	Via               string            `json:"via,omitempty"`
	Program           string            `json:"program,omitempty"`
	CertificateSerial string            `json:"certificateSerial,omitempty"`
	Thumbprint        string            `json:"thumbprint,omitempty"`
	TokenSerial       string            `json:"tokenSerial,omitempty"`
	Documents         []Document        `json:"documents,omitempty"`
	Profile           string            `json:"profile,omitempty"`
	Algorithm         string            `json:"algorithm,omitempty"`
	Result            string            `json:"result,omitempty"` // an error code, or a word for success
	Args              map[string]string `json:"args,omitempty"`   // of the error code
	Version           string            `json:"version,omitempty"`
	Approval          string            `json:"approval,omitempty"`    // id of the approval
	By                string            `json:"by,omitempty"`          // who approved: ByPolicy, or empty for a person
	Ref               string            `json:"ref,omitempty"`         // where the log tells more
	AddTo             string            `json:"addTo,omitempty"`       // SHA-256 of the signature file that was joined, lower hex
	Countersign       int               `json:"countersign,omitempty"` // the signer in AddTo whose signature was signed, from 1; 0: a document
}

// ByPolicy is By where machine policy approved in a person's place.
const ByPolicy = "policy"

// Document is one thing signed, never its content.
type Document struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Digest string `json:"digest"` // lower hex
	Alg    string `json:"alg"`
	Viewed bool   `json:"viewed"`          // what it says was on screen before the decision
	How    string `json:"how,omitempty"`   // in which way: shown, extracted, system, hex or not; empty when nobody opened it
	Login  bool   `json:"login,omitempty"` // looked like a word for logging in; the person was told

	Covered []proto.Span `json:"covered,omitempty"` // of an XML signature: the pieces of the document it speaks of
}

// Journal appends to one file.
type Journal struct {
	path  string
	last  atomic.Pointer[tail]
	seals Seals // nil: none
}

// Open makes the file and its folder if need be and checks that they are the user's alone.
func Open(path string) (*Journal, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, unwritable(err)
	}
	if err := checkDir(dir); err != nil {
		return nil, unwritable(err)
	}
	f, err := openFile(path)
	if err != nil {
		return nil, unwritable(err)
	}
	return &Journal{path: path}, f.Close()
}

func unwritable(err error) error {
	return fmt.Errorf("%w: %w", ErrUnwritable, err)
}

// Path returns the path of the file.
func (j *Journal) Path() string { return j.path }

// Begin writes that a key is about to be used. The entry must be ended; one that is not stays in the journal as a use with
// an unknown outcome. ctx bounds the wait for other processes.
func (j *Journal) Begin(ctx context.Context, r Record) (*Entry, error) {
	l, err := j.append(ctx, Line{Type: TypeBegin, Record: r})
	if err != nil {
		return nil, err
	}
	return &Entry{journal: j, begin: l}, nil
}

// Note writes one line about something that used no key.
func (j *Journal) Note(r Record) error {
	_, err := j.append(context.Background(), Line{Type: TypeNote, Record: r})
	return err
}

// Entry is a use of a key under way.
type Entry struct {
	journal *Journal
	begin   Line
	mu      sync.Mutex
	ended   bool
}

// Seq returns the number of the entry's begin line.
func (e *Entry) Seq() uint64 { return e.begin.Seq }

// End writes how the use ended: result is an error code with its args, or a word for success. It may be called once; after
// a failure it may be tried again.
func (e *Entry) End(result string, args map[string]string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return errors.New("journal entry ended twice")
	}
	// Not the caller's context: the outcome is written also when the request is already cancelled.
	_, err := e.journal.append(context.Background(), Line{
		Type: TypeEnd, Of: e.begin.Seq,
		Record: Record{Kind: e.begin.Kind, Result: result, Args: args, Approval: e.begin.Approval},
	})
	e.ended = err == nil
	return err
}
