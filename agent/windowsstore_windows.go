// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"os"
	"slices"

	"persten/internal/config"
	"persten/internal/ipc"
	"persten/internal/token"
	"persten/internal/token/pkcs11"
	"persten/internal/token/wincert"
)

// windowsStore is the certificate store of Windows, unless policy names the only modules and not this one. program runs a
// process for each session with a key of it.
func (a *app) windowsStore(c *config.Config, program string) []token.Inventory {
	if c.OnlyModules != nil && !slices.Contains(c.OnlyModules, token.WindowsStore) {
		return nil
	}
	start := pkcs11.Exec(os.Stderr, program, "module")
	return []token.Inventory{wincert.New(wincert.Options{
		Label: a.t("module.windows"),
		Start: func(ctx context.Context) (ipc.FileConn, wincert.Process, error) {
			return start(ctx, pkcs11.Module{Path: token.WindowsStore})
		},
	})}
}

// serveModule is the module role: of a library by its path, or of the certificate store by its name, which is no path.
func serveModule(ctx context.Context, conn ipc.FileConn, module string) error {
	if module == token.WindowsStore {
		return wincert.Serve(ctx, conn)
	}
	return pkcs11.Serve(ctx, conn, module)
}
