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
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"persten/internal/journal"
	"persten/internal/secret"
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

// TestUnattendedWrongPIN: however many ask, and however often the session starts, a wrong PIN is tried once.
func TestUnattendedWrongPIN(t *testing.T) {
	p := &person{decide: no}
	s := newServer(t, p, "000000")
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[proto.Code]int{}
	for range 16 {
		wg.Go(func() {
			var pe *proto.Error
			if err := s.signs(t, context.Background(), page); !errors.As(err, &pe) {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			codes[pe.Code]++
		})
	}
	wg.Wait()
	if codes[proto.CodePINIncorrect] != 1 || codes[proto.CodeUnattendedStopped] != 15 || s.attempts(t) != keyfile.DemoAttempts-1 {
		t.Errorf("%v, %d attempts left", codes, s.attempts(t))
	}
	if marks := s.marks(t); !slices.Contains(marks, "note pin policy pin_incorrect") || !slices.Contains(marks, "end sign  pin_incorrect") {
		t.Errorf("journal: %q", marks)
	}
	refused := func(what string) {
		t.Helper()
		if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeUnattendedStopped) || s.Unattended() != 0 {
			t.Errorf("%s: %v, %d rules", what, err, s.Unattended())
		}
		if n := s.attempts(t); n != keyfile.DemoAttempts-1 {
			t.Fatalf("%s: %d attempts left", what, n)
		}
	}
	for range 3 {
		s.restart(t)
		refused("restarted")
	}
	s.write(t, keyfile.DemoPIN+"\r\n")
	refused("file changed, not restarted")
	s.restart(t)
	if err := s.signs(t, context.Background(), page); err != nil || s.attempts(t) != keyfile.DemoAttempts || s.Unattended() != 1 {
		t.Errorf("file changed and restarted: %v, %d attempts left", err, s.attempts(t))
	}
	if left, _ := os.ReadDir(s.state); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
	// The same length, another time; and a file that is gone keeps what is known of it.
	s.write(t, "111111")
	s.restart(t)
	s.signs(t, context.Background(), page)
	if err := os.Remove(s.pin); err != nil {
		t.Fatal(err)
	}
	s.restart(t)
	refused("file gone")
	s.write(t, keyfile.DemoPIN)
	s.restart(t)
	if err := s.signs(t, context.Background(), page); err != nil || len(p.asked) > 0 {
		t.Errorf("another file: %v, %d questions", err, len(p.asked))
	}
}

// TestPINFile: what is no safe PIN file is not used and no attempt is spent.
func TestPINFile(t *testing.T) {
	p := &person{decide: no}
	s := newServer(t, p, "")
	mode := func(text string, mode os.FileMode) func() error {
		return func() error { return errors.Join(os.WriteFile(s.pin, []byte(text), 0o600), os.Chmod(s.pin, mode)) }
	}
	file := func(text string) func() error { return mode(text, 0o600) }
	long := strings.Repeat("1", secret.MaxLen)
	for name, c := range map[string]struct {
		make func() error
		want error
	}{
		"plain":           {file(keyfile.DemoPIN), nil},
		"line end":        {file(keyfile.DemoPIN + "\n"), nil},
		"line end of DOS": {file(keyfile.DemoPIN + "\r\n"), nil},
		"read-only":       {mode(keyfile.DemoPIN, 0o400), nil},
		"group reads":     {mode(keyfile.DemoPIN, 0o640), proto.CodeUnattendedPINFile},
		"group writes":    {mode(keyfile.DemoPIN, 0o620), proto.CodeUnattendedPINFile},
		"others read":     {mode(keyfile.DemoPIN, 0o604), proto.CodeUnattendedPINFile},
		"others execute":  {mode(keyfile.DemoPIN, 0o601), proto.CodeUnattendedPINFile},
		"empty":           {file(""), proto.CodeUnattendedPINFile},
		"only a line end": {file("\n"), proto.CodeUnattendedPINFile},
		"only one of DOS": {file("\r\n"), proto.CodeUnattendedPINFile},
		"two line ends":   {file(keyfile.DemoPIN + "\n\n"), proto.CodeUnattendedPINFile},
		"two lines":       {file(keyfile.DemoPIN + "\n" + keyfile.DemoPIN + "\n"), proto.CodeUnattendedPINFile},
		"carriage return": {file(keyfile.DemoPIN + "\r"), proto.CodeUnattendedPINFile},
		"zero byte":       {file(keyfile.DemoPIN + "\x00"), proto.CodeUnattendedPINFile},
		"too long":        {file(long + "1"), proto.CodeUnattendedPINFile},
		"huge":            {func() error { return errors.Join(file("1")(), os.Truncate(s.pin, 1<<40)) }, proto.CodeUnattendedPINFile},
		"absent":          {func() error { return nil }, proto.CodeUnattendedPINFile},
		"folder":          {func() error { return os.Mkdir(s.pin, 0o700) }, proto.CodeUnattendedPINFile},
		"pipe":            {func() error { return syscall.Mkfifo(s.pin, 0o600) }, proto.CodeUnattendedPINFile},
		"device":          {func() error { return os.Symlink("/dev/zero", s.pin) }, proto.CodeUnattendedPINFile},
		"dangling link":   {func() error { return os.Symlink(s.pin+"2", s.pin) }, proto.CodeUnattendedPINFile},
		"link to good file": {func() error {
			return errors.Join(os.WriteFile(s.pin+"3", []byte(keyfile.DemoPIN), 0o600), os.Symlink(s.pin+"3", s.pin))
		}, proto.CodeUnattendedPINFile},
		"of another user": {func() error {
			err := file(keyfile.DemoPIN)()
			if os.Geteuid() == 0 {
				return errors.Join(err, os.Chown(s.pin, 12345, 0))
			}
			t.Log("not run: a file of another user, which takes root")
			return os.Chmod(s.pin, 0o640)
		}, proto.CodeUnattendedPINFile},
	} {
		if err := errors.Join(os.RemoveAll(s.pin), c.make()); err != nil {
			t.Fatal(name, err)
		}
		if err := s.signs(t, context.Background(), page); !errors.Is(err, c.want) || s.attempts(t) != keyfile.DemoAttempts {
			t.Errorf("%s: %v, %d attempts left", name, err, s.attempts(t))
		}
	}
	s.grant.PINFile = ""
	s.restart(t)
	if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeUnattendedPINFile) || s.Unattended() != 1 || len(p.asked) > 0 {
		t.Errorf("no file named: %v", err)
	}
}

