// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidSubjectAltName  = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidSMTPMailbox     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}
)

// Bounds of comparing names. A CA and a leaf may each carry thousands of them.
const (
	maxNameWork   = 100_000 // comparisons for one path
	maxNameLength = 2048    // of an address or a host; longer ones cannot be compared
)

// constraints is the extension nameConstraints (RFC 5280 section 4.2.1.10).
type constraints struct{ permitted, excluded []generalName }

// nameConstraints reads the extension; nil when there is none.
func (c *Certificate) nameConstraints() (*constraints, error) {
	body, ok, err := c.extensionBody(oidNameConstraints)
	if !ok || err != nil {
		return nil, err
	}
	var n constraints
	if n.permitted, err = readSubtrees(&body, casn1.Tag(0).ContextSpecific().Constructed()); err != nil {
		return nil, err
	}
	if n.excluded, err = readSubtrees(&body, casn1.Tag(1).ContextSpecific().Constructed()); err != nil {
		return nil, err
	}
	if !body.Empty() || n.permitted == nil && n.excluded == nil {
		return nil, errExtension
	}
	return &n, nil
}

// readSubtrees reads GeneralSubtrees. Minimum and maximum are not used in certificates and refused.
func readSubtrees(in *cryptobyte.String, tag casn1.Tag) ([]generalName, error) {
	var list cryptobyte.String
	var present bool
	if !in.ReadOptionalASN1(&list, &present, tag) {
		return nil, errExtension
	}
	if !present {
		return nil, nil
	}
	out := []generalName{}
	for !list.Empty() {
		var subtree cryptobyte.String
		if !list.ReadASN1(&subtree, casn1.SEQUENCE) {
			return nil, errExtension
		}
		g, ok := readGeneralName(&subtree)
		if !ok || !subtree.Empty() {
			return nil, errExtension
		}
		if err := g.fitsAsConstraint(); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func (g generalName) fitsAsConstraint() error {
	switch g.form {
	case formIP:
		if _, ok := prefix(g.value); !ok {
			return errExtension
		}
	case formEmail, formDNS, formURI:
		if !isASCII(g.value) {
			return errExtension
		}
	}
	return nil
}

// subjectNames are the names of c that constraints apply to: its subject, its alternative names and, when there is no
// alternative e-mail address, the addresses in the subject.
func (c *Certificate) subjectNames() ([]generalName, error) {
	var list []generalName
	if len(c.subjectName) > 0 {
		list = append(list, generalName{form: formDirectory, name: c.subjectName})
	}
	body, ok, err := c.extensionBody(oidSubjectAltName)
	if err != nil {
		return nil, err
	}
	if ok {
		alternative, err := readGeneralNames(body, maxSubjectNames)
		if err != nil {
			return nil, err
		}
		list = append(list, alternative...)
	}
	for _, g := range list {
		if g.form == formEmail {
			return list, nil
		}
	}
	for _, n := range c.X509.Subject.Names {
		if s, ok := n.Value.(string); ok && n.Type.Equal(oidEmail) {
			list = append(list, generalName{form: formEmail, value: []byte(s)})
		}
	}
	return list, nil
}

var oidEmail = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}

// checkNames applies the constraints of every CA of path, leaf first, to all below it (RFC 5280 sections 6.1.3 b, c and
// 6.1.4 g). Constraints of the root count, too (RFC 5937). It returns the place of the certificate at fault.
func checkNames(path []*Certificate) (int, error) {
	work := 0
	for i := len(path) - 1; i > 0; i-- {
		n, err := path[i].nameConstraints()
		if err != nil {
			return i, fmt.Errorf("%w: %w", ErrNameConstraints, err)
		}
		if n == nil {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			if j > 0 && path[j].SelfIssued() {
				continue
			}
			if err := n.check(path[j], &work); err != nil {
				return j, fmt.Errorf("%w: %w", ErrNameConstraints, err)
			}
		}
	}
	return 0, nil
}

var (
	errNameExcluded = errors.New("it is excluded")
	errNameOutside  = errors.New("it is not among the permitted ones")
	errNameForm     = errors.New("it is of a kind that cannot be compared")
)

func (n *constraints) check(c *Certificate, work *int) error {
	names, err := c.subjectNames()
	if err != nil {
		return err
	}
	for _, g := range names {
		if *work += len(n.permitted) + len(n.excluded); *work > maxNameWork {
			return ErrBudget
		}
		if err := n.checkOne(g); err != nil {
			return err
		}
	}
	return nil
}

// checkOne compares one name. A form that nobody here can compare is refused when the constraints speak of it.
func (n *constraints) checkOne(g generalName) error {
	g = g.comparable()
	for _, e := range n.excluded {
		if e.form != g.form {
			continue
		}
		if in, known := g.in(e, true); !known {
			return errNameForm
		} else if in {
			return errNameExcluded
		}
	}
	restricted := false
	for _, p := range n.permitted {
		if p.form != g.form {
			continue
		}
		restricted = true
		if in, known := g.in(p, false); !known {
			return errNameForm
		} else if in {
			return nil
		}
	}
	if restricted {
		return errNameOutside
	}
	return nil
}

// comparable turns a URI into its host, once for all comparisons, and an SmtpUTF8Mailbox into the e-mail address it is (RFC
// 9598 section 6).
func (g generalName) comparable() generalName {
	switch g.form {
	case formURI:
		return generalName{form: formURI, value: []byte(uriHost(g.value))}
	case formOther:
	default:
		return g
	}
	in := cryptobyte.String(g.value)
	var oid asn1.ObjectIdentifier
	var box, mailbox cryptobyte.String
	if in.ReadASN1ObjectIdentifier(&oid) && oid.Equal(oidSMTPMailbox) &&
		in.ReadASN1(&box, casn1.Tag(0).ContextSpecific().Constructed()) && box.ReadASN1(&mailbox, casn1.UTF8String) {
		return generalName{form: formEmail, value: mailbox}
	}
	return g
}

// in reports whether g lies in the subtree of the constraint, both being of one form, and whether that can be told.
func (g generalName) in(constraint generalName, excluded bool) (inside, known bool) {
	if len(g.value) > maxNameLength && g.form != formDirectory {
		return false, false
	}
	switch g.form {
	case formDirectory:
		return g.name.within(constraint.name), g.name.readable() && constraint.name.readable()
	case formEmail:
		return mailIn(string(g.value), string(constraint.value), excluded)
	case formDNS:
		return dnsIn(string(g.value), string(constraint.value), excluded)
	case formURI:
		return hostIn(string(g.value), string(constraint.value), excluded), len(g.value) > 0
	case formIP:
		a, ok := netip.AddrFromSlice(g.value)
		p, fine := prefix(constraint.value)
		return ok && fine && p.Contains(a), ok && fine
	}
	return false, false
}

// mailIn compares an address with a mailbox, a host, or a domain that begins with a dot.
func mailIn(mail, constraint string, excluded bool) (inside, known bool) {
	at := strings.LastIndexByte(mail, '@')
	if at < 0 || !isHost(mail[at+1:]) {
		return false, false
	}
	if i := strings.LastIndexByte(constraint, '@'); i >= 0 {
		return mail[:at] == constraint[:i] && strings.EqualFold(bare(mail[at+1:]), bare(constraint[i+1:])), true
	}
	return hostIn(mail[at+1:], constraint, excluded), true
}

// hostIn: a constraint that begins with a dot stands for the hosts below it, any other for the one host. The empty one has no
// meaning in RFC 5280; CAs that exclude it mean all hosts.
func hostIn(host, constraint string, excluded bool) bool {
	if constraint == "" {
		return excluded
	}
	host, constraint = strings.ToLower(bare(host)), strings.ToLower(bare(constraint))
	if strings.HasPrefix(constraint, ".") {
		return strings.HasSuffix(host, constraint) && len(host) > len(constraint)
	}
	return host == constraint
}

// dnsIn: labels may be added on the left. A wildcard that could stand for an excluded name is excluded.
func dnsIn(host, constraint string, excluded bool) (inside, known bool) {
	if !isHost(host) {
		return false, false
	}
	host, constraint = strings.ToLower(bare(host)), strings.ToLower(bare(constraint))
	if constraint == "" || host == constraint {
		return true, true
	}
	if star, ok := strings.CutPrefix(host, "*."); ok && excluded && (constraint == star || strings.HasSuffix(constraint, "."+star)) {
		return true, true
	}
	return strings.HasSuffix(host, "."+strings.TrimPrefix(constraint, ".")), true
}

// uriHost is the host that constraints speak of; empty when there is none, or it is an address.
func uriHost(uri []byte) string {
	if len(uri) > maxNameLength {
		return ""
	}
	u, err := url.Parse(string(uri))
	if err != nil || !isHost(u.Hostname()) {
		return ""
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return ""
	}
	return u.Hostname()
}

// isHost: international names stand in certificates in their ASCII form (RFC 5280 sections 7.2 to 7.5).
func isHost(s string) bool {
	return s != "" && isASCII(s) && !strings.ContainsAny(s, " \x00/@")
}

func bare(host string) string { return strings.TrimSuffix(host, ".") }

// prefix reads an address followed by its mask.
func prefix(b []byte) (netip.Prefix, bool) {
	if len(b) != 8 && len(b) != 32 {
		return netip.Prefix{}, false
	}
	a, _ := netip.AddrFromSlice(b[:len(b)/2])
	ones, end := 0, false
	for _, m := range b[len(b)/2:] {
		for i := 7; i >= 0; i-- {
			switch bit := m>>i&1 == 1; {
			case bit && end:
				return netip.Prefix{}, false
			case bit:
				ones++
			default:
				end = true
			}
		}
	}
	return netip.PrefixFrom(a, ones).Masked(), true
}
