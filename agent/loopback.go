// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"persten/internal/browser"
	"persten/internal/server/compat"
	"persten/proto"
)

// The files of the loopback certificate in the folder of the faces.
const (
	authorityFile = "authority.pem"
	leafFile      = "loopback.pem" // certificate and key
)

// loopback is the certificate under which pages reach us by wss. It is made when there is none and renewed when it is about to
// end; browsers are told to trust its authority then. Where that fails there is a certificate and an error: the old one for as
// long as it is good, because browsers know that.
func (a *app) loopback(ctx context.Context, now time.Time) (*tls.Config, error) {
	old, until, err := a.readLoopback()
	good := err == nil && now.Before(until)
	if good && now.Before(until.Add(-compat.Renewal)) {
		return old, a.trustLoopback(ctx)
	}
	l, err := compat.Issue(now)
	if err != nil {
		return old, err
	}
	if good {
		if err := a.tryTrust(ctx, l); err != nil {
			_ = a.trustLoopback(ctx) // again, where the new one is already
			return old, err
		}
	}
	if err := errors.Join(a.keep(authorityFile, l.Authority), a.keep(leafFile, l.Leaf)); err != nil {
		return old, err
	}
	c, _, err := l.Config()
	if err != nil {
		return nil, err
	}
	return c, a.trustLoopback(ctx)
}

// keep writes a file of the faces as a whole, for its owner alone.
func (a *app) keep(name string, data []byte) error {
	file, err := a.compatPath(name)
	if err != nil {
		return err
	}
	return writeWhole(file, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// tryTrust has browsers trust an authority that is not in use yet.
func (a *app) tryTrust(ctx context.Context, l *compat.Loopback) error {
	const next = "next.pem"
	if err := a.keep(next, l.Authority); err != nil {
		return err
	}
	file, err := a.compatPath(next)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	_, err = browser.Trust(ctx, file)
	return trustError(err, file)
}

func (a *app) readLoopback() (*tls.Config, time.Time, error) {
	l, err := a.loopbackFiles()
	if err != nil {
		return nil, time.Time{}, err
	}
	return l.Config()
}

func (a *app) loopbackFiles() (*compat.Loopback, error) {
	var l compat.Loopback
	for name, to := range map[string]*[]byte{authorityFile: &l.Authority, leafFile: &l.Leaf} {
		file, err := a.compatPath(name)
		if err != nil {
			return nil, err
		}
		if *to, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	return &l, nil
}

// trustLoopback has those of this user's browsers trust the authority that do not yet.
func (a *app) trustLoopback(ctx context.Context) error {
	file, err := a.compatPath(authorityFile)
	if err != nil {
		return err
	}
	stores, err := browser.TrustStatus(ctx, file)
	if err == nil && slices.ContainsFunc(stores, func(s browser.TrustStore) bool { return !s.Trusted }) {
		_, err = browser.Trust(ctx, file)
	}
	return trustError(err, file)
}

// trustError gives what went wrong with a store its place in the catalogue.
func trustError(err error, file string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, browser.ErrNoTrustTool):
		return proto.E(proto.CodeBrowserTrustTool, err, "package", browser.TrustTool, "file", file)
	}
	slog.Warn("certificate stores of browsers", "cause", err)
	first, _, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	return proto.E(proto.CodeBrowserTrust, err, "detail", string(first))
}

// dropLoopback takes the authority out of all browsers and removes the files. Where a browser keeps it the key goes all the same,
// and the authority's file stays, so that [app.clearLoopback] tries again.
func (a *app) dropLoopback(ctx context.Context) error {
	authority, err := a.compatPath(authorityFile)
	if err != nil {
		return err
	}
	_, err = browser.Distrust(ctx)
	if _, never := os.Stat(authority); never != nil && errors.Is(err, browser.ErrNoTrustTool) {
		err = nil // there was nothing to take out
	}
	gone := []string{leafFile, authorityFile}
	if err != nil && !errors.Is(err, browser.ErrNoTrustTool) {
		gone = gone[:1]
	}
	err = trustError(err, "")
	for _, name := range gone {
		file, bad := a.compatPath(name)
		if bad == nil {
			bad = os.Remove(file)
		}
		if bad != nil && !errors.Is(bad, fs.ErrNotExist) {
			err = errors.Join(err, bad)
		}
	}
	return err
}

// clearLoopback takes back what is left of a face that was turned off by a file.
func (a *app) clearLoopback(ctx context.Context) error {
	file, err := a.compatPath(authorityFile)
	if err != nil {
		return err
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return a.dropLoopback(ctx)
}

// describeLoopback tells of the certificate and where it is trusted, as far as that is known.
func (a *app) describeLoopback(ctx context.Context, f *face) {
	l, err := a.loopbackFiles()
	if err != nil {
		return
	}
	if _, until, err := l.Config(); err == nil {
		f.Until = until
	}
	f.Authority, _ = l.Fingerprint() // "" is not shown
	if file, err := a.compatPath(authorityFile); err == nil {
		f.Stores, _ = browser.TrustStatus(ctx, file) // without the tool nobody knows
	}
}
