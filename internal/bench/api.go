// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/rpc"
	"persten/proto"
)

// The measures of one signature over the API.
const (
	apiDocument = 1 << 10
	apiTurns    = 40 // of one round
	apiWarmUp   = 3
	apiAllowed  = 400 * time.Microsecond // beyond what the parts take
)

// apiPlan lets a session sign one small document at a time, as policy grants, for a program of its user and for a page. Beside
// it run the parts that cannot be saved: the same key used by a C program, the journal's two fsyncs, one verification.
func apiPlan(ctx context.Context, w *workbench) (*plan, error) {
	keys, missing, err := w.hsmKeys(ctx)
	if err != nil {
		return nil, err
	}
	program, err := w.compile(ctx, "p11once.c", "-ldl")
	if err != nil {
		return nil, err
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	s, err := w.session(ctx, apiSetting(w, keys, me.Username))
	if err != nil {
		return nil, err
	}
	p := &plan{about: "One detached CMS signature of a document of 1 KiB, from request to answer, as policy grants it: without a person, with " +
		"the login before and the logout after it. The target is the sum of what cannot be saved, measured in turn with it, and 0.4 ms: a C " +
		"program that uses the same key (C_OpenSession, C_Login, the search for the key, C_SignInit, C_Sign, C_Logout, C_CloseSession), two " +
		"fsyncs of as many bytes as the journal's lines have, on the same disk, and one verification."}
	if missing != nil {
		p.about += " NOT RUN: " + missing.Error() + "."
	}
	out, err := exec.CommandContext(ctx, "softhsm2-util", "--version").Output()
	if err != nil {
		return nil, err
	}
	p.versions = []string{"SoftHSM2 " + strings.TrimSpace(string(out))}
	p.experiments = []experiment{{"p50 of one signature", func(ctx context.Context, rounds int) (*table, error) {
		return apiTable(ctx, s, program, keys, rounds*apiTurns)
	}}}
	return p, nil
}

// apiSetting grants every key to the user and to a site of its own, since sites are limited in what they may ask for.
func apiSetting(w *workbench, keys []hsmKey, name string) setting {
	pin := w.path("pin")
	o := setting{env: []string{"SOFTHSM2_CONF=" + keys[0].conf}}
	var sites []string
	for _, k := range keys {
		if k.label == gostLabel {
			o.config = fmt.Sprintf("[[module]]\nname = \"softhsm-gost\"\npath = %q\n", k.module)
		}
		sites = append(sites, fmt.Sprintf("%q", k.site()))
		for _, who := range []string{fmt.Sprintf("user = %q", name), fmt.Sprintf("origin = %q", k.site())} {
			o.policy += fmt.Sprintf("[[unattended]]\n%s\ncertificate = %q\nper_hour = 1000000\npin_file = %q\n", who, k.certificate.ID(), pin)
		}
		os.WriteFile(pin, []byte(k.pin+"\n"), 0o600)
	}
	o.policy = "[origins]\nallow = [" + strings.Join(sites, ", ") + "]\n" + o.policy
	return o
}

func (k hsmKey) site() string { return "https://" + k.kind + ".example" }

// apiTurn is one turn of all contestants with one key.
type apiTurn struct {
	raw, search, login time.Duration // the C program: all its calls, and some of them
	fsyncs, verify     time.Duration
	empty              time.Duration // a call on the user socket that does nothing
	socket, web        time.Duration
}

func apiTable(ctx context.Context, s *session, program string, keys []hsmKey, turns int) (*table, error) {
	t := &table{head: []string{"", "C program", "of it login", "search", "fsyncs", "verification", "at most", "user socket", "p95", "WebSocket", "p95", "empty call"}}
	for _, k := range keys {
		list, err := apiKey(ctx, s, program, k, turns)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		t.add(k, list)
	}
	t.notes = append(t.notes, fmt.Sprintf("%d turns for each key; figures are p50 unless they say p95. The empty call is agent.hello on the user socket: "+
		"what it costs to wake another process and get an answer. A signature needs three such ways: from the caller to the session, and "+
		"from there to the module twice, for the login and for the signature with the logout.", turns))
	return t, nil
}

func (t *table) add(k hsmKey, list []apiTurn) {
	mid := func(of func(apiTurn) time.Duration) time.Duration { return median(list, of) }
	raw, fsyncs, verify := mid(func(a apiTurn) time.Duration { return a.raw }), mid(func(a apiTurn) time.Duration { return a.fsyncs }),
		mid(func(a apiTurn) time.Duration { return a.verify })
	bar := raw + fsyncs + verify + apiAllowed
	row := []string{
		k.name, inMillis(raw), inMillis(mid(func(a apiTurn) time.Duration { return a.login })),
		inMillis(mid(func(a apiTurn) time.Duration { return a.search })), inMillis(fsyncs), inMillis(verify), inMillis(bar),
	}
	for _, way := range []struct {
		name string
		of   func(apiTurn) time.Duration
	}{
		{"the user socket", func(a apiTurn) time.Duration { return a.socket }},
		{"WebSocket", func(a apiTurn) time.Duration { return a.web }},
	} {
		row = append(row, inMillis(mid(way.of)), inMillis(percentile(list, 95, way.of)))
		t.targets = append(t.targets, target{
			what: k.name + " over " + way.name, got: mid(way.of).Seconds() * 1e3, bar: bar.Seconds() * 1e3, atMost: true, unit: "ms",
		})
	}
	t.rows = append(t.rows, append(row, inMillis(mid(func(a apiTurn) time.Duration { return a.empty }))))
}

func inMillis(d time.Duration) string { return fmt.Sprintf("%.2f ms", d.Seconds()*1e3) }

// apiKey measures one key.
func apiKey(ctx context.Context, s *session, program string, k hsmKey, turns int) ([]apiTurn, error) {
	c, err := newAPIContest(ctx, s, program, k)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var list []apiTurn
	for n := range apiWarmUp + turns {
		t, err := c.turn(ctx)
		if err != nil {
			return nil, err
		}
		if n >= apiWarmUp {
			list = append(list, t)
		}
	}
	return list, nil
}

// apiContest is everything that takes turns with one key.
type apiContest struct {
	k           hsmKey
	socket, web *rpc.Conn
	document    []byte

	peer   *exec.Cmd
	ask    io.WriteCloser
	answer *bufio.Reader

	disk  *os.File
	lines [2][]byte // of the journal
	at    int64

	public algo.PublicKey // of a key of the same kind, with a signature of its own
	in     algo.Input
	sig    []byte
}

func newAPIContest(ctx context.Context, s *session, program string, k hsmKey) (c *apiContest, err error) {
	c = &apiContest{k: k, document: make([]byte, apiDocument)}
	rand.Read(c.document)
	if c.socket, err = s.dial(ctx, nil); err != nil {
		return nil, err
	}
	if c.web, err = s.dialWeb(ctx, k.site(), nil); err != nil {
		return nil, err
	}
	for _, conn := range []*rpc.Conn{c.socket, c.web} {
		if err := c.agrees(ctx, conn); err != nil {
			return nil, err
		}
	}
	for _, begin := range []func() error{
		func() error { return c.startPeer(ctx, program) }, func() error { return c.openDisk(s) }, c.makeSignature,
	} {
		if err := begin(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *apiContest) close() {
	c.socket.Close()
	c.web.Close()
	c.disk.Close()
	c.ask.Close()
	c.peer.Wait()
}

// agrees signs once and verifies what came.
func (c *apiContest) agrees(ctx context.Context, conn *rpc.Conn) error {
	signature, err := c.sign(ctx, conn)
	if err != nil {
		return err
	}
	r, err := cms.Verify(ctx, bytes.NewReader(signature), bytes.NewReader(c.document), cert.Trust{})
	if err != nil {
		return err
	}
	if len(r.Signers) != 1 || !r.Signers[0].Valid || r.Signers[0].Certificate.ID() != c.k.certificate.ID() {
		return errors.New("the signature over the API does not verify")
	}
	return nil
}

func (c *apiContest) sign(ctx context.Context, conn *rpc.Conn) ([]byte, error) {
	var r proto.SignCMSResult
	err := conn.Call(ctx, proto.MethodSignCMS, proto.SignCMSParams{
		Certificate: c.k.certificate.ID(), Content: &proto.Content{Inline: c.document}, Name: "order.txt",
	}, &r)
	return r.Signature.Inline, err
}

func (c *apiContest) startPeer(ctx context.Context, program string) (err error) {
	digest := make([]byte, 32)
	rand.Read(digest)
	c.peer = exec.CommandContext(ctx, program, c.k.module, c.k.label, c.k.pin, c.k.id, c.k.mechanism, hex.EncodeToString(digest))
	c.peer.Env, c.peer.Stderr = append(os.Environ(), "SOFTHSM2_CONF="+c.k.conf), os.Stderr
	if c.ask, err = c.peer.StdinPipe(); err != nil {
		return err
	}
	out, err := c.peer.StdoutPipe()
	if err != nil {
		return err
	}
	c.answer = bufio.NewReader(out)
	return c.peer.Start()
}

// openDisk makes a file beside the journal and takes the lines that a signature writes from there.
func (c *apiContest) openDisk(s *session) (err error) {
	found, err := filepath.Glob(s.path("state/*/journal.jsonl"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("journals in %s: %q, %w", s.path("state"), found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines) < 3 {
		return fmt.Errorf("journal of %d lines", len(lines))
	}
	c.lines = [2][]byte(lines[len(lines)-3 : len(lines)-1])
	c.disk, err = os.Create(filepath.Join(filepath.Dir(found[0]), "bench-"+c.k.kind))
	return err
}

func (c *apiContest) makeSignature() error {
	key, err := algo.GenerateKey(c.k.kind)
	if err != nil {
		return err
	}
	defer key.Wipe()
	a, _ := algo.Lookup(c.k.algorithm)
	c.public, c.in = key.Public(), algo.Input{Message: c.document, Digest: a.Digest.Sum(c.document)}
	c.sig, err = key.Sign(rand.Reader, c.k.algorithm, c.in)
	return err
}

// turn lets everybody do their work once.
func (c *apiContest) turn(ctx context.Context) (t apiTurn, err error) {
	for _, part := range []struct {
		took *time.Duration
		do   func() error
	}{
		{new(time.Duration), func() error { return c.raw(&t) }},
		{&t.socket, func() error { _, err := c.sign(ctx, c.socket); return err }},
		{&t.fsyncs, c.write},
		{&t.empty, func() error { return c.hello(ctx) }},
		{&t.verify, func() error { return c.public.Verify(c.k.algorithm, c.in, c.sig) }},
		{&t.web, func() error { _, err := c.sign(ctx, c.web); return err }},
	} {
		began := time.Now()
		if err := part.do(); err != nil {
			return t, err
		}
		*part.took = time.Since(began)
	}
	return t, nil
}

// raw lets the C program sign; it has its own clock.
func (c *apiContest) raw(t *apiTurn) error {
	if _, err := io.WriteString(c.ask, "\n"); err != nil {
		return err
	}
	var sig string
	_, err := fmt.Fscan(c.answer, &t.raw, &t.search, &t.login, &sig)
	return err
}

func (c *apiContest) hello(ctx context.Context) error {
	return c.socket.Call(ctx, proto.MethodAgentHello, proto.AgentHelloParams{Protocol: proto.Protocol, Client: "persten bench"}, nil)
}

func (c *apiContest) write() error {
	for _, line := range c.lines {
		n, err := c.disk.WriteAt(line, c.at)
		if err == nil {
			err = c.disk.Sync()
		}
		if err != nil {
			return err
		}
		c.at += int64(n)
	}
	return nil
}
