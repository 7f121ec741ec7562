// SPDX-License-Identifier: GPL-3.0-or-later

// Package browserext carries what the browser side of Persten is built into: the demonstration portal and the unpacked
// extension. The files come from `npm run build` in this folder; a binary built before that has neither, and says so by
// returning a file system without them.
package browserext

import (
	"embed"
	"io/fs"
)

// Of dist this takes chrome, demo and .gitkeep, which is there before anything is built, and leaves what no method gives: more would
// cost each process memory.
//
//go:embed all:dist/[.cd][ghe]*
var dist embed.FS

// Demo is the demonstration portal: index.html and what it needs. Opening index.html fails with [fs.ErrNotExist] when the
// portal was not built.
func Demo() fs.FS { return sub("dist/demo") }

// Help is the page that explains every error: index.html, which also works as a file on disk, and what it needs.
func Help() fs.FS { return sub("dist/demo/help") }

// Extension is the unpacked extension for Chromium, with manifest.json at its root, or a file system without it when it was
// not built. Firefox's is the same but for the manifest.
func Extension() fs.FS { return sub("dist/chrome") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(dist, dir)
	if err != nil {
		panic(err) // the path is constant and valid
	}
	return f
}
