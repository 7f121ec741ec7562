// SPDX-License-Identifier: GPL-3.0-or-later

package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"persten/internal/config"
	"persten/internal/fleet/fleettest"
	"persten/internal/journal"
	"persten/proto"
)

// secretRecord holds in each field a word that must not leave by itself.
var secretRecord = journal.Record{
	Kind: "sign", User: "ivanov", Origin: "https://portal.example", Via: "native", Program: "/home/ivanov/browser",
	CertificateSerial: "0a5e21a1", Thumbprint: strings.Repeat("ab", 20), TokenSerial: "rutoken-77",
	Documents: []journal.Document{{Name: "ИНН 500100732259 СНИЛС 112-233-445 95.pdf", Size: 10, Digest: "digest-of-it"}},
	Result:    "pin_incorrect", Args: map[string]string{"attempts": "2", "file": "/home/ivanov/x"},
}

func TestFieldsAreThoseOfPolicy(t *testing.T) {
	groups := map[string]bool{groupOwner: true, groupNumbers: true} // these are of figures and of texts
	for _, f := range fields {
		if f.group != "" && f.group != groupTexts {
			groups[f.group] = true
		}
	}
	for _, g := range config.ForwardFields {
		if !groups[g] {
			t.Errorf("policy may name %s, which is no group of fields", g)
		}
		delete(groups, g)
	}
	if len(groups) > 0 {
		t.Errorf("policy cannot name %v", groups)
	}
}

func TestRedaction(t *testing.T) {
	l := journal.Line{Seq: 7, Type: journal.TypeNote, Record: secretRecord, Hash: strings.Repeat("1", 64)}
	secrets := map[string][]string{
		"user": {"ivanov"}, "program": {"/home/ivanov/browser"}, "serials": {"0a5e21a1", "rutoken-77"},
		"documents": {"digest-of-it", ".pdf"}, "details": {"attempts=2", "/home/ivanov/x"}, "numbers": {"500100732259", "112-233-445"},
	}
	plain := newTold(nil).message(l)
	for group, list := range secrets {
		for _, s := range list {
			if strings.Contains(plain, s) {
				t.Errorf("%s leaves by itself: %s", s, plain)
			}
		}
		with := newTold([]string{group, "documents"}).message(l)
		for _, s := range list {
			if !strings.Contains(with, s) {
				t.Errorf("%s does not leave with %s: %s", s, group, with)
			}
		}
	}
	if !strings.Contains(plain, "portal.example") || !strings.Contains(plain, "pin_incorrect") {
		t.Errorf("too little leaves: %s", plain)
	}
}

// TestNothingElseLeaves: each text of a record is marked, and each argument of an error; what leaves by no group is a list, and what
// leaves by one is that group's alone. A new field of records leaves nowhere by itself.
func TestNothingElseLeaves(t *testing.T) {
	var r journal.Record
	v := reflect.ValueOf(&r).Elem()
	mark := func(v reflect.Value, of string) {
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String {
				f.SetString("mark-" + of + v.Type().Field(i).Name + "-end")
			}
		}
	}
	mark(v, "")
	r.Documents = make([]journal.Document, 1)
	mark(reflect.ValueOf(&r.Documents[0]).Elem(), "Document.")
	r.Args = map[string]string{}
	for _, name := range argumentNames(t) {
		r.Args[name] = "mark-Args." + name + "-end"
	}
	l := journal.Line{Seq: 1, Type: journal.TypeNote, Record: r, Hash: strings.Repeat("1", 64), Prev: strings.Repeat("0", 64)}
	args := func(wanted bool) (list []string) {
		for name := range r.Args {
			if slices.Contains(plain, name) == wanted {
				list = append(list, "Args."+name)
			}
		}
		return list
	}
	always := []string{"Kind", "Result", "Via", "By", "Profile", "Algorithm", "Thumbprint", "Approval", "Ref", "Version"}
	groups := map[string][]string{
		"": nil, "user": {"User"}, "program": {"Program"}, "serials": {"CertificateSerial", "TokenSerial"},
		"documents": {"Document.Name", "Document.Digest"}, "details": args(true), "owner": nil, "numbers": nil,
		"details documents": append(args(false), append(args(true), "Document.Name", "Document.Digest")...),
	}
	marks := regexp.MustCompile(`mark-([A-Za-z._0-9]+)-end`)
	for group, want := range groups {
		told := newTold(strings.Fields(group))
		sent := (&otlp{told: told}).record(l)
		s := syslog{told: told, host: "desk"}
		want = slices.Sorted(slices.Values(append(slices.Clone(always), want...)))
		for way, text := range map[string]string{"otlp": string(sent), "syslog": s.format(l), "system": told.message(l)} {
			var got []string
			for _, m := range marks.FindAllStringSubmatch(text, -1) {
				got = append(got, m[1])
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("%s by %q: %v leaves, want %v", way, group, got, want)
			}
		}
	}
}

