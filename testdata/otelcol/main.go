// SPDX-License-Identifier: GPL-3.0-or-later

// Command otelcol is the receiver of the OpenTelemetry Collector, as its project releases it, with a file for an exporter: a
// collector that is not ours, for the tests. It is a module of its own, so that none of this is in the product's.
//
//	otelcol ADDRESS DIR    says "listening ADDRESS" and appends the ids of log records and the names of metrics to DIR/ids
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f, err := os.OpenFile(filepath.Join(dir, "ids"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	w := &writer{f: f}
	factory := otlpreceiver.NewFactory()
	settings := receivertest.NewNopSettings(factory.Type())
	config := factory.CreateDefaultConfig()
	given := confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}})
	if err := given.Unmarshal(config); err != nil {
		return err
	}
	logs, err := consumer.NewLogs(w.logs)
	if err != nil {
		return err
	}
	metrics, err := consumer.NewMetrics(w.metrics)
	if err != nil {
		return err
	}
	lr, err := factory.CreateLogs(ctx, settings, config, logs)
	if err != nil {
		return err
	}
	mr, err := factory.CreateMetrics(ctx, settings, config, metrics)
	if err != nil {
		return err
	}
	host := componenttest.NewNopHost()
	if err := lr.Start(ctx, host); err != nil {
		return err
	}
	if err := mr.Start(ctx, host); err != nil {
		return err
	}
	fmt.Println("listening", address)
	<-ctx.Done()
	return lr.Shutdown(context.Background())
}

// writer writes down what came, before it is acknowledged.
type writer struct {
	mu sync.Mutex
	f  *os.File
}

func (w *writer) logs(_ context.Context, all plog.Logs) error {
	var text []byte
	for i := range all.ResourceLogs().Len() {
		of := all.ResourceLogs().At(i)
		for j := range of.ScopeLogs().Len() {
			list := of.ScopeLogs().At(j).LogRecords()
			for k := range list.Len() {
				r := list.At(k)
				id, _ := r.Attributes().Get("log.record.uid")
				text = fmt.Appendf(text, "%s %s %s\n", id.Str(), r.SeverityNumber(), r.EventName())
			}
		}
	}
	return w.write(text)
}

func (w *writer) metrics(_ context.Context, all pmetric.Metrics) error {
	var text []byte
	for i := range all.ResourceMetrics().Len() {
		of := all.ResourceMetrics().At(i)
		for j := range of.ScopeMetrics().Len() {
			list := of.ScopeMetrics().At(j).Metrics()
			for k := range list.Len() {
				text = fmt.Appendf(text, "metric %s %s\n", list.At(k).Type(), list.At(k).Name())
			}
		}
	}
	return w.write(text)
}

func (w *writer) write(text []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.f.Write(text)
	return err
}
