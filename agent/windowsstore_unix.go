// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !windows

package main

import (
	"context"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
)

// windowsStore is there on Windows alone.
func (a *app) windowsStore(*config.Config, string) []token.Inventory { return nil }

// serveModule is the module role of the library at a path.
func serveModule(ctx context.Context, conn ipc.FileConn, path string) error {
	return pkcs11.Serve(ctx, conn, path)
}