// argumentNames are those of all errors.
func argumentNames(t *testing.T) (list []string) {
	t.Helper()
	data, err := os.ReadFile("../../proto/errors.json")
	var errs []struct{ Args []string }
	if err == nil {
		err = json.Unmarshal(data, &errs)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range errs {
		list = append(list, e.Args...)
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) < 20 {
		t.Fatalf("only %d arguments of errors", len(list))
	}
	return list
}

// TestNumbers: numbers of people do not leave in texts, in whatever form they are written.
func TestNumbers(t *testing.T) {
	for _, number := range []string{
		"7707083893", "500100732259", "1027700132195", "312500100732259", "11223344595", "112-233-445 95", "112-233-445  95", "112 233 445 - 95",
		"112_233_445_95", "112.233.445.95", "112\u00a0233\u00a0445\u00a095", "112\u2011233\u2011445\u201195", "77 07 083893", "77/07/083893", "4508 123456", "45 08 № 123456",
	} {
		for _, text := range []string{number, "Договор " + number + ".pdf", "x" + number + "y", "/home/a/" + number} {
			if got := newTold(nil).text(text); strings.ContainsFunc(got, unicode.IsDigit) {
				t.Errorf("%q leaves as %q", text, got)
			}
			if got := newTold([]string{groupNumbers}).text(text); got != text {
				t.Errorf("%q, told, leaves as %q", text, got)
			}
		}
	}
	for _, harmless := range []string{"Договор 17 от 22.11.2026.pdf", "v1.2.3", "шаблон 2026", "12345678"} {
		if got := newTold(nil).text(harmless); got != harmless {
			t.Errorf("%q leaves as %q", harmless, got)
		}
	}
}

// TestSites: what stands in the place of a site and is none could hold anything.
func TestSites(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "https://portal.example": "https://portal.example", "https://portal.example:8443": "https://portal.example:8443",
		"null": "-", "https://portal.example/?inn=7707083893": "-", "https://ivanov:secret@portal.example": "-", "https://PORTAL.example": "-",
		"file:///home/ivanov/a.html": "-", "Иванов Иван": "-",
	} {
		if got := site(text); got != want {
			t.Errorf("%q leaves as %q", text, got)
		}
	}
}

// TestFiguresOfOwners: the name of an owner leaves by its group, numbers in it by theirs.
func TestFiguresOfOwners(t *testing.T) {
	c := proto.Certificate{Thumbprint: "ab", Serial: "0a5e21a1", Name: "ИП Демонстрационный Подписант 500100732259", Organization: "АО 7707083893", INN: "500100732259", SNILS: "11223344595"}
	for groups, want := range map[string]string{
		"": "[ab]", "serials": "[ab 0a5e21a1]", "owner": "[ab ИП Демонстрационный Подписант *** АО ***]", "numbers": "[ab 11223344595 500100732259]",
	} {
		var got []string
		for _, a := range (&reporter{owner: newTold(strings.Fields(groups))}).whose(c) {
			got = append(got, fmt.Sprint(a.value))
		}
		if groups == "numbers" {
			slices.Sort(got[1:]) // these come in any order
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q: %v, want %v", groups, got, want)
		}
	}
}