// steered is a demo key behind a login that a test steers.
type steered struct {
	token.Inventory
	info  func(token.Info) token.Info // the token's state when it is opened
	tries *int
	fail  error // how a try ends
	wrap  func(token.PINFunc) token.PINFunc
}

type steeredKey struct {
	token.Key
	s steered
}

func (s steered) Keys(ctx context.Context) ([]token.Key, error) {
	keys, err := s.Inventory.Keys(ctx)
	for i, k := range keys {
		keys[i] = steeredKey{k, s}
	}
	return keys, err
}

func (k steeredKey) Open(ctx context.Context, pin token.PINFunc) (token.Session, error) {
	if k.s.wrap != nil {
		return k.Key.Open(ctx, k.s.wrap(pin))
	}
	login := token.Login{
		Lease: token.NewLease(),
		State: func(context.Context) (token.Info, error) { return k.s.info(k.Token()), nil },
		Try:   func(context.Context, secret.PIN) error { *k.s.tries++; return k.s.fail },
	}
	_, err := login.Run(ctx, pin)
	return nil, err
}

// TestUnattendedLeavesTheTokenAlone: no last try, no keypad, no locked token, and no second try after a login that nobody
// saw the end of.
func TestUnattendedLeavesTheTokenAlone(t *testing.T) {
	crashed := &token.ModuleError{Module: "m", Reason: token.ReasonCrashed}
	for name, c := range map[string]struct {
		info        func(token.Info) token.Info
		fail        error
		first, then error
		tries       int
	}{
		"last try":         {func(i token.Info) token.Info { i.Final = true; return i }, nil, proto.CodeUnattendedStopped, proto.CodeUnattendedStopped, 0},
		"locked":           {func(i token.Info) token.Info { i.Locked = true; return i }, nil, proto.CodePINLocked, proto.CodeUnattendedStopped, 0},
		"locks itself":     {func(i token.Info) token.Info { return i }, token.ErrLocked, proto.CodePINLocked, proto.CodeUnattendedStopped, 1},
		"keypad":           {func(i token.Info) token.Info { i.PINPad = true; return i }, nil, proto.CodeUnattendedKeypad, proto.CodeUnattendedKeypad, 0},
		"crash, wrong PIN": {func(i token.Info) token.Info { i.Low = true; return i }, crashed, proto.CodeModuleFailed, proto.CodeUnattendedStopped, 1},
		"crash, right PIN": {func(i token.Info) token.Info { return i }, crashed, proto.CodeModuleFailed, proto.CodeModuleFailed, 2},
		"busy":             {func(i token.Info) token.Info { return i }, token.ErrBusy, proto.CodeTokenBusy, proto.CodeTokenBusy, 2},
	} {
		p, tries := &person{decide: no}, 0
		s := newServer(t, p, keyfile.DemoPIN)
		s.keys = steered{s.demo, c.info, &tries, c.fail, nil}
		s.restart(t)
		for i, want := range []error{c.first, c.then} {
			if err := s.signs(t, context.Background(), page); !errors.Is(err, want) {
				t.Errorf("%s: request %d: %v, want %v", name, i+1, err, want)
			}
		}
		if tries != c.tries || len(p.asked) > 0 {
			t.Errorf("%s: %d tries, want %d; %d questions", name, tries, c.tries, len(p.asked))
		}
	}
	// The reader has a keypad from the start.
	s := newServer(t, &person{decide: no}, keyfile.DemoPIN)
	s.keys = padded{s.demo}
	s.restart(t)
	if err := s.signs(t, context.Background(), page); !errors.Is(err, proto.CodeUnattendedKeypad) {
		t.Error(err)
	}
	if marks := s.marks(t); len(marks) != 1 || marks[0] != "note refused policy unattended_keypad" {
		t.Errorf("journal: %q", marks)
	}
}

