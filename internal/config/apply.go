// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// apply checks a document and puts it over what c holds. c is not used when it fails.
func (s *source) apply(c *Config, d *document) error {
	for _, step := range []func(*Config, *document) error{
		s.modules, s.ui, s.origins, s.trust, s.network, s.listen, s.unattended, s.pin, s.content, s.compat, s.forward,
	} {
		if err := step(c, d); err != nil {
			return err
		}
	}
	return s.keyfiles(c, d)
}

func (s *source) keyfiles(c *Config, d *document) error {
	if d.Keyfiles.Forbid != nil {
		if !s.policy {
			return s.at("keyfiles.forbid", "only the machine policy may forbid software keys")
		}
		c.Keyfiles.Forbid = *d.Keyfiles.Forbid
	}
	return s.paths("keyfiles.dirs", d.Keyfiles.Dirs, &c.Keyfiles.Dirs)
}

func (s *source) modules(c *Config, d *document) error {
	if len(d.Module) > maxList {
		return s.at("module", "too many entries")
	}
	var list []Module
	for i, t := range d.Module {
		at := fmt.Sprintf("module[%d]", i)
		name, err := s.need(at+".name", t.Name)
		if err != nil {
			return err
		}
		path, err := s.need(at+".path", t.Path)
		if err != nil {
			return err
		}
		if !filepath.IsAbs(path) {
			return s.at(at+".path", "the path of a module must be absolute")
		}
		if slices.ContainsFunc(list, func(m Module) bool { return m.Name == name }) {
			return s.at(at+".name", "two modules have the same name")
		}
		list = append(list, Module{name, filepath.Clean(path)})
	}
	for _, m := range list {
		c.Modules = slices.DeleteFunc(c.Modules, func(o Module) bool { return o.Name == m.Name })
	}
	c.Modules = append(c.Modules, list...)
	return nil
}

func (s *source) ui(c *Config, d *document) error {
	if err := s.choice("ui.approver", d.UI.Approver, &c.UI.Approver, "window", "pinentry", "terminal"); err != nil {
		return err
	}
	if err := s.choice("ui.language", d.UI.Language, &c.UI.Language, "ru", "en"); err != nil {
		return err
	}
	if err := s.choice("ui.theme", d.UI.Theme, &c.UI.Theme, "light", "dark"); err != nil {
		return err
	}
	c.UI.Notifications = cmp.Or(d.UI.Notifications, c.UI.Notifications)
	if d.UI.Pinentry == nil {
		return nil
	}
	program, err := s.path("ui.pinentry", *d.UI.Pinentry)
	if err == nil {
		c.UI.Pinentry = program
	}
	return err
}

func (s *source) origins(c *Config, d *document) error {
	if d.Origins.Visible != nil {
		if !s.policy {
			return s.at("origins.visible", "only the machine policy may demand that documents can be shown")
		}
		c.Origins.Visible = *d.Origins.Visible
	}
	if len(d.Origins.Allow) > maxList {
		return s.at("origins.allow", "too many entries")
	}
	for i, text := range d.Origins.Allow {
		o, err := s.origin(fmt.Sprintf("origins.allow[%d]", i), text, s.policy)
		if err != nil {
			return err
		}
		to := &c.Origins.Allow
		if s.policy {
			to = &c.Origins.Policy
		}
		if !slices.Contains(*to, o) {
			*to = append(*to, o)
		}
	}
	return nil
}

func (s *source) origin(at, text string, wildcards bool) (string, error) {
	if strings.Contains(text, "*") && !wildcards {
		return "", s.at(at, "only machine policy may use wildcards, and only in origins.allow")
	}
	parse := parseOrigin
	if strings.Contains(text, "*") {
		parse = parseWildcard
	}
	o, reason := parse(text)
	if reason != "" {
		return "", s.at(at, "not the address of a site: "+reason)
	}
	return o, nil
}

