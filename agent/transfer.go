// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"persten/proto"
)

// uploadShown is upload of a file that will be signed with a certificate, with a bar.
func (a *app) uploadShown(ctx context.Context, c *client, certificate string, in *os.File) (string, error) {
	b := a.bar("cli.progress.sending", size(in))
	defer b.clear()
	as := proto.ContentOpenParams{Name: filepath.Base(in.Name()), Size: size(in), Certificate: certificate}
	return c.Upload(ctx, as, b.reader(in))
}

// downloadShown is download with a bar.
func (a *app) downloadShown(ctx context.Context, c *client, from proto.Content, w io.Writer) error {
	b := a.bar("cli.progress.receiving", 0)
	defer b.clear()
	return c.Download(ctx, from, io.MultiWriter(w, writerFunc(b.add)))
}

type writerFunc func(n int)

func (f writerFunc) Write(p []byte) (int, error) {
	f(len(p))
	return len(p), nil
}
