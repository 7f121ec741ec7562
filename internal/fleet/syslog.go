// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"persten/internal/journal"
)

// Parts of a priority (RFC 5424, 6.2.1).
const (
	facilityAudit  = 13
	severityWarn   = 4
	severityNotice = 5
)

// syslogTime is RFC 3339 with at most six decimals, as RFC 5424 wants it.
const syslogTime = "2006-01-02T15:04:05.000000Z07:00"

// syslog sends records by RFC 5424 over TLS (RFC 5425). Syslog acknowledges nothing, so each batch has a connection of its own: it counts as
// taken when the server has read to its end and closed. What a server had read when it died is lost, which OTLP avoids.
type syslog struct {
	address, host, version string
	tls                    *tls.Config
	told                   told
}

// send implements sink.
func (s *syslog) send(ctx context.Context, lines []journal.Line) error {
	d := tls.Dialer{Config: s.tls}
	c, err := d.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	defer c.Close()
	if at, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(at) // a connection knows deadlines
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	w := bufio.NewWriterSize(c, 16<<10)
	for _, l := range lines {
		m := s.format(l)
		w.WriteString(strconv.Itoa(len(m)) + " ")
		w.WriteString(m)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return finished(c.(*tls.Conn))
}

// finished says that there is no more and waits until the server closes, too.
func finished(c *tls.Conn) error {
	if err := c.CloseWrite(); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(c, maxAnswer))
	if n == maxAnswer {
		return errors.New("the server talks")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) { // it closed without TLS's farewell
		return nil
	}
	return err
}

// format is one message without its frame.
func (s *syslog) format(l journal.Line) string {
	severity := severityNotice
	if bad(l) {
		severity = severityWarn
	}
	return fmt.Sprintf("<%d>1 %s %s persten - %s [meta sequenceId=\"%d\"][origin software=\"persten\" swVersion=\"%s\"] \ufeff%s",
		facilityAudit*8+severity, l.Time.UTC().Format(syslogTime), word(s.host, 255), word(l.Kind, 32), (l.Seq-1)%(1<<31-1)+1,
		quoted(s.version), s.told.message(l))
}

// word is a header field: printable ASCII without spaces, "-" when there is nothing.
func word(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), most)]
}

// quoted is a value of structured data, at most 32 characters of it.
func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, `]`, `\]`).Replace(word(s, 32))
}

// systemLog writes whole records into journald or the Windows event log.
type systemLog struct {
	log  journal.SystemLog
	told told
}

// send implements sink.
func (s systemLog) send(ctx context.Context, lines []journal.Line) error {
	for _, l := range lines {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.log.Tell(s.told.message(l), l.Hash, bad(l)); err != nil {
			return err
		}
	}
	return nil
}
