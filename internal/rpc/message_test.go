// SPDX-License-Identifier: GPL-3.0-or-later

package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"persten/internal/ipc"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	os.Exit(m.Run())
}

// raw serves a testServer and gives the other end of its wire.
func raw(t *testing.T) (ipc.Conn, *testServer) {
	cc, sc := stdioTransport(t)
	s := &testServer{notes: make(chan string, 300)}
	server := New(sc, s.handle)
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(context.Background()) })
	t.Cleanup(func() { cc.Close(); wg.Wait() })
	return cc, s
}

func ask(t *testing.T, c ipc.Conn, msg string) string {
	t.Helper()
	if err := c.Send([]byte(msg)); err != nil {
		t.Fatal(err)
	}
	b, err := c.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestRefused: each malformed message is answered with its code and id, and the connection goes on.
func TestRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth)
	c, s := raw(t)
	for _, test := range []struct {
		msg  string
		code int
		id   string
	}{
		{``, CodeParse, "null"},
		{`{`, CodeParse, "null"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo"}{}`, CodeParse, "null"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo"} x`, CodeParse, "null"},
		{`{"jsonrpc":"2.0","id":1,"id":2,"method":"echo"}`, CodeParse, "null"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":1,"a":2}}`, CodeParse, "null"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo","params":` + deep + `}`, CodeParse, "null"},
		{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"echo\xff\"}", CodeParse, "null"},
		{`[]`, CodeInvalidRequest, "null"},
		{`[{"jsonrpc":"2.0","id":1,"method":"echo"}]`, CodeInvalidRequest, "null"},
		{`null`, CodeInvalidRequest, "null"},
		{`1`, CodeInvalidRequest, "null"},
		{`"x"`, CodeInvalidRequest, "null"},
		{`{}`, CodeInvalidRequest, "null"},
		{`{"id":1,"method":"echo"}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":2.0,"id":1,"method":"echo"}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"1.0","id":1,"method":"echo"}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"2.0","id":"a","method":""}`, CodeInvalidRequest, `"a"`},
		{`{"jsonrpc":"2.0","id":1,"method":1}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("m", 129) + `"}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo","params":null}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo","extra":1}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"2.0","id":1,"Method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":1,"method":"echo","result":1}`, CodeInvalidRequest, "1"},
		{`{"jsonrpc":"2.0","id":null,"method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":1.5,"method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":1e2,"method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":-0,"method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":99999999999999999999,"method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":{},"method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 129) + `","method":"echo"}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":1,"result":1,"error":{}}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","result":1}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":1,"error":null}`, CodeInvalidRequest, "null"},
		{`{"jsonrpc":"2.0","id":1,"error":"x"}`, CodeInvalidRequest, "null"},
	} {
		var got struct {
			ID    json.RawMessage
			Error struct {
				Code int
				Data struct{ Code string }
			}
		}
		answer := ask(t, c, test.msg)
		if err := json.Unmarshal([]byte(answer), &got); err != nil || got.Error.Code != test.code || string(got.ID) != test.id || got.Error.Data.Code != "request_malformed" {
			t.Errorf("%.80q got %s, want %d for %s", test.msg, answer, test.code, test.id)
		}
	}
	if len(s.notes) != 0 || s.running.Load() != 0 {
		t.Error("a handler ran")
	}
}

func TestAccepted(t *testing.T) {
	c, _ := raw(t)
	for msg, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"echo"}`:                               `{"jsonrpc":"2.0","id":1,"result":null}`,
		` { "jsonrpc" : "2.0" , "id" : "ж" , "method":"echo","params":{"a":1}} `: `{"jsonrpc":"2.0","id":"ж","result":{"a":1}}`,
		`{"jsonrpc":"2.0","id":-7,"method":"echo","params":{}}`:                  `{"jsonrpc":"2.0","id":-7,"result":{}}`,
	} {
		if got := ask(t, c, msg); got != want {
			t.Errorf("%s got %s", msg, got)
		}
	}
	late := `{"jsonrpc":"2.0","id":77,"result":1}` // nobody waits for it
	c.Send([]byte(late))
	c.Send([]byte(`{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}`))
	c.Send([]byte(`{"jsonrpc":"2.0","id":"x","result":1}`))
	if got := ask(t, c, `{"jsonrpc":"2.0","id":5,"method":"echo"}`); !strings.Contains(got, `"id":5`) {
		t.Errorf("got %s", got)
	}
}

