// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"math"
	"strings"
	"testing"
	"time"

	collogs "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	metrics "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"persten/internal/journal"
)

// wired is a client of OTLP whose resource and scope are set by hand.
func wired() *otlp {
	return &otlp{
		from: message(nil).values(1, []attr{{"host.name", "desk"}}, ""), scope: message(nil).text(1, "persten").text(2, "1.2"),
		told: newTold(nil),
	}
}

func official(list ...attr) (out []*common.KeyValue) {
	for _, a := range list {
		v := &common.AnyValue{}
		switch a := a.value.(type) {
		case string:
			v.Value = &common.AnyValue_StringValue{StringValue: a}
		case int64:
			v.Value = &common.AnyValue_IntValue{IntValue: a}
		case []string:
			array := &common.ArrayValue{}
			for _, s := range a {
				array.Values = append(array.Values, &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}})
			}
			v.Value = &common.AnyValue_ArrayValue{ArrayValue: array}
		}
		out = append(out, &common.KeyValue{Key: a.name, Value: v})
	}
	return out
}

// same wants what we write to be, for the official messages, the message want, with nothing beside it.
func same[M proto.Message](t *testing.T, wire message, got, want M) {
	t.Helper()
	if err := proto.Unmarshal(wire, got); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("written: %v\nwant:    %v", got, want)
	}
}

// TestWireLogs: a request with a record, field by field, read with the official messages.
func TestWireLogs(t *testing.T) {
	at := time.Unix(1_700_000_000, 123)
	c := wired()
	for _, severity := range []struct {
		result string
		number logs.SeverityNumber
		text   string
	}{{"ok", logs.SeverityNumber_SEVERITY_NUMBER_INFO, "INFO"}, {"pin_incorrect", logs.SeverityNumber_SEVERITY_NUMBER_WARN, "WARN"}} {
		l := journal.Line{Seq: 7, Type: journal.TypeNote, Time: at, Hash: strings.Repeat("1", 64), Record: journal.Record{Kind: "sign", Result: severity.result, Origin: "https://a.example"}}
		wire := c.record(l)
		var r logs.LogRecord
		if err := proto.Unmarshal(wire, &r); err != nil || time.Since(time.Unix(0, int64(r.ObservedTimeUnixNano))) > time.Minute {
			t.Fatalf("observed at %d: %v", r.ObservedTimeUnixNano, err)
		}
		want := &logs.LogRecord{
			TimeUnixNano: uint64(at.UnixNano()), ObservedTimeUnixNano: r.ObservedTimeUnixNano, SeverityNumber: severity.number, SeverityText: severity.text,
			Body: official(attr{"", "sign: " + severity.result})[0].Value, EventName: "persten.sign",
			Attributes: official(attr{"log.record.uid", l.Hash}, attr{"persten.seq", int64(7)}, attr{"persten.type", "note"}, attr{"persten.kind", "sign"},
				attr{"persten.result", severity.result}, attr{"persten.origin", "https://a.example"}),
		}
		same(t, c.request([]message{wire}), &collogs.ExportLogsServiceRequest{}, &collogs.ExportLogsServiceRequest{ResourceLogs: []*logs.ResourceLogs{{
			Resource:  &resource.Resource{Attributes: official(attr{"host.name", "desk"})},
			ScopeLogs: []*logs.ScopeLogs{{Scope: &common.InstrumentationScope{Name: "persten", Version: "1.2"}, LogRecords: []*logs.LogRecord{want}}},
		}}})
	}
}

// TestWireMetrics: a sum and a gauge, zero and negative among the values.
func TestWireMetrics(t *testing.T) {
	began, now := time.Unix(1_700_000_000, 1), time.Unix(1_700_000_100, 2)
	at := points{began, now}
	c := wired()
	wire := c.request([]message{
		sum("uses", "{use}", "Uses.", []message{at.count(5, attr{"kind", "sign"}), at.count(0)}),
		gauge("left", "d", "Days.", at.value(-1.5, attr{"a", "b"}, attr{"c", "d"}), at.value(0)),
	})
	point := func(v any, of ...attr) *metrics.NumberDataPoint {
		p := &metrics.NumberDataPoint{Attributes: official(of...), TimeUnixNano: uint64(now.UnixNano())}
		switch v := v.(type) {
		case int64:
			p.StartTimeUnixNano, p.Value = uint64(began.UnixNano()), &metrics.NumberDataPoint_AsInt{AsInt: v}
		case float64:
			p.Value = &metrics.NumberDataPoint_AsDouble{AsDouble: v}
		}
		return p
	}
	same(t, wire, &colmetrics.ExportMetricsServiceRequest{}, &colmetrics.ExportMetricsServiceRequest{ResourceMetrics: []*metrics.ResourceMetrics{{
		Resource: &resource.Resource{Attributes: official(attr{"host.name", "desk"})},
		ScopeMetrics: []*metrics.ScopeMetrics{{Scope: &common.InstrumentationScope{Name: "persten", Version: "1.2"}, Metrics: []*metrics.Metric{
			{Name: "uses", Unit: "{use}", Description: "Uses.", Data: &metrics.Metric_Sum{Sum: &metrics.Sum{
				DataPoints: []*metrics.NumberDataPoint{point(int64(5), attr{"kind", "sign"}), point(int64(0))}, IsMonotonic: true,
				AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
			}}},
			{Name: "left", Unit: "d", Description: "Days.", Data: &metrics.Metric_Gauge{Gauge: &metrics.Gauge{
				DataPoints: []*metrics.NumberDataPoint{point(-1.5, attr{"a", "b"}, attr{"c", "d"}), point(0.0)},
			}}},
		}}},
	}}})
	if m := sum("none", "", "", nil); m != nil {
		t.Errorf("a metric without points: %x", m)
	}
}

// TestWireAnswer: what a collector left out is read as it wrote it.
func TestWireAnswer(t *testing.T) {
	for _, want := range []*collogs.ExportLogsPartialSuccess{nil, {}, {RejectedLogRecords: 3, ErrorMessage: "too old"}, {RejectedLogRecords: math.MaxInt64}} {
		answer, err := proto.Marshal(&collogs.ExportLogsServiceResponse{PartialSuccess: want})
		if err != nil {
			t.Fatal(err)
		}
		if n, why := rejected(answer); n != want.GetRejectedLogRecords() || why != want.GetErrorMessage() {
			t.Errorf("%v is read as %d, %q", want, n, why)
		}
	}
}

// FuzzWire: any text and number arrives as it was, but for what is not UTF-8, which protobuf does not carry.
func FuzzWire(f *testing.F) {
	f.Add("persten.origin", "https://a.example", int64(-1))
	f.Add("", "\xff\x00", int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, name, text string, n int64) {
		utf := func(s string) string { return strings.ToValidUTF8(s, "") }
		same(t, message(nil).values(1, []attr{{name, text}, {name, n}, {name, []string{text, text}}}, ""), &resource.Resource{},
			&resource.Resource{Attributes: official(attr{utf(name), utf(text)}, attr{utf(name), n}, attr{utf(name), []string{utf(text), utf(text)}})})
	})
}
