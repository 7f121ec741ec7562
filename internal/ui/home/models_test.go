// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"fmt"
	"image"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"gioui.org/layout"
	"gioui.org/op"
	"gioui.org/unit"

	"persten/internal/text"
	"persten/proto"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func certificate(days int) proto.Certificate {
	return proto.Certificate{
		ID: fmt.Sprintf("%064d", days), Name: "Демонстрационный Подписант", Organization: "Демонстрационная организация", Holder: proto.HolderRepresentative,
		INN: "000000000000", Issuer: "Пример", Serial: "01a2", Thumbprint: strings.Repeat("ab", 20), Key: "RSA 2048", Usable: days > 0,
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(0, 0, days).Add(time.Hour), Token: proto.TokenRef{Label: "Rutoken ECP"},
	}
}

// TestLife: the words and the colour follow the days that are left, with the forms Russian has for them.
func TestLife(t *testing.T) {
	for days, want := range map[int]string{1: "остался 1 день", 2: "осталось 2 дня", 5: "осталось 5 дней", 21: "остался 21 день", 29: "осталось 29 дней", 111: "осталось 111 дней"} {
		got, tone := life(text.Russian, certificate(days), now)
		if !strings.HasSuffix(got, want) || tone != map[bool]Tone{true: Good, false: Warn}[days >= soonDays] {
			t.Errorf("%d days: %q, tone %d", days, got, tone)
		}
	}
	if got, tone := life(text.English, certificate(1), now); !strings.HasSuffix(got, "1 day left") || tone != Warn {
		t.Errorf("%q %d", got, tone)
	}
	if got, tone := life(text.Russian, certificate(-3), now); got != "Срок действия истёк 19.11.2026" || tone != Bad {
		t.Errorf("%q %d", got, tone)
	}
	c := certificate(300)
	c.SignUntil = now.AddDate(0, 0, 10).Add(time.Minute)
	if got, tone := life(text.Russian, c, now); !strings.HasSuffix(got, "осталось 10 дней") || tone != Warn {
		t.Errorf("the key ends before the certificate: %q %d", got, tone)
	}
	c.NotBefore, c.SignUntil = now.AddDate(0, 0, 2), time.Time{}
	if got, tone := life(text.Russian, c, now); got != "Начнёт действовать 24.11.2026" || tone != Warn {
		t.Errorf("%q %d", got, tone)
	}
}

// TestUnusable: a card that cannot sign says why and what to do.
func TestUnusable(t *testing.T) {
	c := certificate(-3)
	c.Reason = proto.CodeCertificateExpired
	card := newCertCard(text.Russian, c, now)
	if card.Usable || card.LifeTone != Bad || !strings.Contains(card.What, "19.11.2026") || card.Next == "" {
		t.Errorf("%+v", card)
	}
}

// TestGroups: certificates stand under their tokens, those that end first above; what has no token in the list is not lost.
func TestGroups(t *testing.T) {
	other := certificate(50)
	other.Token.Label = "JaCarta"
	same := certificate(70)
	same.Token.Model = "Lite"
	tokens := []proto.Token{{Label: "Rutoken ECP", Model: "ECP", Serial: "1", Attempts: -1}, {Label: "Rutoken ECP", Model: "Lite", Serial: "2", Attempts: -1}, {Label: "empty", Locked: true}}
	list := groups(text.Russian, tokens, []proto.Certificate{certificate(300), same, other, certificate(10)}, now)
	var got []string
	for _, g := range list {
		line := g.Title + ":"
		for _, c := range g.Certs {
			line += " " + strings.TrimLeft(c.ID, "0")
		}
		got = append(got, line)
	}
	if want := "Rutoken ECP: 1 3|Rutoken ECP: 7|empty:|JaCarta: 5"; strings.NewReplacer("0", "").Replace(strings.Join(got, "|")) != want {
		t.Errorf("%q, want %q", got, want)
	}
	if list[2].Tone != Bad || list[2].State == "" {
		t.Errorf("a locked token: %+v", list[2])
	}
}

// TestChain: the broken link is marked, and only that.
func TestChain(t *testing.T) {
	links := chainLinks(text.Russian, []proto.ChainLink{
		{Name: "Подписант", Code: "revoked", NotBefore: now, NotAfter: now, Revocation: &proto.Revocation{Status: "revoked", RevokedAt: now, Source: "crl", ThisUpdate: now}},
		{Name: "Центр", OK: true}, {Name: "Корень", OK: true, Root: true},
	})
	if links[0].Tone != Bad || links[1].Tone != Good || links[2].Tone != Good || links[0].State != text.Get(text.Russian, "cert.link.revoked", nil) {
		t.Errorf("%+v", links)
	}
	if notes := strings.Join(links[0].Notes, " "); !strings.Contains(notes, "22.11.2026") || strings.Contains(notes, "{") {
		t.Errorf("%q", notes)
	}
	if l := chainLinks(text.Russian, []proto.ChainLink{{Name: "x", Code: "root"}})[0]; l.Tone != Warn {
		t.Errorf("a root nobody trusts is a doubt: %+v", l)
	}
}

