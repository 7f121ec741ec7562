// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
)

const listingAbout = `Three tokens of SoftHSM2 hold a hundred certificates each, with their P-256 key pairs; %d further modules of this machine
are asked too and have none. A new session is started for each round; its first listing is asked for as soon as it says that
it is ready and goes through the module's child process, the second comes right after it, the third asks the tokens again.
Persten also parses and judges every certificate and reads the public keys to say which certificates can sign. The program in C calls the
module in its own process and reads id, label and value of every certificate. pkcs11-tool lists one token per call, so it
runs three times.`

// listingWork is the tokens and who lists them.
type listingWork struct {
	*workbench
	tokens, each         int
	module, conf, driver string
}

func listingPlan(ctx context.Context, w *workbench) (*plan, error) {
	l := &listingWork{workbench: w, tokens: 3, each: 100}
	if err := l.fill(ctx); err != nil {
		return nil, err
	}
	s, err := w.session(ctx, setting{env: l.env()})
	if err != nil {
		return nil, err
	}
	defer s.stop()
	if _, err := l.listed(ctx, s, false); err != nil {
		return nil, err
	}
	return &plan{
		about:    fmt.Sprintf(listingAbout, len(family(s.pid))-2),
		versions: []string{ourVersion(), "SoftHSM " + says(ctx, "softhsm2-util", "--version"), "OpenSC " + packageVersion(ctx, "opensc")},
		experiments: []experiment{{
			fmt.Sprintf("Listing %d × %d certificates", l.tokens, l.each), l.measure,
		}},
	}, nil
}

func packageVersion(ctx context.Context, name string) string {
	version, err := output(ctx, "dpkg-query", "-W", "-f", "${Version}", name)
	if err != nil {
		return "of unknown version"
	}
	return version
}

func (l *listingWork) env() []string { return []string{"SOFTHSM2_CONF=" + l.conf} }

func listingLabel(token int) string { return fmt.Sprintf("listing-%d", token) }

// fill makes the tokens.
func (l *listingWork) fill(ctx context.Context) (err error) {
	if l.module = tokentest.SoftHSMModule(); l.module == "" {
		return fmt.Errorf("%w: installer/deps.sh build test", tokentest.ErrNoSoftHSM)
	}
	if l.driver, err = l.compile(ctx, "p11list.c", "pkcs11"); err != nil {
		return err
	}
	l.conf = l.path("listing.conf")
	store := l.path("listing")
	text := "directories.tokendir = " + store + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(l.conf, []byte(text), 0o600); err != nil {
		return err
	}
	if err := os.Mkdir(store, 0o700); err != nil {
		return err
	}
	var objects bytes.Buffer
	for i := range l.tokens {
		if _, err := l.output(ctx, "softhsm2-util", "--init-token", "--free", "--label", listingLabel(i), "--pin", tokentest.SoftHSMPIN, "--so-pin", "00000000"); err != nil {
			return err
		}
		if err := writeObjects(&objects, i, l.each); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, l.driver, "fill", l.module, tokentest.SoftHSMPIN)
	cmd.Env, cmd.Stdin = append(os.Environ(), l.env()...), &objects
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fill tokens: %w: %s", err, out)
	}
	return nil
}

// writeObjects writes lines as peer/p11list.c reads them.
func writeObjects(b *bytes.Buffer, token, count int) error {
	curve, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	if err != nil {
		return err
	}
	for i := range count {
		p, err := newPerson(token*count + i + 1)
		if err != nil {
			return err
		}
		point, err := p.key.PublicKey.Bytes()
		if err != nil {
			return err
		}
		octets, err := asn1.Marshal(point)
		if err != nil {
			return err
		}
		secret, err := p.key.Bytes()
		if err != nil {
			return err
		}
		id := big.NewInt(int64(1<<32 + token<<16 + i)).Bytes()
		fmt.Fprintf(b, "%s %x %x %x %x %x\n", listingLabel(token), id, p.cert, curve, octets, secret)
	}
	return nil
}

