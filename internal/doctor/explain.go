// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"persten/internal/text"
	"persten/proto"
)

const (
	maxAnswers = 3       // a person is given
	beside     = 0.75    // the share of the best score that a further answer needs
	maxQuery   = 4 << 10 // bytes that are looked at
)

// entry is an answer in both languages, and what it is found by.
type entry struct {
	ru, en proto.DoctorAnswer
	codes  []string // in the form codesIn gives
	terms  []string // words that mean it by themselves
	kind   float64  // of two that fit as well, the greater goes first
}

// knowledge is everything that can be explained, and the phrases it is found by.
type knowledge struct {
	entries []entry
	phrases *phrases
	of      []int          // the entry of each phrase
	codes   map[string]int // the entry of a code
	steps   map[string]int // the trouble whose steps go with a code
}

var known = sync.OnceValue(func() *knowledge {
	k := &knowledge{codes: map[string]int{}, steps: map[string]int{}}
	var all []string
	add := func(e entry, said ...string) {
		k.entries = append(k.entries, e)
		n := len(k.entries) - 1
		for _, c := range e.codes {
			if _, taken := k.codes[c]; !taken {
				k.codes[c] = n
			}
		}
		for _, s := range said {
			all, k.of = append(all, s), append(k.of, n)
		}
	}
	k.troubles(add)
	k.errors(add)
	k.phrases = collect(all)
	return k
})

// troubles takes the entries people arrive with. Those that stand for a code lend it their steps.
func (k *knowledge) troubles(add func(entry, ...string)) {
	for _, t := range proto.Troubles() {
		answer := func(c proto.Cure) proto.DoctorAnswer {
			return proto.DoctorAnswer{ID: t.ID, Title: c.Title, Fault: t.Fault, Check: c.Check, Next: c.Next, Code: t.Code, Run: t.Run, Page: t.ID}
		}
		e := entry{ru: answer(t.RU), en: answer(t.EN), terms: t.Terms, kind: 1}
		for _, n := range t.Numbers {
			if strings.HasPrefix(n, "0x") {
				k.lend(n, len(k.entries))
			} else {
				e.codes = append(e.codes, n)
			}
		}
		e.codes = append(e.codes, t.ID)
		k.lend(string(t.Code), len(k.entries))
		add(e, append(slices.Clone(t.Words), t.RU.Title, t.EN.Title)...)
	}
}

func (k *knowledge) lend(code string, n int) {
	if _, taken := k.steps[code]; !taken && code != "" {
		k.steps[code] = n
	}
}

// errors takes our errors and other people's.
func (k *knowledge) errors(add func(entry, ...string)) {
	for _, e := range proto.Entries() {
		answer := func(s proto.Sentence) proto.DoctorAnswer {
			return proto.DoctorAnswer{ID: string(e.Code), Title: plain(s.What), Fault: e.Code.Fault(), Check: []string{}, Next: plain(s.Next), Code: e.Code, Page: string(e.Code)}
		}
		ru, en := answer(e.RU), answer(e.EN)
		k.borrow(string(e.Code), &ru, &en)
		add(entry{ru: ru, en: en, codes: []string{string(e.Code)}, kind: 0.97}, ru.Title, en.Title)
	}
	for _, f := range proto.Foreigners() {
		answer := func(s proto.Sentence) proto.DoctorAnswer {
			return proto.DoctorAnswer{ID: f.Code, Title: s.What, Fault: f.Like.Fault(), Check: []string{}, Next: s.Next, Code: f.Like, Page: f.Code}
		}
		ru, en := answer(f.RU), answer(f.EN)
		k.borrow(cmp.Or(string(f.Like), f.Code), &ru, &en)
		add(entry{ru: ru, en: en, codes: []string{f.Code}, kind: 0.94}, ru.Title, en.Title)
	}
}

func (k *knowledge) borrow(code string, ru, en *proto.DoctorAnswer) {
	if n, ok := k.steps[code]; ok {
		ru.Check, en.Check = k.entries[n].ru.Check, k.entries[n].en.Check
		ru.Run, en.Run = k.entries[n].ru.Run, k.entries[n].en.Run
	}
}

