// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"regexp"
	"time"

	"persten/internal/config"
	"persten/internal/journal"
	"persten/proto"
)

// Limits of sending.
const (
	batchRecords = 512
	batchBytes   = 1 << 20 // of the journal; one record may be longer
	sendTimeout  = 30 * time.Second
	retrySoon    = time.Second
	retryLate    = 5 * time.Minute
	retryLatest  = time.Hour // the most a collector may ask for
	troubleAfter = 10 * time.Minute
)

// sink is one way out. A send either took all lines or, with an error, none that count.
type sink interface {
	send(ctx context.Context, lines []journal.Line) error
}

// errRefused says that the other side will never take what it was given.
var errRefused = errors.New("refused")

// later is a failure after which the other side wants to be left alone for a while.
type later struct {
	after time.Duration
	cause error
}

func (l *later) Error() string { return l.cause.Error() }
func (l *later) Unwrap() error { return l.cause }

// sender moves the journal into one sink.
type sender struct {
	sink
	name, to string // to names the other side, for people
	journal  string
	place    string // file that keeps how far it came
	every    time.Duration
	problem  func(of string, e *proto.Error)

	at       journal.Position
	failures int       // in a row
	since    time.Time // of the first of them
	told     string    // the failure that was logged last
}

func (s *sender) run(ctx context.Context) {
	s.at = readPlace(s.place)
	for wait := time.Duration(rand.Int64N(int64(s.every))); pause(ctx, wait); {
		err := s.drain(ctx)
		if ctx.Err() != nil {
			return
		}
		wait = s.after(err)
	}
}

// drain sends until nothing is left.
func (s *sender) drain(ctx context.Context) error {
	for {
		lines, next, err := journal.After(s.journal, s.at, batchRecords, batchBytes)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			s.at = next
			return nil
		}
		if err := s.deliver(ctx, lines); err != nil {
			return err
		}
		s.keep(next)
	}
}

// deliver sends lines; of those that are refused together it finds the one that is meant and leaves it out.
func (s *sender) deliver(ctx context.Context, lines []journal.Line) error {
	limited, cancel := context.WithTimeout(ctx, sendTimeout)
	err := s.send(limited, lines)
	cancel()
	switch {
	case !errors.Is(err, errRefused):
		return err
	case len(lines) == 1:
		slog.Error("a journal record is not forwarded: the other side refuses it", "to", s.name, "seq", lines[0].Seq, "cause", err)
		return nil
	}
	half := len(lines) / 2
	if err := s.deliver(ctx, lines[:half]); err != nil {
		return err
	}
	return s.deliver(ctx, lines[half:])
}

// after notes how sending ended and tells how long to wait.
func (s *sender) after(err error) time.Duration {
	if err == nil {
		if s.failures > 0 && s.problem != nil {
			s.problem("forward "+s.name, nil)
		}
		s.failures, s.told = 0, ""
		return s.every
	}
	if s.failures == 0 {
		s.since = time.Now()
	}
	s.failures = min(s.failures+1, 16)
	if text := err.Error(); text != s.told {
		warn(s.name, err)
		s.told = text
	}
	if time.Since(s.since) > troubleAfter && s.problem != nil {
		s.problem("forward "+s.name, proto.E(proto.CodeForwardFailed, err, "host", s.to))
	}
	wait := min(retrySoon<<(s.failures-1), retryLate)
	if l := (*later)(nil); errors.As(err, &l) {
		wait = max(wait, min(l.after, retryLatest))
	}
	return wait
}

// keep remembers how far it came. Where that cannot be written, the next session sends again what this one sent.
func (s *sender) keep(at journal.Position) {
	s.at = at
	data, err := json.Marshal(at)
	if err == nil {
		err = config.ReplaceFile(s.place, append(data, '\n'))
	}
	if err != nil && err.Error() != s.told {
		warn(s.name, err)
		s.told = err.Error()
	}
}

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// readPlace reads how far the last session came; from a file that cannot be used, not at all.
func readPlace(file string) journal.Position {
	f, err := os.Open(file)
	if err != nil {
		return journal.Position{}
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return journal.Position{}
	}
	return parsePlace(data)
}

func parsePlace(data []byte) (p journal.Position) {
	if json.Unmarshal(data, &p) != nil || !hashPattern.MatchString(p.Hash) || p.Seq == 0 || p.Offset < 0 {
		return journal.Position{}
	}
	return p
}
