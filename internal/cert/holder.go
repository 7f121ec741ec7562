// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Holder is what kind of owner a certificate speaks of. Its texts are found under cert.holder.
type Holder string

// The holders. A certificate does not tell the head of an organization from another representative.
const (
	HolderRepresentative Holder = "representative" // of an organization
	HolderEntrepreneur   Holder = "entrepreneur"   // a sole trader
	HolderPerson         Holder = "person"
	HolderOrganization   Holder = "organization" // itself: a seal, a CA
	HolderUnknown        Holder = "unknown"
)

// Holder tells who the owner is from the numbers and names that are there (orders 795 and 476 of the FSB): an organization has
// a name, OGRN or a number of ten digits, a person a surname with a given name, SNILS or a number of twelve digits, a sole trader
// an OGRNIP.
func (p Person) Holder() Holder {
	organization := p.Organization != "" || p.OGRN != "" || p.INNLE != ""
	human := p.Surname != "" && p.GivenName != "" || p.SNILS != "" || digits(p.INN, 12) && !strings.HasPrefix(p.INN, "00")
	switch {
	case p.OGRNIP != "":
		return HolderEntrepreneur
	case organization && human:
		return HolderRepresentative
	case organization:
		return HolderOrganization
	case human:
		return HolderPerson
	}
	return HolderUnknown
}

// sortINN moves an organization's number out of INN: certificates issued before INNLE existed carry its ten digits there,
// filled up with two zeros or bare. A person's number has twelve digits and does not begin with two zeros.
func (p *Person) sortINN() {
	p.INNLE = unfilled(p.INNLE)
	if n := unfilled(p.INN); digits(n, 10) && (p.INNLE == "" || p.INNLE == n) {
		p.INNLE, p.INN = n, ""
	}
}

// unfilled is an organization's number without the two zeros that fill it up to the length of a person's.
func unfilled(n string) string {
	if digits(n, 12) {
		return strings.TrimPrefix(n, "00")
	}
	return n
}

// digits reports whether s is n digits and nothing else.
func digits(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789") == "" }

// patronymics are the ends of Russian patronymics, in both scripts, and the words that end Turkic ones.
var patronymics = []string{"ич", "вна", "чна", "шна", "ich", "vna", "chna", "shna"}

var turkic = []string{"оглы", "оглу", "кызы", "гызы", "кизи", "улы", "уулу", "угли", "углы", "ogly", "oglu", "kyzy", "gyzy"}

// GivenNames takes the attribute apart, which holds the given name and the patronymic (order 795): what is not surely a
// patronymic stays with the name.
func (p Person) GivenNames() (given, patronymic string) {
	words := strings.Fields(p.GivenName)
	n := len(words)
	last := ""
	if n > 0 {
		last = strings.ToLower(words[n-1])
	}
	switch {
	case n > 2 && slices.Contains(turkic, last):
		n -= 2
	case n > 1 && (endsWith(patronymics, last) || hyphened(last)):
		n--
	}
	return strings.Join(words[:n], " "), strings.Join(words[n:], " ")
}

// endsWith asks for two letters more than the end: Ilich is a patronymic, ich is not.
func endsWith(ends []string, s string) bool {
	return slices.ContainsFunc(ends, func(end string) bool {
		return strings.HasSuffix(s, end) && utf8.RuneCountInString(s) >= utf8.RuneCountInString(end)+2
	})
}

// hyphened is a Turkic patronymic in one word, such as Али-оглы.
func hyphened(s string) bool {
	i := strings.LastIndex(s, "-")
	return i > 0 && slices.Contains(turkic, s[i+1:])
}