// place is what only a real error knows, and the clause that needs it.
var place = regexp.MustCompile(`\[\[.*?\]\]|\s*«?"?\{\w+\}"?»?`)

func plain(s string) string { return place.ReplaceAllString(s, "") }

// Explain finds what is known about a code, a message or a complaint in a person's own words, the likeliest first. It finds
// nothing rather than something that only sounds alike.
func (*Doctor) Explain(query, lang string) []proto.DoctorAnswer {
	return explain(query, text.Lang(lang))
}

func explain(query string, lang text.Lang) []proto.DoctorAnswer {
	k := known()
	query = query[:min(len(query), maxQuery)]
	score := make([]float64, len(k.entries))
	for i, c := range codesIn(query) {
		if n, ok := k.codes[c]; ok {
			score[n] = max(score[n], 2-float64(min(i, 9))/10)
		}
	}
	for n, s := range k.likeness(query) {
		if s >= likely {
			score[n] = max(score[n], s)
		}
	}
	return k.best(score, lang)
}

// likeness scores every entry against a query's words.
func (k *knowledge) likeness(query string) []float64 {
	score := make([]float64, len(k.entries))
	for i, s := range k.phrases.like(query) {
		n := k.of[i]
		score[n] = max(score[n], s*k.entries[n].kind)
	}
	asked := words(query)
	for n, e := range k.entries {
		if slices.ContainsFunc(e.terms, func(t string) bool { return slices.Contains(asked, t) }) {
			score[n] = max(score[n], decided+score[n]/4)
		}
	}
	return score
}

func (k *knowledge) best(score []float64, lang text.Lang) (out []proto.DoctorAnswer) {
	var found []int
	for n, s := range score {
		if s > 0 {
			found = append(found, n)
		}
	}
	slices.SortStableFunc(found, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	for i, n := range found[:min(len(found), maxAnswers)] {
		if i > 0 && score[n] < beside*score[found[0]] {
			break
		}
		e := k.entries[n].en
		if lang == text.Russian {
			e = k.entries[n].ru
		}
		out = append(out, e)
	}
	return out
}

var (
	hexCode  = regexp.MustCompile(`(?:\b0x|\b)([0-9a-f]{8})\b`)
	signed   = regexp.MustCompile(`-(\d{9,10})\b`)
	numbered = regexp.MustCompile(`(?:error|err?|code|ошибк[аиу]|код[а-я]*|ер|№|#)[^\p{L}\d]{0,3}(?:(?:code|код|№|ошибки|error|er)[^\p{L}\d]{0,3})*(\d{2,6})(?:[^\d\p{L}]|$)`)
	alone    = regexp.MustCompile(`^\W*(\d{2,6})\W*$`)
	named    = regexp.MustCompile(`[a-z0-9]+(?:[_-][a-z0-9]+)+`)
)

// codesIn finds the codes in what a person typed, whatever way they are spelled.
func codesIn(query string) (out []string) {
	low := strings.ToLower(query)
	latin := latinLooks.Replace(low)
	for _, m := range named.FindAllString(latin, -1) {
		m = strings.ReplaceAll(m, "-", "_")
		out = append(out, m, strings.ToUpper(m), strings.ReplaceAll(m, "_", "-"))
	}
	for _, m := range hexCode.FindAllStringSubmatch(strings.ReplaceAll(latin, "ox", "0x"), -1) {
		out = append(out, "0x"+strings.ToUpper(m[1]))
	}
	for _, m := range signed.FindAllStringSubmatch(low, -1) {
		if n, err := strconv.ParseInt("-"+m[1], 10, 32); err == nil {
			out = append(out, fmt.Sprintf("0x%08X", uint32(n)))
		}
	}
	for _, r := range []*regexp.Regexp{numbered, alone} {
		for _, m := range r.FindAllStringSubmatch(low, -1) {
			out = append(out, m[1])
		}
	}
	return append(out, strings.TrimSpace(low))
}

// latinLooks makes Latin letters of the Russian ones that look the same: codes are written in Latin.
var latinLooks = strings.NewReplacer("а", "a", "в", "b", "с", "c", "е", "e", "о", "o", "х", "x", "р", "p", "к", "k", "м", "m", "т", "t", "н", "h", "у", "y")
