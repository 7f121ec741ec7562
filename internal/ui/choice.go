// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"persten/internal/signing"
	"persten/internal/text"
)

// Choice is a certificate to choose, or one that cannot be chosen.
type Choice struct {
	Name  string
	Facts []Fact
	Why   string // why it cannot be chosen; "" when it can
	Next  string // then, what to do
	Last  bool   // it was chosen last at this site

	sought string // what the search looks in
}

// choices completes the card of a certificate to choose. When none can be chosen there is nothing to say yes to.
func (c *Card) choices(q signing.Question) {
	for _, one := range q.Choices {
		c.Choices = append(c.Choices, choice(c.Lang, one, time.Now()))
	}
	if len(c.Choices) > 0 && c.Choices[0].Why != "" {
		c.Title, c.Body = c.Say("choose.none.title"), c.Say("choose.none.body")
		c.Accept, c.Reject = "", c.Say("prompt.closing.close")
	}
}

// choice is what tells one certificate from the others.
func choice(lang text.Lang, one signing.Choice, now time.Time) Choice {
	out := Choice{Name: Safe(one.Certificate.Name, maxFact), Last: one.Last, sought: sought(one)}
	telling := map[string]bool{}
	for _, key := range []string{"cert.organization", "cert.title", "cert.inn", "cert.innle", "cert.issuer", "cert.validity", "place.label", "cert.key"} {
		telling[say(lang, "prompt."+key)] = true
	}
	for _, f := range owner(lang, one.Certificate, one.Token, now) {
		if telling[f.Label] {
			out.Facts = append(out.Facts, f)
		}
	}
	if one.Attorney {
		out.Facts = append(out.Facts, Fact{Label: say(lang, "choose.attorney.label"), Value: say(lang, "choose.attorney.needed"), Warn: true})
	}
	if one.Last {
		out.Facts = append(out.Facts, Fact{Label: say(lang, "choose.last.label"), Value: say(lang, "choose.last")})
	}
	if one.Refusal != nil {
		out.Why, out.Next = refusal(lang, one)
	}
	return out
}

// refusal says why a certificate cannot be chosen and what to do, in texts of its own or else those of the catalogue.
func refusal(lang text.Lang, one signing.Choice) (why, next string) {
	r := *one.Refusal
	args := map[string]string{}
	for name, value := range r.Args {
		args[name] = Safe(value, maxName)
	}
	if day, err := time.Parse(time.DateOnly, r.Args["date"]); err == nil {
		args["date"] = Date(lang, day)
	}
	key := strings.ReplaceAll(r.Code, "_", "")
	if !text.Has("choose.why." + key) {
		why, next = text.Error(lang, r.Code, args)
		return Safe(why, 400), Safe(next, 400)
	}
	if r.Code == signing.RuleHolder {
		args["wanted"], args["has"] = holders(lang, r.Args["wanted"]), holders(lang, r.Args["has"])
	}
	why, next = text.Get(lang, "choose.why."+key, args), say(lang, "choose.next."+key)
	if one.Attorney && slices.Contains([]string{signing.RuleHolder, signing.RuleINNLE, signing.RuleOGRN}, r.Code) {
		next = say(lang, "choose.next.attorney")
	}
	return why, next
}

// holders puts kinds of owner into words.
func holders(lang text.Lang, list string) string {
	var names []string
	for _, h := range strings.Fields(list) {
		if key := "cert.holder." + h; text.Has(key) {
			names = append(names, say(lang, key))
		}
	}
	return strings.Join(names, ", ")
}

// Lines is the choice as text, one fact a line: numbered from 1 when it can be chosen, else with the reason.
func (c Choice) Lines(lang text.Lang, index int) []string {
	lines := []string{strconv.Itoa(index+1) + ". " + c.Name}
	if c.Why != "" {
		lines = []string{c.Name}
	}
	for _, f := range c.Facts {
		lines = append(lines, "    "+f.Label+": "+f.Value)
	}
	if c.Why != "" {
		lines = append(lines, "    "+say(lang, "choose.why.label")+": "+c.Why, "    "+say(lang, "choose.next.label")+": "+c.Next)
	}
	return lines
}

// Sought lists the choices in which every word of what occurs: in names, numbers, organizations, issuers and tokens.
func (c Card) Sought(what string) (list []int) {
	words := strings.Fields(folded(what))
	for i, one := range c.Choices {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(one.sought, w) }) {
			list = append(list, i)
		}
	}
	return list
}

func sought(one signing.Choice) string {
	c := one.Certificate
	all := []string{c.Name, c.Organization, c.Title, c.INN, c.INNLE, c.OGRN, c.OGRNIP, c.SNILS, c.Issuer, one.Token.Label}
	return folded(strings.Join(all, "\n"))
}

// folded makes letters that people mix up the same.
func folded(s string) string { return strings.ReplaceAll(strings.ToLower(s), "ё", "е") }

// insert says which token to plug in when the certificate's is not there.
func (c *Card) insert(q signing.Question) {
	if !q.Absent {
		return
	}
	args := []string{"label", Safe(q.Token.PlainLabel(), maxName), "serial", Safe(q.Token.Serial, maxName)}
	if q.Certificate != nil {
		args = append(args, "owner", Safe(q.Certificate.Name, maxName))
	}
	c.Insert = c.Say("insert.ask", args...)
}
