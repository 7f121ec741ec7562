// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"runtime"
	"strings"
	"time"
	"unicode"

	"persten/internal/cert"
	"persten/internal/text"
	"persten/proto"
)

// letter drafts what a person writes to support: what happened, with which certificate, and what the doctor found. It is theirs
// to change, and says more than the archive.
func (d *Doctor) letter(p proto.DoctorBundleParams, about *cert.Certificate, list []Finding, lang text.Lang) string {
	var b strings.Builder
	say := func(name string, args ...string) {
		m := map[string]string{}
		for i := 0; i+1 < len(args); i += 2 {
			m[args[i]] = oneLine(args[i+1])
		}
		b.WriteString(text.Get(lang, "bundle.letter."+name, m) + "\n")
	}
	say("greeting")
	say("happened", "about", cmp.Or(p.About, text.Get(lang, "bundle.letter.blank", nil)))
	if answers := explain(p.About, lang); len(answers) > 0 {
		say("code", "code", cmp.Or(string(answers[0].Code), answers[0].ID), "title", answers[0].Title)
	}
	say("when", "time", d.m.now().Local().Format("2006-01-02 15:04 -07:00"))
	say("where")
	if about != nil {
		letterOf(about, say)
	}
	say("programs", "version", d.m.Version, "system", runtime.GOOS+" "+runtime.GOARCH+" "+allowedVersions(d.m)["distribution"]+" "+allowedVersions(d.m)["release"])
	for _, one := range allowedBrowsers(d.m) {
		if one.Found {
			say("browser", "name", one.Name, "state", text.Get(lang, "bundle.browser."+string(one.State), nil))
		}
	}
	say("found")
	for _, f := range list {
		if f.Level != OK {
			say("finding", "check", Title(f.Check, lang), "code", f.Code)
		}
	}
	say("end")
	return b.String()
}

// letterOf tells what support asks about a certificate first.
func letterOf(c *cert.Certificate, say func(string, ...string)) {
	card := c.Card()
	say("certificate")
	say("inn", "inn", cmp.Or(card.Owner.INNLE, card.Owner.INN))
	say("authority", "name", card.Issuer.Name())
	say("serial", "serial", card.Serial)
	say("period", "from", card.NotBefore.Local().Format(time.DateOnly), "to", card.SignUntil.Local().Format(time.DateOnly))
	say("algorithm", "algorithm", card.Algorithm.Key+" "+card.Algorithm.ParameterSet)
}

// now is the time on the machine's clock.
func (m *Machine) now() time.Time {
	if m.Now == nil {
		return time.Now()
	}
	return m.Now()
}

// oneLine makes a single line of readable characters of what others wrote; a longer one ends with an ellipsis.
func oneLine(s string) string {
	const most = 1000
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		if !unicode.IsGraphic(r) || r == unicode.ReplacementChar {
			r = ' '
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}

// periodCode is the error of a certificate that cannot sign at a time because of its own dates or its key's; empty for none.
func periodCode(c *cert.Certificate, at time.Time) string {
	for _, p := range periods {
		if err := c.KeyValidAt(at); err == p.err {
			return string(p.code)
		}
	}
	return ""
}

var periods = []struct {
	err  error
	code proto.Code
}{
	{cert.ErrExpired, proto.CodeCertificateExpired}, {cert.ErrNotYetValid, proto.CodeCertificateNotYetValid},
	{cert.ErrKeyExpired, proto.CodeCertificateKeyExpired}, {cert.ErrKeyNotYetValid, proto.CodeCertificateKeyNotYetValid},
}
