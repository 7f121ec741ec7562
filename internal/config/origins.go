// SPDX-License-Identifier: GPL-3.0-or-later

package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"persten/proto"
)

// maxAnswers bounds the person's answers; with the lists of two files it stays below what origins.list may return.
const maxAnswers = 4096

// settle is how old a file must be before its time tells one version from the next: changes closer together than the
// clock of the file system may share it.
const settle = 2 * time.Second

// Origins tells which sites may talk to the agent. What machine policy denies comes first, then what it allows, then the
// person's answers, then the configuration and the sites allowed for this run. The answers are read again whenever their file changes.
type Origins struct {
	path    string
	policy  []string
	deny    []string // by policy
	config  []string
	visible bool // policy: nothing is signed for sites that cannot be shown

	withheld []proto.Right // by policy from this person

	mu      sync.Mutex
	answers map[string]answer
	seen    fs.FileInfo // of the file answers came from; nil to read again
	err     error       // why the file cannot be used
	logged  bool        // err was
}

// answer is what the person said about a site.
type answer struct {
	allowed bool
	since   time.Time
	hidden  *bool // the right of Hidden; nil when nobody has said
}

// OpenOrigins reads the person's answers from the file at path, which may be absent, and joins them with c, which may be
// nil, and with further allowed sites. A file that is damaged, or that others may write, is proto.CodeConfigInvalid; a
// site that is none is proto.CodeOriginInvalid.
//
// From whom the right sites is withheld, for those there are only the sites that policy allows; see [Rights.Withheld].
func OpenOrigins(path string, c *Config, allow ...string) (*Origins, error) {
	o := &Origins{path: path}
	if c != nil {
		o.policy, o.deny, o.visible = slices.Clone(c.Origins.Policy), slices.Clone(c.Origins.Deny), c.Origins.Visible
		o.config = slices.Clone(c.Origins.Allow)
	}
	for _, s := range allow {
		origin, err := ParseOrigin(s)
		if err != nil {
			return nil, err
		}
		o.config = append(o.config, origin)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, unwritable(path, err)
	}
	o.refresh()
	if o.err != nil {
		return nil, o.err
	}
	return o, nil
}

