// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"persten/internal/signing"
	"persten/internal/ui/uitest"
)

// drawn is everything a window draws of a card, piece by piece.
func drawn(c Card) []string {
	all := append(c.Lines(), c.Title, c.Accept, c.Reject, c.Frame, c.Banner, c.Note, c.Body, c.Unseen, c.Login, c.Summary, c.Insert)
	if s := c.Site; s != nil {
		all = append(all, s.Scheme, s.Before, s.Domain, s.After, s.Native)
	}
	for _, list := range [][]Fact{c.Owner, c.Meaning, c.Facts} {
		for _, f := range list {
			all = append(all, f.Label, f.Value)
		}
	}
	for _, d := range c.Documents {
		all = append(all, d.Name, d.Size, d.Digest, d.Full, d.Signed)
	}
	for i, one := range c.Choices {
		all = append(all, one.Lines(c.Lang, i)...)
	}
	return all
}

// withoutBanner counts the lines, but for the warning about the asker: whether there is one depends on who asks.
func withoutBanner(c Card) int {
	c.Banner = ""
	return len(c.Lines())
}

// Whatever stands in a field, the card has as many lines as with a plain word there, and nothing in it is drawn out of its place.
func TestHostileFields(t *testing.T) {
	uitest.Hold(t, func(q signing.Question) ([]string, int) {
		c := NewCard(q, "ru")
		return drawn(c), withoutBanner(c)
	})
}

// Names that look like known ones are shown as what they are: in ASCII, with a warning that spells them out.
func TestLookalikeHosts(t *testing.T) {
	n := 0
	for _, site := range []string{
		"gosuslugi.ru", "nalog.gov.ru", "sberbank.ru", "vtb.ru", "mos.ru", "kontur.ru", "zakupki.gov.ru", "cryptopro.ru", "rosreestr.gov.ru", "pochta.ru",
		"google.com", "apple.com", "paypal.com", "microsoft.com", "amazon.com", "facebook.com", "mail.ru", "yandex.ru", "alfabank.ru", "rutoken.ru",
	} {
		for _, host := range lookalikes(site) {
			n++
			ascii, err := idna.Punycode.ToASCII(host)
			if err != nil {
				t.Fatal(host, err)
			}
			for _, origin := range []string{"https://" + host, "https://" + ascii, "https://login." + host + ":8443"} {
				c := NewCard(signing.Question{Kind: signing.KindOrigin, Origin: origin, Via: signing.ViaNative}, "ru")
				shown := c.Site.String()
				if strings.ContainsFunc(shown, func(r rune) bool { return r > '~' }) || !strings.Contains(shown, "xn--") {
					t.Errorf("%s is shown as %s", origin, shown)
				}
				if c.Site.Native == "" || !strings.Contains(c.Banner, c.Site.Native) {
					t.Errorf("%s has the warning %q", origin, c.Banner)
				}
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d hosts", n)
	}
	t.Logf("%d hosts in three forms", n)
}

// lookalikes replaces one letter after the other, then each with the one after it, and then all of them.
func lookalikes(site string) (list []string) {
	name, rest, _ := strings.Cut(site, ".")
	replaced := func(from, to int) {
		letters := []rune(name)
		for i := from; i < to; i++ {
			if other, ok := uitest.Lookalikes[letters[i]]; ok {
				letters[i] = other
			}
		}
		if host := string(letters) + "." + rest; host != site && !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	for i := range name {
		replaced(i, i+1)
		replaced(i, min(i+2, len(name)))
	}
	replaced(0, len(name))
	return list
}
