// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"persten/internal/text"
	"persten/internal/ui/uitest"
	"persten/proto"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// said is a menu in lines.
func said(rows []row, indent string) string {
	var b strings.Builder
	for _, r := range rows {
		if r.text != "" {
			b.WriteString(indent + r.text + "\n" + said(r.rows, indent+"\t"))
		}
	}
	return b.String()
}

func full(lang text.Lang) *news {
	day := 24 * time.Hour
	return &news{
		lang:   lang,
		status: proto.AgentStatusResult{State: proto.StateReady},
		tokens: []proto.Token{{Label: "Rutoken ECP"}, {Label: "JaCarta", Locked: true}, {Label: "Rutoken ECP"}},
		certs: []proto.Certificate{
			{Name: "Демонстрационный Подписант", Organization: "Демонстрационная организация", Key: "GOST R 34.10-2012 256", NotAfter: now.Add(87*day + time.Hour), Token: proto.TokenRef{Label: "Rutoken ECP"}},
			{Name: "Демонстрационный Подписант", Organization: "Демонстрационная организация", Key: "RSA 2048", NotAfter: now.Add(87*day + time.Hour), Token: proto.TokenRef{Label: "Rutoken ECP"}},
			{Name: "Демонстрационный Директор", NotAfter: now.Add(900 * day), SignUntil: now.Add(day + time.Hour), Token: proto.TokenRef{Label: "Rutoken ECP"}},
			{Name: "Демонстрационный Бухгалтер", NotAfter: now.Add(-day), Token: proto.TokenRef{Label: "JaCarta"}},
			{Name: "Демонстрационный Контролёр", NotAfter: now.Add(900 * day), Reason: proto.CodeCertificateNotForSigning, Token: proto.TokenRef{Label: "JaCarta"}},
		},
		journal: []proto.JournalRecord{
			{Seq: 1, Type: "begin", Time: now, Origin: "https://portal.example", Documents: []proto.JournalDocument{{Name: "Договор.txt"}}},
			{Seq: 2, Type: "end", Of: 1, Time: now},
			{Seq: 3, Type: "begin", Time: now.Add(time.Hour), Documents: []proto.JournalDocument{{Name: "a.txt"}, {Name: "b.txt"}}},
			{Seq: 4, Type: "end", Of: 3, Time: now},
		},
		origins: []proto.Origin{
			{Origin: "https://portal.example", Allowed: true, Source: proto.OriginSourceUser, Since: now},
			{Origin: "https://bad.example", Source: proto.OriginSourceUser, Since: now.Add(-time.Hour)},
			{Origin: "https://policy.example", Allowed: true, Hidden: true, Source: proto.OriginSourcePolicy},
		},
	}
}

func TestCompose(t *testing.T) {
	time.Local = time.UTC
	for lang, want := range map[text.Lang]string{
		text.Russian: "Persten: готов к работе\nОткрыть Persten…\nТокены и сертификаты\n\tRutoken ECP\n" +
			"\t    Демонстрационный Подписант, Демонстрационная организация: ещё 87 дней (GOST R 34.10-2012 256)\n" +
			"\t    Демонстрационный Подписант, Демонстрационная организация: ещё 87 дней (RSA 2048)\n" +
			"\t    Демонстрационный Директор: ещё 1 день\n" +
			"\tJaCarta (заблокирован)\n\t    Демонстрационный Бухгалтер: срок закончился\n" +
			"\t    Демонстрационный Контролёр: " + unfit(text.Russian) + "\n" +
			"Последние подписи\n\t22.11 13:00  Программа на этом компьютере: a.txt и другие, 2 документа\n\t22.11 12:00  https://portal.example: Договор.txt\n" +
			"Сайты\n\tВсе сайты…\n\thttps://portal.example\n\t\tЗапретить\n\thttps://bad.example (запрещён)\n\t\tСпросить снова\n" +
			"\thttps://policy.example (может подписывать скрытое от вас)\n\t\tЗадано администратором или в файле настроек\n" +
			"Тестовая подпись…\nДиагностика…\nЖурнал…\nНастройки…\nЯзык\n\t    Русский\n\t    English\n\t✓ Как в системе\n" +
			"Приостановить на час\nПриостановить\nЗавершить Persten\n",
		text.English: "Persten: ready\nOpen Persten…\nTokens and certificates\n\tRutoken ECP\n" +
			"\t    Демонстрационный Подписант, Демонстрационная организация: 87 days left (GOST R 34.10-2012 256)\n" +
			"\t    Демонстрационный Подписант, Демонстрационная организация: 87 days left (RSA 2048)\n" +
			"\t    Демонстрационный Директор: 1 day left\n" +
			"\tJaCarta (locked)\n\t    Демонстрационный Бухгалтер: expired\n" +
			"\t    Демонстрационный Контролёр: " + unfit(text.English) + "\n" +
			"Recent signatures\n\t22.11 13:00  A program on this computer: a.txt and others, 2 documents\n\t22.11 12:00  https://portal.example: Договор.txt\n" +
			"Sites\n\tAll sites…\n\thttps://portal.example\n\t\tForbid\n\thttps://bad.example (forbidden)\n\t\tAsk again\n" +
			"\thttps://policy.example (may sign what you cannot see)\n\t\tSet by the administrator or in the settings file\n" +
			"Test signature…\nDoctor…\nJournal…\nSettings…\nLanguage\n\t    Русский\n\t    English\n\t✓ As in the system\n" +
			"Pause for an hour\nPause\nQuit Persten\n",
	} {
		if got := said(compose(full(lang), now).rows, ""); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", lang, got, want)
		}
	}
}