// output runs a program that sees the tokens.
func (l *listingWork) output(ctx context.Context, program string, args ...string) (string, error) {
	return output(ctx, "env", append([]string{l.env()[0], program}, args...)...)
}

// listingRound is the times of one round.
type listingRound struct {
	first, second, again, raw, rawSecond, tool, command time.Duration
}

func (l *listingWork) measure(ctx context.Context, rounds int) (*table, error) {
	var all []listingRound
	for range rounds {
		var r listingRound
		for _, step := range []func(context.Context, *listingRound) error{l.ours, l.raw, l.tool} {
			if err := step(ctx, &r); err != nil {
				return nil, err
			}
		}
		all = append(all, r)
	}
	of := func(f func(listingRound) time.Duration) string { return duration(median(all, f)) }
	return &table{
		head: []string{"", "first", "second", "asking the tokens again"},
		rows: [][]string{
			{"Persten, certificates.list on the user socket", of(func(r listingRound) time.Duration { return r.first }),
				of(func(r listingRound) time.Duration { return r.second }), of(func(r listingRound) time.Duration { return r.again })},
			{"Persten, `persten certs --json` as a process, after that", of(func(r listingRound) time.Duration { return r.command }), "", ""},
			{"the module called from C, in one process", of(func(r listingRound) time.Duration { return r.raw }), "",
				of(func(r listingRound) time.Duration { return r.rawSecond })},
			{"pkcs11-tool --list-objects --type cert, three processes", of(func(r listingRound) time.Duration { return r.tool }), "", ""},
		},
	}, nil
}

// ours measures a new session.
func (l *listingWork) ours(ctx context.Context, r *listingRound) (err error) {
	s, err := l.session(ctx, setting{env: l.env()})
	if err != nil {
		return err
	}
	defer s.stop()
	for _, step := range []struct {
		to      *time.Duration
		refresh bool
	}{{&r.first, false}, {&r.second, false}, {&r.again, true}} {
		if *step.to, err = l.listed(ctx, s, step.refresh); err != nil {
			return err
		}
	}
	began := time.Now()
	text, err := s.command(ctx, "certs", "--json").Output()
	if err != nil {
		return fmt.Errorf("persten certs: %w", err)
	}
	r.command = time.Since(began)
	var list proto.CertificatesListResult
	if err := json.Unmarshal(text, &list); err != nil || len(list.Certificates) != l.tokens*l.each {
		return fmt.Errorf("persten certs shows %d certificates: %w", len(list.Certificates), err)
	}
	return nil
}

// listed is how long the session takes to list.
func (l *listingWork) listed(ctx context.Context, s *session, refresh bool) (time.Duration, error) {
	conn, err := s.dial(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	began := time.Now()
	var list proto.CertificatesListResult
	err = conn.Call(ctx, proto.MethodCertificatesList, proto.CertificatesListParams{Refresh: refresh}, &list)
	took := time.Since(began)
	if err == nil && len(list.Certificates) != l.tokens*l.each {
		err = fmt.Errorf("the session lists %d certificates; problems: %v", len(list.Certificates), list.Problems)
	}
	return took, err
}

func (l *listingWork) raw(ctx context.Context, r *listingRound) error {
	text, err := l.output(ctx, l.driver, "list", l.module)
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(text, &n, &r.raw, &r.rawSecond); err != nil || n != l.tokens*l.each {
		return fmt.Errorf("p11list: %q", text)
	}
	return nil
}

func (l *listingWork) tool(ctx context.Context, r *listingRound) error {
	began, n := time.Now(), 0
	for i := range l.tokens {
		text, err := l.output(ctx, "pkcs11-tool", "--module", l.module, "--token-label", listingLabel(i), "--list-objects", "--type", "cert")
		if err != nil {
			return err
		}
		n += strings.Count(text, "Certificate Object;")
	}
	r.tool = time.Since(began)
	if n != l.tokens*l.each {
		return fmt.Errorf("pkcs11-tool lists %d certificates", n)
	}
	return nil
}
