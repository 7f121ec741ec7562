// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"persten/internal/cert"
	"persten/proto"
)

// sound are the certificates whose chain and revocation are worth a look: those of a run that are valid now.
func (m *Machine) sound(ctx context.Context) (list []*cert.Certificate) {
	if m.Trust == nil {
		return nil
	}
	for _, k := range m.chosen(m.keys(ctx)) {
		if c := k.Certificate(); c.ValidAt(m.now()) == nil {
			list = append(list, c)
		}
	}
	return list
}

// checkChains follows every certificate up to a trusted root, with what is at hand. Two that break for one reason are one
// finding. Where no root is trusted at all nobody meant to check anything, unless the run is about a certificate.
func checkChains(ctx context.Context, m *Machine) (list []Finding) {
	for _, c := range m.sound(ctx) {
		t := m.Trust()
		t.At = m.now()
		if len(t.Roots) == 0 && m.Certificate == "" {
			return nil
		}
		for _, l := range t.Explain(c) {
			if l.Problem == nil {
				continue
			}
			f := broken(l, c)
			if !slices.ContainsFunc(list, func(o Finding) bool { return o.Code == f.Code && o.Subject == f.Subject }) {
				list = append(list, f)
			}
			break
		}
	}
	return list
}

// broken says what is wrong at a link of a leaf's chain.
func broken(l cert.Link, leaf *cert.Certificate) Finding {
	name := oneLine(l.Certificate.Subject().Name())
	switch {
	case errors.Is(l.Problem, cert.ErrRootUnknown):
		return warning("root_untrusted", name, "fingerprint", l.Certificate.ID()).by("import_root")
	case errors.Is(l.Problem, cert.ErrIssuerAbsent):
		issuer := oneLine(l.Certificate.Issuer().Name())
		if len(l.Certificate.X509.IssuingCertificateURL) == 0 {
			return warning("issuer_absent", issuer, "certificate", leaf.ID()).by("import_issuer")
		}
		return warning("chain_incomplete", issuer, "certificate", leaf.ID()).by("fetch_issuer")
	}
	return warning("chain_broken", name, "link", l.Reason())
}

// checkRevocation asks whether the certificates that lead to a trusted root, or one of their issuers, were revoked.
func checkRevocation(ctx context.Context, m *Machine) (list []Finding) {
	for _, c := range m.sound(ctx) {
		t := m.Trust()
		t.At = m.now()
		if _, err := t.Chain(c); err != nil || t.Source == nil {
			continue
		}
		for i, l := range t.Validate(ctx, c, cert.UseAny).Links {
			if l.Revocation != nil && l.Revocation.Status != cert.Good && !silent(l) {
				list = append(list, unsound(l, i == 0))
				break
			}
		}
	}
	return list
}

// silent reports whether nobody was ever to tell about a certificate: it names no list and no server, and no list is at hand.
func silent(l cert.Link) bool {
	x := l.Certificate.X509
	return l.Revocation.Status == cert.Unknown && len(x.CRLDistributionPoints)+len(x.OCSPServer) == 0 && !errors.Is(l.Revocation.Problem, cert.ErrOutdated)
}

func unsound(l cert.Link, own bool) Finding {
	name := oneLine(l.Certificate.Subject().Name())
	var revoked *cert.RevokedError
	switch {
	case errors.As(l.Problem, &revoked) && own:
		return problem(string(proto.CodeCertificateRevoked), name, "date", day(revoked.At))
	case errors.As(l.Problem, &revoked):
		return problem(string(proto.CodeIssuerRevoked), name, "date", day(revoked.At))
	case errors.Is(l.Revocation.Problem, cert.ErrOutdated):
		f := warning("crl_stale", name, "certificate", l.Certificate.ID())
		if len(l.Certificate.X509.CRLDistributionPoints) > 0 {
			f = f.by("renew_lists")
		}
		return f
	}
	return note(string(proto.CodeRevocationUnknown), name)
}

// fetchIssuer gets the certificate that is missing above one, from the address that one names, and keeps it. It is not trusted
// by that: it still has to lead to a root that is.
func fetchIssuer(ctx context.Context, m *Machine, args map[string]string) error {
	leaf, err := m.named(ctx, args["certificate"])
	if err != nil {
		return err
	}
	source := m.Trust().Source
	if source == nil {
		return proto.E(proto.CodeNetworkOffline, nil)
	}
	last := m.top(leaf)
	got, err := source.Issuers(ctx, last)
	return m.keep(last, got, err)
}

