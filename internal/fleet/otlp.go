// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"persten/internal/journal"
)

// maxAnswer is how much of a collector's answer is read.
const maxAnswer = 64 << 10

// otlp speaks OTLP over HTTP with one collector.
type otlp struct {
	address string
	http    *http.Client
	from    message // the resource
	scope   message
	told    told
}

func newOTLP(o Options, t told, host string, secure *tls.Config) *otlp {
	return &otlp{
		address: o.Forward.OTLP, told: t,
		http: &http.Client{
			// No proxy: a collector is the organization's own. A redirect is an answer like any other, and a wrong one.
			Transport:     &http.Transport{TLSClientConfig: secure, MaxIdleConns: 1, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		from: message(nil).values(1, []attr{
			{"service.name", "persten"}, {"service.version", o.Version}, {"service.instance.id", o.Instance},
			{"host.name", host}, {"os.type", runtime.GOOS},
		}, ""),
		scope: message(nil).text(1, "persten").text(2, o.Version),
	}
}

// send implements sink.
func (c *otlp) send(ctx context.Context, lines []journal.Line) error {
	records := make([]message, len(lines))
	for i, l := range lines {
		records[i] = c.record(l)
	}
	answer, err := c.post(ctx, "/v1/logs", c.request(records))
	if err != nil {
		return err
	}
	if n, why := rejected(answer); n > 0 { // for good, says the protocol; they stay in the journal
		slog.Error("the collector has left out journal records", "count", n, "cause", why)
	}
	return nil
}

// Numbers of severities.
const (
	severityInfo    = 9
	severityWarning = 13
)

func (c *otlp) record(l journal.Line) message {
	severity, text := int64(severityInfo), "INFO"
	if bad(l) {
		severity, text = severityWarning, "WARN"
	}
	return message(nil).time(1, l.Time).number(2, severity).text(3, text).part(5, value(title(l))).
		values(6, []attr{{"log.record.uid", l.Hash}}, "").values(6, c.told.of(l), "persten.").
		time(11, time.Now()).text(12, "persten."+l.Kind)
}

// post sends one message and returns the answer to one that was taken.
func (c *otlp) post(ctx context.Context, path string, m message) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address+path, bytes.NewReader(m))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", "persten")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err == nil {
		err = status(res)
	}
	return answer, err
}

// status judges an answer as the protocol says: some are worth another try, and a message that is wrong by itself is not.
func status(r *http.Response) error {
	err := fmt.Errorf("the collector answers %d", r.StatusCode)
	switch r.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return nil
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return errors.Join(errRefused, err)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if s, bad := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31); bad == nil {
			return &later{time.Duration(s) * time.Second, err}
		}
	}
	return err
}

// line is what another program said, for our log.
func line(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "")
	}
	return s
}

// hostOf is the host of an address, for people.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}
