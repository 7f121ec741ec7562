// SPDX-License-Identifier: GPL-3.0-or-later

package signing

import (
	"slices"
	"sync"
	"time"

	"persten/internal/cert"
	"persten/internal/token"
	"persten/proto"
)

// Looking up a chain costs signature checks, and any page that is allowed may ask for the list as often as it likes.
const (
	maxChains = 64 // certificates of one listing; a real token holds a few
	chainLife = time.Minute
)

// chains remembers what was found for a minute, so that roots added to the configuration count soon.
type chains struct {
	mu    sync.Mutex
	made  time.Time
	trust cert.Trust
	known map[string][]proto.ChainLink // by certificate id
}

// Listed is ListedAll with the chain of each certificate, broken links marked. Beyond the first 64 certificates, and where
// no root is trusted at all, chains are left out.
func (e *Engine) Listed(keys []token.Key, all bool, now time.Time) []proto.Certificate {
	out := ListedAll(keys, all, now)
	byID := make(map[string]token.Key, len(keys))
	for _, k := range keys {
		if c := k.Certificate(); c != nil {
			byID[c.ID()] = k
		}
	}
	e.chains.mu.Lock()
	defer e.chains.mu.Unlock()
	if age := now.Sub(e.chains.made); age < 0 || age > chainLife {
		e.chains.renew(e.trust(), now)
	}
	for i := range out {
		k := byID[out[i].ID]
		out[i].Chain = e.chains.of(k.Certificate())
		if bad := e.permitted(k, now, KindSign); bad != nil {
			out[i].Usable, out[i].Reason = false, bad.Code
		}
		out[i].Login = e.permitted(k, now, KindLogin) == nil
	}
	if all {
		return out
	}
	return slices.DeleteFunc(out, func(c proto.Certificate) bool { return !c.Usable })
}

func (s *chains) renew(t cert.Trust, now time.Time) {
	t.At = now
	s.made, s.trust, s.known = now, t, map[string][]proto.ChainLink{}
}

func (s *chains) of(c *cert.Certificate) []proto.ChainLink {
	links, ok := s.known[c.ID()]
	if ok || len(s.trust.Roots) == 0 || len(s.known) == maxChains {
		return links
	}
	for _, l := range s.trust.Explain(c) {
		p := l.Certificate.Card().Owner
		links = append(links, proto.ChainLink{Name: p.Name(), OK: l.Problem == nil, Code: l.Reason()})
	}
	s.known[c.ID()] = links
	return links
}
