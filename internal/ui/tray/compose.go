// SPDX-License-Identifier: GPL-3.0-or-later

package tray

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/proto"
)

// The most rows of each list; the main window has the rest.
const (
	maxRequests     = 3
	maxCertificates = 12
	maxRecent       = 5
	maxSites        = 10
	columns         = 60
)

// aYear is when days say less than a date; indent sets what belongs to a token under it.
const (
	aYear  = 365 * 24 * time.Hour
	indent = "    "
)

// row is one line of the menu. The zero row is not shown.
type row struct {
	text string
	do   order // none: the row only says something
	rows []row // a menu of its own
}

// menu is all that is shown; rows has as many rows as places, whatever they hold.
type menu struct {
	hint string
	rows []row
}

// The places of the menu; a separator follows each of the named ones.
const (
	placeHead    = 0
	placeRequest = 1 // and the next ones
	placeWindow  = placeRequest + maxRequests
	placeCerts   = placeWindow + 1
	placeRecent  = placeCerts + 1
	placeSites   = placeRecent + 1
	placeSign    = placeSites + 1
	placeDoctor  = placeSign + 1
	placeJournal = placeDoctor + 1
	placeSetup   = placeJournal + 1
	placeSpeech  = placeSetup + 1
	placePause   = placeSpeech + 1
	placeResume  = placePause + 1
	placeQuit    = placeResume + 1
	places       = placeQuit + 1
)

var separated = []int{placeWindow, placeSites, placeSpeech}

// compose says in words what is known.
func compose(n *news, now time.Time) menu {
	say := sayer{n.language()}
	m := menu{rows: make([]row, places)}
	m.rows[placeHead] = say.head(n.status)
	m.hint = m.rows[placeHead].text
	if u := n.status.Unattended; u > 0 {
		m.hint += "\n" + text.Plural(say.lang, "count.unattended", u)
	}
	for i, r := range n.status.Requests[:min(len(n.status.Requests), maxRequests)] {
		m.rows[placeRequest+i] = say.request(r)
	}
	page := func(place int, key string, p proto.WindowPage) {
		m.rows[place] = row{text: say.get(key), do: order{doPage, string(p)}}
	}
	page(placeWindow, "tray.window", proto.WindowPageTokens)
	page(placeSign, "tray.test", proto.WindowPageSign)
	page(placeDoctor, "tray.doctor", proto.WindowPageDoctor)
	page(placeJournal, "tray.journal", proto.WindowPageJournal)
	page(placeSetup, "tray.settings", proto.WindowPageSettings)
	m.rows[placeCerts] = row{text: say.get("tray.certificates"), rows: say.certificates(n, now)}
	m.rows[placeRecent] = row{text: say.get("tray.recent"), rows: say.recent(n.journal)}
	m.rows[placeSites] = row{text: say.get("tray.origins"), rows: say.sites(n.origins)}
	m.rows[placeSpeech] = say.languages(n.settings.Language, n.settings.Fixed)
	m.rows[placePause], m.rows[placeResume] = say.pause(n.status)
	m.rows[placeQuit] = row{text: say.get("tray.quit"), do: order{doQuit, ""}}
	return m
}

// sayer finds words in a language.
type sayer struct{ lang text.Lang }

func (s sayer) get(key string, args ...string) string {
	m := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	return text.Get(s.lang, key, m)
}

// head says the state, and leads to what to do about it.
func (s sayer) head(st proto.AgentStatusResult) row {
	switch st.State {
	case proto.StateWaiting:
		r := row{text: s.get("tray.state.waiting") + " (" + strconv.Itoa(max(st.Prompts, len(st.Requests))) + ")"}
		if len(st.Requests) > 0 {
			r.do = order{doRequest, string(st.Requests[0].ID)}
		}
		return r
	case proto.StateProblem:
		r := row{text: s.get("tray.state.problem"), do: order{doPage, string(proto.WindowPageDoctor)}}
		if len(st.Problems) > 0 {
			r.text = "Persten: " + strings.TrimSuffix(ui.Safe(st.Problems[0].Text, columns+20), ".")
		}
		return r
	case proto.StatePaused:
		if !st.PausedUntil.IsZero() {
			return row{text: s.get("tray.state.paused.until", "time", clock(st.PausedUntil))}
		}
		return row{text: s.get("tray.state.paused")}
	case proto.StateBusy:
		return row{text: s.get("tray.state.busy")}
	}
	return row{text: s.get("tray.state.ready")}
}

func clock(t time.Time) string { return t.Local().Format("15:04") }

// site is who asks, on one line.
func (s sayer) site(origin string) string {
	if origin == "" {
		return s.get("tray.program")
	}
	return ui.NewSite(origin).String()
}

// request is a row for what waits; a click raises its window.
func (s sayer) request(r proto.OpenRequest) row {
	what := s.get("tray.request." + string(r.Kind))
	if r.Kind == proto.RequestKindSign {
		what = text.Plural(s.lang, "count.documents", r.Documents)
	}
	return row{text: "● " + s.get("tray.request", "site", s.site(r.Origin), "what", what), do: order{doRequest, string(r.ID)}}
}

// certificates lists each token with the certificates on it.
func (s sayer) certificates(n *news, now time.Time) (rows []row) {
	open := order{doPage, string(proto.WindowPageTokens)}
	labels := map[string]bool{}
	for _, t := range n.tokens {
		if labels[t.Label] {
			continue
		}
		labels[t.Label] = true
		name := ui.Safe(cmp.Or(t.Label, t.Model), columns)
		if t.Locked {
			name = s.get("tray.token.locked", "label", name)
		}
		rows = append(rows, row{text: name})
		for _, line := range s.onToken(n, t.Label, now) {
			rows = append(rows, row{text: indent + line, do: open})
		}
	}
	if len(rows) == 0 {
		return []row{{text: s.get("tray.certificates.none")}}
	}
	if len(rows) > maxCertificates {
		rows = append(rows[:maxCertificates-1], row{text: s.get("tray.more"), do: open})
	}
	return rows
}

