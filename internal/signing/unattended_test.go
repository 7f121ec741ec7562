// SPDX-License-Identifier: GPL-3.0-or-later

//go:build unix

package signing_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// The parties of these tests.
const (
	granted    = "https://portal.example"
	other      = "https://other.example"
	certID     = "1111111111111111111111111111111111111111111111111111111111111111"
	certThumb  = "2222222222222222222222222222222222222222"
	otherID    = "3333333333333333333333333333333333333333333333333333333333333333"
	otherThumb = "4444444444444444444444444444444444444444"
)

// TestWhatGrantsCover tries every combination of who asks for what. Those that may pass are listed one by one; all others
// must reach the person.
func TestWhatGrantsCover(t *testing.T) {
	certificates := map[string]*signing.Certificate{
		"granted": {ID: certID, Thumbprint: certThumb}, "other": {ID: otherID, Thumbprint: otherThumb}, "blank": {}, "none": nil,
	}
	pass := map[string]bool{}
	for _, user := range []string{"u", "v", ""} {
		pass["origin sign native "+granted+"  "+user+" granted"] = true
		pass["origin sign native "+granted+" "+granted+" "+user+" granted"] = true
		pass["origin sign websocket "+granted+"  "+user+" granted"] = true
		pass["origin sign websocket "+granted+" "+granted+" "+user+" granted"] = true
	}
	pass["user sign socket   u granted"] = true
	grants := map[string][]signing.Grant{
		"origin": {{Origin: granted, Certificate: certID, PerDay: 1e6}, {Origin: granted, Certificate: certThumb, PerDay: 1e6}},
		"user":   {{User: "u", Certificate: certID, PerDay: 1e6}, {User: "u", Certificate: certThumb, PerDay: 1e6}},
		"broken": {{}, {Certificate: certID}, {Origin: granted}, {User: "u"}, {Origin: granted, User: "u", Certificate: certID}},
	}
	tried, passed := 0, 0
	for kind, list := range grants {
		for _, g := range list {
			p := &person{}
			u := signing.NewUnattended(p, []signing.Grant{g}, t.TempDir()+"/journal", t.TempDir())
			for _, asked := range []signing.Kind{signing.KindSign, signing.KindOrigin, signing.KindPIN, ""} {
				for _, via := range []signing.Via{signing.ViaNative, signing.ViaWebSocket, signing.ViaSocket, signing.ViaCommand, ""} {
					for _, origin := range []string{granted, other, granted + ":8443", "http://portal.example", ""} {
						for _, top := range []string{"", granted, other, "null"} {
							for _, user := range []string{"u", "v", ""} {
								for name, c := range certificates {
									q := signing.Question{Kind: asked, Via: via, Origin: origin, Top: top, User: user, Certificate: c}
									before := len(p.asked)
									prompt, err := u.Ask(context.Background(), q)
									if err != nil {
										t.Fatal(err)
									}
									key := strings.Join([]string{kind, string(asked), string(via), origin, top, user, name}, " ")
									tried++
									if byPolicy := len(p.asked) == before; byPolicy != pass[key] {
										t.Errorf("%q: by policy %v, want %v", key, byPolicy, pass[key])
									} else if byPolicy {
										passed++
									}
									if len(p.asked) == before {
										prompt.Close(signing.Outcome{})
									}
								}
							}
						}
					}
				}
			}
		}
	}
	if want := 2*12 + 2*1; passed != want || tried != 9*4*5*5*4*3*4 {
		t.Errorf("%d of %d passed, want %d", passed, tried, want)
	}
}

// TestRawIsNotGranted: who grants signatures of documents did not grant values over digests of anything.
func TestRawIsNotGranted(t *testing.T) {
	for _, raw := range []bool{false, true} {
		p := &person{}
		u := signing.NewUnattended(p, []signing.Grant{{User: "u", Certificate: certID, PerDay: 10}}, t.TempDir()+"/journal", t.TempDir())
		q := signing.Question{Kind: signing.KindSign, Via: signing.ViaSocket, User: "u", Raw: raw, Certificate: &signing.Certificate{ID: certID}}
		if _, err := u.Ask(t.Context(), q); err != nil || (len(p.asked) == 1) != raw {
			t.Errorf("raw %v: %v, %d people asked", raw, err, len(p.asked))
		}
	}
}