// TestMessageIsBounded: a batch with long names fits what syslog servers take.
func TestMessageIsBounded(t *testing.T) {
	r := secretRecord
	for range 64 {
		r.Documents = append(r.Documents, journal.Document{Name: strings.Repeat("я", 200)})
	}
	m := newTold(config.ForwardFields).message(journal.Line{Record: r})
	if len(m) > maxMessage || !strings.Contains(m, `"shortened"`) || !strings.Contains(m, `"documents":65`) {
		t.Errorf("%d bytes: %.200s", len(m), m)
	}
}

// desk is a journal with an exporter to a collector that answers as a test wants.
type desk struct {
	t     *testing.T
	dir   string
	j     *journal.Journal
	into  *fleettest.Collector
	reply func(w http.ResponseWriter, r *http.Request, take func())
	url   string
	asked int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir()}
	var errs [2]error
	d.into, errs[0] = fleettest.New(d.dir)
	d.j, errs[1] = journal.Open(filepath.Join(d.dir, "state", "journal.jsonl"))
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.asked++
		if d.reply == nil {
			d.into.ServeHTTP(w, r)
			return
		}
		d.reply(w, r, func() { d.into.ServeHTTP(w, r) })
	}))
	t.Cleanup(s.Close)
	d.url = s.URL
	return d
}

// sender is the one of OTLP, as New makes it.
func (d *desk) sender() *sender {
	d.t.Helper()
	e, err := New(Options{
		Journal: d.j.Path(), State: d.dir, Version: "1", Instance: "test", Forward: config.Forward{OTLP: d.url, Every: time.Second},
	})
	if err != nil || len(e.senders) != 1 {
		d.t.Fatalf("%d senders, %v", len(e.senders), err)
	}
	s := e.senders[0]
	s.at = readPlace(s.place)
	return s
}

func (d *desk) note(n int) {
	d.t.Helper()
	for range n {
		if err := d.j.Note(secretRecord); err != nil {
			d.t.Fatal(err)
		}
	}
}

// arrived are the numbers of the records a collector took, in order.
func (d *desk) arrived() (seqs []int) {
	d.t.Helper()
	list, err := fleettest.Records(d.dir)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range list {
		seqs = append(seqs, int(r.Attributes["persten.seq"].(float64)))
	}
	return seqs
}

func count(n int) (list []int) {
	for i := range n {
		list = append(list, i+1)
	}
	return list
}

// TestSenderGoesOn: what was taken is not sent again, by the next session neither; in batches; what failed is.
func TestSenderGoesOn(t *testing.T) {
	d := newDesk(t)
	d.note(1200)
	s := d.sender()
	if err := s.drain(t.Context()); err != nil || d.asked != 3 {
		t.Fatalf("1200 records took %d batches, %v", d.asked, err)
	}
	d.note(1)
	d.reply = func(w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(http.StatusBadGateway) }
	if err := s.drain(t.Context()); err == nil {
		t.Error("502 is taken for success")
	}
	d.reply = nil
	if err := d.sender().drain(t.Context()); err != nil {
		t.Error(err)
	}
	if got := d.arrived(); !slices.Equal(got, count(1201)) {
		t.Errorf("%d records arrived, want 1201 once and in order", len(got))
	}
}

