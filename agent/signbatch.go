// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	remote "persten/internal/client"
	"persten/internal/rpc"
	"persten/internal/secret"
	"persten/internal/signing"
	"persten/proto"
)

// batchAccount is what `persten sign batch` tells of its result.
type batchAccount struct {
	Certificate string            `json:"certificate"`
	Signed      []string          `json:"signed"` // files of the signatures
	Failed      map[string]string `json:"failed"` // why, by document
	NotSigned   []string          `json:"notSigned"`

	stopped error
}

func (a *app) signBatchCommand() *cobra.Command {
	var o order
	c := &cobra.Command{
		Use: "batch --cert ID --out DIR FILE...", Short: a.t("cli.sign.batch.short"), Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, files []string) error { return a.signBatch(cmd.Context(), o, files) },
	}
	a.signFlags(c, &o)
	c.Flags().BoolVar(&o.attached, "attached", false, a.t("cli.flag.attached"))
	c.Flags().Lookup("out").Usage = a.t("cli.flag.outdir")
	c.Flags().MarkHidden("in")
	return c
}

func (a *app) signBatch(ctx context.Context, o order, files []string) error {
	o.in = "-"
	if err := o.check(); err != nil {
		return err
	}
	if len(files) == 0 || len(files) > signing.MaxBatch {
		return usage(fmt.Errorf("1 to %d files are needed", signing.MaxBatch))
	}
	names := map[string]bool{}
	for _, f := range files {
		if base := filepath.Base(f); names[base] {
			return usage(fmt.Errorf("two files are called %s: their signatures would be one file", base))
		}
		names[filepath.Base(f)] = true
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	b := &batchFiles{a: a, o: o, files: files, made: map[int]bool{}, failed: map[int]error{}}
	b.bar = a.bar("cli.progress.signing", int64(len(files)))
	b.bar.items = true
	sign := b.bySession
	if o.standalone || o.key != "" || o.pinFD >= 0 || o.demo != "" {
		sign = b.alone
	}
	account, err := sign(ctx)
	b.bar.clear()
	switch {
	case err != nil && len(b.made) == 0:
		return err
	case err != nil:
		account.stopped = err
	}
	if ctx.Err() != nil {
		account.stopped = proto.E(proto.CodeUserStopped, ctx.Err())
	}
	return b.tell(account)
}

// batchFiles is one run of the command.
type batchFiles struct {
	a      *app
	o      order
	files  []string
	made   map[int]bool
	failed map[int]error
	bar    *bar // of signatures
}

// keep writes the signature of file i beside the others.
func (b *batchFiles) keep(i int, write func(io.Writer) error) {
	err := writeWhole(filepath.Join(b.o.out, filepath.Base(b.files[i])+".p7s"), write)
	if err != nil {
		b.failed[i] = err
	} else {
		b.made[i] = true
	}
	b.bar.add(1)
}

// tell prints the account. The command fails when a file is without its signature.
func (b *batchFiles) tell(account batchAccount) error {
	account.Failed, account.Signed, account.NotSigned = map[string]string{}, []string{}, []string{}
	var first error // that failed
	for i, f := range b.files {
		switch why, failed := b.failed[i]; {
		case failed:
			account.Failed[f] = commandError(why).Data(string(b.a.lang)).Text
			first = cmp.Or(first, why)
		case b.made[i]:
			account.Signed = append(account.Signed, filepath.Join(b.o.out, filepath.Base(f)+".p7s"))
		default:
			account.NotSigned = append(account.NotSigned, f)
		}
	}
	a := b.a
	err := a.print(account, func(w io.Writer) {
		for _, f := range b.files {
			if why, failed := account.Failed[f]; failed {
				fmt.Fprintln(w, a.t("cli.batch.failed", "file", f, "why", why))
			}
		}
		for _, f := range account.NotSigned {
			fmt.Fprintln(w, a.t("cli.batch.left", "file", f))
		}
		fmt.Fprintln(w, a.t("cli.batch.done", "n", strconv.Itoa(len(account.Signed)), "total", strconv.Itoa(len(b.files)), "dir", b.o.out))
	})
	why := cmp.Or(account.stopped, first)
	if err == nil && why != nil && len(account.Signed) > 0 {
		why = partly{why}
	}
	return cmp.Or(err, why)
}

// partly is why a batch ended in which something was signed all the same.
type partly struct{ error }

func (p partly) Unwrap() error { return p.error }

// bySession lets the running session ask, and takes the signatures as they come.
func (b *batchFiles) bySession(ctx context.Context) (batchAccount, error) {
	notes := &notes{wake: make(chan struct{}, 1)}
	whole := context.WithoutCancel(ctx) // of the account: it is taken also when the batch is given up
	c, err := b.a.connectWith(whole, notes.handle)
	if err != nil {
		return batchAccount{}, err
	}
	defer c.Close()
	p := proto.SignBatchParams{Certificate: b.o.cert, Attached: b.o.attached}
	if p.Items, err = b.uploads(ctx, c); err != nil {
		return batchAccount{}, err
	}
	type answer struct {
		r   *proto.SignBatchResult
		err error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := ask[proto.SignBatchResult](ctx, c, proto.MethodSignBatch, p)
		done <- answer{r, err}
	}()
	for {
		select {
		case <-notes.wake:
			b.take(whole, c, notes.next())
		case got := <-done:
			b.take(whole, c, notes.next()) // what came before the answer
			if ctx.Err() != nil {
				b.lastOnes(whole, c, notes)
			}
			if got.err != nil {
				return batchAccount{}, got.err
			}
			out := batchAccount{Certificate: got.r.Certificate}
			if s := got.r.Stopped; s != nil {
				out.stopped = &proto.Error{Code: s.Code, Args: s.Args}
			}
			return out, nil
		}
	}
}

// quiet is how long nothing comes after a batch was given up until all has come.
const quiet = 700 * time.Millisecond

// lastOnes takes what the token was making when the batch was given up.
func (b *batchFiles) lastOnes(ctx context.Context, c *client, notes *notes) {
	for {
		select {
		case <-notes.wake:
			b.take(ctx, c, notes.next())
		case <-time.After(quiet):
			return
		}
	}
}

// uploads hands over all documents, under one bar.
func (b *batchFiles) uploads(ctx context.Context, c *client) (items []proto.BatchItem, err error) {
	var total int64
	for _, name := range b.files {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	sent := b.a.bar("cli.progress.sendings", total)
	defer sent.clear()
	for _, name := range b.files {
		handle, err := b.upload(ctx, c, name, sent)
		if err != nil {
			return nil, err
		}
		items = append(items, proto.BatchItem{Content: proto.BatchContent{Handle: handle}})
	}
	return items, nil
}

func (b *batchFiles) upload(ctx context.Context, c *client, name string, sent *bar) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	as := proto.ContentOpenParams{Name: filepath.Base(name), Size: size(f), Certificate: b.o.cert}
	return c.Upload(ctx, as, sent.reader(f))
}

func (b *batchFiles) take(ctx context.Context, c *client, items []proto.BatchItemParams) {
	for _, n := range items {
		switch {
		case n.Index < 0 || n.Index >= len(b.files):
		case n.Error != nil:
			b.failed[n.Index] = &proto.Error{Code: n.Error.Code, Args: n.Error.Args}
			b.bar.add(1)
		case n.Signature != nil:
			b.keep(n.Index, func(w io.Writer) error { return c.Download(ctx, *n.Signature, w) })
		}
	}
}

// notes keeps batch.item notifications until they are wanted: rpc drops what waits too long.
type notes struct {
	wake chan struct{}

	mu    sync.Mutex
	items []proto.BatchItemParams
}

func (n *notes) handle(ctx context.Context, r *rpc.Request) (any, error) {
	if r.Notification && r.Method == proto.NotifyBatchItem {
		var p proto.BatchItemParams
		if err := json.Unmarshal(r.Params, &p); err != nil {
			return nil, err
		}
		n.mu.Lock()
		n.items = append(n.items, p)
		n.mu.Unlock()
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
	return remote.ListenOnly(ctx, r)
}

func (n *notes) next() []proto.BatchItemParams {
	n.mu.Lock()
	defer n.mu.Unlock()
	items := n.items
	n.items = nil
	return items
}

// alone runs the engine in this process.
func (b *batchFiles) alone(ctx context.Context) (batchAccount, error) {
	if err := secret.Harden(); err != nil {
		return batchAccount{}, err
	}
	s, err := b.a.alone(ctx, b.o)
	if err != nil {
		return batchAccount{}, err
	}
	defer s.close()
	engine, err := b.a.engine(s.keys, s.ask, nil)
	if err != nil {
		return batchAccount{}, err
	}
	who := commandCaller(string(b.a.lang))
	defer engine.Store().DropChannel(who.Channel)
	r := signing.BatchRequest{Certificate: s.cert, Attached: b.o.attached}
	for _, name := range b.files {
		content, err := spool(engine, who, name)
		if err != nil {
			return batchAccount{}, err
		}
		r.Items = append(r.Items, signing.BatchItem{Content: content})
	}
	made, err := engine.SignBatch(ctx, who, r, func(one signing.BatchSigned) {
		if one.Err != nil {
			b.failed[one.Index] = one.Err
			b.bar.add(1)
			return
		}
		b.keep(one.Index, func(w io.Writer) error {
			if one.Handle == "" {
				_, err := w.Write(one.Signature)
				return err
			}
			defer engine.Store().Drop(who.Channel, one.Handle)
			c, err := engine.Store().Sealed(who.Channel, one.Handle)
			if err != nil {
				return err
			}
			defer c.Release()
			_, err = io.Copy(w, c.Reader())
			return err
		})
	})
	if err != nil {
		return batchAccount{}, err
	}
	return batchAccount{Certificate: made.Certificate.ID(), stopped: made.Stopped}, nil
}

// spool seals a file as a content of this process.
func spool(engine *signing.Engine, who signing.Caller, name string) (*signing.Content, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, c, err := engine.Store().Create(who.Channel, strings.ToValidUTF8(filepath.Base(name), "\uFFFD"), "", func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
	return c, err
}
