// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"fmt"
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

type networkTable struct {
	Offline *bool    `toml:"offline"`
	Proxy   *string  `toml:"proxy"`
	PAC     *string  `toml:"pac"`
	Allow   []string `toml:"allow"`
}

func (s *source) network(c *Config, d *document) error {
	if d.Network.Offline != nil {
		c.Network.Offline = *d.Network.Offline
	}
	if d.Network.PAC != nil { // known, to say more than "unknown key"
		return s.at("network.pac", "PAC scripts are not run: set proxy to the address the script returns, such as http://proxy.example:3128")
	}
	if p := d.Network.Proxy; p != nil {
		if *p != "" && *p != "system" && *p != "none" && !proxyAddress(*p) {
			return s.at("network.proxy", `must be "system", "none" or http://HOST:PORT without a user name`)
		}
		c.Network.Proxy = *p
	}
	return s.allow(c, d.Network.Allow)
}

func proxyAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && webAddress(s) && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && ascii(s)
}

func (s *source) allow(c *Config, list []string) error {
	if list == nil {
		return nil
	}
	if len(list) > maxList {
		return s.at("network.allow", "too many entries")
	}
	out := make([]string, 0, len(list))
	for i, entry := range list {
		canonical, ok := reachable(entry)
		if !ok {
			return s.at(fmt.Sprintf("network.allow[%d]", i), "must be a range such as 10.0.0.0/8, an address or the name of a host")
		}
		out = append(out, canonical)
	}
	c.Network.Allow = out
	return nil
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
