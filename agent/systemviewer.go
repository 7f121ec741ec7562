// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"persten/internal/config"
)

// maxSystemCopy is the largest document that is copied for the system's viewer: the folder may lie in memory.
const maxSystemCopy = 128 << 20

// showInSystem opens a copy of a document in the system's own viewer (ui.Show). Nobody can write to the copy, and it has a name
// of ours: the document's own may lie about what it is.
func showInSystem(ctx context.Context, content *os.File, extension string) (remove func(), err error) {
	dir, err := config.RuntimeDir()
	if err != nil {
		return nil, err
	}
	if dir, err = os.MkdirTemp(dir, "view-"); err != nil {
		return nil, err
	}
	remove = func() {
		if err := os.RemoveAll(dir); err != nil {
			slog.Warn("copy of a document", "cause", err)
		}
	}
	path := filepath.Join(dir, "document."+extension)
	if err = copyForViewer(path, content); err == nil {
		err = openInSystem(ctx, path)
	}
	if err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}

// copyForViewer makes the copy. The descriptor's own offset is shared with others and stays.
func copyForViewer(path string, content *os.File) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.NewSectionReader(content, 0, maxSystemCopy+1))
	if err == nil && n > maxSystemCopy {
		err = errors.New("the document is too large")
	}
	return errors.Join(err, f.Close())
}