type padded struct{ token.Inventory }

type paddedKey struct{ token.Key }

func (p padded) Keys(ctx context.Context) ([]token.Key, error) {
	keys, err := p.Inventory.Keys(ctx)
	for i, k := range keys {
		keys[i] = paddedKey{k}
	}
	return keys, err
}

func (k paddedKey) Token() token.Info {
	i := k.Key.Token()
	i.PINPad = true
	return i
}

func (paddedKey) Open(context.Context, token.PINFunc) (token.Session, error) {
	return nil, errors.New("must not be opened")
}

// A caller who goes away just when the PIN is on its way cannot hide that it was wrong, and one who went before spends none.
func TestUnattendedCallerGoesAway(t *testing.T) {
	s := newServer(t, &person{decide: no}, "000000")
	ctx, cancel := context.WithCancel(context.Background())
	s.keys = steered{Inventory: s.demo, wrap: func(pin token.PINFunc) token.PINFunc {
		return func(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
			p, err := pin(ctx, r)
			cancel()
			return p, err
		}
	}}
	s.restart(t)
	for range 5 {
		s.signs(t, ctx, page)
		ctx, cancel = context.WithCancel(context.Background())
	}
	if n := s.attempts(t); n != keyfile.DemoAttempts-1 || s.Unattended() != 0 {
		t.Errorf("%d attempts left, %d rules", n, s.Unattended())
	}
	cancel()

	s = newServer(t, &person{decide: no}, "000000")
	ctx, cancel = context.WithCancel(context.Background())
	s.keys = steered{Inventory: s.demo, wrap: func(pin token.PINFunc) token.PINFunc {
		cancel()
		return pin
	}}
	s.restart(t)
	if err := s.signs(t, ctx, page); !errors.Is(err, context.Canceled) || s.attempts(t) != keyfile.DemoAttempts {
		t.Errorf("%v, %d attempts left", err, s.attempts(t))
	}
}

// With a right PIN a caller who goes away ends the request, and the place and the turn are free again.
func TestUnattendedCancelled(t *testing.T) {
	s := newServer(t, &person{decide: no}, keyfile.DemoPIN)
	cancel := func() {}
	s.keys = steered{Inventory: s.demo, wrap: func(pin token.PINFunc) token.PINFunc {
		return func(ctx context.Context, r token.PINRequest) (secret.PIN, error) {
			defer cancel()
			return pin(ctx, r)
		}
	}}
	s.restart(t)
	for range 70 { // more than there are places
		var ctx context.Context
		ctx, cancel = context.WithCancel(context.Background())
		if err := s.signs(t, ctx, page); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled request: %v", err)
		}
	}
	cancel = func() {}
	if err := s.signs(t, context.Background(), page); err != nil {
		t.Error(err)
	}
	if !s.journalUnwritable(t) {
		t.Error("signed without a journal")
	}
}

// journalUnwritable reports whether a journal that cannot be written refuses, also here.
func (s *server) journalUnwritable(t *testing.T) bool {
	u := signing.NewUnattended(s.person, []signing.Grant{s.grant}, s.journal, s.state)
	e := signing.New(s.demo, u, broken{}, signing.Options{Store: s.Store()})
	_, err := e.SignCMS(context.Background(), page, signing.CMSRequest{Certificate: s.id, Content: s.content(t, "x")}, io.Discard)
	return errors.Is(err, proto.CodeJournalUnwritable)
}
