// SPDX-License-Identifier: GPL-3.0-or-later

// Package config is how the agent is set up: the person's file, the machine's policy, the folders, and which web sites
// may talk to the agent.
//
// # Files
//
// [Load] reads TOML, first the person's file and then the machine policy. Both are read strictly: an unknown key, a key
// in another case, a wrong type or a value that cannot be used is proto.CodeConfigInvalid with the file, the line and a
// short sentence, of the policy proto.CodePolicyInvalid. A file that is wrong is never used in part. A relative path is refused, because a daemon's working
// folder means nothing to the person; "~/" is the home folder.
//
// What can be set, by whom and within which bounds is one table, [Sections]: files and the registry are read by it, and the
// administrators' reference is made from it.
//
// # Machine policy
//
// On Unix it is /etc/persten/policy.toml. A policy that is there counts, or the agent does not run: one that is wrong or cannot
// be read, and one that others than root could have changed, stop it. A policy restricts, so to go on without it would be worse.
// What policy sets replaces what the person's file says, with three exceptions: modules add up (of one name, policy's is kept),
// sites allowed by either are allowed, and of some numbers the lower one counts, see [Knob].
//
// On Windows it is HKLM\Software\Policies\Persten, where only administrators may write. A section is a key and a knob a value:
// REG_SZ for a text, REG_DWORD for a number and for true (1) and false (0). A list is a key of its own with the values 1, 2, 3 ..., and
// so is a list of tables, whose values are inline tables of TOML. A value of another type stops the agent as a wrong line does.
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
	"reflect"
	"strings"
	"time"

	"persten/proto"
)

// Config is the configuration in force. Its zero value is usable: it asks in a window and opens no WebSocket.
type Config struct {
	Modules     []Module // the person's first, then policy's
	OnlyModules []string // from policy alone: nothing else is loaded, and of Modules only policy's; nil: anything
	Keyfiles    Keyfiles
	UI          UI
	Origins     OriginRules
	Trust       Trust
	Network     Network
	Listen      Listen
	Unattended  []Unattended // from policy alone
	PIN         PIN          // from policy alone
	Content     Content
	Compat      Compat
	Rights      Rights  // from policy alone
	Limits      []Limit // from policy alone
	Journal     Journal // from policy alone
	Update      Update
	Forward     Forward  // from policy alone
	Managed     bool     // there is a machine policy
	Warnings    []string // what is questionable; for the log
}

// Module is a PKCS#11 library. Path is absolute.
type Module struct {
	Name, Path string
	Policy     bool // the machine policy names it
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

	Policy []proto.SettingName // of language, theme and notifications, what policy sets

	Wait time.Duration // for a person's answer; 0 leaves what the agent has by itself
}

// MaxWait is the longest a window may wait for the person.
const MaxWait = 30 * time.Minute

// OriginRules are the sites named in files, in the form [ParseOrigin] gives.
type OriginRules struct {
	Allow  []string // by the person's file
	Policy []string // by policy; may hold wildcards
	Deny   []string // by policy, before all others; may hold wildcards

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

	NCALayerSites, NexUSites []string // from policy alone: nobody else is answered; may hold wildcards; nil: every allowed site
}

// Rights are groups of the operating system whose members may do something; nil: everybody.
type Rights struct {
	Approve, Hidden, Keys, Sites, Journal []string
}

// Limit bounds what is signed, whoever approves it. With neither Origin nor User it is about everything. 0 is no limit of a kind.
type Limit struct {
	Origin    string // a site, or a wildcard whose sites share the numbers
	User      string // a user of this machine
	PerHour   int    // signatures
	PerDay    int    // signatures
	Documents int    // in one request
	Size      int64  // of a document, in bytes
}

// Journal is what becomes of the journal.
type Journal struct {
	Keep time.Duration // for how long records are kept; 0: for ever
	Stay *bool         // when the program is removed; nil: it stays
}

// Update is how `persten update check` looks for a newer version. Nothing else ever does.
type Update struct {
	Check string // the channel, "stable", or "off"; empty is stable
	URL   string // of the publisher's description, or of a copy inside the organisation; empty for the one built in
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
func Load(file string) (*Config, error) {
	c, err := load(file, policyFile, policyOwner)
	if err != nil {
		return nil, err
	}
	k, err := registryPolicy()
	if err == nil && k != nil {
		c.Managed = true
		err = c.mergeRegistry(k)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// CheckPolicy reads a file as the machine's policy would be read, wherever it lies and whoever owns it. Errors are those of [Load].
func CheckPolicy(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return unreadable(file, err)
	}
	defer f.Close()
	data, err := (&source{file: file, policy: true}).readAll(f)
	if err != nil {
		return err
	}
	return defaults().merge(file, data, true)
}

// Get is the value in force of a knob such as "ui.language", nil when it is nothing; known is false for what is no knob or
// stands in a list of tables.
func (c *Config) Get(key string) (v any, known bool) {
	name, rest, _ := strings.Cut(key, ".")
	t := section(name)
	if t == nil || t.Many || t.knob(rest) == nil {
		return nil, false
	}
	k := t.knob(rest)
	held := reflect.ValueOf(k.to(place{c: c, policy: true})).Elem()
	switch {
	case held.IsZero():
		return nil, true
	case k.Kind == Number:
		return held.Int() / max(1, k.unit), true
	}
	return reflect.Indirect(held).Interface(), true
}

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
	data, err := (&source{file: file}).readAll(f)
	if err != nil {
		return err
	}
	return c.merge(file, data, false)
}

func (c *Config) readPolicy(file string, owner int) error {
	data, err := readOwned(file, owner)
	if err != nil || data == nil {
		return err
	}
	c.Managed = true
	return c.merge(file, data, true)
}

// merge reads one file over what is there.
func (c *Config) merge(file string, data []byte, policy bool) error {
	s := source{file: file, policy: policy}
	tree, err := s.decode(data)
	if err != nil {
		return err
	}
	return s.apply(c, tree)
}

func unreadable(file string, err error) error {
	return proto.E(proto.CodeFileUnreadable, err, "file", file)
}
