// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// notPublic are the IPv4 ranges nobody's CA is reached at (the IANA registry of special-purpose addresses), and the one
// public address at which a cloud serves its machines' secrets.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
	"240.0.0.0/4", "168.63.129.16/32",
)

// Of IPv6 only global unicast is public, and in it not these: protocol assignments with Teredo, documentation, 6to4. All
// other forms that carry an IPv4 address (mapped, compatible, NAT64) are outside of 2000::/3.
var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	notPublic6    = prefixes("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)

// never are addresses that no host can have, whatever is allowed by name.
var never = prefixes("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "::/128", "ff00::/8")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

func public(a netip.Addr) bool {
	if a.Is4() {
		return !within(notPublic, a)
	}
	return a.Zone() == "" && globalUnicast.Contains(a) && !within(notPublic6, a)
}

// rules say what is allowed beside public addresses.
type rules struct {
	prefixes []netip.Prefix
	hosts    []string
}

func parseRules(allow []string) (rules, error) {
	var r rules
	for _, entry := range allow {
		if p, err := netip.ParsePrefix(entry); err == nil {
			r.prefixes = append(r.prefixes, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(entry); err == nil && a.Zone() == "" {
			r.prefixes = append(r.prefixes, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		host := plainHost(entry)
		if !hostName(host) || endsInNumber(host) {
			return rules{}, fmt.Errorf("%q is neither a range of addresses nor the name of a host", entry)
		}
		r.hosts = append(r.hosts, host)
	}
	return r, nil
}

// including returns rules that allow the host of an address, too, as if it were named by itself.
func (r rules) including(host string) rules {
	r.hosts = append(slices.Clip(r.hosts), plainHost(host))
	return r
}

// plainHost is a host as the rules know it.
func plainHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// address reports whether a may be dialled for host.
func (r rules) address(host string, a netip.Addr) bool {
	switch {
	case within(r.prefixes, a):
		return true
	case slices.Contains(r.hosts, host):
		return a.Zone() == "" && !within(never, a.Unmap())
	}
	return public(a)
}

// target is a URL that passed: what to ask, and the host as the rules know it.
type target struct {
	url     *url.URL
	host    string     // lower case, without the final dot
	literal netip.Addr // when the host is an address
	rules   rules      // those it passed
	named   bool       // they include its host, see question.named
}

const maxURL = 2048

// target checks an address as it is written; names are not resolved. The error wraps ErrRefused.
func (r rules) target(raw string) (target, error) {
	u, err := parseURL(raw)
	if err != nil {
		return target{}, err
	}
	t := target{url: u, host: plainHost(u.Hostname()), rules: r}
	if a, err := netip.ParseAddr(t.host); err == nil {
		t.literal = a
		if !r.address(t.host, a) {
			return target{}, refused("%s is not a public address", a)
		}
		return t, nil
	}
	switch {
	case !hostName(t.host):
		return target{}, refused("malformed host name")
	case endsInNumber(t.host): // resolvers read 127.1, 017700000001 and 0x7f000001 as addresses
		return target{}, refused("an address that is not written in the usual way")
	case special(t.host) && !slices.Contains(r.hosts, t.host):
		return target{}, refused("%s is a name of this computer or of the local network", t.host)
	}
	return t, nil
}

func parseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL || strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
		return nil, refused("too long, or with characters a URL does not have")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, refused("malformed")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, refused("neither http nor https")
	case u.Opaque != "" || u.Host == "":
		return nil, refused("no host")
	case u.User != nil:
		return nil, refused("a user name in the address")
	case strings.Contains(u.Host, "%"):
		return nil, refused("a zone or an escape in the host")
	}
	u.Fragment, u.RawFragment = "", "" // never sent
	return u, checkPort(u)
}

func checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return refused("an empty port")
		}
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n < 1024 && n != 80 && n != 443 || port[0] == '0' {
		return refused("port %s", port)
	}
	return nil
}

func refused(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, a...))
}

// hostName reports whether s is a name of letters, digits, hyphens and underscores (RFC 1123 section 2.1).
func hostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// endsInNumber reports whether the last label is a number, decimal or hexadecimal: then no host has this name (WHATWG URL
// section 3.5, the ends-in-a-number checker).
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		last, digits = hex, digits+"abcdef"
	}
	return strings.Trim(last, digits) == ""
}

// special reports names that mean something on this computer or in this network alone (RFC 6761, RFC 6762, RFC 8375, and
// the .internal of clouds).
func special(host string) bool {
	if !strings.Contains(host, ".") {
		return true
	}
	return slices.ContainsFunc([]string{".localhost", ".local", ".internal", ".home.arpa", ".localdomain", ".onion"},
		func(suffix string) bool { return strings.HasSuffix(host, suffix) })
}