// ask asks once for a signature and tells what policy says.
func askPolicy(t *testing.T, u *signing.Unattended, documents int) error {
	t.Helper()
	q := signing.Question{
		Kind: signing.KindSign, Via: signing.ViaNative, Origin: granted, Certificate: &signing.Certificate{ID: certID, Thumbprint: certThumb},
		Documents: make([]signing.Document, documents),
	}
	p, err := u.Ask(context.Background(), q)
	if err != nil {
		return err
	}
	defer p.Close(signing.Outcome{})
	d, err := p.Decide(context.Background())
	if d.Approved != (err == nil) {
		t.Errorf("approved %v with %v", d.Approved, err)
	}
	return err
}

// TestUnattendedLimits runs two days with a clock of its own. Windows slide: what counts is the hour and the day before now.
func TestUnattendedLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		u := signing.NewUnattended(&person{}, []signing.Grant{{Origin: granted, Certificate: certID, PerHour: 4, PerDay: 10}}, dir+"/j", dir)
		for i, step := range []struct {
			wait      time.Duration
			documents int
			hours     string // of the limit that is reached, empty for yes
		}{
			{0, 1, ""},
			{10 * time.Minute, 1, ""},
			{10 * time.Minute, 2, ""},
			{10 * time.Minute, 1, "1"},
			{30*time.Minute - 1, 1, "1"}, // a moment before the first is an hour old
			{1, 1, ""},
			{0, 1, "1"},
			{2 * time.Hour, 5, "1"}, // all or nothing
			{0, 4, ""},
			{2 * time.Hour, 2, "24"},
			{0, 1, ""},
			{2 * time.Hour, 1, "24"},
			{17*time.Hour - 1, 1, "24"},
			{1, 1, ""}, // the first is a day old
			{0, 1, "24"},
			{10 * time.Minute, 1, ""},
			{10 * time.Minute, 2, ""},
			{3 * 24 * time.Hour, 4, ""},
		} {
			time.Sleep(step.wait)
			err := askPolicy(t, u, step.documents)
			var pe *proto.Error
			if step.hours == "" != (err == nil) {
				t.Fatalf("step %d: %v", i, err)
			}
			if err != nil && (!errors.As(err, &pe) || pe.Code != proto.CodeUnattendedLimit || pe.Args["hours"] != step.hours) {
				t.Errorf("step %d: %v %v", i, err, pe.Args)
			}
		}
	})
}

// A grant answers so many requests at once and no more; the rest are told so.
func TestUnattendedRequestsAtOnce(t *testing.T) {
	dir := t.TempDir()
	p := &person{}
	u := signing.NewUnattended(p, []signing.Grant{{User: "u", Certificate: certID, PerDay: 1000}}, dir+"/j", dir)
	q := signing.Question{Kind: signing.KindSign, Via: signing.ViaSocket, User: "u", Certificate: &signing.Certificate{ID: certID}}
	var open []signing.Prompt
	for range 64 {
		prompt, err := u.Ask(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, prompt)
	}
	if _, err := u.Ask(context.Background(), q); !errors.Is(err, proto.CodeRequestLimit) {
		t.Errorf("one more: %v", err)
	}
	open[0].Close(signing.Outcome{})
	open[0].Close(signing.Outcome{}) // gives back one place, not two
	if _, err := u.Ask(context.Background(), q); err != nil {
		t.Error(err)
	}
	if _, err := u.Ask(context.Background(), q); !errors.Is(err, proto.CodeRequestLimit) || len(p.asked) > 0 {
		t.Errorf("one more: %v", err)
	}
}

// server is an engine over the demo token with a grant for its first key, and a person who should not be needed.
type server struct {
	*bench
	grant signing.Grant
	pin   string // path of the PIN file
	state string
	id    string
	keys  token.Inventory // instead of the demo token's
}

func newServer(t *testing.T, p *person, pin string) *server {
	t.Helper()
	b := newBench(t, p)
	s := &server{bench: b, pin: filepath.Join(t.TempDir(), "pin"), state: t.TempDir(), id: b.keys(t)[0].ID(), keys: b.demo}
	s.write(t, pin)
	s.grant = signing.Grant{Origin: page.Origin, Certificate: s.id, PerHour: 1000, PINFile: s.pin}
	s.restart(t)
	return s
}

