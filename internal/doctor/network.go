// SPDX-License-Identifier: GPL-3.0-or-later

package doctor

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"persten/internal/config"
	"persten/proto"
)

const (
	proxyPatience = 3 * time.Second
	// maxHosts is how many servers named by certificates are called.
	maxHosts = 8
	// skew is how far clocks may lie apart before time-stamps and short-lived answers suffer.
	skew = 5 * time.Minute
)

// checkNetwork looks whether the servers that signatures need answer.
func checkNetwork(ctx context.Context, m *Machine) (list []Finding) {
	if m.Config == nil {
		return nil
	}
	c, err := m.Config()
	if err != nil {
		return nil
	}
	if c.Network.Offline {
		return []Finding{note("network_off", "")}
	}
	if f, bad := checkProxy(ctx, m, c); bad {
		return []Finding{f}
	}
	if m.Reach == nil {
		return nil
	}
	if c.Trust.TSA != "" {
		_, err := m.Reach(ctx, c.Trust.TSA)
		list = append(list, unreached("tsa_unreachable", c.Trust.TSA, err)...)
	}
	for _, address := range revocationServers(ctx, m, c.Trust.OCSP) {
		_, err := m.Reach(ctx, address)
		list = append(list, unreached("revocation_unreachable", address, err)...)
	}
	return list
}

// unreached makes a finding of a server that does not answer, by what stands in the way.
func unreached(code, address string, err error) []Finding {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	host := address
	if u, bad := url.Parse(address); bad == nil {
		host = u.Host
	}
	e := proto.AsError(err)
	if e.Code != proto.CodeNetworkUnreachable && e.Code != proto.CodeNetworkTimeout && e.Code != proto.CodeNetworkAnswer {
		return []Finding{failure(err)} // the proxy, an address that is not called, a certificate
	}
	return []Finding{warning(code, host, "address", address)}
}

// revocationServers are the addresses that the certificates on the tokens name for their revocation.
func revocationServers(ctx context.Context, m *Machine, ocsp bool) (list []string) {
	if m.Keys == nil {
		return nil
	}
	keys, _ := m.Keys.Keys(ctx)
	for _, k := range keys {
		c := k.Certificate()
		if c == nil || c.X509 == nil {
			continue
		}
		if ocsp {
			list = append(list, c.X509.OCSPServer...)
		}
		list = append(list, c.X509.CRLDistributionPoints...)
	}
	list = slices.DeleteFunc(list, func(s string) bool {
		u, err := url.Parse(s)
		return err != nil || u.Scheme != "http" && u.Scheme != "https"
	})
	slices.Sort(list)
	list = slices.Compact(list)
	return list[:min(len(list), maxHosts)]
}

// proxyVariables name the system's proxy, as net/http reads them.
var proxyVariables = []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"}

// checkProxy knocks at the proxy that is set.
func checkProxy(ctx context.Context, m *Machine, c *config.Config) (Finding, bool) {
	setting, from := c.Network.Proxy, "config.toml"
	if setting == "none" {
		return Finding{}, false
	}
	if setting == "" || setting == "system" {
		setting = ""
		for _, name := range proxyVariables {
			if v := m.Env(name); v != "" && setting == "" {
				setting, from = v, name
			}
		}
	}
	if setting == "" {
		return Finding{}, false
	}
	host, ok := proxyHost(setting)
	if !ok {
		return problem("proxy_invalid", from), true
	}
	ctx, cancel := context.WithTimeout(ctx, proxyPatience)
	defer cancel()
	conn, err := m.Dial(ctx, "tcp", host)
	if err != nil {
		return problem("proxy_unreachable", host, "from", from), true
	}
	conn.Close()
	return Finding{}, false
}

// proxyHost is where a proxy's address leads; a name and password in it stay out.
func proxyHost(setting string) (string, bool) {
	u, err := url.Parse(setting)
	if err != nil || u.Host == "" {
		u, err = url.Parse("http://" + setting)
	}
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port), true
}

// checkClock compares this computer's clock with a server's, and with the times of its own files.
func checkClock(ctx context.Context, m *Machine) []Finding {
	now := m.Now()
	if late := latest(m); late.After(now.Add(skew)) {
		return []Finding{warning("clock_behind", "", "minutes", minutes(late.Sub(now)))}
	}
	if m.Config == nil || m.Reach == nil {
		return nil
	}
	c, err := m.Config()
	if err != nil || c.Trust.TSA == "" || c.Network.Offline {
		return nil
	}
	theirs, err := m.Reach(ctx, c.Trust.TSA)
	if err != nil || theirs.IsZero() {
		return nil
	}
	off := theirs.Sub(m.Now())
	if off.Abs() <= skew {
		return nil
	}
	u, _ := url.Parse(c.Trust.TSA)
	return []Finding{problem("clock_wrong", u.Host, "minutes", minutes(off.Abs()))}
}

func minutes(d time.Duration) string { return strconv.Itoa(int(d / time.Minute)) }

// latest is the newest time among files that this computer itself has written.
func latest(m *Machine) (late time.Time) {
	for _, path := range []string{m.Program, filepath.Join(m.State, "journal.jsonl"), filepath.Join(m.State, "agent.key")} {
		if fi, err := os.Stat(path); err == nil && fi.ModTime().After(late) {
			late = fi.ModTime()
		}
	}
	return late
}
