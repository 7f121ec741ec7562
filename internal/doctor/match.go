// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"math"
	"strings"
	"unicode"
)

// The way phrases are compared. browserext/help/match.ts does the same for the help page; testdata/phrases.txt holds both to it.
const (
	longest   = 60   // words of a query that count
	alike     = 0.5  // shares of trigrams from which two words are one, misspelt
	inflected = 0.92 // two words with one long beginning
	likely    = 0.56 // the score of an answer
	decided   = 0.58 // the score of one word that means a trouble by itself
	informed  = 1.3  // the weight, in words that occur once, below which a likeness means nothing
)

// phrases is a collection of phrases that finds those a query is like.
type phrases struct {
	words    [][]int // of each phrase, numbers of vocabulary
	number   map[string]int
	vocab    []string
	grams    map[string][]int // words that have a trigram
	size     []int            // trigrams of each word
	weight   []float64
	greatest float64
}

// collect indexes phrases. Words that stand in many of them weigh little.
func collect(all []string) *phrases {
	p := &phrases{number: map[string]int{}, grams: map[string][]int{}}
	var seen []float64
	for _, phrase := range all {
		var list []int
		for _, w := range words(phrase) {
			n, ok := p.number[w]
			if !ok {
				n = p.learn(w)
				seen = append(seen, 0)
			}
			list = append(list, n)
		}
		for n := range setOf(list) {
			seen[n]++
		}
		p.words = append(p.words, list)
	}
	p.greatest = math.Log(1 + float64(len(all)))
	for n, w := range p.vocab {
		p.weight = append(p.weight, p.worth(w, seen[n]))
	}
	return p
}

func setOf(list []int) map[int]bool {
	m := map[int]bool{}
	for _, n := range list {
		m[n] = true
	}
	return m
}

func (p *phrases) learn(w string) int {
	n := len(p.vocab)
	p.vocab, p.number[w] = append(p.vocab, w), n
	g := trigrams(w)
	for t := range g {
		p.grams[t] = append(p.grams[t], n)
	}
	p.size = append(p.size, len(g))
	return n
}

// worth is what a word tells: the less the more often it is said, and little when it is short.
func (p *phrases) worth(w string, seen float64) float64 {
	v := math.Log(1+float64(len(p.words))/seen) / p.greatest
	if len([]rune(w)) < 3 {
		v *= 0.3
	}
	return v
}

// like scores every phrase against a query, 0 for those that are not like it.
func (p *phrases) like(query string) []float64 {
	asked := words(query)
	asked = asked[:min(len(asked), longest)]
	near := make([]map[int]float64, len(asked)) // of each word asked, the words of the vocabulary it may be
	best := map[int]float64{}                   // of each word of the vocabulary, how surely it was asked
	for i, w := range asked {
		near[i] = p.near(w)
		for n, s := range near[i] {
			best[n] = max(best[n], s)
		}
	}
	out := make([]float64, len(p.words))
	for i, phrase := range p.words {
		out[i] = p.score(phrase, asked, near, best)
	}
	return out
}

// score weighs how much of the phrase was asked, and how much of what was asked is in the phrase. A part of a phrase is as
// good as the whole when it is all that was asked, and so is a whole phrase inside a long text.
func (p *phrases) score(phrase []int, asked []string, near []map[int]float64, best map[int]float64) float64 {
	var all, hit float64
	for _, n := range phrase {
		all += p.weight[n]
		hit += p.weight[n] * best[n]
	}
	if hit == 0 {
		return 0
	}
	var wanted, found float64
	for i, w := range asked {
		s, weight := 0.0, p.strangeness(w, near[i])
		for _, n := range phrase {
			if near[i][n] > s {
				s = near[i][n]
			}
		}
		wanted += weight
		found += weight * s
	}
	whole, part := hit/all, found/wanted
	score := 2 * whole * part / (whole + part)
	if hit >= informed {
		score = max(score, 0.88*part*math.Sqrt(min(1, whole+0.4)), 0.85*whole*math.Sqrt(min(1, part+0.45)))
	}
	return score
}

// strangeness is the weight of a word that was asked: of the nearest known one, or that of a rare one.
func (p *phrases) strangeness(w string, near map[int]float64) float64 {
	s, weight := 0.0, 1.0
	for n, v := range near {
		if v > s || v == s && p.weight[n] < weight {
			s, weight = v, p.weight[n]
		}
	}
	if s == 0 && len([]rune(w)) < 3 {
		return 0.1
	}
	return weight
}

// near finds the known words that w may be, and how surely.
func (p *phrases) near(w string) map[int]float64 {
	out := map[int]float64{}
	if n, ok := p.number[w]; ok {
		out[n] = 1
	}
	g := trigrams(w)
	shared := map[int]int{}
	for t := range g {
		for _, n := range p.grams[t] {
			shared[n]++
		}
	}
	for n, both := range shared {
		s := 2 * float64(both) / float64(len(g)+p.size[n])
		if oneBeginning(w, p.vocab[n]) {
			s = max(s, inflected)
		}
		if s >= alike && len([]rune(w)) > 3 && len([]rune(p.vocab[n])) > 3 {
			out[n] = max(out[n], s)
		}
	}
	return out
}

// oneBeginning reports whether two words differ in their endings alone.
func oneBeginning(a, b string) bool {
	x, y := []rune(a), []rune(b)
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n >= 4 && len(x)-n <= 3 && len(y)-n <= 3
}

// trigrams are the runs of three letters, with an edge on both sides.
func trigrams(w string) map[string]bool {
	r := []rune("^" + w + "$")
	m := map[string]bool{}
	for i := 0; i+3 <= len(r); i++ {
		m[string(r[i:i+3])] = true
	}
	return m
}

// words are the words of a text as they are compared: lower case, ё as е, Latin letters in a Russian word as the Russian ones
// they look like.
func words(s string) []string {
	all := strings.FieldsFunc(strings.ReplaceAll(strings.ToLower(s), "ё", "е"), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for i, w := range all {
		if strings.ContainsFunc(w, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }) {
			all[i] = lookAlikes.Replace(w)
		}
	}
	return all
}

// lookAlikes makes Russian letters of the Latin ones that look the same.
var lookAlikes = strings.NewReplacer("a", "а", "b", "в", "c", "с", "e", "е", "h", "н", "k", "к", "m", "м", "o", "о", "p", "р", "t", "т", "x", "х", "y", "у")
