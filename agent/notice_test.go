// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// TestEndings runs a clock over the last weeks of certificates: each stage is told once, whenever the agent happens to look.
func TestEndings(t *testing.T) {
	end := time.Date(2027, 3, 31, 12, 0, 0, 0, time.UTC)
	one := proto.Certificate{ID: "a", Name: "Демонстрационный Подписант", NotAfter: end, SignUntil: end}
	key := proto.Certificate{ID: "b", Name: "Демонстрационный Директор", NotAfter: end.AddDate(0, 2, 0), SignUntil: end}
	next := proto.Certificate{ID: "c", Name: one.Name, NotAfter: end.AddDate(1, 0, 0), SignUntil: end.AddDate(1, 0, 0)}
	for name, c := range map[string]struct {
		list []proto.Certificate
		look []float64 // days before the end
		want []int     // stages told, in this order
		kind proto.NoticeKind
	}{
		"daily":         {[]proto.Certificate{one}, []float64{40, 31, 30, 29.5, 15, 14, 13, 8, 7, 6, 2, 1, 0.5, 0, -1}, []int{30, 14, 7, 1}, proto.NoticeKindCertificateEnds},
		"first at five": {[]proto.Certificate{one}, []float64{5, 4, 3, 0.9}, []int{7, 1}, proto.NoticeKindCertificateEnds},
		"last day":      {[]proto.Certificate{one}, []float64{0.2, 0.1}, []int{1}, proto.NoticeKindCertificateEnds},
		"over":          {[]proto.Certificate{one}, []float64{-0.1, -30}, nil, ""},
		"key first":     {[]proto.Certificate{key}, []float64{40, 20, 10, 3}, []int{30, 14, 7}, proto.NoticeKindKeyEnds},
		"renewed":       {[]proto.Certificate{one, next}, []float64{20, 1}, nil, ""},
	} {
		memory := told{}
		var got []int
		for _, days := range c.look {
			now := end.Add(-time.Duration(days * 24 * float64(time.Hour)))
			fresh := memory.fresh(endings(c.list, now))
			for _, e := range fresh {
				memory[e.id] = stage{e.stage, e.end}
				got = append(got, e.stage)
			}
			if len(fresh) > 0 {
				if n := endingNotice(text.Russian, fresh); n.Kind != c.kind || n.Validate() != nil {
					t.Errorf("%s: %+v, %v", name, n, n.Validate())
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: told at %v, want %v", name, got, c.want)
		}
	}
}

// TestEndingWords: several ends are one notice, which names the nearest, and nobody's name.
func TestEndingWords(t *testing.T) {
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	list := endings([]proto.Certificate{
		{ID: "a", Name: "Демонстрационный Подписант", NotAfter: now.AddDate(0, 0, 14)},
		{ID: "b", Name: "Демонстрационный Директор", NotAfter: now.AddDate(0, 0, 2)},
	}, now)
	for lang, want := range map[text.Lang]string{
		text.Russian: "Сертификат действует ещё 2 дня. Получите новый заранее. Это самый близкий срок, всего 2 сертификата.",
		text.English: "The certificate is valid for 2 more days. Get a new one in time. This is the nearest date, of 2 certificates in all.",
	} {
		if n := endingNotice(lang, list); n.Body != want {
			t.Errorf("%q, want %q", n.Body, want)
		}
	}
}

func TestMadeNotice(t *testing.T) {
	q := signing.Question{Kind: signing.KindSign, Origin: "https://portal.example"}
	login := signing.Question{Kind: signing.KindLogin, Origin: "https://portal.example"}
	one := signing.Outcome{Signed: []string{"Тайный договор.txt"}}
	for name, c := range map[string]struct {
		q       signing.Question
		o       signing.Outcome
		inFront bool
		want    string
	}{
		"elsewhere": {q, one, false, "https://portal.example: 1 документ."},
		"in front":  {q, one, true, ""},
		"batch":     {q, signing.Outcome{Batch: &signing.BatchOutcome{Signed: 12}}, true, "https://portal.example: 12 документов."},
		"cut short": {q, signing.Outcome{Code: "user_stopped", Batch: &signing.BatchOutcome{NotSigned: 12}}, false, ""},
		"refused":   {q, signing.Outcome{Code: "user_rejected"}, false, ""},
		"login":     {login, signing.Outcome{}, false, ""},
		"a program": {signing.Question{Kind: signing.KindSign}, one, false, "Программа на этом компьютере: 1 документ."},
		"hostile":   {signing.Question{Kind: signing.KindSign, Origin: "https://" + strings.Repeat("a.", 5000) + "example"}, one, false, "*"},
	} {
		n, ok := madeNotice(text.Russian, c.q, c.o, c.inFront)
		if ok != (c.want != "") || c.want != "*" && n.Body != c.want {
			t.Errorf("%s: %v %q, want %q", name, ok, n.Body, c.want)
		}
		if ok && n.Validate() != nil {
			t.Errorf("%s: %v", name, n.Validate())
		}
	}
}

// TestReminder: a request is told of after ten seconds, once, and not while the person is at it or has answered.
func TestReminder(t *testing.T) {
	began := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	r := reminder{}
	open := []signing.Open{{ID: "1", Kind: signing.KindSign, Since: began}, {ID: "2", Kind: signing.KindSign, Since: began.Add(4 * time.Second)}}
	for _, c := range []struct {
		at   time.Duration
		due  int
		next time.Duration
	}{{0, 0, 10 * time.Second}, {9 * time.Second, 0, time.Second}, {10 * time.Second, 1, 4 * time.Second}} {
		if due, next := r.due(open, began.Add(c.at)); len(due) != c.due || next != c.next {
			t.Errorf("after %v: %d due, next in %v", c.at, len(due), next)
		}
	}
	r["1"] = true
	if due, next := r.due(open, began.Add(11*time.Second)); len(due) != 0 || next != 3*time.Second {
		t.Errorf("told once: %d, %v", len(due), next)
	}
	open[1].Decided = true
	if due, _ := r.due(open, began.Add(time.Minute)); len(due) != 0 {
		t.Errorf("answered: %d", len(due))
	}
	if r.due(nil, began); len(r) != 0 {
		t.Error("a request that is over is not forgotten")
	}
	for kind := range waitingKeys {
		n := waitingNotice(text.English, signing.Open{ID: strings.Repeat("0", 32), Kind: kind, Origin: "https://portal.example"})
		if n.Validate() != nil || !text.Has(waitingKeys[kind]) {
			t.Errorf("%s: %+v %v", kind, n, n.Validate())
		}
	}
}

// TestNoticesAreTold follows the demonstration token, whose memory is a file: without a tray nothing is told, then once.
func TestNoticesAreTold(t *testing.T) {
	demo, err := keyfile.OpenDemo(filepath.Join(t.TempDir(), "demo"))
	if err != nil {
		t.Fatal(err)
	}
	var sent []proto.AgentNoticeParams
	tray, quiet := false, false
	n := newNotices(filepath.Join(t.TempDir(), "notices.json"))
	n.lang = func() text.Lang { return text.English }
	n.quiet = func() bool { return quiet }
	n.keys = func(ctx context.Context) ([]token.Key, []*proto.Error, error) {
		keys, err := demo.Keys(ctx)
		return keys, nil, err
	}
	n.send = func(m proto.AgentNoticeParams) bool { sent = append(sent, m); return tray }
	info, err := demo.Tokens(t.Context())
	if err != nil || len(info) != 1 {
		t.Fatal(info, err)
	}
	keys, err := demo.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last := keys[0].Certificate().NotAfter()
	for _, c := range []struct {
		tray, quiet bool
		days        int
		want        int // notices so far
	}{{true, false, 100, 0}, {true, true, 20, 0}, {false, false, 20, 1}, {true, false, 20, 2}, {true, false, 19, 2}, {true, false, 10, 3}, {true, false, -1, 3}} {
		tray, quiet = c.tray, c.quiet
		n.certificates(t.Context(), last.AddDate(0, 0, -c.days))
		if len(sent) != c.want {
			t.Fatalf("%d days before the end, tray %v, quiet %v: %d notices, want %d", c.days, c.tray, c.quiet, len(sent), c.want)
		}
	}
	sent, quiet = nil, false
	n.inserted(t.Context(), info[0])
	if want := "It holds " + text.Plural("en", "count.certificates", len(keys)) + "."; len(sent) != 1 || sent[0].Body != want {
		t.Errorf("%+v, want %q", sent, want)
	}
}
