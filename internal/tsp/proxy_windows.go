// SPDX-License-Identifier: GPL-3.0-or-later

package tsp

import (
	"net/url"

	"golang.org/x/sys/windows/registry"
)

const internetSettings = `Software\Microsoft\Windows\CurrentVersion\Internet Settings`

// desktopProxy reads what the person, or the policy, set in "Proxy settings". Values that are missing or of another kind
// count as not set.
func desktopProxy(u *url.URL) (*url.URL, error) {
	k, err := registry.OpenKey(registry.CURRENT_USER, internetSettings, registry.QUERY_VALUE)
	if err != nil {
		return nil, nil
	}
	defer k.Close()
	var p userProxy
	if on, _, err := k.GetIntegerValue("ProxyEnable"); err == nil && on != 0 {
		p.server, _, _ = k.GetStringValue("ProxyServer")
		p.bypass, _, _ = k.GetStringValue("ProxyOverride")
	}
	if script, _, err := k.GetStringValue("AutoConfigURL"); err == nil && script != "" {
		p.script = true
	}
	return p.choose(u)
}
