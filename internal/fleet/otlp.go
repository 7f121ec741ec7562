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

	collogs "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"persten/internal/journal"
)

// maxAnswer is how much of a collector's answer is read.
const maxAnswer = 64 << 10

// otlp speaks OTLP over HTTP with one collector.
type otlp struct {
	address string
	http    *http.Client
	from    *resource.Resource
	scope   *common.InstrumentationScope
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
		from: &resource.Resource{Attributes: values([]attr{
			{"service.name", "persten"}, {"service.version", o.Version}, {"service.instance.id", o.Instance},
			{"host.name", host}, {"os.type", runtime.GOOS},
		}, "")},
		scope: &common.InstrumentationScope{Name: "persten", Version: o.Version},
	}
}

// send implements sink.
func (c *otlp) send(ctx context.Context, lines []journal.Line) error {
	records := make([]*logs.LogRecord, len(lines))
	for i, l := range lines {
		records[i] = c.record(l)
	}
	answer, err := c.post(ctx, "/v1/logs", &collogs.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
		Resource: c.from, ScopeLogs: []*logs.ScopeLogs{{Scope: c.scope, LogRecords: records}},
	}}})
	if err != nil {
		return err
	}
	if n, why := rejected(answer); n > 0 { // for good, says the protocol; they stay in the journal
		slog.Error("the collector has left out journal records", "count", n, "cause", why)
	}
	return nil
}

func (c *otlp) record(l journal.Line) *logs.LogRecord {
	severity, text := logs.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"
	if bad(l) {
		severity, text = logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"
	}
	return &logs.LogRecord{
		TimeUnixNano: uint64(l.Time.UnixNano()), ObservedTimeUnixNano: uint64(time.Now().UnixNano()),
		SeverityNumber: severity, SeverityText: text, EventName: "persten." + l.Kind,
		Body:       value(title(l)),
		Attributes: append(values([]attr{{"log.record.uid", l.Hash}}, ""), values(c.told.of(l), "persten.")...),
	}
}

// rejected reads how many records a collector that took a batch left out all the same, and why.
func rejected(answer []byte) (int64, string) {
	var r collogs.ExportLogsServiceResponse
	if proto.Unmarshal(answer, &r) != nil {
		return 0, ""
	}
	return r.GetPartialSuccess().GetRejectedLogRecords(), line(r.GetPartialSuccess().GetErrorMessage())
}

// post sends one message and returns the answer to one that was taken.
func (c *otlp) post(ctx context.Context, path string, m proto.Message) ([]byte, error) {
	body, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address+path, bytes.NewReader(body))
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

// values are attributes in OTLP's form.
func values(list []attr, prefix string) []*common.KeyValue {
	out := make([]*common.KeyValue, len(list))
	for i, a := range list {
		out[i] = &common.KeyValue{Key: prefix + a.name, Value: value(a.value)}
	}
	return out
}

func value(v any) *common.AnyValue {
	switch v := v.(type) {
	case string:
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v}}
	case int64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v}}
	case []string:
		list := make([]*common.AnyValue, len(v))
		for i, s := range v {
			list[i] = value(s)
		}
		return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: list}}}
	}
	return nil
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
