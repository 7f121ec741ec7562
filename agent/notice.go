// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"strconv"
	"strings"
	"time"

	"persten/internal/signing"
	"persten/internal/text"
	"persten/internal/ui"
	"persten/proto"
)

// This file decides what the person is told by a notice, and in which words. A locked screen may show it, so it names sites
// and numbers, no documents and no people.

// tooLong is how long a request waits before the person is reminded of it.
const tooLong = 10 * time.Second

// stages are the days before an end at which the person is told of it, once each.
var stages = []int{1, 7, 14, 30}

// notice puts a notice into words; args are name, value, name, value.
func notice(lang text.Lang, kind proto.NoticeKind, page proto.WindowPage, key string, args ...string) proto.AgentNoticeParams {
	m := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return proto.AgentNoticeParams{
		Kind: kind, Page: page, Title: text.Get(lang, key+".title", nil), Body: text.Get(lang, key, m),
	}
}

// insertedNotice tells of a token with so many certificates.
func insertedNotice(lang text.Lang, certificates int) proto.AgentNoticeParams {
	n := notice(lang, proto.NoticeKindTokenInserted, proto.WindowPageTokens, "notify.inserted",
		"certificates", text.Plural(lang, "count.certificates", certificates))
	if certificates == 0 {
		n.Body = text.Get(lang, "notify.inserted.none", nil)
	}
	return n
}

// madeNotice tells of signatures that were made while the person looked elsewhere, and of every batch. ok is false when
// there is nothing to tell.
func madeNotice(lang text.Lang, q signing.Question, o signing.Outcome, inFront bool) (n proto.AgentNoticeParams, ok bool) {
	signed := len(o.Signed)
	if o.Batch != nil {
		signed = o.Batch.Signed
	}
	if q.Kind != signing.KindSign || signed == 0 || inFront && o.Batch == nil {
		return n, false
	}
	return notice(lang, proto.NoticeKindSignatureMade, proto.WindowPageJournal, "notify.made",
		"site", asker(lang, q.Origin), "documents", text.Plural(lang, "count.documents", signed)), true
}

// waitingKeys are the words for the kinds of question.
var waitingKeys = map[signing.Kind]string{
	signing.KindSign: "notify.request", signing.KindLogin: "notify.login", signing.KindSelect: "notify.select",
	signing.KindOrigin: "notify.origin", signing.KindHidden: "notify.origin", signing.KindPIN: "notify.pin",
}

// waitingNotice reminds of a request.
func waitingNotice(lang text.Lang, o signing.Open) proto.AgentNoticeParams {
	n := notice(lang, proto.NoticeKindRequestWaiting, proto.WindowPageTokens, waitingKeys[o.Kind], "site", asker(lang, o.Origin))
	n.Title, n.Request = text.Get(lang, "notify.request.title", nil), proto.RequestRef(o.ID)
	return n
}

func asker(lang text.Lang, origin string) string {
	if origin == "" {
		return text.Get(lang, "notify.program", nil)
	}
	return ui.NewSite(origin).String()
}

// ending is a certificate whose end the person is to be told of.
type ending struct {
	id    string
	end   time.Time
	days  int  // left, the last one begun counts
	stage int  // of stages
	key   bool // the key ends before the certificate
}

// endings lists what ends soon, the nearest first. A certificate that its owner has a later one for is left out.
func endings(list []proto.Certificate, now time.Time) (out []ending) {
	for _, c := range list {
		end := ends(c)
		left := end.Sub(now)
		if left <= 0 || renewed(c, list) {
			continue
		}
		e := ending{id: string(c.ID), end: end, days: int((left + 24*time.Hour - 1) / (24 * time.Hour)), key: end.Before(c.NotAfter)}
		for _, s := range stages {
			if e.stage == 0 && e.days <= s {
				e.stage = s
			}
		}
		if e.stage != 0 {
			out = append(out, e)
		}
	}
	return out
}

// ends is the last moment a key may sign.
func ends(c proto.Certificate) time.Time {
	if !c.SignUntil.IsZero() {
		return c.SignUntil
	}
	return c.NotAfter
}

// renewed reports whether the list has a certificate of the same owner that lasts a month longer.
func renewed(c proto.Certificate, list []proto.Certificate) bool {
	for _, other := range list {
		if other.Name == c.Name && other.Organization == c.Organization && other.INN == c.INN && other.INNLE == c.INNLE &&
			ends(other).After(ends(c).AddDate(0, 1, 0)) {
			return true
		}
	}
	return false
}

// endingNotice tells of the nearest of several ends.
func endingNotice(lang text.Lang, list []ending) proto.AgentNoticeParams {
	nearest := list[0]
	for _, e := range list {
		if e.end.Before(nearest.end) {
			nearest = e
		}
	}
	kind, key := proto.NoticeKindCertificateEnds, "notify.expires"
	if nearest.key {
		kind, key = proto.NoticeKindKeyEnds, "notify.key"
	}
	said := []string{text.Plural(lang, key, nearest.days)}
	if len(list) > 1 {
		said = append(said, text.Get(lang, "notify.more", map[string]string{
			"certificates": text.Plural(lang, "count.certificates", len(list)), "n": strconv.Itoa(len(list)),
		}))
	}
	return proto.AgentNoticeParams{
		Kind: kind, Page: proto.WindowPageTokens, Title: text.Get(lang, key+".title", nil), Body: strings.Join(said, " "),
	}
}
