// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"encoding/asn1"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Policies are the inputs of RFC 5280 section 6.1.1 (c, e, f, g) about certificate policies. The zero value accepts any
// policy and leaves it to the certificates to demand one.
type Policies struct {
	Acceptable       []asn1.ObjectIdentifier // none: any policy
	Explicit         bool                    // the path must have an acceptable policy
	InhibitMapping   bool
	InhibitAnyPolicy bool
}

var (
	oidPolicyMappings    = asn1.ObjectIdentifier{2, 5, 29, 33}
	oidPolicyConstraints = asn1.ObjectIdentifier{2, 5, 29, 36}
	oidInhibitAnyPolicy  = asn1.ObjectIdentifier{2, 5, 29, 54}
)

const (
	anyPolicy   = "\x55\x1d\x20\x00" // 2.5.29.32.0
	maxPolicies = 4096               // of one certificate, and mappings likewise
)

// policyNode is a node of the policy graph of RFC 9618, which replaces the tree of RFC 5280: the tree grows beyond all
// bounds, the graph holds each policy once per certificate.
type policyNode struct {
	policy  string
	parents []*policyNode
	mapped  []string // policies of the next certificate it stands for; nil: itself
	live    bool     // has a descendant in the last certificate
}

func (n *policyNode) expected() []string {
	if n.mapped == nil {
		return []string{n.policy}
	}
	return n.mapped
}

// policyState is the state of section 6.1.2 while a path is walked from the root down.
type policyState struct {
	levels                           []map[string]*policyNode // level 0 is the root's; the last may be empty, which is the NULL graph
	explicit, mapping, inhibit, size int
}

// checkPolicies runs the policy part of RFC 5280 section 6.1 over path, leaf first. It returns the place of the
// certificate at fault.
func (p Policies) check(path []*Certificate) (int, error) {
	n := len(path) - 1
	s := &policyState{size: n, levels: []map[string]*policyNode{{anyPolicy: {policy: anyPolicy}}}}
	counter := func(zero bool) int {
		if zero {
			return 0
		}
		return n + 1
	}
	s.explicit, s.inhibit, s.mapping = counter(p.Explicit), counter(p.InhibitAnyPolicy), counter(p.InhibitMapping)
	for i := n - 1; i >= 0; i-- {
		if err := s.step(path[i], i == 0); err != nil {
			return i, fmt.Errorf("%w: %w", ErrPolicy, err)
		}
		if s.explicit == 0 && len(s.last()) == 0 {
			return i, ErrPolicy
		}
	}
	if s.explicit == 0 && !s.acceptable(p.Acceptable) {
		return 0, ErrPolicy
	}
	return 0, nil
}

func (s *policyState) last() map[string]*policyNode { return s.levels[len(s.levels)-1] }

// step is sections 6.1.3 (d) to (f) and 6.1.4 (a), (b), (h) to (j), or 6.1.5 (a), (b) for the leaf.
func (s *policyState) step(c *Certificate, leaf bool) error {
	policies, err := c.policies()
	if err != nil {
		return err
	}
	s.grow(policies, s.inhibit > 0 || !leaf && c.SelfIssued())
	if s.explicit == 0 && len(s.last()) == 0 {
		return nil
	}
	explicit, mapping, inhibit, err := c.policyLimits()
	if err != nil {
		return err
	}
	if leaf {
		s.explicit = max(s.explicit-1, 0)
		if explicit == 0 {
			s.explicit = 0
		}
		return nil
	}
	if err := s.remap(c); err != nil {
		return err
	}
	if !c.SelfIssued() {
		s.explicit, s.mapping, s.inhibit = max(s.explicit-1, 0), max(s.mapping-1, 0), max(s.inhibit-1, 0)
	}
	s.explicit, s.mapping, s.inhibit = min(s.explicit, explicit), min(s.mapping, mapping), min(s.inhibit, inhibit)
	return nil
}

// grow makes the next level (RFC 9618 section 5.2).
func (s *policyState) grow(policies []string, any bool) {
	above := s.last()
	from := map[string][]*policyNode{}
	for _, n := range above {
		for _, p := range n.expected() {
			from[p] = append(from[p], n)
		}
	}
	level := map[string]*policyNode{}
	s.levels = append(s.levels, level)
	hasAny := false
	for _, p := range policies {
		switch parents := from[p]; {
		case p == anyPolicy:
			hasAny = true
		case len(parents) > 0:
			level[p] = &policyNode{policy: p, parents: parents}
		case above[anyPolicy] != nil:
			level[p] = &policyNode{policy: p, parents: []*policyNode{above[anyPolicy]}}
		}
	}
	if !hasAny || !any {
		return
	}
	for p, parents := range from {
		if level[p] == nil {
			level[p] = &policyNode{policy: p, parents: parents}
		}
	}
}

