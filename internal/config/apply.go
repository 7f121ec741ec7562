// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// need notes that an entry lacks what it must have.
func (s *source) need(at, key string) {
	if !s.has(at + "." + key) {
		s.wrong(at, "needs "+key)
	}
}

// keepModules puts a file's modules after those that are there; of one name this file's is kept.
func keepModules(s *source, c *Config, entries []numbered) {
	var list []Module
	for _, e := range entries {
		m := *e.v.(*Module)
		s.need(e.at, "name")
		s.need(e.at, "path")
		if slices.ContainsFunc(list, func(o Module) bool { return o.Name == m.Name }) {
			s.wrong(e.at+".name", "two modules have the same name")
		}
		m.Policy = s.policy
		list = append(list, m)
	}
	for _, m := range list {
		c.Modules = slices.DeleteFunc(c.Modules, func(o Module) bool { return o.Name == m.Name })
	}
	c.Modules = append(c.Modules, list...)
}

func pinTogether(s *source, _ *Config, _ []numbered) {
	if s.has("pin.cache_seconds") != s.has("pin.limit_seconds") {
		s.wrong("pin", "cache_seconds and limit_seconds go together")
	}
}

// siteRule is an origin; in policy also a wildcard.
func siteRule(s *source, text string) (string, string) {
	parse := parseOrigin
	if strings.Contains(text, "*") {
		if !s.policy {
			return "", "only machine policy may use wildcards"
		}
		parse = parseWildcard
	}
	return named(parse, text)
}

// exactSite is an origin without a wildcard, in policy, too.
func exactSite(_ *source, text string) (string, string) { return named(parseOrigin, text) }

func named(parse func(string) (string, string), text string) (string, string) {
	o, reason := parse(text)
	if reason != "" {
		return "", "not the address of a site: " + reason
	}
	return o, ""
}

// path is an absolute path, or one under the home folder.
func path(_ *source, p string) (string, string) {
	if p == "~" || strings.HasPrefix(p, "~/") || strings.HasPrefix(p, `~\`) && filepath.Separator == '\\' {
		home, err := homeDir()
		if err != nil {
			return "", "there is no home folder for ~"
		}
		return filepath.Join(home, p[1:]), ""
	}
	if !filepath.IsAbs(p) {
		return "", "the path must be absolute or begin with ~/"
	}
	return filepath.Clean(p), ""
}

func stampAddress(s *source, v string) (string, string) {
	if v == "" {
		return "", ""
	}
	return webURL(s, v)
}

func webURL(_ *source, v string) (string, string) {
	if !webAddress(v) {
		return "", "must be an http or https address without a user name"
	}
	address, ok := asciiHost(v)
	if !ok {
		return "", "the host name cannot be used"
	}
	return address, ""
}

// asciiHost writes the host name of an address in letters that travel (https://пример.рф becomes https://xn--e1afmkfd.xn--p1ai).
func asciiHost(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return address, false
	}
	host, ok := reachable(u.Hostname())
	if !ok || ascii(u.Host) {
		return address, ok
	}
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	u.Host = host
	return u.String(), true
}

// webAddress reports whether s can be called.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && u.Fragment == ""
}

func hostPort(_ *source, v string) (string, string) {
	host, port, err := net.SplitHostPort(v)
	if err == nil {
		var n uint64
		n, err = strconv.ParseUint(port, 10, 16)
		name, ok := reachable(host)
		if err == nil && n > 0 && ok && !strings.Contains(name, "/") {
			return net.JoinHostPort(name, port), ""
		}
	}
	return "", "must be HOST:PORT"
}

func listenAddress(_ *source, v string) (string, string) {
	if v == "" || v == "off" {
		return "", ""
	}
	ap, err := netip.ParseAddrPort(v)
	if err != nil || ap.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return "", `must be 127.0.0.1:PORT or "off"`
	}
	return ap.String(), ""
}
