// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/cert"
	"persten/internal/config"
	"persten/internal/tsp"
)

// believing is what a command is told about whom to believe.
type believing struct {
	roots, crls []string
	offline     bool
	at          string
}

func (a *app) trustFlags(c *cobra.Command, b *believing) {
	c.Flags().StringArrayVar(&b.roots, "roots", nil, a.t("cli.flag.roots"))
	c.Flags().StringArrayVar(&b.crls, "crl", nil, a.t("cli.flag.crl"))
	c.Flags().BoolVar(&b.offline, "offline", false, a.t("cli.flag.offline"))
	c.Flags().StringVar(&b.at, "at", "", a.t("cli.flag.at"))
}

// trust is what a command checks with: the configured roots, those the person added and those named on the command line;
// about revocation, the files first and then the network, or, offline, what was kept of it. Call done when finished.
func (a *app) trust(b believing) (t cert.Trust, done func(), err error) {
	c, err := a.config()
	if err != nil {
		return t, nil, err
	}
	at, err := dayOrMoment("--at", b.at, lastSecond)
	if err != nil {
		return t, nil, err
	}
	for _, file := range append(b.roots, b.crls...) { // what the person names must be there; what the configuration names is only told of
		if _, err := os.Stat(file); err != nil {
			return t, nil, err
		}
	}
	client, err := a.network(c, b.offline)
	if err != nil {
		return t, nil, err
	}
	t = a.anchors(c, b.roots)
	t.At = at
	t.Source = cert.Sources{lists(append(b.crls, c.Trust.CRLs...)), client}
	return t, client.Close, nil
}

// network makes the client for revocation and time-stamps. Offline it connects to nothing.
func (a *app) network(c *config.Config, offline bool) (*tsp.Client, error) {
	dir, err := a.statePath("answers")
	if err != nil {
		return nil, err
	}
	return newNetwork(c, dir, offline)
}

// anchors are the trusted roots: the configured ones, those the person added and, when the configuration says
// so, the operating system's. Of the list of accredited authorities only roots are roots; the others have to lead to one, and so can be revoked.
func (a *app) anchors(c *config.Config, more []string) cert.Trust {
	own, err := config.ConfigDir()
	if err != nil {
		return roots(append(more[:len(more):len(more)], c.Trust.Roots...))
	}
	paths := append(more[:len(more):len(more)], c.Trust.Roots...)
	if added := filepath.Join(own, rootsFolder); isThere(added) {
		paths = append(paths, added)
	}
	t := roots(paths)
	if c.Trust.System {
		t.Roots = append(t.Roots, systemRoots()...)
	}
	if fetched := filepath.Join(own, issuersFolder); isThere(fetched) {
		t.Intermediates = append(t.Intermediates, roots([]string{fetched}).Roots...)
	}
	if list := filepath.Join(own, accreditedFolder); isThere(list) {
		for _, one := range roots([]string{list}).Roots {
			if one.SelfIssued() {
				t.Roots = append(t.Roots, one)
			} else {
				t.Intermediates = append(t.Intermediates, one)
			}
		}
	}
	return t
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Where certificates lie that the person agreed to trust, in the folder of the configuration.
const (
	rootsFolder      = "trusted"    // added one by one
	accreditedFolder = "accredited" // of the list of accredited authorities
	issuersFolder    = "issuers"    // fetched for chains; they have to lead to a root
)

// lists are the revocation lists in files and folders; what cannot be read is left out with a warning, and then revocation is
// unknown where it would have told.
func lists(paths []string) cert.Source {
	var all cert.Sources
	for _, p := range paths {
		found, err := cert.ReadLists(p)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			slog.Warn("revocation lists", "path", p, "cause", err)
		}
		if found != nil {
			all = append(all, found)
		}
	}
	return all
}

// remembered keeps the roots and the revocation lists in files for a minute: a page may ask as often as it likes.
type remembered struct {
	read func() (cert.Trust, cert.Source)

	mu    sync.Mutex
	made  time.Time
	trust cert.Trust
	kept  cert.Source
}

const memoryLife = time.Minute

func (m *remembered) now() (cert.Trust, cert.Source) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if age := time.Since(m.made); m.made.IsZero() || age < 0 || age > memoryLife {
		m.trust, m.kept = m.read()
		m.made = time.Now()
	}
	return m.trust, m.kept
}

// with is the trust of the session, which asks the files and then source.
func (m *remembered) with(source cert.Source) func() cert.Trust {
	return func() cert.Trust {
		t, kept := m.now()
		t.Source = cert.Sources{kept, source}
		return t
	}
}

// lists is the part of a trust that asks nobody.
func (m *remembered) lists() cert.Source { return fileLists{m} }

type fileLists struct{ *remembered }

// Revocation implements cert.Source.
func (f fileLists) Revocation(ctx context.Context, c, issuer *cert.Certificate) ([]cert.Answer, error) {
	_, kept := f.now()
	return kept.Revocation(ctx, c, issuer)
}

// Issuers implements cert.Source.
func (f fileLists) Issuers(context.Context, *cert.Certificate) ([]*cert.Certificate, error) {
	return nil, nil
}