// onToken are a token's certificates. Those that would read alike say what key they have.
func (s sayer) onToken(n *news, label string, now time.Time) (lines []string) {
	alike, keys := map[string]int{}, []string{}
	for _, c := range n.certs {
		if c.Token.Label == label {
			line := s.certificate(c, now)
			alike[line]++
			lines, keys = append(lines, line), append(keys, ui.Safe(c.Key, columns/2))
		}
	}
	for i, line := range lines {
		if alike[line] > 1 {
			lines[i] += " (" + keys[i] + ")"
		}
	}
	return lines
}

// certificate is a holder and what is left of the key's term.
func (s sayer) certificate(c proto.Certificate, now time.Time) string {
	name := ui.Safe(c.Name, columns/2)
	if c.Organization != "" && c.Organization != c.Name {
		name = s.get("tray.holder", "name", name, "organization", ui.Safe(c.Organization, columns/2))
	}
	end := c.SignUntil
	if end.IsZero() {
		end = c.NotAfter
	}
	switch left := end.Sub(now); {
	case left <= 0:
		return s.get("tray.certificate.over", "name", name)
	case left > aYear && c.Reason == "":
		return s.get("tray.certificate.until", "name", name, "date", ui.Date(s.lang, end))
	case c.Reason == "" && left < 24*time.Hour:
		return s.get("tray.certificate.today", "name", name)
	case c.Reason != "":
		what, _ := text.Error(s.lang, c.Reason, nil)
		return s.get("tray.certificate.unfit", "name", name, "reason", strings.TrimSuffix(what, "."))
	default:
		return s.get("tray.certificate", "name", name, "days", text.Plural(s.lang, "count.days", int(left/(24*time.Hour))))
	}
}

// recent lists the last signatures, the newest first.
func (s sayer) recent(records []proto.JournalRecord) (rows []row) {
	open := order{doPage, string(proto.WindowPageJournal)}
	for _, r := range slices.Backward(records) { // each is a begin and an end
		if r.Type == "begin" && len(rows) < maxRecent {
			rows = append(rows, row{text: s.signature(r), do: open})
		}
	}
	if len(rows) == 0 {
		return []row{{text: s.get("tray.recent.none")}}
	}
	return rows
}

func (s sayer) signature(r proto.JournalRecord) string {
	name := ""
	if len(r.Documents) > 0 {
		name = ui.Safe(r.Documents[0].Name, columns/2)
	}
	if len(r.Documents) > 1 {
		name = s.get("tray.documents", "name", name, "documents", text.Plural(s.lang, "count.documents", len(r.Documents)))
	}
	return s.get("tray.signature", "time", r.Time.Local().Format("02.01 15:04"), "site", s.site(r.Origin), "name", name)
}

// sites lists who may use the agent, who may not, and what can be done about it here.
func (s sayer) sites(list []proto.Origin) (rows []row) {
	rows = []row{{text: s.get("tray.site.all"), do: order{doPage, string(proto.WindowPageSites)}}} // first: places below it change
	list = slices.SortedStableFunc(slices.Values(list), func(a, b proto.Origin) int { return b.Since.Compare(a.Since) })
	for _, o := range list[:min(len(list), maxSites)] {
		name, change := ui.NewSite(o.Origin).String(), row{text: s.get("tray.site.deny"), do: order{doDeny, o.Origin}}
		switch {
		case !o.Allowed:
			name, change = s.get("tray.site.denied", "site", name), row{text: s.get("tray.site.forget"), do: order{doForget, o.Origin}}
		case o.Hidden:
			name = s.get("tray.site.hidden", "site", name)
		}
		if o.Source != proto.OriginSourceUser {
			change = row{text: s.get("tray.site.fixed")}
		}
		rows = append(rows, row{text: name, rows: []row{change}})
	}
	if len(list) == 0 {
		rows = append(rows, row{text: s.get("tray.site.none")})
	}
	return rows
}

// spoken are the names of the languages, each in itself.
var spoken = map[proto.LanguageSetting]string{proto.LanguageSettingRu: "Русский", proto.LanguageSettingEn: "English"}

// languages marks the one in force.
func (s sayer) languages(now proto.LanguageSetting, fixed []proto.SettingName) row {
	r := row{text: s.get("tray.language")}
	if slices.Contains(fixed, proto.SettingNameLanguage) {
		r.rows = []row{{text: s.get("tray.site.fixed")}}
		return r
	}
	for _, l := range []proto.LanguageSetting{proto.LanguageSettingRu, proto.LanguageSettingEn, proto.LanguageSettingSystem} {
		mark := indent
		if l == cmp.Or(now, proto.LanguageSettingSystem) {
			mark = "✓ "
		}
		r.rows = append(r.rows, row{text: mark + cmp.Or(spoken[l], s.get("tray.language.system")), do: order{doLanguage, string(l)}})
	}
	return r
}

// anHour is the pause that ends by itself.
const anHour = "60"

func minutes(arg string) int {
	n, _ := strconv.Atoi(arg) // 0: without an end
	return n
}

func (s sayer) pause(st proto.AgentStatusResult) (pause, resume row) {
	if st.State == proto.StatePaused {
		return row{}, row{text: s.get("tray.resume"), do: order{doResume, ""}}
	}
	return row{text: s.get("tray.pause.hour"), do: order{doPause, anHour}}, row{text: s.get("tray.pause"), do: order{doPause, ""}}
}
