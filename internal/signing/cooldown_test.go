// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/signing"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// from signs as a site, or as a program of the person's own when origin is empty.
func (b *bench) from(t *testing.T, origin string) error {
	who := page
	who.Origin = origin
	if origin == "" {
		who.Via = signing.ViaSocket
	}
	var out bytes.Buffer
	_, err := b.SignCMS(t.Context(), who, signing.CMSRequest{Certificate: b.keys(t)[0].ID(), Content: b.content(t, "x")}, &out)
	return err
}

// Three refusals in a row, and the site is not shown for a minute; the journal knows. Others are, and so is it afterwards.
func TestCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &person{decide: no}
		b := newBench(t, p)
		const site, other = "https://portal.example", "https://other.example"
		for range 3 {
			if err := b.from(t, site); !errors.Is(err, proto.CodeUserRejected) {
				t.Fatal(err)
			}
		}
		time.Sleep(1500 * time.Millisecond)
		err := b.from(t, site)
		if e := proto.AsError(err); e.Code != proto.CodeOriginCooldown || e.Args["seconds"] != "59" || e.Args["origin"] != site {
			t.Errorf("%v %v", err, e.Args)
		}
		if n := len(p.asked); n != 3 {
			t.Errorf("asked %d times", n)
		}
		for _, exempt := range []string{other, "", "", "", ""} {
			if err := b.from(t, exempt); !errors.Is(err, proto.CodeUserRejected) {
				t.Errorf("%q: %v", exempt, err)
			}
		}
		if r := b.records(t); !slices.Contains(r, "note cooldown origin_cooldown") {
			t.Errorf("journal: %q", r)
		}
		time.Sleep(time.Minute)
		if err := b.from(t, site); !errors.Is(err, proto.CodeUserRejected) {
			t.Errorf("after the time: %v", err)
		}
		if err := b.from(t, site); !errors.Is(err, proto.CodeOriginCooldown) {
			t.Errorf("one more refusal: %v", err)
		}
		b.idle(t)
	})
}

// A yes between refusals, or a long time, is no row.
func TestNoCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		p := &person{decide: func(context.Context, signing.Question) (signing.Decision, error) {
			return signing.Decision{Approved: n.Add(1)%3 == 0}, nil
		}}
		b := newBench(t, p)
		for range 12 {
			p.pins = []string{keyfile.DemoPIN}
			if err := b.from(t, page.Origin); errors.Is(err, proto.CodeOriginCooldown) {
				t.Fatal(err)
			}
		}
		p.decide = no
		for range 6 {
			time.Sleep(11 * time.Minute)
			if err := b.from(t, page.Origin); !errors.Is(err, proto.CodeUserRejected) {
				t.Fatal(err)
			}
		}
	})
}

// What waits behind the third refusal is not shown either.
func TestCooldownEmptiesQueue(t *testing.T) {
	p := &person{decide: func(context.Context, signing.Question) (signing.Decision, error) {
		time.Sleep(20 * time.Millisecond) // the others come meanwhile
		return signing.Decision{}, nil
	}}
	b := newBench(t, p)
	counts := map[proto.Code]int{}
	for code := range b.crowd(t, page.Origin, 16) {
		counts[code]++
	}
	if len(p.asked) != 3 || counts[proto.CodeUserRejected] != 3 || counts[proto.CodeOriginCooldown] != 13 {
		t.Errorf("asked %d times; %v", len(p.asked), counts)
	}
	b.idle(t)
}

// crowd makes n requests of one site at once and gives their codes as they end.
func (b *bench) crowd(t *testing.T, origin string, n int) <-chan proto.Code {
	codes := make(chan proto.Code, n)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { codes <- codeOf(b.from(t, origin)) })
	}
	go func() { wg.Wait(); close(codes) }()
	return codes
}

// A thousand requests of one site are one window, and hold up nobody else.
func TestCrowdOfOneSite(t *testing.T) {
	const loud, quiet = "https://loud.example", "https://quiet.example"
	var open, most atomic.Int64
	release := make(chan struct{})
	p := &person{decide: func(_ context.Context, q signing.Question) (signing.Decision, error) {
		if q.Origin == loud {
			most.Store(max(most.Load(), open.Add(1)))
			<-release
			open.Add(-1)
		}
		return signing.Decision{Approved: true}, nil
	}}
	for range 1000 {
		p.pins = append(p.pins, keyfile.DemoPIN)
	}
	b := newBench(t, p)
	codes := b.crowd(t, loud, 1000)
	counts := map[proto.Code]int{}
	for range 1000 - 17 { // one is shown and sixteen wait
		counts[<-codes]++
	}
	for n := range 3 {
		began := time.Now()
		if err := b.from(t, fmt.Sprint(quiet, n)); err != nil || time.Since(began) > time.Second {
			t.Errorf("another site: %v after %v", err, time.Since(began))
		}
	}
	if counts[proto.CodeRequestLimit] != 1000-17 || most.Load() != 1 {
		t.Errorf("%v, %d windows at once", counts, most.Load())
	}
	close(release)
	for code := range codes {
		if code != "" {
			counts[code]++
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d windows at once", most.Load())
	}
	b.idle(t)
}

func codeOf(err error) proto.Code {
	if err == nil {
		return ""
	}
	return proto.AsError(err).Code
}