func (s *source) trust(c *Config, d *document) error {
	if err := s.paths("trust.roots", d.Trust.Roots, &c.Trust.Roots); err != nil {
		return err
	}
	if err := s.paths("trust.crls", d.Trust.CRLs, &c.Trust.CRLs); err != nil {
		return err
	}
	if d.Trust.OCSP != nil {
		c.Trust.OCSP = *d.Trust.OCSP
	}
	if d.Trust.System != nil {
		c.Trust.System = *d.Trust.System
	}
	if d.Trust.TSA == nil {
		return nil
	}
	if !webAddress(*d.Trust.TSA) {
		return s.at("trust.tsa", "must be an http or https address without a user name")
	}
	address, ok := asciiHost(*d.Trust.TSA)
	if !ok {
		return s.at("trust.tsa", "the host name cannot be used")
	}
	c.Trust.TSA = address
	return nil
}

// asciiHost writes the host name of an address in letters that travel (https://пример.рф becomes https://xn--e1afmkfd.xn--p1ai).
func asciiHost(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return address, err == nil
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

// webAddress reports whether s can be called; empty is no address and is allowed.
func webAddress(s string) bool {
	if s == "" {
		return true
	}
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxText && (u.Scheme == "http" || u.Scheme == "https") &&
		u.Hostname() != "" && u.User == nil && u.Fragment == ""
}

func (s *source) listen(c *Config, d *document) error {
	if d.Listen.WebSocket == nil {
		return nil
	}
	a := *d.Listen.WebSocket
	if a == "" || a == "off" {
		c.Listen.WebSocket = ""
		return nil
	}
	ap, err := netip.ParseAddrPort(a)
	if err != nil || ap.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1}) {
		return s.at("listen.websocket", `must be 127.0.0.1:PORT or "off"`)
	}
	c.Listen.WebSocket = ap.String()
	return nil
}

func (s *source) compat(c *Config, d *document) error {
	c.Compat = Compat{NCALayer: cmp.Or(d.Compat.NCALayer, c.Compat.NCALayer), NexU: cmp.Or(d.Compat.NexU, c.Compat.NexU)}
	return nil
}

func (s *source) pin(c *Config, d *document) error {
	if d.PIN.Cache == nil && d.PIN.Limit == nil {
		return nil
	}
	if !s.policy {
		return s.at("pin", "only the machine policy may let a PIN be kept")
	}
	for _, v := range []struct {
		at   string
		from *int64
		max  time.Duration
		to   *time.Duration
	}{{"pin.cache_seconds", d.PIN.Cache, MaxPINCache, &c.PIN.Cache}, {"pin.limit_seconds", d.PIN.Limit, MaxPINLimit, &c.PIN.Limit}} {
		if v.from == nil {
			return s.at("pin", "cache_seconds and limit_seconds go together")
		}
		if *v.from < 0 || *v.from > int64(v.max/time.Second) {
			return s.at(v.at, fmt.Sprintf("must be from 0 to %d", v.max/time.Second))
		}
		*v.to = time.Duration(*v.from) * time.Second
	}
	return nil
}

// content takes limits. Of the two files the lower limit counts: nobody lifts what the machine sets.
func (s *source) content(c *Config, d *document) error {
	for _, l := range []struct {
		at   string
		from *int64
		to   *int64
	}{{"content.max_mib", d.Content.Max, &c.Content.Max}, {"content.channel_mib", d.Content.Channel, &c.Content.Channel}} {
		if l.from == nil {
			continue
		}
		if *l.from < 1 || *l.from > MaxContent>>20 {
			return s.at(l.at, fmt.Sprintf("must be from 1 to %d", MaxContent>>20))
		}
		if n := *l.from << 20; *l.to == 0 || n < *l.to {
			*l.to = n
		}
	}
	return nil
}

func (s *source) unattended(c *Config, d *document) error {
	if len(d.Unattended) > 0 && !s.policy {
		return s.at("unattended[0]", "only machine policy may allow signing without a person")
	}
	if len(d.Unattended) > maxList {
		return s.at("unattended", "too many entries")
	}
	for i, t := range d.Unattended {
		u, err := s.grant(fmt.Sprintf("unattended[%d]", i), t)
		if err != nil {
			return err
		}
		c.Unattended = append(c.Unattended, u)
	}
	return nil
}

