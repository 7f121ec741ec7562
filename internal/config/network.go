// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"net/netip"
	"net/url"
	"strings"
)

// Network is how time-stamps and revocation answers are fetched. The zero value is online, through the system's proxy.
type Network struct {
	Offline bool     // no connection is made
	Proxy   string   // "system" or empty, "none", or http://HOST:PORT
	Allow   []string // ranges, addresses and host names that are called although they are not public
}

func proxy(_ *source, v string) (string, string) {
	if v != "" && v != "system" && v != "none" && !proxyAddress(v) {
		return "", `must be "system", "none" or http://HOST:PORT without a user name`
	}
	return v, ""
}

func proxyAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && webAddress(s) && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && ascii(s)
}

func noScripts(*source, string) (string, string) {
	return "", "PAC scripts are not run: set proxy to the address the script returns, such as http://proxy.example:3128"
}

func reach(_ *source, v string) (string, string) {
	canonical, ok := reachable(v)
	if !ok {
		return "", "must be a range such as 10.0.0.0/8, an address or the name of a host"
	}
	return canonical, ""
}

// reachable is the one spelling of a range, an address or a host name.
func reachable(entry string) (string, bool) {
	if p, err := netip.ParsePrefix(entry); err == nil {
		return p.Masked().String(), true
	}
	if a, err := netip.ParseAddr(entry); err == nil {
		return a.String(), a.Zone() == ""
	}
	host, err := hostNames.ToASCII(strings.TrimSuffix(entry, "."))
	if err != nil || host == "" || len(host) > 253 || strings.ContainsAny(host, "/:*@%[]\\ ?#") || strings.Contains(host, "..") {
		return "", false
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	return host, last != "" && strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x") && ascii(host)
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}