func (s *server) write(t *testing.T, pin string) {
	t.Helper()
	if err := os.WriteFile(s.pin, []byte(pin), 0o600); err != nil {
		t.Fatal(err)
	}
}

// restart starts the session anew, with what the last one left.
func (s *server) restart(t *testing.T) {
	t.Helper()
	u := signing.NewUnattended(s.person, []signing.Grant{s.grant}, s.journal, s.state)
	s.Engine = signing.New(s.keys, u, reopened(t, s.bench), signing.Options{Store: s.Store(), Version: "test"})
}

func (s *server) signs(t *testing.T, ctx context.Context, who signing.Caller) error {
	t.Helper()
	h, c, err := s.Store().Create(page.Channel, "order.txt", "text/plain", func(w io.Writer) error {
		_, err := io.WriteString(w, "order")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Store().Drop(page.Channel, h)
	var out bytes.Buffer
	_, err = s.SignCMS(ctx, who, signing.CMSRequest{Certificate: s.id, Content: c}, &out)
	if err != nil {
		if out.Len() > 0 {
			t.Errorf("%v, and %d bytes", err, out.Len())
		}
		return err
	}
	report, err := s.VerifyCMS(context.Background(), &out, c.Reader())
	if err != nil || !report.Valid() {
		t.Errorf("the signature is not valid: %v", err)
	}
	return nil
}

// attempts are the tries the demo token has left.
func (s *server) attempts(t *testing.T) int {
	t.Helper()
	infos, err := s.demo.Tokens(context.Background())
	if err != nil || len(infos) != 1 {
		t.Fatal(err)
	}
	return infos[0].Attempts
}

// marks are the journal's lines as "type kind by result", without what signatures of people leave.
func (s *server) marks(t *testing.T) []string {
	t.Helper()
	lines, err := journal.List(s.journal, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		out = append(out, strings.Join([]string{l.Type, l.Kind, l.By, l.Result}, " "))
	}
	return out
}

// TestUnattendedSigns: pages and programs, sixteen at once, while a person's windows are open; nobody else gets a signature.
func TestUnattendedSigns(t *testing.T) {
	hang := make(chan struct{})
	p := &person{decide: func(ctx context.Context, _ signing.Question) (signing.Decision, error) {
		select {
		case <-hang:
		case <-ctx.Done():
		}
		return signing.Decision{}, nil
	}}
	s := newServer(t, p, keyfile.DemoPIN+"\n")
	var waiting sync.WaitGroup
	for i, who := range []signing.Caller{
		{Channel: page.Channel, Origin: page.Origin, Top: other, Via: signing.ViaNative, User: "u"},
		{Channel: page.Channel, Origin: other, Via: signing.ViaWebSocket, User: "u"},
		{Channel: page.Channel, Via: signing.ViaSocket, User: "u"},
	} { // three windows, one of the granted site inside another: the desk is full
		waiting.Go(func() {
			if err := s.signs(t, context.Background(), who); !errors.Is(err, proto.CodeUserRejected) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	for began := time.Now(); s.Prompts() < 3; time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d windows, want 3", s.Prompts())
		}
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if err := s.signs(t, context.Background(), page); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p.mu.Lock()
	asked := len(p.asked)
	p.mu.Unlock()
	if s.Prompts() != 3 || asked != 3 || s.Unattended() != 1 {
		t.Errorf("%d windows, %d questions, %d rules", s.Prompts(), asked, s.Unattended())
	}
	close(hang)
	waiting.Wait()
	marks := s.marks(t)
	count := func(want string) (n int) {
		for _, m := range marks {
			if m == want {
				n++
			}
		}
		return n
	}
	if len(marks) != 35 || count("begin sign policy ") != 16 || count("end sign  ok") != 16 || count("note refused  user_rejected") != 3 {
		t.Errorf("journal: %q", marks)
	}
}

// A rule for a user is for programs of the user socket alone, a rule for a site for that site alone.
func TestUnattendedIsNotBorrowed(t *testing.T) {
	p := &person{decide: no}
	s := newServer(t, p, keyfile.DemoPIN)
	site := s.grant
	user := site
	user.Origin, user.User = "", page.User
	local := signing.Caller{Channel: page.Channel, Via: signing.ViaSocket, User: page.User}
	for name, c := range map[string]struct {
		grant signing.Grant
		who   signing.Caller
		key   int
		want  error
	}{
		"page, rule for it":            {site, page, 0, nil},
		"page, rule for a user":        {user, page, 0, proto.CodeUserRejected},
		"page, another key":            {site, page, 1, proto.CodeUserRejected},
		"program, rule for its user":   {user, local, 0, nil},
		"program, rule for a site":     {site, local, 0, proto.CodeUserRejected},
		"program of another user":      {user, signing.Caller{Channel: page.Channel, Via: signing.ViaSocket, User: "v"}, 0, proto.CodeUserRejected},
		"page without a name":          {user, signing.Caller{Channel: page.Channel, Via: signing.ViaNative, User: page.User}, 0, proto.CodeUserRejected},
		"page in a frame of a page":    {site, signing.Caller{Channel: page.Channel, Origin: page.Origin, Top: "null", Via: signing.ViaNative}, 0, proto.CodeUserRejected},
		"page in a frame of its own":   {site, signing.Caller{Channel: page.Channel, Origin: page.Origin, Top: page.Origin, Via: signing.ViaNative}, 0, nil},
		"command signing by itself":    {user, signing.Caller{Channel: page.Channel, Via: signing.ViaCommand, User: page.User}, 0, proto.CodeUserRejected},
		"program, another key of many": {user, local, 2, proto.CodeUserRejected},
	} {
		s.grant = c.grant
		s.restart(t)
		first := s.id
		s.id = s.bench.keys(t)[c.key].ID()
		before := len(p.asked)
		err := s.signs(t, context.Background(), c.who)
		if !errors.Is(err, c.want) || (len(p.asked) == before) != (c.want == nil) {
			t.Errorf("%s: %v, %d questions", name, err, len(p.asked)-before)
		}
		s.id = first
	}
	asked := len(p.asked)
	if allowed, err := s.AskOrigin(context.Background(), page); allowed || err != nil || len(p.asked) != asked+1 {
		t.Errorf("a rule for a site answered whether it is allowed: %v %v", allowed, err)
	}
}

// Limits hold over restarts, and a journal somebody shortened to get around them ends the rule.
func TestUnattendedLimitOverRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &person{decide: no}, keyfile.DemoPIN)
		s.grant.PerHour, s.grant.PerDay = 3, 5
		s.grant.Certificate = s.bench.keys(t)[0].Certificate().Thumbprint()
		s.restart(t)
		want := func(want error) {
			t.Helper()
			if err := s.signs(t, context.Background(), page); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		for range 3 {
			want(nil)
			s.restart(t)
		}
		want(proto.CodeUnattendedLimit)
		time.Sleep(59 * time.Minute)
		s.grant.Certificate = s.id // the same certificate by its other name
		s.restart(t)
		want(proto.CodeUnattendedLimit)
		time.Sleep(2 * time.Minute)
		want(nil)
		want(nil)
		s.restart(t)
		want(proto.CodeUnattendedLimit)
		time.Sleep(22 * time.Hour)
		s.restart(t)
		want(proto.CodeUnattendedLimit) // five in this day
		time.Sleep(2 * time.Hour)
		s.restart(t)
		want(nil)

		data, err := os.ReadFile(s.journal)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(data, []byte("\n"))
		if err := os.WriteFile(s.journal, bytes.Join(lines[:len(lines)-3], nil), 0o600); err != nil {
			t.Fatal(err)
		}
		s.restart(t)
		want(proto.CodeUnattendedStopped)
		if s.Unattended() != 0 {
			t.Errorf("%d rules active", s.Unattended())
		}
	})
}

// Refusals are journalled, but nobody can fill the journal with them.
func TestUnattendedRefusalsInTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, &person{decide: no}, keyfile.DemoPIN)
		s.grant.PerHour = 1
		s.restart(t)
		s.signs(t, context.Background(), page)
		for range 3 * 60 {
			if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeUnattendedLimit) {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		lines, err := journal.List(s.journal, 0)
		if err != nil || len(lines) != 5 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, l := range lines[2:] {
			if l.Kind != "refused" || l.By != journal.ByPolicy || l.Result != "unattended_limit" || l.Args["limit"] != "1" || l.Args["hours"] != "1" {
				t.Errorf("%+v", l.Record)
			}
		}
		if len(s.person.asked) > 0 {
			t.Error("a person was asked")
		}
	})
}