// importIssuer is fetchIssuer with a file in place of an address.
func importIssuer(ctx context.Context, m *Machine, args map[string]string) error {
	leaf, err := m.named(ctx, args["certificate"])
	if err != nil {
		return err
	}
	got, err := certificatesIn(args["file"])
	return m.keep(m.top(leaf), got, err)
}

// certificatesIn reads a plain file. A pipe would stop the session's goroutine that opens it.
func certificatesIn(file string) ([]*cert.Certificate, error) {
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: file, Err: fs.ErrInvalid}
	}
	if err != nil {
		return nil, err
	}
	return cert.ReadFiles(file)
}

// top is the certificate at which the chain of a leaf ends.
func (m *Machine) top(leaf *cert.Certificate) *cert.Certificate {
	links := m.Trust().Explain(leaf)
	return links[len(links)-1].Certificate
}

// keep keeps the certificate among some that issued c; err is why there may be none.
func (m *Machine) keep(c *cert.Certificate, some []*cert.Certificate, err error) error {
	for _, issuer := range some {
		if m.KeepIssuer != nil && c.CheckSignatureFrom(issuer) == nil {
			return m.KeepIssuer(issuer)
		}
	}
	return cmp.Or(err, error(proto.E(proto.CodeCertificateUntrusted, nil)))
}

// renewLists gets the revocation lists of a certificate's chain again.
func renewLists(ctx context.Context, m *Machine, args map[string]string) error {
	c, err := m.named(ctx, args["certificate"])
	if err != nil {
		return err
	}
	if m.RenewLists == nil {
		return proto.E(proto.CodeNetworkOffline, nil)
	}
	return m.RenewLists(ctx, c)
}

// named finds a certificate on the tokens, or among their chains.
func (m *Machine) named(ctx context.Context, id string) (*cert.Certificate, error) {
	if m.Trust == nil {
		return nil, proto.E(proto.CodeCertificateAbsent, nil, "id", id)
	}
	for _, k := range m.keys(ctx) {
		c := k.Certificate()
		if c == nil {
			continue
		}
		for _, l := range m.Trust().Explain(c) {
			if l.Certificate.ID() == id {
				return l.Certificate, nil
			}
		}
	}
	return nil, proto.E(proto.CodeCertificateAbsent, nil, "id", id)
}

// importRoot trusts the root certificate in a file, when its fingerprint is the one the person compared: without it the answer
// is a finding that shows the fingerprint of the file and asks.
func importRoot(_ context.Context, m *Machine, args map[string]string) error {
	all, err := certificatesIn(args["file"])
	if errors.As(err, new(*fs.PathError)) {
		return err
	}
	if len(all) != 1 {
		return proto.E(proto.CodeFormatCertificate, err, "detail", "want one certificate")
	}
	root := all[0]
	if !root.SelfIssued() || root.CheckSignatureFrom(root) != nil {
		return proto.E(proto.CodeCertificateUntrusted, nil)
	}
	given := strings.ToLower(strings.NewReplacer(" ", "", ":", "", "-", "").Replace(args["fingerprint"]))
	switch {
	case m.TrustRoot == nil:
		return proto.E(proto.CodePolicyForbids, nil)
	case given == root.ID() && args["confirmed"] != "":
		return m.TrustRoot(root)
	}
	return &question{note("root_confirm", oneLine(root.Subject().Name()),
		"file", args["file"], "fingerprint", root.ID(), "shown", grouped(root.ID()), "confirmed", "yes").by("import_root")}
}

// question is the error of a repair that the person has to agree to first: its finding offers the repair with all it needs.
type question struct{ Finding }

func (q *question) Error() string { return "the person has to agree first" }

// grouped breaks a fingerprint into groups that people can compare.
func grouped(hex string) string {
	var b strings.Builder
	for i := 0; i < len(hex); i += 4 {
		b.WriteString(strings.ToUpper(hex[i:min(i+4, len(hex))]) + " ")
	}
	return strings.TrimSpace(b.String())
}
