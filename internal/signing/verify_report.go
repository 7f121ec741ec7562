// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"errors"
	"slices"
	"strings"

	"persten/internal/cert"
	"persten/internal/cms"
	"persten/proto"
)

// What one report tells at most: a hostile file may hold more than anybody reads.
const (
	maxHoles  = 1024 // pieces a reference may leave out; of one with more it is not told what it covers
	maxStamps = 16
	maxCounts = 64
	maxLinks  = 16
	maxNested = 3 // countersignatures of countersignatures
)

// Reported turns a report on which Conclude was called into the form of verify.cms and verify.xml, with words in lang.
func Reported(r *cms.Report, lang string) *proto.Report {
	out := &proto.Report{
		Valid: r.Valid(), Indication: proto.Indication(r.Indication()), Attached: r.Attached, Size: r.Content.Size, Signers: []proto.Signer{},
	}
	for _, s := range r.Signers {
		out.CheckedAt = s.Conclusion.Checked.UTC()
		out.Signers = append(out.Signers, signerOf(s, lang, 0))
	}
	return out
}

// signerOf describes one signature; depth counts the signatures it is a countersignature of.
func signerOf(s cms.SignerReport, lang string, depth int) proto.Signer {
	c := s.Conclusion
	out := proto.Signer{
		ID: s.ID, Format: s.Format, References: references(s.References), Algorithm: string(s.Algorithm),
		Valid: s.Valid, Trusted: s.Valid && s.Trusted, SigningTime: s.SigningTime, Certificate: summaryOf(s.Certificate),
		Indication: proto.Indication(c.Indication), SubIndication: proto.SubIndication(c.Sub), BestTime: bestTime(c), Chain: links(c.Path),
		DocumentName: s.DocumentName, MIME: s.MIMEType, Commitment: string(s.Commitment),
	}
	if out.DocumentName == "" {
		out.DocumentName = s.FileName
	}
	if l := s.Location; l != nil {
		parts := slices.Concat([]string{l.Country, l.Locality}, l.Postal)
		out.Location = strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
	}
	if s.Policy != nil {
		out.Policy = s.Policy.ID
	}
	if bad := signerFault(c); bad != nil {
		out.Code, out.Text, out.Next = words(bad, lang)
	}
	for _, ts := range s.TimeStamps[:min(len(s.TimeStamps), maxStamps)] {
		out.Timestamps = append(out.Timestamps, timestamp(ts, lang))
	}
	if depth < maxNested {
		for _, n := range s.Countersignatures[:min(len(s.Countersignatures), maxCounts)] {
			out.Countersignatures = append(out.Countersignatures, signerOf(n, lang, depth+1))
		}
	}
	return out
}

func timestamp(ts cms.TimeStamp, lang string) proto.Timestamp {
	c := ts.Conclusion
	out := proto.Timestamp{
		Time: ts.Time, Accuracy: ts.Accuracy.Milliseconds(), Policy: ts.Policy.String(), DigestAlg: string(ts.Digest),
		Authority: summaryOf(ts.Signer.Certificate), Valid: ts.Problem == nil && ts.Signer.Valid,
		Indication: proto.Indication(c.Indication), SubIndication: proto.SubIndication(c.Sub), Chain: links(c.Path),
	}
	if ts.Serial != nil {
		out.Serial = ts.Serial.Text(16)
	}
	if bad := stampFault(c); bad != nil {
		out.Code, out.Text, out.Next = words(bad, lang)
	}
	return out
}

func bestTime(c cms.Conclusion) *proto.BestTime {
	if c.Time.IsZero() {
		return nil
	}
	from := "now"
	if c.Stamped {
		from = "timestamp"
	}
	return &proto.BestTime{Time: c.Time.UTC(), From: from}
}

func summaryOf(c *cert.Certificate) *proto.CertificateSummary {
	if c == nil {
		return nil
	}
	s := summary(c)
	return &s
}

// links describes a path, leaf first.
func links(p *cert.Path) (out []proto.ChainLink) {
	if p == nil {
		return nil
	}
	for _, l := range p.Links[:min(len(p.Links), maxLinks)] {
		x := l.Certificate.X509
		out = append(out, proto.ChainLink{
			Name: l.Certificate.Card().Owner.Name(), OK: l.Problem == nil, Code: l.Reason(), ID: l.Certificate.ID(), Root: l.Root,
			NotBefore: x.NotBefore.UTC(), NotAfter: x.NotAfter.UTC(), Revocation: revocation(l.Revocation),
		})
	}
	return out
}

func revocation(r *cert.Revocation) *proto.Revocation {
	if r == nil {
		return nil
	}
	out := &proto.Revocation{
		Status: r.Status.String(), ThisUpdate: r.ThisUpdate, NextUpdate: r.NextUpdate, RevokedAt: r.At,
		From: source(r.Answer.From), Got: r.Answer.Got,
	}
	switch {
	case r.Answer.DER == nil:
	case r.Answer.OCSP:
		out.Source = "ocsp"
	default:
		out.Source = "crl"
	}
	if !r.At.IsZero() {
		out.Reason = crlReason(r.Reason)
	}
	if r.Status == cert.Unknown {
		out.Why = why(r.Problem)
	}
	return out
}

// why names the reason for which revocation is unknown.
func why(problem error) string {
	if problem == nil || problem == cert.ErrNoAnswer { // alone: nobody was there to ask
		return "unnamed"
	}
	for _, k := range []struct {
		err  error
		name string
	}{{cert.ErrOutdated, "outdated"}, {cert.ErrUnauthorized, "unauthorized"}, {cert.ErrForgotten, "forgotten"}} {
		if errors.Is(problem, k.err) {
			return k.name
		}
	}
	return "unreachable"
}

// source is where an answer comes from: of a file only its name, since a page reads this too.
func source(from string) string {
	if strings.Contains(from, "://") {
		return from
	}
	return from[strings.LastIndexAny(from, `/\`)+1:]
}

// crlReason is the name RFC 5280 section 5.3.1 gives a reason.
func crlReason(n int) string {
	names := []string{
		"unspecified", "keyCompromise", "cACompromise", "affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
		"", "removeFromCRL", "privilegeWithdrawn", "aACompromise",
	}
	if n < 0 || n >= len(names) || names[n] == "" {
		return "unspecified"
	}
	return names[n]
}

// references describes what an XML signature covers.
func references(list []cms.Reference) (out []proto.Reference) {
	for _, r := range list {
		one := proto.Reference{
			URI: r.URI, Element: r.Name, ID: r.ID, Begin: r.Begin, End: r.End, Whole: r.Whole, Own: r.Own,
			DigestAlg: string(r.Digest), Valid: r.Valid,
		}
		if len(r.Holes) > maxHoles {
			one.Begin, one.End, one.Whole, r.Holes = 0, 0, false, nil
		}
		for _, hole := range r.Holes {
			one.Holes = append(one.Holes, proto.Span{Begin: hole[0], End: hole[1]})
		}
		out = append(out, one)
	}
	return out
}
