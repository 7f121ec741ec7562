// SPDX-License-Identifier: GPL-3.0-or-later

// Package config is how the agent is set up: the person's file, the machine's policy, the folders, and which web sites
// may talk to the agent.
//
// # Files
//
// [Load] reads TOML, first the person's file and then the machine policy. Both are read strictly: an unknown key, a key
// in another case, a wrong type or a value that cannot be used is proto.CodeConfigInvalid with the file, the line and a
// short sentence. A file that is wrong is never used in part. A relative path is refused, because a daemon's working
// folder means nothing to the person; "~/" is the home folder.
//
//	[[module]]        name, path                     a PKCS#11 library beside those found by themselves
//	[keyfiles]        dirs, forbid (policy only)     folders with key files; no software keys at all
//	[ui]              approver, pinentry, language   "window" (and what can take its place), "pinentry" or "terminal"; a program; "ru" or "en"
//	                  theme, notifications           "light" or "dark"; true or false
//	[origins]         allow, visible (policy only)   sites: https://portal.example; true: no signatures of ready digests for sites
//	[trust]           roots, crls, tsa, ocsp, system         folders or files, an address, true or false
//	[network]         offline, proxy, allow          see [Network]
//	[listen]          websocket                      "127.0.0.1:PORT", or "off"
//	[pin]             policy only, see [PIN]: cache_seconds, limit_seconds
//	[content]         max_mib, channel_mib           bytes of one document, and of all that one page or command holds; see [Content]
//	[compat]          ncalayer, nexu                 true or false: answer pages written for those programs; see [Compat]
//	[forward]         policy only, see [Forward]: otlp, syslog, system, ca, certificate, key, fields, interval_seconds, metrics_seconds
//	[[unattended]]    policy only, see [Unattended]: origin or user, certificate, per_hour, per_day, pin_file
//
// # Machine policy
//
// On Unix it is /etc/persten/policy.toml. It counts only when root owns it and its folder and nobody else may write to
// either; otherwise it is ignored with a warning. A policy that counts but is wrong or cannot be read stops the agent: to
// run without the administrator's rules would be worse. What policy sets replaces what the person's file says, with three
// exceptions: modules add up (of one name, policy's is kept), sites allowed by either are allowed, and of the limits in
// [content] the lower one counts.
//
// On Windows no policy is read: any user may create folders where the file would be, and the registry is not read yet.
//
// # Sites
//
// [ParseOrigin] makes the one spelling of an origin that rules compare. [Origins] joins policy, configuration and the
// person's own answers; the answers are kept in a file that several processes share. Only policy may use a wildcard, and
// only https://*.DOMAIN where DOMAIN is one somebody can register, not a suffix such as co.uk.
//
// # Settings
//
// [Settings] are the person's choices of language, theme and notices, made in a window and kept in a file beside the answers.
// Files above say the last word: what they set cannot be changed there.
//
// # Concurrency
//
// A [Config] is not changed after Load. An [Origins] and [Settings] may be used concurrently, also by several
// processes.
package config

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"persten/proto"
)

// Config is the configuration in force. Its zero value is usable: it asks in a window and opens no WebSocket.
type Config struct {
	Modules    []Module
	Keyfiles   Keyfiles
	UI         UI
	Origins    OriginRules
	Trust      Trust
	Network    Network
	Listen     Listen
	Unattended []Unattended // from policy alone
	PIN        PIN          // from policy alone
	Content    Content
	Compat     Compat
	Forward    Forward  // from policy alone
	Warnings   []string // what was ignored and why; for the log
}

// Module is a PKCS#11 library. Path is absolute.
type Module struct {
	Name, Path string
}

// Keyfiles are folders in which key files are looked for; absolute.
type Keyfiles struct {
	Dirs   []string
	Forbid bool // by policy alone: keys outside tokens and certified providers do not sign
}

// UI is how the person is asked.
type UI struct {
	Approver string // "window", "pinentry" or "terminal"; empty is "window"
	Pinentry string // absolute path of a pinentry program, empty for the usual one
	Language string // "ru", "en" or empty for the system's

	Theme         string // "light", "dark" or empty for the desktop's
	Notifications *bool  // nil leaves notices of the desktop to the person
}