// TestJournalRows: one line for a use of a key, whatever the order and the page its beginning is on.
func TestJournalRows(t *testing.T) {
	begin := proto.JournalRecord{Seq: 7, Type: "begin", Kind: "sign", Origin: "https://a.example", Time: now, Documents: []proto.JournalDocument{{Name: "a.txt", Size: 3}}}
	end := proto.JournalRecord{Seq: 8, Type: "end", Of: 7, Kind: "sign", Result: "ok", Time: now}
	open := proto.JournalRecord{Seq: 9, Type: "begin", Kind: "sign", Program: "/usr/bin/persten", Time: now}
	denied := proto.JournalRecord{Seq: 10, Type: "note", Kind: "refused", Origin: "https://b.example", Result: "user_rejected", Time: now}
	lost := proto.JournalRecord{Seq: 3, Type: "end", Of: 2, Kind: "sign", Result: "pin_locked", Time: now}
	rows := journalRows(text.Russian, []proto.JournalRecord{lost, begin, end, open, denied})
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%d %s %s %d", r.Seq, r.Who, r.What, r.Tone))
	}
	want := "10 https://b.example  2|9 программа persten  2|8 https://a.example a.txt 1|3 этот компьютер  3"
	if strings.Join(got, "|") != want {
		t.Errorf("%q\nwant %q", strings.Join(got, "|"), want)
	}
}

// TestSiteRefused: a refused site is not called a refused signature.
func TestSiteRefused(t *testing.T) {
	for result, want := range map[string]string{"user_rejected": "Доступ запрещён", "origin_not_allowed": "решение забыто"} {
		r := proto.JournalRecord{Seq: 1, Type: "note", Kind: "origin", Origin: "https://a.example", Result: result}
		if row := newJournalRow(text.Russian, r, r); row.Result != want || row.Tone != Warn {
			t.Errorf("%s: %q", result, row.Result)
		}
	}
}

// TestLostTokens: the token used last stands first, with whom to tell.
func TestLostTokens(t *testing.T) {
	var records []proto.JournalRecord
	for i := range 40 {
		records = append(records, proto.JournalRecord{Seq: int64(i + 1), Type: "begin", Kind: "sign", TokenSerial: map[bool]string{true: "old", false: "new"}[i < 20],
			CertificateSerial: "01a2", Origin: fmt.Sprintf("https://site%d.example", i), Time: now})
	}
	known := []group{{Title: "Rutoken ECP", Token: &proto.Token{Serial: "new"}, Certs: []certCard{newCertCard(text.Russian, certificate(9), now)}}}
	list := lostTokens(text.Russian, records, known)
	if len(list) != 2 || list[0].Serial != "new" || list[0].Label != "Rutoken ECP" || list[0].Issuers[0] != "Пример" {
		t.Fatalf("%+v", list)
	}
	if l := list[0]; len(l.Uses) != maxUses || len(l.Sites) != maxSites || l.Sites[0] != "https://site39.example" || len(l.Certs) != 1 {
		t.Errorf("%+v", l)
	}
}

func TestSiteRows(t *testing.T) {
	rows := siteRows(text.Russian, []proto.Origin{
		{Origin: "https://a.example", Allowed: true, Source: proto.OriginSourceUser, Since: now},
		{Origin: "https://b.example", Source: proto.OriginSourcePolicy},
		{Origin: "https://c.example", Allowed: true, Hidden: true, Source: proto.OriginSourceUser},
	})
	if rows[0].Fixed || !rows[1].Fixed || rows[0].Says == rows[2].Says || rows[0].Says == rows[1].Says || rows[0].Since != "Решили вы, 22.11.2026" {
		t.Errorf("%+v", rows)
	}
}

// TestVerdict: a broken chain is said to be one.
func TestVerdict(t *testing.T) {
	if tone, lines := verdictWords(text.Russian, &proto.JournalVerifyResult{OK: true, Records: 3}); tone != Good || !strings.Contains(lines[0], "3 записи") {
		t.Error(tone, lines)
	}
	if tone, lines := verdictWords(text.English, &proto.JournalVerifyResult{Records: 3, Line: 2, Unknown: 1}); tone != Bad || !strings.Contains(lines[0], "2") || len(lines) != 3 {
		t.Error(tone, lines)
	}
}

// hostile are strings that would break a line, hide, or turn text around.
var hostile = []string{
	"\u202eevil", "a\nb\r\nc", "\x1b[31mred\x1b[0m", "\x00\x07", strings.Repeat("W", 1<<20), "a\u200b\u2066b", "\xff\xfe", "{name} [[x]]", "שלום", strings.Repeat("\u0301", 500),
}

