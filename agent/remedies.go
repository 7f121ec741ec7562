// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"persten/internal/cert"
	"persten/internal/doctor"
	"persten/internal/tsp"
	"persten/proto"
)

// remedies gives the doctor what its checks of certificates look at, and what its repairs write.
func (a *app) remedies(m *doctor.Machine) {
	network := sync.OnceValues(func() (*tsp.Client, error) {
		c, err := m.Config()
		if err != nil {
			return nil, err
		}
		return a.network(c, false)
	})
	m.Trust = func() cert.Trust {
		c, err := m.Config()
		if err != nil {
			return cert.Trust{} // the configuration has a check of its own
		}
		t := a.anchors(c, nil)
		client, err := network()
		if err == nil {
			t.Source = cert.Sources{lists(c.Trust.CRLs), client}
		}
		return t
	}
	m.KeepIssuer = func(c *cert.Certificate) error { return keepCertificate(issuersFolder, c) }
	m.TrustRoot = func(c *cert.Certificate) error { return keepCertificate(rootsFolder, c) }
	m.RenewLists = func(ctx context.Context, c *cert.Certificate) error {
		client, err := network()
		if err != nil {
			return err
		}
		t := m.Trust()
		t.Source = client
		_, err = fetchChainLists(ctx, client, t, c)
		return err
	}
	m.AddKeyfile = a.addKeyfile
}

// keepCertificate puts a certificate into one of the folders that are read for chains.
func keepCertificate(folder string, c *cert.Certificate) error {
	dir, err := trustFolder(folder)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, c.ID()+".pem"), cert.PEM(c), 0o600)
}

// addKeyfile has the session add a key file: it asks for the password in a window.
func (a *app) addKeyfile(ctx context.Context, path string) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = ask[proto.KeyfilesAddResult](ctx, c, proto.MethodKeyfilesAdd, proto.KeyfilesAddParams{Path: path})
	return err
}
