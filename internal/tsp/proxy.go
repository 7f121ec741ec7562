// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// proxyFunc is the proxy for a URL, nil for none.
type proxyFunc func(*url.URL) (*url.URL, error)

// chooseProxy reads [Options].Proxy.
func chooseProxy(setting string) (proxyFunc, error) {
	switch setting {
	case "", "system":
		return systemProxy, nil
	case "none":
		return func(*url.URL) (*url.URL, error) { return nil, nil }, nil
	}
	u, err := url.Parse(setting)
	if err == nil {
		err = usableProxy(u)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %v", ErrProxy, setting, err)
	}
	return func(*url.URL) (*url.URL, error) { return u, nil }, nil
}

func usableProxy(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%q is not a kind of proxy this program speaks to", u.Scheme)
	case u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return fmt.Errorf("not the address of a proxy")
	}
	return nil
}

// systemProxy asks the environment first, then, where there is one, the setting of the user's system.
func systemProxy(u *url.URL) (*url.URL, error) {
	p, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err == nil && p == nil {
		p, err = desktopProxy(u)
	}
	if err == nil && p != nil {
		err = usableProxy(p)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProxy, err)
	}
	return p, nil
}

// proxyKey carries the proxy of a request to the transport and its dialler.
type proxyKey struct{}

func withProxy(ctx context.Context, proxy *url.URL) context.Context {
	return context.WithValue(ctx, proxyKey{}, proxy)
}

func proxyOf(r *http.Request) (*url.URL, error) {
	p, _ := r.Context().Value(proxyKey{}).(*url.URL)
	if p == nil {
		return nil, ErrProxy
	}
	return p, nil
}

// resolveTimeout bounds the look-up behind a proxy: in such networks the names of the world often do not resolve.
const resolveTimeout = 2 * time.Second

// checkProxied is the check of a target somebody else will dial: a name this computer can resolve, to refused addresses
// alone, is refused. That it means the same to the proxy cannot be known.
func (c *Client) checkProxied(ctx context.Context, t target) error {
	if t.literal.IsValid() {
		return nil
	}
	brief, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	found, err := c.resolve(brief, t.host)
	if err != nil || len(found) == 0 {
		return ctx.Err()
	}
	for _, a := range found {
		if t.rules.address(t.host, a.Unmap()) {
			return nil
		}
	}
	return refused("%s has no public address", t.host)
}

// userProxy is a setting in the style of Windows: one proxy or a list "http=host:port;https=host:port", and the hosts
// that are reached without it, with "*" for any text and "<local>" for names without a dot.
type userProxy struct {
	server, bypass string
	script         bool // chosen by a PAC script
}

func (p userProxy) choose(u *url.URL) (*url.URL, error) {
	if p.bypassed(u.Hostname()) {
		return nil, nil
	}
	if server := p.forScheme(u.Scheme); server != "" {
		if !strings.Contains(server, "://") {
			server = "http://" + server
		}
		return url.Parse(server)
	}
	if p.script {
		return nil, ErrPAC
	}
	return nil, nil
}

func (p userProxy) forScheme(scheme string) string {
	for part := range strings.SplitSeq(p.server, ";") {
		kind, server, named := strings.Cut(strings.TrimSpace(part), "=")
		if !named {
			return kind
		}
		if strings.EqualFold(kind, scheme) {
			return server
		}
	}
	return ""
}

func (p userProxy) bypassed(host string) bool {
	_, err := netip.ParseAddr(host)
	for part := range strings.SplitSeq(p.bypass, ";") {
		part = strings.ToLower(strings.TrimSpace(part))
		if part == "<local>" && err != nil && !strings.Contains(host, ".") || part != "" && matches(part, strings.ToLower(host)) {
			return true
		}
	}
	return false
}

// matches compares with a pattern in which "*" stands for any text.
func matches(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(s, part)
		}
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return s == ""
}
