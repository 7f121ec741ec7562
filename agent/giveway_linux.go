// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// changes tells that something happened in the folders of these files, so that nobody has to wake up to look. It is nil where the
// kernel does not say.
func changes(ctx context.Context, files []string) <-chan struct{} {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		slog.Debug("the programs are looked at once in a while", "cause", err)
		return nil
	}
	for _, f := range files {
		if err := watchFolders(w, f); err != nil {
			slog.Debug("the programs are looked at once in a while", "cause", err)
			w.Close()
			return nil
		}
	}
	some := make(chan struct{}, 1)
	go func() {
		defer w.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.Errors: // events were lost: look
			case <-w.Events:
			}
			select {
			case some <- struct{}{}:
			default:
			}
		}
	}()
	return some
}

// watchFolders watches where the file is called so and where it really is.
func watchFolders(w *fsnotify.Watcher, file string) error {
	really, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	for _, f := range []string{file, really} {
		if err := w.Add(filepath.Dir(f)); err != nil {
			return err
		}
	}
	return nil
}