// OriginRules are the sites named in files, in the form [ParseOrigin] gives.
type OriginRules struct {
	Allow  []string // by the person's file
	Policy []string // by policy; may hold wildcards

	Visible bool // by policy alone: sites get no signature of what the person cannot see
}

// Trust is what signatures are checked with. Roots and CRLs are absolute paths of folders or files.
type Trust struct {
	Roots, CRLs []string
	TSA         string // address of a time-stamping authority, or empty; a name in it is in ASCII form
	System      bool   // the roots of the operating system count, too: most of them are for web sites
	OCSP        bool   // ask OCSP servers, which learn whose certificate is looked at; revocation lists are fetched in any case
}

// PIN lets module processes keep a PIN after a login, in locked memory: for Cache since its last use and for Limit in all.
// The zero value keeps none.
type PIN struct {
	Cache, Limit time.Duration
}

// Content limits documents, in bytes; 0 leaves what the agent has by itself. Channel is all documents, signatures among
// them, that one page or one command holds at a time. An attached signature is a document, too, a little longer than what it
// signs.
type Content struct {
	Max, Channel int64
}

// Compat says whether pages written for other programs are answered. Nil leaves it to the person's own switch, persten compat;
// what stands here goes before it, and policy before all.
type Compat struct {
	NCALayer, NexU *bool
}

// MaxContent is the most a file may set as either.
const MaxContent = 1 << 40

// The most that policy may set.
const (
	MaxPINCache = 5 * time.Minute
	MaxPINLimit = time.Hour
)

// Listen is where the agent listens beside the user's own socket.
type Listen struct {
	WebSocket string // 127.0.0.1:PORT, empty for no WebSocket
}

// Unattended is a signature the machine's administrator approves in advance: who may ask, with which certificate, how
// often. Exactly one of Origin and User is set. Whoever reads PINFile checks that no other user can.
type Unattended struct {
	Origin      string // a site, without wildcards
	User        string // a user of this machine
	Certificate string // SHA-256 of the certificate, or its SHA-1 thumbprint; lower hex
	PerHour     int    // most signatures in an hour, 0 for no limit of this kind
	PerDay      int    // most signatures in a day, 0 for no limit of this kind; at least one of the two is set
	PINFile     string // absolute, %d/NAME for a credential of systemd, or empty
}

// DefaultWebSocket is the address of the WebSocket when no file names another.
const DefaultWebSocket = "127.0.0.1:24117"

func defaults() *Config {
	return &Config{UI: UI{Approver: "window"}, Trust: Trust{OCSP: true}, Listen: Listen{WebSocket: DefaultWebSocket}}
}

// Load reads the person's configuration and the machine policy. The person's file is the named one, else the one
// PERSTEN_CONFIG names, else config.toml in [ConfigDir]. A named file that is not there is proto.CodeFileUnreadable; the
// usual one may be absent.
func Load(file string) (*Config, error) { return load(file, policyFile, policyOwner) }

func load(file, policy string, owner int) (*Config, error) {
	c := defaults()
	if err := c.readUser(file); err != nil {
		return nil, err
	}
	if err := c.readPolicy(policy, owner); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Config) readUser(file string) error {
	named := true
	if file == "" {
		file = os.Getenv("PERSTEN_CONFIG")
	}
	if file == "" {
		dir, err := ConfigDir()
		if err != nil { // an account without a home has no file either
			slog.Debug("no configuration folder", "cause", err)
			return nil
		}
		file, named = filepath.Join(dir, "config.toml"), false
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil
	}
	if err != nil {
		return unreadable(file, err)
	}
	defer f.Close()
	if w := looseFile(f); w != "" {
		c.Warnings = append(c.Warnings, w)
	}
	data, err := readAll(file, f)
	if err != nil {
		return err
	}
	return c.merge(file, data, false)
}

func (c *Config) readPolicy(file string, owner int) error {
	data, warning, err := readOwned(file, owner)
	if warning != "" {
		c.Warnings = append(c.Warnings, warning)
	}
	if err != nil || data == nil {
		return err
	}
	return c.merge(file, data, true)
}

// merge reads one file over what is there.
func (c *Config) merge(file string, data []byte, policy bool) error {
	s := source{file: file, policy: policy}
	d, err := s.decode(data)
	if err != nil {
		return err
	}
	return s.apply(c, d)
}

func unreadable(file string, err error) error {
	return proto.E(proto.CodeFileUnreadable, err, "file", file)
}
