// SPDX-License-Identifier: GPL-3.0-or-later

package cert

import (
	"errors"

	"persten/internal/algo"
)

// What Explain finds besides the errors of Chain.
var (
	ErrIssuerAbsent = errors.New("the issuer's certificate is not known")
	ErrRootUnknown  = errors.New("the root is not among the trusted ones")
)

// Explain returns the chain of leaf as far up as it can be followed, leaf first, with every broken link marked. No link is
// marked if and only if Chain finds a path, which is then what is returned. Of several ways up it follows the soundest at each
// step. Like Chain it does not look at revocation.
func (t Trust) Explain(leaf *Certificate) []Link {
	own := t.budget == nil
	t = t.ready()
	path, err := t.Chain(leaf)
	if err == nil {
		return sound(path)
	}
	if own {
		t.budget.left = max(t.budget.left, maxDepth)
	}
	links := t.follow(leaf)
	for _, l := range links {
		if l.Problem != nil {
			return links
		}
	}
	if i, err := t.whole(certificates(links)); err != nil {
		links[i].mark(err)
		return links
	}
	links[len(links)-1].Problem = ErrBudget // Chain gave up before it came this way, and it has the last word
	return links
}

func sound(path []*Certificate) []Link {
	links := make([]Link, len(path))
	for i, c := range path {
		links[i] = Link{Certificate: c, Root: i == len(path)-1}
	}
	return links
}

func certificates(links []Link) []*Certificate {
	path := make([]*Certificate, len(links))
	for i, l := range links {
		path[i] = l.Certificate
	}
	return path
}

// follow goes up from leaf whatever it meets.
func (t Trust) follow(leaf *Certificate) []Link {
	links := []Link{{Certificate: leaf, Problem: leaf.fit(t.At)}}
	path := []*Certificate{leaf}
	for {
		last := &links[len(links)-1]
		if last.Root = t.isRoot(last.Certificate); last.Root {
			return links
		}
		up, found := t.above(path)
		switch {
		case len(path) == maxDepth:
			last.mark(ErrPathLength)
			return links
		case !found && last.Certificate.SelfIssued():
			last.mark(ErrRootUnknown)
			return links
		case !found:
			last.mark(ErrIssuerAbsent)
			return links
		}
		last.mark(up.signature)
		links = append(links, Link{Certificate: up.parent, Problem: up.own})
		path = append(path, up.parent)
	}
}

func (l *Link) mark(err error) {
	if err != nil {
		l.Problem = errors.Join(l.Problem, err)
	}
}

func (t Trust) isRoot(c *Certificate) bool {
	for _, r := range t.Roots {
		if r.Equal(c) {
			return true
		}
	}
	return false
}

// way is a possible step up, with what is wrong about it.
type way struct {
	parent    *Certificate
	own       error // the parent's own faults
	signature error // the signature made with its key
}

// above picks the soundest of the certificates that name themselves the issuer of path's end, roots first among equals.
// CAs change their keys and keep their names: one with another key identifier whose key did not sign is not the issuer.
func (t Trust) above(path []*Certificate) (way, bool) {
	var best way
	rank := -1
	last := path[len(path)-1]
	for _, parent := range t.issuers(path) {
		w := t.way(path, parent)
		if w.signature != nil && last.kinship(parent) < 0 {
			continue
		}
		if r := w.rank(); r > rank {
			best, rank = w, r
		}
	}
	return best, rank >= 0
}

func (t Trust) way(path []*Certificate, parent *Certificate) way {
	w := way{parent: parent, own: errors.Join(parent.fit(t.At), parent.mayIssue(), parent.roomFor(path))}
	if parent.mayIssue() == nil { // otherwise that is the whole answer of the check
		w.signature = t.budget.check(path[len(path)-1], parent)
	}
	return w
}

func (w way) rank() int {
	if errors.Is(w.own, ErrIssuer) {
		return 0 // its signature was not checked
	}
	r := 0
	if w.signature == nil {
		r += 2
	}
	if w.own == nil {
		r++
	}
	return r
}

// reasons are in the order of their gravity.
var reasons = []struct {
	err error
	key string
}{
	{ErrRevoked, "revoked"},
	{ErrMalformed, "malformed"},
	{algo.ErrUnsupported, "unsupported"},
	{ErrIssuer, "issuer"},
	{ErrSignature, "signature"},
	{ErrPathLength, "length"},
	{ErrNameConstraints, "names"},
	{ErrPolicy, "policy"},
	{ErrExtension, "extension"},
	{ErrUse, "use"},
	{ErrRootUnknown, "root"},
	{ErrIssuerAbsent, "absent"},
	{ErrNotYetValid, "early"},
	{ErrExpired, "expired"},
	{ErrRevocationUnknown, "unchecked"},
}

// Reason is a stable name of the gravest thing wrong with the link: "" for a sound one, "other" for what has no name. Its
// text is found under cert.link.
func (l Link) Reason() string {
	if l.Problem == nil {
		return ""
	}
	for _, r := range reasons {
		if errors.Is(l.Problem, r.err) {
			return r.key
		}
	}
	return "other"
}
