// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"persten/internal/config"
	"persten/proto"
)

// otelcol is the OpenTelemetry Collector's own receiver (testdata/otelcol), built here: in the long form alone, because that
// takes a minute and its modules; PERSTEN_OTELCOL names one that is built.
func otelcol(t *testing.T) string {
	t.Helper()
	if built := os.Getenv("PERSTEN_OTELCOL"); built != "" {
		return built
	}
	if os.Getenv("PERSTEN_LONG") == "" {
		t.Skip("not run: PERSTEN_LONG=1 builds the OpenTelemetry Collector's receiver")
	}
	program := filepath.Join(t.TempDir(), "otelcol")
	if out, err := exec.Command("go", "build", "-C", "../../testdata/otelcol", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// TestRealCollector: the OpenTelemetry project's own receiver takes records and figures, each once, over a restart of it.
func TestRealCollector(t *testing.T) {
	program, dir := otelcol(t), t.TempDir()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	start := func() *exec.Cmd {
		t.Helper()
		cmd := exec.Command(program, address, dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err := cmp.Or(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		return cmd
	}
	d := newDesk(t)
	e, err := New(Options{
		Journal: d.j.Path(), State: d.dir, Version: "1", Instance: "test",
		Forward: config.Forward{OTLP: "http://" + address, Every: time.Second, MetricsEvery: time.Second},
		Figures: func(context.Context) (Figures, error) {
			return Figures{Tokens: 1, Certificates: []proto.Certificate{{Thumbprint: "ab", NotAfter: time.Now(), KeyTo: time.Now()}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	first := start()
	d.note(600)
	wait(t, dir, 600)
	first.Process.Kill()
	first.Wait()
	d.note(600)
	time.Sleep(2 * time.Second)
	second := start()
	t.Cleanup(func() { second.Process.Kill(); second.Wait() })
	text := wait(t, dir, 1200)
	for _, want := range []string{"metric Gauge persten.tokens\n", "metric Gauge persten.certificate.days_left\n", " Warn persten.sign\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q did not arrive", want)
		}
	}
}

// wait waits until as many different records have arrived.
func wait(t *testing.T, dir string, n int) string {
	t.Helper()
	id := regexp.MustCompile(`(?m)^[0-9a-f]{64} `)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		text, _ := os.ReadFile(filepath.Join(dir, "ids"))
		ids := map[string]bool{}
		for _, m := range id.FindAllString(string(text), -1) {
			ids[m] = true
		}
		if len(ids) == n {
			t.Logf("%d records arrived", n)
			return string(text)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d records arrived", len(ids), n)
		}
	}
}