// TestHostileStrings: nothing that reaches the models leaves them with a character that moves, hides or reorders others, or
// longer than its place.
func TestHostileStrings(t *testing.T) {
	var all []string
	for _, x := range hostile {
		c := proto.Certificate{ID: x, Name: x, Organization: x, Title: x, INN: x, INNLE: x, SNILS: x, OGRN: x, Issuer: x, Serial: x, Thumbprint: x, Key: x, Class: x,
			SignTool: x, Usage: []string{x}, Purposes: []proto.Purpose{{OID: x, Name: x}}, Token: proto.TokenRef{Label: x, Model: x},
			Chain: []proto.ChainLink{{Name: x, Code: x, NotAfter: now, Revocation: &proto.Revocation{Status: x, Source: x, From: x, Why: x, Reason: x}}}}
		for _, g := range groups(text.Russian, []proto.Token{{Label: x, Model: x, Serial: x}, {Label: "other"}}, []proto.Certificate{c}, now) {
			all = append(all, g.Title, g.About)
			for _, d := range g.Certs {
				all = append(all, d.Name, d.About, d.Issuer, d.Serial, d.Thumbprint, d.Key)
				for _, r := range d.Rows {
					all = append(all, r.Value)
				}
				for _, l := range d.Chain {
					all = append(append(all, l.Name, l.State), l.Notes...)
				}
			}
		}
		r := proto.JournalRecord{Seq: 1, Type: "begin", Kind: x, Origin: x, Program: x, CertificateSerial: x, TokenSerial: x, Profile: x, Result: x, Args: map[string]string{"a": x},
			Documents: []proto.JournalDocument{{Name: x, Digest: x, Alg: x}}}
		for _, row := range append(journalRows(text.Russian, []proto.JournalRecord{r}), newJournalRow(text.English, r, proto.JournalRecord{Program: x})) {
			all = append(all, row.Kind, row.Who, row.What, row.Result)
			for _, d := range row.Details {
				all = append(all, d.Value)
			}
		}
		for _, l := range lostTokens(text.Russian, []proto.JournalRecord{r}, nil) {
			all = append(append(append(all, l.Serial), l.Certs...), l.Sites...)
			for _, u := range l.Uses {
				all = append(all, u.What)
			}
		}
		for _, s := range siteRows(text.Russian, []proto.Origin{{Origin: x, Source: proto.OriginSource(x)}}) {
			all = append(all, s.Site.String(), s.Site.Native, s.Says, s.Since)
		}
	}
	for _, s := range all {
		if n := len([]rune(s)); n > 400 {
			t.Errorf("%d characters: %.60q", n, s)
		}
		for _, r := range s {
			if !unicode.IsPrint(r) || r >= 0x0590 && r <= 0x08ff {
				t.Errorf("%U in %.60q", r, s)
				break
			}
		}
	}
}

// TestTenThousandRows: a journal of 10,000 records is laid out quickly wherever it is scrolled to.
func TestTenThousandRows(t *testing.T) {
	h := &Home{kit: newKit(text.Russian, false), o: Options{Lang: text.Russian}, waited: true}
	p := newJournal(h)
	for i := range 10_000 {
		p.records = append(p.records, proto.JournalRecord{Seq: int64(i + 1), Type: "note", Kind: "refused", Origin: fmt.Sprintf("https://site%d.example", i), Result: "user_rejected", Time: now})
	}
	p.rows = journalRows(text.Russian, p.records)
	var ops op.Ops
	took := make([]time.Duration, 0, 200)
	for i := range 200 {
		ops.Reset()
		gtx := layout.Context{Ops: &ops, Now: now, Metric: unit.Metric{PxPerDp: 2, PxPerSp: 2}, Constraints: layout.Exact(image.Pt(1664, 1440))}
		p.list.Position = layout.Position{First: i * 49, BeforeEnd: true}
		began := time.Now()
		p.layout(gtx)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("a frame is laid out in %v (median), %v (p95)", took[100], took[190])
	if took[190] > 100*time.Millisecond {
		t.Errorf("p95 is %v", took[190])
	}
	if p.list.Position.First < 9_700 || p.list.Position.Count > 60 {
		t.Errorf("the list stands at %+v", p.list.Position)
	}
}

// TestSiteInTheJournal: what was decided about a site is said as such, not as a success.
func TestSiteInTheJournal(t *testing.T) {
	for result, want := range map[string]string{"ok": "Может просить подпись", "user_rejected": "Доступ запрещён"} {
		if got, _ := journalResult(text.Russian, proto.JournalRecord{Result: result}, "origin"); got != want {
			t.Errorf("%s: %q, want %q", result, got, want)
		}
	}
}