// remap applies policyMappings to the last level (section 6.1.4 a, b).
func (s *policyState) remap(c *Certificate) error {
	mappings, err := c.policyMappings()
	if err != nil {
		return err
	}
	level := s.last()
	for from, to := range mappings {
		n := level[from]
		switch {
		case s.mapping == 0:
			delete(level, from)
		case n != nil:
			n.mapped = to
		case level[anyPolicy] != nil:
			level[from] = &policyNode{policy: from, parents: level[anyPolicy].parents, mapped: to}
		}
	}
	return nil
}

// acceptable reports whether the graph holds a policy the user accepts (section 6.1.5 g).
func (s *policyState) acceptable(accept []asn1.ObjectIdentifier) bool {
	last := s.last()
	if len(last) == 0 || len(accept) == 0 {
		return len(last) > 0
	}
	if last[anyPolicy] != nil {
		return true
	}
	wanted := map[string]bool{}
	for _, oid := range accept {
		wanted[oidBytes(oid)] = true
	}
	for _, n := range last {
		n.live = true
	}
	for i := len(s.levels) - 1; i > 0; i-- {
		for _, n := range s.levels[i] {
			if !n.live {
				continue
			}
			for _, p := range n.parents {
				p.live = true
				if p.policy == anyPolicy && wanted[n.policy] {
					return true
				}
			}
		}
	}
	return wanted[anyPolicy]
}

// oidBytes is the content of an OBJECT IDENTIFIER.
func oidBytes(oid asn1.ObjectIdentifier) string {
	der, err := asn1.Marshal(oid)
	if err != nil || len(der) < 2 {
		return ""
	}
	return string(der[2:])
}

// policies lists certificatePolicies as the bytes of their OIDs; none when the extension is absent.
func (c *Certificate) policies() ([]string, error) {
	body, _, err := c.extensionBody(oidPolicies)
	if err != nil {
		return nil, err
	}
	var list []string
	seen := map[string]bool{}
	for !body.Empty() {
		var info, oid cryptobyte.String
		if !body.ReadASN1(&info, casn1.SEQUENCE) || !info.ReadASN1(&oid, casn1.OBJECT_IDENTIFIER) ||
			seen[string(oid)] || len(list) == maxPolicies {
			return nil, errExtension
		}
		seen[string(oid)] = true
		list = append(list, string(oid))
	}
	return list, nil
}

// policyMappings lists what each issuer's policy is said to equal. anyPolicy may not be mapped.
func (c *Certificate) policyMappings() (map[string][]string, error) {
	body, _, err := c.extensionBody(oidPolicyMappings)
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for n := 0; !body.Empty(); n++ {
		var pair, from, to cryptobyte.String
		if !body.ReadASN1(&pair, casn1.SEQUENCE) || !pair.ReadASN1(&from, casn1.OBJECT_IDENTIFIER) ||
			!pair.ReadASN1(&to, casn1.OBJECT_IDENTIFIER) || !pair.Empty() || n == maxPolicies {
			return nil, errExtension
		}
		if string(from) == anyPolicy || string(to) == anyPolicy {
			return nil, errExtension
		}
		all[string(from)] = append(all[string(from)], string(to))
	}
	return all, nil
}

// policyLimits reads policyConstraints and inhibitAnyPolicy: how many certificates may follow before a policy is demanded,
// before mappings and before anyPolicy stop to count; math.MaxInt where nothing is said.
func (c *Certificate) policyLimits() (explicit, mapping, inhibit int, err error) {
	explicit, mapping, inhibit = math.MaxInt, math.MaxInt, math.MaxInt
	body, ok, err := c.extensionBody(oidPolicyConstraints)
	if err != nil || ok && body.Empty() {
		return 0, 0, 0, errExtension
	}
	for tag, to := range []*int{&explicit, &mapping} {
		var v cryptobyte.String
		var present bool
		if !body.ReadOptionalASN1(&v, &present, casn1.Tag(tag).ContextSpecific()) || present && !small(v, to) {
			return 0, 0, 0, errExtension
		}
	}
	if !body.Empty() {
		return 0, 0, 0, errExtension
	}
	value, ok := extension(c.X509, oidInhibitAnyPolicy)
	if !ok {
		return explicit, mapping, inhibit, nil
	}
	in := cryptobyte.String(value)
	var v cryptobyte.String
	if !in.ReadASN1(&v, casn1.INTEGER) || !in.Empty() || !small(v, &inhibit) {
		return 0, 0, 0, errExtension
	}
	return explicit, mapping, inhibit, nil
}

// small reads the content of an INTEGER that counts certificates; one beyond any path is as good as none.
func small(v []byte, to *int) bool {
	if len(v) == 0 || v[0]&0x80 != 0 {
		return false
	}
	if len(v) > 2 {
		*to = math.MaxInt
		return true
	}
	*to = 0
	for _, b := range v {
		*to = *to<<8 | int(b)
	}
	return true
}