func unfit(lang text.Lang) string {
	what, _ := text.Error(lang, proto.CodeCertificateNotForSigning, nil)
	return strings.TrimSuffix(what, ".")
}

// TestEmpty: with nothing to list each list says so, and nothing can be clicked that leads nowhere.
func TestEmpty(t *testing.T) {
	n := &news{lang: text.English, status: proto.AgentStatusResult{State: proto.StatePaused, PausedUntil: now}}
	got := said(compose(n, now).rows, "")
	for _, want := range []string{"paused until", "No tokens", "No signatures yet", "No sites yet", "Resume"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Pause") {
		t.Errorf("can be paused twice:\n%s", got)
	}
}

// TestHostileMenu puts each of many hostile strings into every field that others fill.
func TestHostileMenu(t *testing.T) {
	time.Local = time.UTC
	rowsOf := func(s string) []row {
		n := full(text.Russian)
		n.status = proto.AgentStatusResult{State: proto.StateProblem, Problems: []proto.Problem{{Text: s}}}
		for i := range 9 {
			n.status.Requests = append(n.status.Requests, proto.OpenRequest{ID: "x", Kind: proto.RequestKindLogin, Origin: s, Documents: i})
		}
		for range 30 {
			n.tokens = append(n.tokens, proto.Token{Label: s, Model: s})
			n.certs = append(n.certs, proto.Certificate{Name: s, Organization: s, Key: s, NotAfter: now, Reason: proto.Code(s), Token: proto.TokenRef{Label: s}})
			n.journal = append(n.journal, proto.JournalRecord{Type: "begin", Origin: s, Documents: []proto.JournalDocument{{Name: s}, {Name: s}}})
			n.origins = append(n.origins, proto.Origin{Origin: s, Allowed: true, Hidden: true, Source: proto.OriginSourceUser, Since: now})
		}
		return compose(n, now).rows
	}
	strange := uitest.Strings(t)
	for _, s := range strange {
		count := 0
		walk(rowsOf(s), func(r row) {
			count++
			if n := len([]rune(r.text)); n > 220 {
				t.Fatalf("%.80q: a row of %d characters: %.200q", s, n, r.text)
			}
			if i := strings.IndexFunc(r.text, func(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }); i >= 0 {
				t.Fatalf("%.80q: %.200q", s, r.text)
			}
		})
		if count > 80 {
			t.Fatalf("%.80q: %d rows", s, count)
		}
	}
	t.Logf("%d strings", len(strange))
}

func walk(rows []row, f func(row)) {
	for _, r := range rows {
		f(r)
		walk(r.rows, f)
	}
}

// FuzzNotice: whatever comes for a notice, what is shown is short and plain.
func FuzzNotice(f *testing.F) {
	f.Add(`{"kind":"requestWaiting","title":"a","body":"b","page":"tokens","request":"00000000000000000000000000000001"}`)
	f.Add(`{"kind":"x","title":"\u202e","body":"","page":"settings"}`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, params string) {
		n, ok := read(json.RawMessage(params))
		if !ok {
			return
		}
		if strings.ContainsFunc(n.Title+n.Body, unicode.IsControl) || len([]rune(n.Title)) > titleColumns+8 || len([]rune(n.Body)) > bodyColumns+8 {
			t.Errorf("%q %q", n.Title, n.Body)
		}
		if o := click(n); o.what != doPage && o.what != doRequest {
			t.Errorf("a click does %s", o.what)
		}
	})
}
