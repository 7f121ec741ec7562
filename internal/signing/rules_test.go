// SPDX-License-Identifier: GPL-3.0-or-later

package signing_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// ruledBy is a bench under rules, whose person knows the PIN.
func ruledBy(t *testing.T, withheld []proto.Right, limits ...signing.Limit) *bench {
	t.Helper()
	b := newBench(t, &person{decide: yes})
	for range 64 {
		b.person.pins = append(b.person.pins, keyfile.DemoPIN)
	}
	b.rule(t, withheld, limits...)
	return b
}

// rule makes the bench's engine anew, as a session does that starts.
func (b *bench) rule(t *testing.T, withheld []proto.Right, limits ...signing.Limit) {
	t.Helper()
	j, err := journal.Open(b.journal)
	if err != nil {
		t.Fatal(err)
	}
	store, err := signing.NewStore(t.TempDir(), signing.BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	b.Engine = signing.New(b.demo, b.person, j, signing.Options{Store: store, Rules: signing.NewRules(withheld, limits, b.journal)})
}

func (b *bench) signsOne(t *testing.T, who signing.Caller) error {
	t.Helper()
	r := signing.CMSRequest{Certificate: b.p256(t), Content: b.content(t, "text")}
	_, err := b.SignCMS(context.Background(), who, r, io.Discard)
	return err
}

func anybody(string, string) bool { return true }

// TestRulesSideBySide: requests that come at once do not share what is left.
func TestRulesSideBySide(t *testing.T) {
	b := ruledBy(t, nil, signing.Limit{Covers: anybody, PerDay: 5})
	var wg sync.WaitGroup
	var good, over atomic.Int32
	for range 12 {
		wg.Go(func() {
			switch err := b.signsOne(t, page); {
			case err == nil:
				good.Add(1)
			case errors.Is(err, proto.CodeLimitReached):
				over.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if good.Load() != 5 || over.Load() != 7 {
		t.Errorf("%d signed, %d refused", good.Load(), over.Load())
	}
}

// TestRulesCount: a refusal by the person takes nothing; a restart forgets nothing; a test signature and another site do not count.
func TestRulesCount(t *testing.T) {
	limit := signing.Limit{Covers: func(origin, _ string) bool { return origin == page.Origin }, PerHour: 2}
	b := ruledBy(t, nil, limit)
	b.person.decide = no
	for range 2 {
		if err := b.signsOne(t, page); !errors.Is(err, proto.CodeUserRejected) {
			t.Fatal(err)
		}
	}
	b.person.decide = yes
	if _, err := b.Test(context.Background(), page, b.p256(t)); err != nil {
		t.Fatal(err)
	}
	if err := b.signsOne(t, page); err != nil {
		t.Fatal(err)
	}
	b.rule(t, nil, limit)
	if err := b.signsOne(t, page); err != nil {
		t.Fatal(err)
	}
	asked := len(b.person.asked)
	if err := b.signsOne(t, page); !errors.Is(err, proto.CodeLimitReached) || len(b.person.asked) != asked {
		t.Errorf("the third: %v", err)
	}
	other := page
	other.Origin = "https://other.example"
	if err := b.signsOne(t, other); err != nil {
		t.Errorf("another site: %v", err)
	}
}

// TestRulesDamagedJournal: what cannot be counted is not signed.
func TestRulesDamagedJournal(t *testing.T) {
	limit := signing.Limit{Covers: anybody, PerHour: 100}
	b := ruledBy(t, nil, limit)
	if err := b.signsOne(t, page); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(b.journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.journal, bytes.Replace(data, []byte("letter"), []byte("Letter"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	b.rule(t, nil, limit)
	if err := b.signsOne(t, page); !errors.Is(err, proto.CodeJournalDamaged) {
		t.Errorf("%v", err)
	}
}

// TestRulesRights: without the right nobody is asked, for a signature, a test, a login or a choice.
func TestRulesRights(t *testing.T) {
	b := ruledBy(t, []proto.Right{proto.RightApprove})
	id := b.p256(t)
	_, test := b.Test(context.Background(), page, id)
	_, choice := b.Choose(context.Background(), page, signing.SelectRequest{Purpose: signing.KindSign})
	_, batch := b.SignBatch(context.Background(), page, b.batch(t, "one", "two"), func(signing.BatchSigned) {})
	for what, err := range map[string]error{"signature": b.signsOne(t, page), "test": test, "choice": choice, "batch": batch} {
		if !errors.Is(err, proto.CodeRightMissing) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := len(b.person.asked); n != 0 {
		t.Errorf("asked %d times", n)
	}
	b.rule(t, []proto.Right{proto.RightHidden})
	if err := b.signsOne(t, page); err != nil {
		t.Errorf("a document that can be shown: %v", err)
	}
	hidden := b.digests(t, 1)
	if _, err := b.SignBatch(context.Background(), page, hidden, func(signing.BatchSigned) {}); !errors.Is(err, proto.CodeRightMissing) {
		t.Errorf("a digest: %v", err)
	}
}

// TestWait: policy says how long a window waits.
func TestWait(t *testing.T) {
	b := ruledBy(t, nil)
	store, err := signing.NewStore(t.TempDir(), signing.BatchLimits)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(b.journal)
	if err != nil {
		t.Fatal(err)
	}
	b.person.decide = func(ctx context.Context, _ signing.Question) (signing.Decision, error) {
		<-ctx.Done()
		return signing.Decision{}, ctx.Err()
	}
	b.Engine = signing.New(b.demo, b.person, j, signing.Options{Store: store, Wait: 20 * time.Millisecond})
	if err := b.signsOne(t, page); !errors.Is(err, proto.CodeUserTimeout) {
		t.Errorf("%v", err)
	}
}
