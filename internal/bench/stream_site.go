// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/gorilla/websocket"

	"persten/internal/algo"
)

// site is the page that signs, and a WebSocket that drops what it gets.
type site struct{ tree, origin string }

const page = `<!doctype html><title>Persten</title><input type="file" id="file"><script src="/umd/persten.js"></script>`

// openSite serves until the program ends.
func openSite(ctx context.Context) (*site, error) {
	tree, err := root(ctx)
	if err != nil {
		return nil, err
	}
	if err := needed(tree); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, page)
	})
	mux.HandleFunc("GET /umd/persten.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(tree, "browserext/dist/sdk/umd/persten.js"))
	})
	mux.HandleFunc("GET /sink", drop)
	go http.Serve(l, mux)
	return &site{tree, "http://" + l.Addr().String()}, nil
}

// drop reads messages and says after each MiB how much of their contents there was.
func drop(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{ReadBufferSize: 4 << 10, WriteBufferSize: 4 << 10} // as the agent's
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	room := make([]byte, 1<<20)
	for got, told := int64(0), int64(0); ; {
		_, m, err := c.NextReader()
		if err != nil {
			return
		}
		for got -= 12; err == nil; { // the head of a message
			var n int
			n, err = m.Read(room)
			if got += int64(n); got-told >= 1<<20 || err != nil {
				told = got
				c.WriteMessage(websocket.TextMessage, strconv.AppendInt(nil, got, 10))
			}
		}
	}
}

// sent lets a new browser send the file one way.
func (t *streamWork) sent(ctx context.Context, way, file string) (s stages, err error) {
	_, port, err := net.SplitHostPort(t.s.web)
	if err != nil {
		return s, err
	}
	number, _ := strconv.Atoi(port)
	order, err := json.Marshal(map[string]any{"way": way, "site": t.origin, "port": number, "file": file, "host": t.s.program})
	if err != nil {
		return s, err
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, "node", filepath.Join(t.tree, "browserext/test/long/send.mjs"), string(order))
	cmd.Env, cmd.Stdout, cmd.Stderr = append(t.s.env, "TMPDIR="+t.dir), &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	before := cpuTime(t.s.pid)
	if err := cmd.Run(); err != nil {
		return s, fmt.Errorf("%s: %w: %s%s", way, err, errs.String(), t.s.log.String())
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return s, fmt.Errorf("%s: %q: %w", way, out.String(), err)
	}
	s.sessionCPU = cpuTime(t.s.pid) - before
	s.browserCPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return s, nil
}

// hashOnly hashes a file once.
func hashOnly(args ...string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	h := algo.Streebog256.New()
	_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 256<<10))
	h.Sum(nil)
	return err
}

// spool writes a copy of a file as the session's store does, and removes it.
func spool(args ...string) error {
	from, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(args[1])
	if err != nil {
		return err
	}
	defer os.Remove(args[1])
	defer to.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 1<<20))
	return err
}
