// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"

	"persten/internal/cert"
	"persten/internal/config"
	"persten/internal/journal"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/internal/token/pkcs11"
	"persten/internal/ui"
	"persten/internal/ui/pinentry"
	"persten/internal/ui/terminal"
	"persten/proto"
)

// inventory is every key this configuration reaches: installed PKCS#11 modules, configured ones, key files, the
// certificate store of Windows, and the demonstration token when demo names its folder. Close it to end the module children.
type inventory struct {
	token.Inventory
	modules *pkcs11.Inventory
	files   *keyfile.Files
}

func (i inventory) Close() { i.modules.Close() }

// Watched says whether somebody is there who wants to know soon what is plugged in.
func (i inventory) Watched(yes bool) {
	i.modules.Watched(yes)
	i.files.Watched(yes)
}

func (a *app) inventory(demo string) (inventory, error) {
	c, err := a.config()
	if err != nil {
		return inventory{}, err
	}
	me, err := self()
	if err != nil {
		return inventory{}, err
	}
	files, err := a.openKeyFiles()
	if err != nil {
		return inventory{}, err
	}
	modules := pkcs11.New(pkcs11.Options{
		Modules: libraries(c), Start: pkcs11.Exec(os.Stderr, me, "module"),
		PINCache: pkcs11.PINCache{Sliding: c.PIN.Cache, Hard: c.PIN.Limit},
	})
	joined := append([]token.Inventory{modules, files}, a.windowsStore(c, me)...) // a certificate is the first one's
	if demo != "" {
		d, err := keyfile.OpenDemo(demo)
		if err != nil {
			modules.Close()
			return inventory{}, fmt.Errorf("demonstration token: %w", err)
		}
		joined = append(joined, d)
	}
	return inventory{token.Join(joined...), modules, files}, nil
}

// libraries are those that are installed and those that files name, as far as policy lets them be loaded.
func libraries(c *config.Config) []pkcs11.Module {
	list := pkcs11.Catalogue()
	for _, m := range c.Modules {
		if m.Policy || c.OnlyModules == nil {
			list = append(list, pkcs11.FromConfig(m.Name, m.Path))
		}
	}
	if c.OnlyModules == nil {
		return list
	}
	return slices.DeleteFunc(list, func(m pkcs11.Module) bool { return !slices.Contains(c.OnlyModules, m.Name) })
}

// journal is the user's record of every use of a key.
func (a *app) journal() (*journal.Journal, error) {
	p, err := a.statePath("journal.jsonl")
	if err != nil {
		return nil, err
	}
	j, err := journal.Open(p)
	if err != nil {
		return nil, proto.E(proto.CodeJournalUnwritable, err)
	}
	j.SealTo(journal.SystemSeals())
	return j, nil
}

// identity is the key by which sites know the user's agent.
func (a *app) identity() (*config.Identity, error) {
	p, err := a.statePath("agent.key")
	if err != nil {
		return nil, err
	}
	return config.OpenIdentity(p)
}

// statePath is a file or folder of the user's state.
func (a *app) statePath(name string) (string, error) {
	if a.state != "" {
		return filepath.Join(a.state, name), nil
	}
	dir, err := config.StateDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// engine joins keys, people and the journal.
func (a *app) engine(keys token.Inventory, ask signing.Approver, changed func()) (*signing.Engine, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	j, err := a.journal()
	if err != nil {
		return nil, err
	}
	spool, err := a.statePath("spool")
	if err != nil {
		return nil, err
	}
	store, err := signing.NewStore(spool, limits(c.Content))
	if err != nil {
		return nil, err
	}
	known, err := a.statePath("known.json")
	if err != nil {
		return nil, err
	}
	online, err := a.network(c, false)
	if err != nil {
		return nil, err
	}
	kept, err := a.network(c, true)
	if err != nil {
		return nil, err
	}
	rules, err := a.rules()
	if err != nil {
		return nil, err
	}
	m := &remembered{read: func() (cert.Trust, cert.Source) { return a.anchors(c, nil), lists(c.Trust.CRLs) }}
	trust := m.with(online)
	return signing.New(keys, ask, j, signing.Options{
		Stamper: a.stampers(c, trust),
		Store:   store, Trust: trust, Kept: cert.Sources{m.lists(), kept}, Version: version, Changed: changed, NoSoftware: c.Keyfiles.Forbid,
		Known: signing.NewKnown(known), Rules: rules, Wait: c.UI.Wait,
	}), nil
}

// limits are those of the agent with what the files say of them.
func limits(c config.Content) signing.Limits {
	l := signing.BatchLimits
	l.Content, l.Channel = cmp.Or(c.Max, l.Content), cmp.Or(c.Channel, l.Channel)
	return l
}

// roots reads the certificates in folders or files; what is not a certificate is left out with a warning.
func roots(paths []string) cert.Trust {
	var t cert.Trust
	for _, p := range paths {
		found, err := cert.ReadFiles(p)
		if err != nil {
			slog.Warn("trusted certificates", "path", p, "cause", err)
		}
		t.Roots = append(t.Roots, found...)
	}
	return t
}

// body is the prompt body that runs in this process.
func body(kind, program string) (ui.Body, error) {
	switch kind {
	case "pinentry":
		return pinentry.New(program), nil
	case "terminal":
		return terminal.New(), nil
	}
	return nil, usage(fmt.Errorf("prompt %q: want pinentry or terminal", kind))
}

// userName is the operating-system user, for the journal.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