// TestSentBeforeForgotten: what policy keeps no longer stays until it was sent wherever policy sends it.
func TestSentBeforeForgotten(t *testing.T) {
	d := newDesk(t)
	d.note(20)
	forward := config.Forward{OTLP: d.url}
	expire := func(want int) {
		t.Helper()
		if gone, err := d.j.Expire(t.Context(), time.Now(), Sent(d.dir, forward)...); gone != want || err != nil {
			t.Errorf("%d records forgotten, %v; want %d", gone, err, want)
		}
	}
	d.reply = func(w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(http.StatusBadGateway) }
	if err := d.sender().drain(t.Context()); err == nil {
		t.Error("502 is taken for success")
	}
	expire(0)
	d.reply = nil
	if err := d.sender().drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.note(5)
	forward.Syslog = "log.example:6514" // asked for since, and never reached
	expire(0)
	forward.Syslog = ""
	expire(20)
	if err := d.sender().drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := d.arrived(); !slices.Equal(got, count(26)) { // the last says that there was forgetting
		t.Errorf("arrived: %v", got)
	}
	if places := Sent(d.dir, config.Forward{}); len(places) > 0 {
		t.Errorf("nothing is forwarded, and yet %v", places)
	}
}

// TestRefusedRecord: one record that the collector will not have does not hold up the others.
func TestRefusedRecord(t *testing.T) {
	d := newDesk(t)
	d.note(20)
	if err := d.j.Note(journal.Record{Kind: "poison"}); err != nil {
		t.Fatal(err)
	}
	d.note(20)
	d.reply = func(w http.ResponseWriter, r *http.Request, take func()) {
		body, err := io.ReadAll(r.Body)
		if err != nil || bytes.Contains(body, []byte("poison")) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		take()
	}
	if err := d.sender().drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := d.arrived()
	want := slices.DeleteFunc(count(41), func(n int) bool { return n == 21 })
	if !slices.Equal(got, want) {
		t.Errorf("arrived: %v", got)
	}
}

// TestWaits: failures are followed by longer and longer pauses, no longer than the collector may ask for.
func TestWaits(t *testing.T) {
	told := map[string]int{}
	s := &sender{name: "otlp", to: "collector.example", every: time.Minute, problem: func(of string, e *proto.Error) {
		if e != nil && e.Args["host"] == "collector.example" {
			told[string(e.Code)]++
		} else if e == nil {
			told["well"]++
		}
	}}
	last := time.Duration(0)
	for range 20 {
		wait := s.after(errors.New("dead"))
		if wait < last || wait > retryLate {
			t.Errorf("%v after %v", wait, last)
		}
		last = wait
	}
	if last != retryLate || len(told) != 0 {
		t.Errorf("waits %v at last; told %v before its time", last, told)
	}
	s.since = time.Now().Add(-2 * troubleAfter)
	for _, c := range []struct{ asked, want time.Duration }{{time.Second, retryLate}, {30 * time.Minute, 30 * time.Minute}, {48 * time.Hour, retryLatest}} {
		if got := s.after(&later{c.asked, errors.New("busy")}); got != c.want {
			t.Errorf("asked to wait %v it waits %v", c.asked, got)
		}
	}
	if got := s.after(nil); got != time.Minute || told["forward_failed"] != 3 || told["well"] != 1 {
		t.Errorf("after success %v, told %v", got, told)
	}
}

