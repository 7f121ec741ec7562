// SPDX-License-Identifier: GPL-3.0-or-later

package ui

import (
	"net"
	"net/url"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"persten/internal/signing"
)

// Site is a web origin cut so that the part its owner had to register stands out.
type Site struct {
	Scheme string // "https://"
	Before string // "login." - may be anything the owner of Domain likes
	Domain string // "bank.example": the registrable domain, or the whole host
	After  string // ":8443" or ""
	Native string // the host in its own script when Before or Domain are punycode
	Secure bool   // nobody on the network can pose as this site
}

// maxHost is the room of a host name. A longer one loses its left end: what matters is on the right.
const maxHost = 60

// NewSite cuts an origin. What is not an origin is shown escaped, whole, as Domain.
func NewSite(origin string) Site {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || len(origin) > 2048 {
		return Site{Domain: Safe(origin, maxHost)}
	}
	host := u.Hostname()
	ascii, err := idna.Punycode.ToASCII(strings.ToLower(host))
	if err != nil {
		ascii = host
	}
	s := Site{Scheme: Safe(u.Scheme, 20) + "://", Domain: ascii, Secure: u.Scheme == "https" || signing.Loopback(ascii)}
	if p := u.Port(); p != "" {
		s.After = ":" + p
	}
	if net.ParseIP(host) == nil {
		s.Before, s.Domain = registrable(ascii)
	}
	if strings.Contains(ascii, "xn--") {
		if native, err := idna.Punycode.ToUnicode(ascii); err == nil {
			s.Native = Safe(native, maxHost)
		}
	}
	s.shorten()
	return s
}

// registrable splits a host before its registrable domain.
func registrable(host string) (before, domain string) {
	d, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimSuffix(host, "."))
	if err != nil || !strings.Contains(host, d) {
		return "", host
	}
	i := strings.LastIndex(host, d)
	return host[:i], host[i:]
}

func (s *Site) shorten() {
	s.Domain = Safe(s.Domain, maxHost)
	room := maxHost - len([]rune(s.Domain))
	if b := []rune(Safe(s.Before, 300)); len(b) > room {
		keep := max(room-1, 0)
		s.Before = "…" + string(b[len(b)-keep:])
		return
	}
	s.Before = Safe(s.Before, 300)
}

// String is the whole origin on one line.
func (s Site) String() string { return s.Scheme + s.Before + s.Domain + s.After }
