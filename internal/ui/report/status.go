// SPDX-License-Identifier: GPL-3.0-or-later

package report

import (
	"io"

	"persten/internal/text"
	"persten/internal/ui"
	"persten/proto"
)

// StatusText writes what was found about a certificate for a terminal: whether it is good, each link of its chain, who says so
// and when, and what to do.
func StatusText(out io.Writer, lang text.Lang, s *proto.CertificateStatus) error {
	w := writer{Document{Lang: lang}}
	l := lookOf(s.Indication)
	key := map[look]string{good: "good", bad: "bad", unsure: "unknown"}[l]
	if s.Code != "" && !Unsure(s) {
		l, key = bad, "bad"
	}
	name := s.Certificate.Name
	if o := s.Certificate.Organization; o != "" && o != name {
		name += ", " + o
	}
	var b []TextLine
	line(&b, 0, l, text.Get(lang, "cli.cert.check."+key, map[string]string{"name": name}))
	if s.Text != "" {
		line(&b, 1, neutral, s.Text)
		line(&b, 1, neutral, w.t("advice")+": "+s.Next)
	}
	line(&b, 1, neutral, w.t("checkedAt")+": "+w.at(s.CheckedAt))
	chain := w.chain(s.Chain, "link.leaf")
	for i := len(chain) - 1; i >= 0; i-- {
		c := chain[i]
		line(&b, 1, c.Look, c.Name+" ("+c.Role+"): "+c.State)
		for _, n := range c.Notes {
			line(&b, 2, neutral, n)
		}
	}
	return write(out, b)
}

// Unsure reports that a certificate is neither good nor known to be bad. EN 319 102-1 says INDETERMINATE of a revoked one as
// well, because an old signature might still hold; for a certificate by itself there is nothing of the kind.
func Unsure(s *proto.CertificateStatus) bool {
	switch s.Code {
	case proto.CodeRevocationUnknown, proto.CodeCertificateUntrusted, proto.CodeAlgorithmUnsupported:
		return true
	}
	return false
}

// Line makes one line of a terminal of words that come from outside.
func Line(s string) string { return ui.Safe(s, columns) }
