// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/ipc"
	"persten/internal/signing"
	"persten/proto"
)

const batchAbout = `A program of the user asks a session for CMS signatures of 1,000 ready digests (sign.batch over the user socket), which policy
grants. The time is from the request to the answer: login, journal, C_Sign in the module's process, verification of every
signature with the certificate's key, encoding, 1,000 notifications with a signature each, logout; the program only takes the messages. Beside it, in turn, a C
program repeats C_SignInit and C_Sign with the same key in one session, without login and without anything else. Both use the
machine's processors as they like: the C program one, Persten as many as there are. Processor time is of session and module, per signature.`

// batchTargets are shares of the C program's rate.
var batchTargets = map[string]float64{"rsa2048": 90, "p256": 40, "gost256": 90}

func batchPlan(ctx context.Context, w *workbench) (*plan, error) {
	keys, missing, err := w.hsmKeys(ctx)
	if err != nil {
		return nil, err
	}
	program, err := w.compile(ctx, "p11many.c", "-ldl")
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
	p := &plan{about: batchAbout, versions: []string{ourVersion(), "SoftHSM " + says(ctx, "softhsm2-util", "--version")}}
	if missing != nil {
		p.about += "\n\nNOT RUN: " + missing.Error() + "."
	}
	p.experiments = []experiment{{"A batch of 1,000 digests", func(ctx context.Context, rounds int) (*table, error) {
		return batchTable(ctx, s, program, keys, rounds)
	}}}
	return p, nil
}

// batchTurn is one turn of both contestants with one key.
type batchTurn struct{ raw, batch, first, cpu time.Duration }

func batchTable(ctx context.Context, s *session, program string, keys []hsmKey, rounds int) (*table, error) {
	t := &table{head: []string{"", "C program, a second", "Persten, a second", "share", "first signature after", "processor time"}}
	turns := map[string][]batchTurn{}
	var contests []*batchContest
	for _, k := range keys {
		c, err := newBatchContest(ctx, s, program, k)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.name, err)
		}
		defer c.conn.Close()
		contests = append(contests, c)
	}
	for range rounds {
		for _, c := range contests {
			turn, err := c.turn(ctx)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.k.name, err)
			}
			turns[c.k.kind] = append(turns[c.k.kind], turn)
		}
	}
	for _, k := range keys {
		t.addBatch(k, turns[k.kind])
	}
	return t, nil
}

// addBatch adds a key's row. The share is the median of the rounds' shares, since both ran one after the other in each.
func (t *table) addBatch(k hsmKey, turns []batchTurn) {
	mid := func(of func(batchTurn) time.Duration) time.Duration { return median(turns, of) }
	rate := func(d time.Duration) string { return strconv.Itoa(int(signing.MaxBatch / d.Seconds())) }
	share := 100 * median(turns, func(b batchTurn) float64 { return b.raw.Seconds() / b.batch.Seconds() })
	t.rows = append(t.rows, []string{
		k.name, rate(mid(func(b batchTurn) time.Duration { return b.raw })), rate(mid(func(b batchTurn) time.Duration { return b.batch })),
		fmt.Sprintf("%.0f %%", share), inMillis(mid(func(b batchTurn) time.Duration { return b.first })),
		fmt.Sprintf("%d µs", mid(func(b batchTurn) time.Duration { return b.cpu }).Microseconds()/signing.MaxBatch),
	})
	t.targets = append(t.targets, target{what: k.name + ", share of the C program's rate", got: share, bar: batchTargets[k.kind], unit: "%"})
}

// batchContest is the two who take turns with one key.
type batchContest struct {
	s       *session
	k       hsmKey
	program string
	conn    ipc.Conn
	request []byte
}

// batchGot is what came for one batch.
type batchGot struct {
	took, first time.Duration
	notes       [][]byte
	answer      []byte
}

