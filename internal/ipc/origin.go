// SPDX-License-Identifier: GPL-3.0-or-later

package ipc

import (
	"net/netip"
	"strconv"
	"strings"
)

// ValidOrigin reports whether s is a web origin exactly as a browser serialises it (HTML, "ASCII serialization of an
// origin"): scheme://host with a port only when it is not the scheme's own, lower case, no trailing dot, no path. Known
// schemes are http, https and those of extensions. "null", file and anything that would have to be normalised are not valid:
// rules compare origins byte by byte.
func ValidOrigin(s string) bool {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || len(s) > 300 {
		return false
	}
	switch scheme {
	case "http":
		return validAuthority(rest, "80")
	case "https":
		return validAuthority(rest, "443")
	case "chrome-extension":
		return ChromeID(rest)
	case "moz-extension":
		return validUUID(rest)
	}
	return false
}

// webOrigin reports whether s belongs to a web site rather than to an extension.
func webOrigin(s string) bool { return ValidOrigin(s) && strings.HasPrefix(s, "http") }

// ChromeID reports whether s has the form of a Chromium extension id: 32 letters a to p.
func ChromeID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "abcdefghijklmnop") == ""
}

func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !hexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

func hexDigit(b byte) bool { return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' }

func validAuthority(s, defaultPort string) bool {
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasSuffix(s, "]") {
		host, port = s[:i], s[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || port == defaultPort || strconv.FormatUint(n, 10) != port {
			return false
		}
	}
	if strings.HasPrefix(host, "[") {
		return validIPv6(host)
	}
	return validName(host)
}

func validIPv6(host string) bool {
	inner, ok := strings.CutSuffix(host[1:], "]")
	if !ok {
		return false
	}
	a, err := netip.ParseAddr(inner)
	return err == nil && a.Is6() && !a.Is4In6() && a.Zone() == "" && a.String() == inner
}

func validName(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	if last := labels[len(labels)-1]; numberLike(last) { // the URL standard reads such a host as IPv4
		a, err := netip.ParseAddr(host)
		return err == nil && a.Is4() && a.String() == host
	}
	return true
}

// numberLike follows "ends in a number" of the URL standard: all digits, or 0x and hex digits.
func numberLike(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}