// TestStatus: what a collector may answer.
func TestStatus(t *testing.T) {
	for code, want := range map[int]string{200: "taken", 202: "taken", 400: "refused", 413: "refused", 401: "again", 404: "again", 301: "again", 500: "again", 502: "again", 503: "later", 429: "later"} {
		err := status(&http.Response{StatusCode: code, Header: http.Header{"Retry-After": {"120"}}})
		got := "again"
		var l *later
		switch {
		case err == nil:
			got = "taken"
		case errors.Is(err, errRefused):
			got = "refused"
		case errors.As(err, &l) && l.after == 2*time.Minute:
			got = "later"
		}
		if got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
}

// TestHostileCollector: endless answers and redirects neither fill memory nor lead astray.
func TestHostileCollector(t *testing.T) {
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	for name, reply := range map[string]func(http.ResponseWriter, *http.Request, func()){
		"redirect": func(w http.ResponseWriter, r *http.Request, _ func()) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"closes": func(w http.ResponseWriter, _ *http.Request, _ func()) { panic(http.ErrAbortHandler) },
		"hangs":  func(http.ResponseWriter, *http.Request, func()) { time.Sleep(2 * time.Second) },
	} {
		d := newDesk(t)
		d.note(1)
		d.reply = reply
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if err := d.sender().drain(ctx); err == nil {
			t.Errorf("%s is taken for success", name)
		}
		cancel()
	}
	d := newDesk(t)
	d.note(1)
	d.reply = func(w http.ResponseWriter, _ *http.Request, _ func()) {
		for range 1000 {
			fmt.Fprint(w, strings.Repeat("x", 1<<16))
		}
	}
	if err := d.sender().drain(t.Context()); err != nil || elsewhere != 0 {
		t.Errorf("a long answer: %v; %d calls elsewhere", err, elsewhere)
	}
}

// TestFigures: what is counted of the journal and of the session arrives under the names of ADMIN.md.
func TestFigures(t *testing.T) {
	d := newDesk(t)
	d.note(5) // before the session: not counted
	e, err := New(Options{
		Journal: d.j.Path(), State: d.dir, Version: "1", Instance: "test",
		Forward: config.Forward{OTLP: d.url, Every: time.Second, MetricsEvery: time.Second, Fields: []string{"owner"}},
		Figures: func(context.Context) (Figures, error) {
			d.note(2)
			return Figures{Prompts: 1, Tokens: 2, Restarts: map[string]int{"softhsm": 3}, Problems: []proto.Problem{{Code: proto.CodePortTaken}},
				Certificates: []proto.Certificate{{Thumbprint: "ab", Name: "Демонстрационный Подписант", INN: "500100732259",
					NotAfter: time.Now().Add(48 * time.Hour), KeyTo: time.Now().Add(24 * time.Hour)}}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := e.reports
	r.begin()
	for range 2 {
		if err := r.report(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	list, err := fleettest.Figures(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	last := map[string]fleettest.Figure{}
	for _, f := range list {
		last[f.Name] = f
	}
	for name, want := range map[string]float64{"persten.key.uses": 2, "persten.prompts": 1, "persten.tokens": 2, "persten.module.restarts": 3,
		"persten.problems": 1, "persten.certificate.days_left": 2, "persten.key.days_left": 1} {
		if got := last[name].Value; got < want-0.01 || got > want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	of := last["persten.certificate.days_left"].Attributes
	if of["persten.owner"] != "Демонстрационный Подписант" || of["persten.inn"] != nil {
		t.Errorf("the certificate is told of as %v", of)
	}
}

// TestPlace: a file of places that was damaged begins anew.
func TestPlace(t *testing.T) {
	good := journal.Position{Seq: 7, Hash: strings.Repeat("a", 64), Offset: 100}
	s := &sender{place: filepath.Join(t.TempDir(), "place")}
	s.keep(good)
	if got := readPlace(s.place); got != good {
		t.Errorf("kept %v, read %v", good, got)
	}
	for _, text := range []string{"", "{", "[]", `{"seq":1}`, `{"seq":1,"hash":"xx","offset":1}`, `{"seq":-1}`} {
		if err := os.WriteFile(s.place, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readPlace(s.place); got != (journal.Position{}) {
			t.Errorf("%q gives %v", text, got)
		}
	}
}

// FuzzAnswer reads any answer of a collector.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x0a\x04\x08\x03\x12\x00"))
	f.Add([]byte("\x0a\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, why := rejected(data); len(why) > 200 {
			t.Errorf("%d bytes for the log", len(why))
		}
	})
}

// FuzzPlace reads any file of places.
func FuzzPlace(f *testing.F) {
	f.Add([]byte(`{"seq":1,"hash":"` + strings.Repeat("a", 64) + `","offset":1}`))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p := parsePlace(data); p != (journal.Position{}) && (p.Seq == 0 || p.Offset < 0 || len(p.Hash) != 64) {
			t.Errorf("%q gives %v", data, p)
		}
	})
}
