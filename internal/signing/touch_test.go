// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/algo"
	"persten/internal/token"
)

// fingerSession signs when somebody has touched it, after a while.
type fingerSession struct{ after time.Duration }

func (s fingerSession) Sign(context.Context, algo.ID, algo.Input) ([]byte, error) {
	time.Sleep(s.after)
	return []byte{1}, nil
}
func (fingerSession) Close() error { return nil }

type always struct{}

func (always) redeem() error { return nil }

// toldPrompt remembers the steps.
type toldPrompt struct {
	Prompt
	mu    sync.Mutex
	steps []Step
}

func (p *toldPrompt) Progress(s Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps = append(p.steps, s)
}

// A person is told to touch a token that knows touch and takes long, and nobody else is.
func TestTouchIsAskedFor(t *testing.T) {
	for _, c := range []struct {
		touch bool
		after time.Duration
		want  []Step
	}{
		{true, 10 * time.Second, []Step{StepTouch, StepSigning}},
		{true, time.Second, nil},
		{false, 10 * time.Second, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &toldPrompt{}
			s := &signer{session: fingerSession{c.after}, approval: always{}, touch: touchable(token.Info{Touch: c.touch}, p)}
			if _, err := s.Sign(t.Context(), algo.Input{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !slices.Equal(p.steps, c.want) {
				t.Errorf("touch %v, after %v: %v, want %v", c.touch, c.after, p.steps, c.want)
			}
		})
	}
}
