// SPDX-License-Identifier: GPL-3.0-or-later

// Package fleettest is a collector for tests: it takes OTLP over HTTP in a process of its own, as a real one would, and writes
// down what came before it answers. Built from the official messages alone, it shares no code with what it tests.
package fleettest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	collogs "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// Record is one log record as it came.
type Record struct {
	ID         string         `json:"id"` // log.record.uid
	Instance   string         `json:"instance"`
	Event      string         `json:"event"`
	Body       string         `json:"body"`
	Severity   string         `json:"severity"`
	Attributes map[string]any `json:"attributes"`
}

// Figure is one data point of a metric as it came.
type Figure struct {
	Name       string         `json:"name"`
	Instance   string         `json:"instance"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Value      float64        `json:"value"`
}

// Collector is an http.Handler that appends what it takes to files of its folder.
type Collector struct {
	mu            sync.Mutex
	logs, figures *os.File
}

// New makes a collector that writes into dir, after what is there.
func New(dir string) (*Collector, error) {
	c := &Collector{}
	var errs [2]error
	c.logs, errs[0] = appendTo(filepath.Join(dir, "logs"))
	c.figures, errs[1] = appendTo(filepath.Join(dir, "figures"))
	return c, errors.Join(errs[:]...)
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// Main is the program: collector ADDRESS DIR. It says "listening ADDRESS" and serves until it is killed.
func Main() {
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, dir string) error {
	c, err := New(dir)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening", l.Addr())
	return http.Serve(l, c)
}

// ServeHTTP takes one message.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	var answer proto.Message
	switch r.URL.Path {
	case "/v1/logs":
		answer, err = &collogs.ExportLogsServiceResponse{}, c.takeLogs(body)
	case "/v1/metrics":
		answer, err = &colmetrics.ExportMetricsServiceResponse{}, c.takeMetrics(body)
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	data, _ := proto.Marshal(answer) // of an empty message
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Write(data)
}

func (c *Collector) takeLogs(body []byte) error {
	var req collogs.ExportLogsServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	var list []any
	for _, of := range req.ResourceLogs {
		for _, scope := range of.ScopeLogs {
			for _, l := range scope.LogRecords {
				all := plain(l.Attributes)
				id, _ := all["log.record.uid"].(string)
				list = append(list, Record{id, instance(of.Resource), l.EventName, l.Body.GetStringValue(), l.SeverityText, all})
			}
		}
	}
	return c.write(c.logs, list)
}

func (c *Collector) takeMetrics(body []byte) error {
	var req colmetrics.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &req); err != nil {
		return err
	}
	var list []any
	for _, of := range req.ResourceMetrics {
		for _, scope := range of.ScopeMetrics {
			for _, m := range scope.Metrics {
				for _, p := range append(m.GetGauge().GetDataPoints(), m.GetSum().GetDataPoints()...) {
					list = append(list, Figure{m.Name, instance(of.Resource), plain(p.Attributes), number(p)})
				}
			}
		}
	}
	return c.write(c.figures, list)
}

func (c *Collector) write(f *os.File, list []any) error {
	var out []byte
	for _, v := range list {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		out = append(append(out, data...), '\n')
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := f.Write(out)
	return err
}

func number(p *metrics.NumberDataPoint) float64 {
	if v, ok := p.Value.(*metrics.NumberDataPoint_AsInt); ok {
		return float64(v.AsInt)
	}
	return p.GetAsDouble()
}

func instance(r *resource.Resource) string {
	s, _ := plain(r.GetAttributes())["service.instance.id"].(string)
	return s
}

func plain(list []*common.KeyValue) map[string]any {
	m := map[string]any{}
	for _, kv := range list {
		m[kv.Key] = simple(kv.Value)
	}
	return m
}

func simple(v *common.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return v.StringValue
	case *common.AnyValue_IntValue:
		return v.IntValue
	case *common.AnyValue_ArrayValue:
		var list []any
		for _, e := range v.ArrayValue.Values {
			list = append(list, simple(e))
		}
		return list
	}
	return nil
}

// Records are the log records a collector wrote into dir, as they came.
func Records(dir string) ([]Record, error) { return read[Record](filepath.Join(dir, "logs")) }

// Figures are the data points a collector wrote into dir, as they came.
func Figures(dir string) ([]Figure, error) { return read[Figure](filepath.Join(dir, "figures")) }

// read reads the whole lines of a file that is still written to.
func read[T any](path string) ([]T, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []T
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
}