func TestIDInUse(t *testing.T) {
	c, s := raw(t)
	c.Send([]byte(`{"jsonrpc":"2.0","id":"a","method":"wait"}`))
	eventually(t, "handler runs", func() bool { return s.running.Load() == 1 })
	if got := ask(t, c, `{"jsonrpc":"2.0","id":"\u0061","method":"echo"}`); !strings.Contains(got, "id is in use") {
		t.Errorf("got %s", got)
	}
	for _, params := range []string{``, `,"params":{}`, `,"params":{"id":null}`, `,"params":{"id":"b"}`, `,"params":{"id":{}}`} {
		c.Send([]byte(`{"jsonrpc":"2.0","method":"$/cancel"` + params + `}`))
	}
	if got := ask(t, c, `{"jsonrpc":"2.0","id":2,"method":"echo"}`); !strings.Contains(got, `"id":2`) || s.cancelled.Load() != 0 {
		t.Errorf("cancelled by another id: %s", got)
	}
	if got := ask(t, c, `{"jsonrpc":"2.0","method":"$/cancel","params":{"id":"a"}}`); !strings.Contains(got, "request_cancelled") || !strings.Contains(got, `"id":"a"`) {
		t.Errorf("got %s", got)
	}
	if got := ask(t, c, `{"jsonrpc":"2.0","id":"a","method":"echo"}`); !strings.Contains(got, `"result":null`) {
		t.Errorf("the id is not free again: %s", got)
	}
}

func TestServeEndsWithContext(t *testing.T) {
	cc, sc := stdioTransport(t)
	defer cc.Close()
	s := &testServer{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(sc, s.handle).Serve(ctx) }()
	cc.Send([]byte(`{"jsonrpc":"2.0","id":1,"method":"wait"}`))
	eventually(t, "handler runs", func() bool { return s.running.Load() == 1 })
	go io.Copy(io.Discard, recvReader{cc})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if s.cancelled.Load() != 1 || s.running.Load() != 0 {
		t.Error("the handler outlived Serve")
	}
}

type recvReader struct{ c ipc.Conn }

func (r recvReader) Read([]byte) (int, error) { _, err := r.c.Recv(); return 0, err }

func TestNoHandler(t *testing.T) {
	cc, sc := stdioTransport(t)
	go New(sc, nil).Serve(t.Context())
	defer cc.Close()
	if got := ask(t, cc, `{"jsonrpc":"2.0","id":1,"method":"x"}`); !strings.Contains(got, "request_unknown_method") {
		t.Errorf("got %s", got)
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range []string{`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[1]}}`, `{"jsonrpc":"2.0","id":"x","result":null}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{}}}`, `{"jsonrpc":"2.0","method":"$/cancel","params":{"id":1}}`, `[]`, `{"id":1,"ID":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, bad := parse(b)
		if m.id != nil && (len(m.id) > maxID || !json.Valid(m.id)) {
			t.Fatalf("id %q", m.id)
		}
		if bad != nil {
			if bad.Code != CodeParse && bad.Code != CodeInvalidRequest || !json.Valid(bad.Data) {
				t.Fatalf("%+v", bad)
			}
			return
		}
		if m.answer() == (m.method != "") || m.params != nil && m.params[0] != '{' {
			t.Fatalf("%q parsed as %+v", b, m)
		}
		if m.id != nil && string(m.id) != "null" {
			key(m.id)
		}
	})
}

// FuzzServe: whatever comes, the connection answers or drops it and neither panics nor hangs.
func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}`))
	f.Add([]byte(`{"jsonrpc":"2.0","method":"$/cancel","params":{"id":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var in bytes.Buffer
		w := ipc.Stdio(nil, &in, ipc.MaxFrame)
		if err := w.Send(b); err != nil {
			t.Skip("larger than a frame: not run")
		}
		w.Send([]byte(`{"jsonrpc":"2.0","id":"end","method":"echo"}`))
		var out sync.Map
		n := 0
		c := New(ipc.Stdio(&in, writerFunc(func(p []byte) (int, error) {
			out.Store(n, string(p))
			n++
			return len(p), nil
		}), ipc.MaxFrame), func(context.Context, *Request) (any, error) { return nil, nil })
		if err := c.Serve(context.Background()); err != nil {
			t.Fatal(err)
		}
		found := false
		out.Range(func(_, v any) bool {
			found = found || strings.Contains(fmt.Sprint(v), `"id":"end"`)
			return true
		})
		if !found {
			t.Fatalf("after %q the connection does not answer", b)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