// grant is one entry of [[unattended]].
func (s *source) grant(at string, t unattendedTable) (u Unattended, err error) {
	switch {
	case (t.Origin == nil) == (t.User == nil):
		return u, s.at(at, "needs either origin or user")
	case t.Origin != nil:
		u.Origin, err = s.origin(at+".origin", *t.Origin, false)
	default:
		u.User, err = s.need(at+".user", t.User)
	}
	if err != nil {
		return u, err
	}
	if u.Certificate, err = s.need(at+".certificate", t.Certificate); err != nil {
		return u, err
	}
	if u.Certificate = strings.ToLower(u.Certificate); !fingerprint(u.Certificate) {
		return u, s.at(at+".certificate", "must be 64 or 40 hexadecimal digits")
	}
	if t.PINFile != nil {
		if u.PINFile = *t.PINFile; !pinPath(u.PINFile) {
			return u, s.at(at+".pin_file", "must be an absolute path, or %d/NAME for a credential of systemd")
		}
	}
	return u, s.limits(at, t, &u)
}

// pinPath reports whether p can be a pin_file.
func pinPath(p string) bool {
	if name, ok := strings.CutPrefix(p, "%d/"); ok {
		return name != "" && !strings.ContainsAny(name, "/\\\x00") && name != ".."
	}
	return filepath.IsAbs(p) && !strings.ContainsRune(p, 0)
}

func (s *source) limits(at string, t unattendedTable, u *Unattended) error {
	if t.PerHour == nil && t.PerDay == nil {
		return s.at(at, "needs per_hour or per_day")
	}
	for _, l := range []struct {
		key  string
		from *int64
		to   *int
	}{{"per_hour", t.PerHour, &u.PerHour}, {"per_day", t.PerDay, &u.PerDay}} {
		if l.from == nil {
			continue
		}
		if *l.from < 1 || *l.from > 1_000_000 {
			return s.at(at+"."+l.key, "must be from 1 to 1000000")
		}
		*l.to = int(*l.from)
	}
	return nil
}

func fingerprint(s string) bool {
	return (len(s) == 64 || len(s) == 40) && strings.Trim(s, "0123456789abcdef") == ""
}

// need is a text that must be there.
func (s *source) need(at string, v *string) (string, error) {
	key := at[strings.LastIndexByte(at, '.')+1:]
	switch {
	case v == nil:
		return "", s.at(at, "needs "+key)
	case *v == "":
		return "", s.at(at, key+" is empty")
	case len(*v) > maxText || strings.ContainsFunc(*v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", s.at(at, key+" is too long or has control characters")
	}
	return *v, nil
}

// choice puts one of the allowed words into to when the key is there.
func (s *source) choice(at string, v, to *string, words ...string) error {
	if v == nil {
		return nil
	}
	if !slices.Contains(words, *v) {
		return s.at(at, `must be "`+strings.Join(words, `", "`)+`"`)
	}
	*to = *v
	return nil
}

// paths replaces to by the list when the key is there.
func (s *source) paths(at string, list []string, to *[]string) error {
	if list == nil {
		return nil
	}
	if len(list) > maxList {
		return s.at(at, "too many entries")
	}
	out := make([]string, 0, len(list))
	for i, p := range list {
		p, err := s.path(fmt.Sprintf("%s[%d]", at, i), p)
		if err != nil {
			return err
		}
		out = append(out, p)
	}
	*to = out
	return nil
}

// path is an absolute path, or one under the home folder.
func (s *source) path(at, p string) (string, error) {
	if len(p) > maxText || strings.ContainsRune(p, 0) {
		return "", s.at(at, "the path is too long or has control characters")
	}
	if p == "~" || strings.HasPrefix(p, "~/") || strings.HasPrefix(p, `~\`) && filepath.Separator == '\\' {
		home, err := homeDir()
		if err != nil {
			return "", s.at(at, "there is no home folder for ~")
		}
		return filepath.Join(home, p[1:]), nil
	}
	if !filepath.IsAbs(p) {
		return "", s.at(at, "the path must be absolute or begin with ~/")
	}
	return filepath.Clean(p), nil
}