// newBatchContest connects and signs one batch, of which some signatures are verified.
func newBatchContest(ctx context.Context, s *session, program string, k hsmKey) (*batchContest, error) {
	c := &batchContest{s: s, k: k, program: program}
	a, _ := algo.Lookup(k.algorithm)
	params := proto.SignBatchParams{Certificate: k.certificate.ID()}
	for i := range signing.MaxBatch {
		digest := hex.EncodeToString(a.Digest.Sum(batchDocument(i)))
		params.Items = append(params.Items, proto.BatchItem{Content: proto.BatchContent{Digest: digest}})
	}
	var err error
	if c.request, err = json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": proto.MethodSignBatch, "params": params}); err != nil {
		return nil, err
	}
	if c.conn, err = ipc.DialUser(ctx, s.socket); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.conn.Close() })
	hello, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": proto.MethodAgentHello, "params": proto.AgentHelloParams{Protocol: proto.Protocol, Client: "persten bench"},
	})
	if err != nil {
		return nil, err
	}
	if _, err := c.exchange(hello); err != nil {
		return nil, err
	}
	got, err := c.exchange(c.request)
	if err != nil {
		return nil, err
	}
	return c, got.verify(ctx)
}

// exchange sends a request and takes what comes until its answer. It does not read the messages: the time is the session's.
func (c *batchContest) exchange(request []byte) (got batchGot, err error) {
	began := time.Now()
	if err := c.conn.Send(request); err != nil {
		return got, err
	}
	for {
		msg, err := c.conn.Recv()
		if err != nil {
			return got, err
		}
		if bytes.HasPrefix(msg, []byte(`{"jsonrpc":"2.0","id":`)) {
			got.took, got.answer = time.Since(began), msg
			return got, nil
		}
		if got.notes == nil {
			got.first = time.Since(began)
		}
		got.notes = append(got.notes, msg)
	}
}

// signatures reads what came, and fails unless everything was signed.
func (g batchGot) signatures() (list []proto.BatchItemParams, err error) {
	var answer struct {
		Result proto.SignBatchResult `json:"result"`
	}
	if err := json.Unmarshal(g.answer, &answer); err != nil {
		return nil, err
	}
	for _, msg := range g.notes {
		var note struct {
			Method string                `json:"method"`
			Params proto.BatchItemParams `json:"params"`
		}
		if err := json.Unmarshal(msg, &note); note.Method == proto.NotifyBatchItem && err == nil && note.Params.Signature != nil {
			list = append(list, note.Params)
		}
	}
	if len(list) != signing.MaxBatch || answer.Result.Signed != len(list) || answer.Result.Stopped != nil {
		return nil, fmt.Errorf("%d signatures came; the session says %.300s", len(list), g.answer)
	}
	return list, nil
}

func (g batchGot) verify(ctx context.Context) error {
	list, err := g.signatures()
	for n := 0; n < len(list); n += 100 {
		p := list[n]
		r, err := cms.Verify(ctx, bytes.NewReader(p.Signature.Inline), bytes.NewReader(batchDocument(p.Index)), cert.Trust{})
		if err != nil || len(r.Signers) != 1 || !r.Signers[0].Valid {
			return fmt.Errorf("the signature of item %d does not verify: %w", p.Index, err)
		}
	}
	return err
}

func batchDocument(i int) []byte { return []byte("document " + strconv.Itoa(i)) }

func (c *batchContest) turn(ctx context.Context) (t batchTurn, err error) {
	if t.raw, err = c.raw(ctx); err != nil {
		return t, err
	}
	used := c.cpu()
	got, err := c.exchange(c.request)
	if err != nil {
		return t, err
	}
	t.batch, t.first, t.cpu = got.took, got.first, c.cpu()-used
	_, err = got.signatures()
	return t, err
}

func (c *batchContest) cpu() (sum time.Duration) {
	for _, pid := range family(c.s.pid) {
		sum += cpuTime(pid)
	}
	return sum
}

// raw is the C program's time.
func (c *batchContest) raw(ctx context.Context) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, c.program, c.k.module, c.k.label, c.k.pin, c.k.id, c.k.mechanism, strings.Repeat("5a", 32), strconv.Itoa(signing.MaxBatch))
	cmd.Env, cmd.Stdin = append(os.Environ(), "SOFTHSM2_CONF="+c.k.conf), strings.NewReader("\n")
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return 0, fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		return 0, err
	}
	took, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return time.Duration(took), err
}
