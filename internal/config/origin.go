// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"persten/proto"
)

const (
	maxOrigin = 300
	maxHost   = 253
	maxLabel  = 63
)

// ParseOrigin returns the one spelling of an origin, scheme://host[:port], as browsers serialise it: lower case, names in
// punycode, addresses in their canonical form, no default port. The scheme is https, or http for localhost, 127.0.0.0/8
// and [::1]. A path (even "/"), a query, a user name, a wildcard or a name that is no site's is proto.CodeOriginInvalid.
func ParseOrigin(s string) (string, error) {
	o, reason := parseOrigin(s)
	if reason != "" {
		return "", proto.E(proto.CodeOriginInvalid, errors.New(reason), "origin", printable(s), "detail", reason)
	}
	return o, nil
}

// printable keeps what cannot be shown, and too much of anything, out of messages.
func printable(s string) string {
	if len(s) > maxOrigin {
		s = s[:maxOrigin] + "..."
	}
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// parseOrigin is ParseOrigin with the reason in words.
func parseOrigin(s string) (origin, reason string) {
	if len(s) > 4*maxOrigin { // bounds the work; names change their length on the way to punycode
		return "", "too long"
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return "", "needs https:// before the name"
	}
	scheme = strings.ToLower(scheme)
	if scheme != "https" && scheme != "http" {
		return "", "must begin with https://"
	}
	if i := strings.IndexAny(rest, `/\?#@`); i >= 0 {
		return "", forbiddenPart(rest[i])
	}
	host, port, reason := splitPort(scheme, rest)
	if reason != "" {
		return "", reason
	}
	if host, reason = canonicalHost(host); reason != "" {
		return "", reason
	}
	if scheme == "http" && !loopback(host) {
		return "", "http is for this computer alone; others need https"
	}
	origin = scheme + "://" + host + port
	if len(origin) > maxOrigin {
		return "", "too long"
	}
	return origin, ""
}

func forbiddenPart(b byte) string {
	switch b {
	case '?', '#':
		return "must end after the name or the port"
	case '@':
		return "has a user name"
	}
	return "has a path"
}

// splitPort takes the port off, as ":N", or as nothing when it is the scheme's own.
func splitPort(scheme, s string) (host, port, reason string) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return s, "", ""
	}
	host, port = s[:i], s[i+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return "", "", "the port is not a number from 1 to 65535"
	}
	if scheme == "https" && n == 443 || scheme == "http" && n == 80 {
		return host, "", ""
	}
	return host, ":" + port, ""
}

// hostNames follows "domain to ASCII" of the URL Standard.
var hostNames = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.CheckHyphens(false), idna.CheckJoiners(true), idna.BidiRule())

func canonicalHost(s string) (host, reason string) {
	if strings.HasPrefix(s, "[") {
		return canonicalIPv6(s)
	}
	if s == "" {
		return "", "has no name"
	}
	if strings.Contains(s, "*") {
		return "", "wildcards are not allowed"
	}
	host, err := hostNames.ToASCII(s)
	if err != nil || !utf8.ValidString(s) { // idna encodes the sign for what is no character
		return "", "the name is not valid"
	}
	return host, checkName(host)
}

// checkName returns why a name in ASCII cannot be a site's.
func checkName(host string) string {
	if host == "" || len(host) > maxHost {
		return "the name is empty or too long"
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > maxLabel {
			return "a part of the name is empty or too long"
		}
		if strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "the name has characters that names do not have"
		}
	}
	if !numberLike(labels[len(labels)-1]) {
		return ""
	}
	if a, err := netip.ParseAddr(host); err != nil || !a.Is4() || a.String() != host {
		return "not an IPv4 address in its usual form"
	}
	return ""
}

// numberLike tells by the last part that browsers take a name for an IPv4 address.
func numberLike(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

func canonicalIPv6(s string) (host, reason string) {
	inner, ok := strings.CutSuffix(s[1:], "]")
	a, err := netip.ParseAddr(inner)
	if !ok || err != nil || !a.Is6() || a.Is4In6() || a.Zone() != "" {
		return "", "not an IPv6 address"
	}
	return "[" + a.String() + "]", ""
}

// loopback reports whether a canonical host is this computer by itself, without asking a name server.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

const wildcardPrefix = "https://*."

// parseWildcard returns the canonical form of https://*.DOMAIN.
func parseWildcard(s string) (rule, reason string) {
	domain, ok := strings.CutPrefix(s, wildcardPrefix)
	if !ok || strings.ContainsAny(domain, "*:[") {
		return "", "a wildcard is written https://*.DOMAIN"
	}
	o, reason := parseOrigin("https://" + domain)
	if reason != "" {
		return "", reason
	}
	domain = strings.TrimPrefix(o, "https://")
	if _, err := netip.ParseAddr(domain); err == nil {
		return "", "a wildcard cannot stand before an address"
	}
	if _, err := publicsuffix.EffectiveTLDPlusOne(domain); err != nil {
		return "", "a wildcard must stand before a domain somebody can register"
	}
	return wildcardPrefix + domain, ""
}

// covers reports whether a rule, exact or with a wildcard, is about a canonical origin. A wildcard is about names below
// its domain, not the domain, and about the default port.
func covers(rule, origin string) bool {
	domain, ok := strings.CutPrefix(rule, wildcardPrefix)
	if !ok {
		return rule == origin
	}
	host, ok := strings.CutPrefix(origin, "https://")
	return ok && len(host) > len(domain)+1 && strings.HasSuffix(host, "."+domain)
}

// restricts is covers for a rule that takes something from a site: one without a port is about all ports, so that nobody gets past it by
// another.
func restricts(rule, origin string) bool {
	scheme, host, _ := strings.Cut(origin, "://")
	if name, _, reason := splitPort(scheme, host); reason == "" && covers(rule, scheme+"://"+name) {
		return true
	}
	return covers(rule, origin)
}