// Decision tells whether a site may talk to the agent; known is false when nobody has said. What is not an origin in the
// form of [ParseOrigin] can never be allowed: it is known and refused. So is every site that policy, configuration and
// this run do not allow while the file of answers cannot be read.
func (o *Origins) Decision(origin string) (allowed, known bool) {
	if canonical, reason := parseOrigin(origin); reason != "" || canonical != origin {
		return false, true
	}
	switch {
	case o.denied(origin):
		return false, true
	case Named(o.policy, origin):
		return true, true
	case o.lacks(proto.RightSites):
		return false, true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refresh()
	if a, ok := o.answers[origin]; ok {
		return a.allowed, true
	}
	if o.err != nil {
		o.complain()
		return false, true // the person may have said no
	}
	allowed = slices.Contains(o.config, origin)
	return allowed, allowed
}

// Withhold takes rights from the person, before anything is asked of o.
func (o *Origins) Withhold(rights []proto.Right) { o.withheld = rights }

func (o *Origins) lacks(r proto.Right) bool { return slices.Contains(o.withheld, r) }

// denied reports whether policy denies a site.
func (o *Origins) denied(origin string) bool {
	return slices.ContainsFunc(o.deny, func(rule string) bool { return restricts(rule, origin) })
}

// byPolicy reports whether policy says of a site what it may.
func (o *Origins) byPolicy(origin string) bool {
	return o.denied(origin) || Named(o.policy, origin)
}

// Allow keeps that the person allows a site. A site that policy allows stays as it is; one that it denies is
// proto.CodePolicyForbids.
func (o *Origins) Allow(origin string) error {
	origin, err := ParseOrigin(origin)
	if err == nil && Named(o.policy, origin) && !o.denied(origin) {
		return nil
	}
	if err == nil {
		origin, err = o.changeable(origin)
	}
	if err != nil {
		return err
	}
	return o.answer(origin, true)
}

// Deny keeps that the person refuses a site, also one the configuration allows. For a site that policy names it is
// proto.CodePolicyForbids, without the right proto.CodeRightMissing.
func (o *Origins) Deny(origin string) error {
	origin, err := o.changeable(origin)
	if err != nil {
		return err
	}
	return o.answer(origin, false)
}

// Forget drops the person's answer, if there is one; what the configuration says holds again. For a site that policy
// allows it is proto.CodePolicyForbids.
func (o *Origins) Forget(origin string) error {
	origin, err := o.changeable(origin)
	if err != nil {
		return err
	}
	return o.update(func(m map[string]answer) bool {
		_, known := m[origin]
		delete(m, origin)
		return known
	})
}

func (o *Origins) changeable(origin string) (string, error) {
	origin, err := ParseOrigin(origin)
	switch {
	case err != nil:
	case o.byPolicy(origin):
		err = proto.E(proto.CodePolicyForbids, fmt.Errorf("policy names %s", origin))
	default:
		err = Permit(o.withheld, proto.RightSites)
	}
	return origin, err
}

func (o *Origins) answer(origin string, allowed bool) error {
	full := false
	err := o.update(func(m map[string]answer) bool {
		old, known := m[origin]
		if known && old.allowed == allowed {
			return false
		}
		if full = !known && len(m) >= maxAnswers; full {
			return false
		}
		m[origin] = answer{allowed: allowed, since: time.Now().UTC().Truncate(time.Second)}
		return true
	})
	if err == nil && full {
		err = proto.E(proto.CodeRequestLimit, nil, "limit", strconv.Itoa(maxAnswers))
	}
	return err
}

// Hidden tells whether a site that may talk to the agent may also ask for signatures of what the person cannot see; known is
// false when nobody has said. Only the person can give this right, and policy can forbid it for all sites.
func (o *Origins) Hidden(origin string) (allowed, known bool) {
	if ok, _ := o.Decision(origin); !ok || o.visible || o.lacks(proto.RightHidden) {
		return false, true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if h := o.answers[origin].hidden; h != nil {
		return *h, true
	}
	return false, o.err != nil
}

// SetHidden keeps the person's answer about this right of a site, which may talk to the agent by then. When policy forbids it,
// it is proto.CodePolicyForbids, without the right proto.CodeRightMissing.
func (o *Origins) SetHidden(origin string, allowed bool) error {
	origin, err := ParseOrigin(origin)
	if err == nil && allowed {
		err = Permit(o.withheld, proto.RightHidden)
	}
	if err == nil && allowed && o.visible {
		err = proto.E(proto.CodePolicyForbids, errors.New("policy forbids signatures of what cannot be shown"))
	}
	if err != nil {
		return err
	}
	full := false
	err = o.update(func(m map[string]answer) bool {
		a, known := m[origin]
		if full = !known && len(m) >= maxAnswers; full {
			return false
		}
		if !known {
			a = answer{allowed: true, since: time.Now().UTC().Truncate(time.Second)}
		}
		a.hidden = &allowed
		m[origin] = a
		return true
	})
	if err == nil && full {
		err = proto.E(proto.CodeRequestLimit, nil, "limit", strconv.Itoa(maxAnswers))
	}
	return err
}

// List is every decision in force, by site.
func (o *Origins) List() ([]proto.Origin, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refresh()
	if o.err != nil {
		return nil, o.err
	}
	list := make([]proto.Origin, 0, len(o.deny)+len(o.policy)+len(o.answers)+len(o.config))
	for _, rule := range o.deny { // before the same rule among those allowed
		list = append(list, proto.Origin{Origin: rule, Source: proto.OriginSourcePolicy})
	}
	for _, rule := range o.policy {
		list = append(list, proto.Origin{Origin: rule, Allowed: true, Source: proto.OriginSourcePolicy, Hidden: o.hidden(o.answers[rule])})
	}
	for origin, a := range o.answers {
		if !o.byPolicy(origin) && !o.lacks(proto.RightSites) {
			list = append(list, proto.Origin{Origin: origin, Allowed: a.allowed, Source: proto.OriginSourceUser, Since: a.since, Hidden: o.hidden(a)})
		}
	}
	for _, origin := range o.config {
		if _, answered := o.answers[origin]; !answered && !o.byPolicy(origin) && !o.lacks(proto.RightSites) {
			list = append(list, proto.Origin{Origin: origin, Allowed: true, Source: proto.OriginSourceConfig})
		}
	}
	slices.SortStableFunc(list, func(a, b proto.Origin) int { return cmp.Compare(a.Origin, b.Origin) })
	return slices.CompactFunc(list, func(a, b proto.Origin) bool { return a.Origin == b.Origin }), nil
}

func (o *Origins) hidden(a answer) bool {
	return a.allowed && !o.visible && !o.lacks(proto.RightHidden) && a.hidden != nil && *a.hidden
}

// refresh reads the file again when it may have changed. It needs o.mu.
func (o *Origins) refresh() {
	now := time.Now()
	fi, err := os.Stat(o.path)
	if err == nil && o.seen != nil && o.err == nil && sameFile(o.seen, fi) {
		return
	}
	o.answers, o.seen, o.err = nil, nil, nil
	switch {
	case os.IsNotExist(err):
	case err != nil:
		o.err = unreadable(o.path, err)
	default:
		if o.answers, fi, o.err = readAnswers(o.path); o.err == nil && now.Sub(fi.ModTime()) > settle {
			o.seen = fi
		}
	}
	o.logged = o.logged && o.err != nil
}

// complain logs once why sites are refused. It needs o.mu.
func (o *Origins) complain() {
	if !o.logged {
		slog.Error("answers about sites cannot be read; sites are refused", "file", o.path, "cause", o.err)
	}
	o.logged = true
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// update changes the answers under the lock between processes, from what the file holds at that moment. change tells
// whether there is something to write.
func (o *Origins) update(change func(map[string]answer) bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	release, err := lockFile(o.path + ".lock")
	if err != nil {
		return unwritable(o.path, err)
	}
	defer release()
	o.seen = nil
	o.refresh()
	if o.err != nil {
		return o.err
	}
	next := make(map[string]answer, len(o.answers)+1)
	for k, v := range o.answers {
		next[k] = v
	}
	if !change(next) {
		return nil
	}
	if err := writeAnswers(o.path, next); err != nil {
		return unwritable(o.path, err)
	}
	o.seen = nil
	o.refresh()
	return o.err
}

func unwritable(file string, err error) error {
	return proto.E(proto.CodeFileUnwritable, err, "file", file)
}
