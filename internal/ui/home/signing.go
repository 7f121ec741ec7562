// SPDX-License-Identifier: GPL-3.0-or-later

package home

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"persten/internal/client"
	"persten/internal/ui"
	"persten/proto"
)

// Endings of signatures: of a detached one, of one that holds the document, and of those others write.
const (
	detachedEnding = ".sig"
	attachedEnding = ".p7m"
)

var signatureEndings = []string{detachedEnding, attachedEnding, ".p7s", ".sgn"}

// signFile has a file signed and puts the signature beside it.
func (h *Home) signFile(p *signPage, path string, c certCard, attached bool) {
	s := h.session
	h.begin(&p.signing, h.say("home.sign.sending"), func(ctx context.Context) (func(), error) {
		handle, err := h.send(ctx, s, &p.signing, path, c.ID)
		if err != nil {
			return nil, err
		}
		defer drop(s, handle)
		h.stage(&p.signing, h.say("home.step.waiting"), 0)
		params := proto.SignCMSParams{Certificate: c.ID, Content: &proto.Content{Handle: handle}, Attached: attached, Name: fileName(path)}
		r, err := client.Ask[proto.SignCMSResult](ctx, s, proto.MethodSignCMS, params)
		if err != nil {
			return nil, err
		}
		defer drop(s, r.Signature.Handle)
		ending := detachedEnding
		if attached {
			ending = attachedEnding
		}
		out, err := writeNew(path+ending, func(w io.Writer) error { return s.Download(ctx, r.Signature, w) })
		made := &madeFile{out, c.Name, ui.DigestName(r.DigestAlg) + ": " + ui.Safe(r.Digest, 140), ui.Moment(h.lang, r.SigningTime)}
		return func() { p.made, p.list.Position = made, listEnd }, err
	})
}

// fileName is the name of a file as the protocol takes it.
func fileName(path string) string {
	return strings.ToValidUTF8(filepath.Base(path), "?")
}

// send hands a file over, telling the job how far it is.
func (h *Home) send(ctx context.Context, s *client.Client, j *job, path, certificate string) (string, error) {
	if s == nil {
		return "", proto.E(proto.CodeAgentNotRunning, nil)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: errors.New("not a file")}
	}
	if err != nil {
		return "", err
	}
	as := proto.ContentOpenParams{Name: fileName(path), Size: fi.Size(), Certificate: certificate}
	return s.Upload(ctx, as, &counted{r: f, total: fi.Size(), tell: func(done float32) { h.stage(j, h.say("home.sign.sending"), done) }})
}

// counted tells, each hundredth, how much was read.
type counted struct {
	r           io.Reader
	done, total int64
	told        int64
	tell        func(done float32)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	if c.done-c.told > max(c.total/100, 1<<20) {
		c.told = c.done
		c.tell(float32(c.done) / float32(max(c.total, 1)))
	}
	return n, err
}

// drop forgets a document of the session's; one that is gone already is no matter.
func drop(s *client.Client, handle string) {
	if handle == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), retry)
	defer cancel()
	client.Ask[proto.ContentDropResult](ctx, s, proto.MethodContentDrop, proto.ContentDropParams{Handle: handle})
}
