// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/fsnotify/fsnotify"
)

// changes tells that something happened to one of these files, so that nobody has to wake up to look. It is nil where the kernel
// does not say.
func changes(ctx context.Context, files []string) <-chan struct{} {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		slog.Debug("the programs are looked at once in a while", "cause", err)
		return nil
	}
	names, err := watchFolders(w, files)
	if err != nil {
		slog.Debug("the programs are looked at once in a while", "cause", err)
		w.Close()
		return nil
	}
	some := make(chan struct{}, 1)
	go func() {
		defer w.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case _, more := <-w.Errors: // events were lost: look
				if !more {
					return
				}
			case e := <-w.Events:
				if !slices.Contains(names, filepath.Base(e.Name)) {
					continue
				}
			}
			select {
			case some <- struct{}{}:
			default:
			}
		}
	}()
	return some
}

// watchFolders watches where each file is called so and where it really is, and returns what it is called there.
func watchFolders(w *fsnotify.Watcher, files []string) (names []string, err error) {
	for _, f := range files {
		really, err := filepath.EvalSymlinks(f)
		if err != nil {
			return nil, err
		}
		for _, f := range []string{f, really} {
			if err := w.Add(filepath.Dir(f)); err != nil {
				return nil, err
			}
			names = append(names, filepath.Base(f))
		}
	}
	return names, nil
}
