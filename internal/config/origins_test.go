// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"persten/proto"
)

func TestMain(m *testing.M) {
	if name := os.Getenv("CONFIG_TEST_WRITER"); name != "" {
		os.Exit(writer(name, os.Getenv("CONFIG_TEST_FILE")))
	}
	os.Exit(m.Run())
}

// writes is how many sites each of several processes decides about.
const writes = 40

// writer is one of several processes that share a file: every other site is allowed, and one everybody changes.
func writer(name, file string) int {
	o, err := OpenOrigins(file, nil)
	for i := range writes {
		if err != nil {
			break
		}
		decide := o.Allow
		if i%2 == 1 {
			decide = o.Deny
		}
		err = errors.Join(decide(site(name, i)), o.Allow("https://shared.example"), o.Forget("https://shared.example"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func site(name string, i int) string { return fmt.Sprintf("https://%s-%d.example", name, i) }

func openOrigins(t *testing.T, file string, c *Config, allow ...string) *Origins {
	t.Helper()
	o, err := OpenOrigins(file, c, allow...)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func decision(o *Origins, origin string) string {
	allowed, known := o.Decision(origin)
	switch {
	case allowed && known:
		return "allowed"
	case allowed:
		return "allowed but unknown"
	case known:
		return "denied"
	}
	return "unknown"
}

// decided is what is said about the sites of rules below.
func wantDecisions(t *testing.T, o *Origins, want map[string]string) {
	t.Helper()
	for origin, d := range want {
		if got := decision(o, origin); got != d {
			t.Errorf("%s: %s, want %s", origin, got, d)
		}
	}
}

func rules() *Config {
	return &Config{Origins: OriginRules{
		Allow:  []string{"https://file.example", "https://both.corp.example"},
		Policy: []string{"https://*.corp.example", "https://policy.example"},
	}}
}

func TestDecisions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "origins.json")
	o := openOrigins(t, file, rules(), "HTTP://LOCALHOST:3000")
	wantDecisions(t, o, map[string]string{
		"https://file.example":        "allowed",
		"https://both.corp.example":   "allowed",
		"https://a.corp.example":      "allowed",
		"https://policy.example":      "allowed",
		"http://localhost:3000":       "allowed",
		"https://corp.example":        "unknown",
		"https://new.example":         "unknown",
		"https://file.example:8443":   "unknown",
		"http://localhost:3001":       "unknown",
		"http://file.example":         "denied", // can never be allowed
		"HTTPS://file.example":        "denied", // not as browsers write it
		"https://file.example:443":    "denied",
		"https://file.example/":       "denied",
		"https://*.corp.example":      "denied",
		"null":                        "denied",
		"":                            "denied",
		"chrome-extension://abcdefgh": "denied",
	})
	for _, err := range []error{o.Allow("https://New.example:443"), o.Deny("https://file.example"), o.Deny("http://localhost:3000")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	after := map[string]string{
		"https://new.example":    "allowed",
		"https://file.example":   "denied", // the person's word is stronger than the file
		"http://localhost:3000":  "denied",
		"https://a.corp.example": "allowed",
	}
	wantDecisions(t, o, after)
	wantDecisions(t, openOrigins(t, file, rules(), "http://localhost:3000"), after)
	for _, origin := range []string{"https://new.example", "https://file.example", "https://never.example"} {
		if err := o.Forget(origin); err != nil {
			t.Fatal(err)
		}
	}
	wantDecisions(t, o, map[string]string{
		"https://new.example": "unknown", "https://file.example": "allowed", "https://never.example": "unknown",
	})
}

func TestPolicyForbids(t *testing.T) {
	o := openOrigins(t, filepath.Join(t.TempDir(), "o.json"), rules())
	for _, origin := range []string{"https://policy.example", "https://a.corp.example", "https://A.Corp.example"} {
		if err := o.Deny(origin); !errors.Is(err, proto.CodePolicyForbids) {
			t.Errorf("deny %s: %v", origin, err)
		}
		if err := o.Forget(origin); !errors.Is(err, proto.CodePolicyForbids) {
			t.Errorf("forget %s: %v", origin, err)
		}
		if err := o.Allow(origin); err != nil {
			t.Errorf("allow %s: %v", origin, err)
		}
	}
	for _, f := range []func(string) error{o.Allow, o.Deny, o.Forget} {
		if err := f("http://portal.example"); !errors.Is(err, proto.CodeOriginInvalid) {
			t.Errorf("not an origin: %v", err)
		}
	}
	if _, err := os.Stat(o.path); !os.IsNotExist(err) {
		t.Errorf("nothing changed, and yet a file was written: %v", err)
	}
}

// TestPolicyBeatsAnswer: a refusal from before the policy counts no more, and comes back when the policy goes.
func TestPolicyBeatsAnswer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	if err := openOrigins(t, file, nil).Deny("https://a.corp.example"); err != nil {
		t.Fatal(err)
	}
	wantDecisions(t, openOrigins(t, file, rules()), map[string]string{"https://a.corp.example": "allowed"})
	wantDecisions(t, openOrigins(t, file, nil), map[string]string{"https://a.corp.example": "denied"})
}

func TestList(t *testing.T) {
	o := openOrigins(t, filepath.Join(t.TempDir(), "o.json"), rules(), "http://127.0.0.1:1", "https://file.example")
	if err := errors.Join(o.Deny("https://bad.example"), o.Deny("https://file.example")); err != nil {
		t.Fatal(err)
	}
	list, err := o.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		if err := e.Validate(); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
		if fresh := time.Since(e.Since) < time.Minute; fresh != (e.Source == proto.OriginSourceUser) {
			t.Errorf("%+v: wrong time", e)
		}
		got = append(got, fmt.Sprint(e.Origin, " ", e.Allowed, " ", e.Source))
	}
	want := []string{
		"http://127.0.0.1:1 true config",
		"https://*.corp.example true policy",
		"https://bad.example false user",
		"https://file.example false user",
		"https://policy.example true policy",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestSeesOthers: a change by somebody else counts at the next question, however soon and however alike it is.
func TestSeesOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	a, b := openOrigins(t, file, nil), openOrigins(t, file, nil)
	for i := range 200 {
		one, two := "https://aa.example", "https://bb.example" // files of one size
		if i%2 == 1 {
			one, two = two, one
		}
		if err := errors.Join(a.Allow(one), b.Forget(two)); err != nil {
			t.Fatal(err)
		}
		for _, o := range []*Origins{a, b} {
			if decision(o, one) != "allowed" || decision(o, two) != "unknown" {
				t.Fatalf("round %d: %s %s, %s %s", i, one, decision(o, one), two, decision(o, two))
			}
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantDecisions(t, a, map[string]string{"https://aa.example": "unknown", "https://bb.example": "unknown"})
}

// TestSeesChangeWithinOneTick: a change that leaves the file's size and time as they were counts too while the time is young.
func TestSeesChangeWithinOneTick(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	tick := time.Now().Add(-100 * time.Millisecond)
	write := func(origin string) {
		writeFile(t, file, `{"version":1,"origins":[{"origin":"`+origin+`","allowed":true}]}`, 0o600)
		if err := os.Chtimes(file, tick, tick); err != nil {
			t.Fatal(err)
		}
	}
	write("https://aa.example")
	o := openOrigins(t, file, nil)
	wantDecisions(t, o, map[string]string{"https://aa.example": "allowed", "https://bb.example": "unknown"})
	write("https://bb.example")
	wantDecisions(t, o, map[string]string{"https://aa.example": "unknown", "https://bb.example": "allowed"})
}

// TestSeesOthersLater is the same once the file is old enough for its time to be trusted.
func TestSeesOthersLater(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	a := openOrigins(t, file, nil)
	if err := a.Allow("https://aa.example"); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	wantDecisions(t, a, map[string]string{"https://aa.example": "allowed"})
	if a.seen == nil {
		t.Error("an old file is read again for every question")
	}
	if err := openOrigins(t, file, nil).Deny("https://aa.example"); err != nil {
		t.Fatal(err)
	}
	wantDecisions(t, a, map[string]string{"https://aa.example": "denied"})
}

// TestProcesses: several processes, and goroutines of this one, write at once; no decision is lost.
func TestProcesses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	names := []string{"one", "two", "three"}
	var procs []*exec.Cmd
	for _, name := range names {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "CONFIG_TEST_WRITER="+name, "CONFIG_TEST_FILE="+file)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		procs = append(procs, c)
	}
	o := openOrigins(t, file, nil)
	var wg sync.WaitGroup
	for _, name := range []string{"here", "there"} {
		names = append(names, name)
		wg.Go(func() {
			for i := range writes {
				if err := o.Allow(site(name, 2*i)); err != nil {
					t.Error(err)
				}
				o.Decision(site("one", i))
				if _, err := o.List(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, c := range procs {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	for _, name := range names[:3] {
		for i := range writes {
			if got, want := decision(o, site(name, i)), []string{"allowed", "denied"}[i%2]; got != want {
				t.Errorf("%s: %s, want %s", site(name, i), got, want)
			}
		}
	}
	if list, err := o.List(); err != nil || len(list) != 5*writes {
		t.Errorf("%d sites, want %d; %v", len(list), 5*writes, err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// damaged holds files of answers that must be refused.
var damaged = []string{
	``, `{`, `[]`, `null`, `{}`, "{\n\"version\": 2, \"origins\": []}", `{"version":1,"origins":[]} x`, `{"version":1,"origins":{}}`,
	`{"version":1,"origins":[{}]}`,
	`{"version":1,"origins":[{"origin":"https://a.example"}]}`,
	`{"version":1,"origins":[{"origin":"https://a.example","allowed":1}]}`,
	`{"version":1,"origins":[{"origin":"https://a.example","allowed":null}]}`,
	`{"version":1,"origins":[{"origin":"https://a.example/","allowed":true}]}`,
	`{"version":1,"origins":[{"origin":"https://*.a.example","allowed":true}]}`,
	`{"version":1,"origins":[{"origin":"http://a.example","allowed":true}]}`,
	`{"version":1,"origins":[{"origin":"https://a.example","allowed":true,"top":1}]}`,
	`{"version":1,"origins":[{"origin":"https://a.example","allowed":true},{"origin":"https://a.example","allowed":false}]}`,
	`{"version":1,"origins":[{"origin":"https://a.example","allowed":true,"since":"yesterday"}]}`,
	"\x00", strings.Repeat("[", 100000), `{"version":1,"origins":[]}` + strings.Repeat(" ", maxAnswersFile),
}

// TestDamaged: a damaged file is an error, refuses what the person may have refused, and is never written over.
func TestDamaged(t *testing.T) {
	for _, text := range damaged {
		file := filepath.Join(t.TempDir(), "o.json")
		writeFile(t, file, `{"version":1,"origins":[{"origin":"https://a.example","allowed":true,"since":"2026-01-02T03:04:05Z"}]}`, 0o600)
		o := openOrigins(t, file, rules())
		wantDecisions(t, o, map[string]string{"https://a.example": "allowed"})
		writeFile(t, file, text, 0o600)
		wantDecisions(t, o, map[string]string{
			"https://a.example": "denied", "https://new.example": "denied", "https://file.example": "denied",
			"https://policy.example": "allowed",
		})
		_, listErr := o.List()
		_, openErr := OpenOrigins(file, nil)
		for _, err := range []error{listErr, openErr, o.Allow("https://b.example"), o.Deny("https://b.example"), o.Forget("https://b.example")} {
			if !errors.Is(err, proto.CodeConfigInvalid) {
				t.Errorf("%.80q: error %v", text, err)
			}
		}
		if now, err := os.ReadFile(file); err != nil || string(now) != text {
			t.Errorf("%.80q: changed, %v", text, err)
		}
		writeFile(t, file, `{"version":1,"origins":[]}`, 0o600)
		wantDecisions(t, o, map[string]string{"https://a.example": "unknown", "https://file.example": "allowed"})
	}
}

func TestDamagedLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	writeFile(t, file, "{\n\"version\": 1,\n\"origins\": [\n,]}", 0o600)
	_, err := OpenOrigins(file, nil)
	if e := proto.AsError(err); e == nil || e.Args["line"] != "4" || e.Args["file"] != file {
		t.Errorf("%v: %+v", err, e)
	}
}

func TestTooManyAnswers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "o.json")
	m := make(map[string]answer, maxAnswers)
	for i := range maxAnswers {
		m[site("n", i)] = answer{allowed: true}
	}
	if err := writeAnswers(file, m); err != nil {
		t.Fatal(err)
	}
	o := openOrigins(t, file, nil)
	if err := o.Allow("https://more.example"); !errors.Is(err, proto.CodeRequestLimit) {
		t.Errorf("one more: %v", err)
	}
	if err := errors.Join(o.Deny(site("n", 1)), o.Forget(site("n", 2)), o.Allow("https://more.example")); err != nil {
		t.Error(err)
	}
	list, err := o.List()
	if err != nil || len(list) != maxAnswers {
		t.Errorf("%d sites, %v", len(list), err)
	}
}

func TestOpenRefusesBadExtra(t *testing.T) {
	if _, err := OpenOrigins(filepath.Join(t.TempDir(), "o.json"), nil, "https://a.example", "http://b.example"); !errors.Is(err, proto.CodeOriginInvalid) {
		t.Errorf("error %v", err)
	}
}

// FuzzAnswers: any bytes give answers about canonical sites, which survive being written, or an error with its place.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"version":1,"origins":[{"origin":"https://a.example","allowed":true,"since":"2026-01-02T03:04:05Z"}]}`))
	for _, d := range damaged {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		answers, offset, err := parseAnswers(data)
		if offset < 0 || offset > len(data) {
			t.Fatalf("offset %d of %d", offset, len(data))
		}
		if err != nil {
			return
		}
		for origin := range answers {
			if again, err := ParseOrigin(origin); err != nil || again != origin {
				t.Errorf("site %q", origin)
			}
		}
	})
}
