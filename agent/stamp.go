// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"

	"persten/internal/algo"
	"persten/internal/cert"
	"persten/internal/cms"
	"persten/internal/config"
)

// stampers finds time-stamping authorities by address, the configured one when that is empty. Only local callers name one, and
// it may be called wherever it is: who named it meant it.
func (a *app) stampers(c *config.Config, trust func() cert.Trust) func(string) cms.Stamper {
	return func(address string) cms.Stamper {
		if address == "" {
			address = c.Trust.TSA
		}
		if address == "" {
			return nil
		}
		return onceStamper{a, c, address, trust}
	}
}

// onceStamper has a network client for the time of one stamp.
type onceStamper struct {
	app     *app
	c       *config.Config
	address string
	trust   func() cert.Trust
}

// Stamp implements cms.Stamper.
func (s onceStamper) Stamp(ctx context.Context, d algo.Digest, imprint []byte) ([]byte, error) {
	dir, err := s.app.statePath("answers")
	if err != nil {
		return nil, err
	}
	client, err := newNetwork(s.c, dir, false)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return newStamper(client, s.address, s.trust()).Stamp(ctx, d, imprint)
}
