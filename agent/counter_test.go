// SPDX-License-Identifier: GPL-3.0-or-later

//go:build linux

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/internal/token/tokentest"
	"persten/proto"
)

// counted is a token of the test module with three attempts, and the record of who tried.
type counted struct {
	*daemon
	id         string // of its certificate
	tries, log string
	sites      int // of moreSites, used
}

const countedPIN = "48151623"

func newCounted(t *testing.T) *counted {
	t.Helper()
	s, so := tokentest.NewScenario(t)
	c := &counted{tries: s.Path("tries"), log: s.Path("log")}
	s.Add("log %s", c.log)
	s.Add("slot 1")
	s.Add("label Three tries")
	s.Add("pin %s", countedPIN)
	s.Add("tries %s 3", c.tries)
	s.Add("mechanisms ec")
	c.id = s.Pair("p256", "").ID()
	s.Save()
	c.daemon = newModuleDaemon(t, []string{so}, []string{"PERSTEN_P11_CONFIG=" + s.File})
	return c
}

// left are the attempts the token has left, and logins how often it was asked to log in.
func (c *counted) left() string {
	b, err := os.ReadFile(c.tries)
	if os.IsNotExist(err) {
		return "3"
	}
	return strings.TrimSpace(string(b))
}

func (c *counted) logins() int {
	b, _ := os.ReadFile(c.log)
	return strings.Count(string(b), "C_Login")
}

// requests are what a page can think of, the nth of them.
func (c *counted) request(n int) (method string, params any) {
	sign := signRequest(c.id)
	with := func(name string, value any) object {
		o := object{}
		for k, v := range sign {
			o[k] = v
		}
		o[name] = value
		return o
	}
	kinds := []struct {
		method string
		params any
	}{
		{"sign.cms", sign},
		{"sign.cms", with("pin", "00000000")},
		{"sign.cms", with("userPin", "00000000")},
		{"sign.cms", with("attached", true)},
		{"sign.cms", with("note", "PIN 00000000")},
		{"sign.cms", with("certificate", strings.Repeat("0", 64))},
		{"sign.cms", with("content", object{"handle": strings.Repeat("0", 32)})},
		{"certificates.list", object{"refresh": true, "all": true}},
		{"certificates.list", object{"pin": "1"}},
		{"tokens.list", object{"refresh": true}},
		{"tokens.list", object{"login": true}},
		{"agent.hello", object{"protocol": proto.Protocol}},
		{"agent.status", object{}},
		{"content.open", object{"name": "pin.txt"}},
		{"content.append", object{"handle": strings.Repeat("1", 32), "data": []byte("x")}},
		{"content.read", object{"handle": strings.Repeat("1", 32), "offset": 0, "length": 1}},
		{"verify.cms", object{"signature": object{"inline": []byte("0")}}},
		{"origins.allow", object{"origin": webSite}},
		{"journal.list", object{}},
		{"agent.pause", object{"paused": false}},
		{"token.login", object{"label": "Three tries", "pin": "00000000"}},
		{"C_Login", []any{1, 1, "00000000"}},
	}
	k := kinds[n%len(kinds)]
	return k.method, k.params
}

// storm sends n requests from pages of four fresh sites on both transports, some at a time, and counts the answers.
func (c *counted) storm(n int, patience time.Duration) map[string]int {
	c.t.Helper()
	var mu sync.Mutex
	codes := map[string]int{}
	var wg sync.WaitGroup
	b := c.chromium()
	var pages []*page
	for range 2 {
		pages = append(pages, b.page(moreSite(c.sites)), c.webPage(moreSite(c.sites+1)))
		c.sites += 2
	}
	for first, p := range pages {
		name := p.site
		for worker := range 3 {
			wg.Go(func() {
				for i := first + worker*4; i < n; i += 12 {
					method, params := c.request(i)
					id, answer, err := p.begin(method, params)
					if err != nil {
						c.t.Errorf("%s: %v", name, err)
						return
					}
					timer := time.AfterFunc(patience, func() {
						p.conn.Send([]byte(`{"jsonrpc":"2.0","method":"$/cancel","params":{"id":` + id + `}}`))
					})
					_, err = p.await(answer)
					timer.Stop()
					mu.Lock()
					codes[codeOf(err)]++
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	return codes
}

// TestPageMovesNoCounter: whatever pages ask for, the token's attempts stay as they are while no person enters a PIN:
// nobody answers, the person says no, or says yes and then gives no PIN.
func TestPageMovesNoCounter(t *testing.T) {
	c := newCounted(t)
	for _, person := range []struct {
		what, answer string
		requests     int
	}{
		{"nobody answers", "| hang |", 500},
		{"the person says no", "| reject |", 500},
		{"the person gives no PIN", "| approve-reject |", 500},
	} {
		c.answers(person.answer)
		prompts := c.count("CONFIRM", "")
		codes := c.storm(person.requests, 100*time.Millisecond)
		sum := 0
		for _, n := range codes {
			sum += n
		}
		t.Logf("%s: %d requests, %d questions, %v", person.what, sum, c.count("CONFIRM", "")-prompts, codes)
		if sum != person.requests || c.count("CONFIRM", "") == prompts {
			t.Errorf("%s: %d of %d requests, %d questions", person.what, sum, person.requests, c.count("CONFIRM", "")-prompts)
		}
		if left, logins := c.left(), c.logins(); left != "3" || logins != 0 {
			t.Fatalf("%s: %s attempts left, %d logins; want 3 and none", person.what, left, logins)
		}
		c.answers("| reject |")
		c.settled()
	}
	c.alive()

	// A person's entries do move it, so the record can be believed; and pages that ask in between do not.
	p := c.webPage(webSite)
	c.answers("| approve | 11111111")
	_, err := p.call("sign.cms", signRequest(c.id))
	if err == nil || c.left() != "2" || c.logins() != 1 {
		t.Errorf("one wrong entry: %v, %s attempts left, %d logins", err, c.left(), c.logins())
	}
	c.answers("| reject |")
	c.storm(60, 100*time.Millisecond)
	if c.left() != "2" || c.logins() != 1 {
		t.Errorf("pages alone after a wrong entry: %s attempts left, %d logins", c.left(), c.logins())
	}
	c.answers(fmt.Sprintf("| approve | %s", countedPIN))
	if _, err := p.call("sign.cms", signRequest(c.id)); err != nil || c.left() != "3" || c.logins() != 2 {
		t.Errorf("the right entry: %v, %s attempts left, %d logins", err, c.left(), c.logins())
	}
}
