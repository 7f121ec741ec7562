// SPDX-License-Identifier: GPL-3.0-or-later

package keyfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"persten/internal/algo"
	"persten/internal/secret"
	"persten/internal/token"
)

// ErrSealed is what listing gives when a file's certificates are encrypted and Unlock was not called.
var ErrSealed = errors.New("key file shows its certificates only with the password")

// File is a PKCS#12 file as an inventory of one token. Close it to forget the password Unlock was given.
type File struct {
	path string
	held *token.Lease

	mu       sync.Mutex
	list     []listed
	sealed   bool
	password *secret.Buffer // nil unless unlocked
}

// OpenFile reads the PKCS#12 file at path as far as it can be read without its password. The error is *FormatError for a
// file that is not one.
func OpenFile(path string) (*File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	p, _, err := load(path)
	if err != nil {
		return nil, err
	}
	b, err := p.clear()
	if err != nil {
		return nil, err
	}
	f := &File{path: path, held: token.NewLease()}
	if f.list = b.list(); len(f.list) == 0 {
		for _, s := range p.safes {
			f.sealed = f.sealed || s.algorithm != nil
		}
	}
	return f, nil
}

// load reads and parses a file of bounded size. A pipe in its place would stop whoever opens it.
func load(path string) (*pfx, []byte, error) {
	if _, err := stampOf(path); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, nil, err
	}
	p, err := parse(data)
	return p, data, err
}

// Unlock checks the password and keeps it, in locked memory, so that the certificates are listed and Open asks nobody.
// It consumes pin. A wrong password is *token.PINError.
func (f *File) Unlock(pin secret.PIN) error {
	password, err := pin.Read()
	if err != nil {
		return err
	}
	list, err := f.contents(password)
	if err != nil {
		password.Wipe()
		return refused(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.password.Wipe()
	f.list, f.sealed, f.password = list, false, password
	return nil
}

func (f *File) contents(password *secret.Buffer) ([]listed, error) {
	p, _, err := load(f.path)
	if err != nil {
		return nil, err
	}
	o := &opener{password: password}
	b, err := o.open(p)
	if err != nil {
		return nil, err
	}
	if !o.verified && len(b.keys) > 0 { // no MAC: only a key tells whether the password is right
		priv, err := o.parseKey(b.keys[0])
		if err != nil {
			return nil, err
		}
		priv.Wipe()
	}
	return b.list(), nil
}

// shown is what is listed now.
func (f *File) shown() []listed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list
}

func (f *File) isSealed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sealed
}

// Close wipes the password.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.password.Wipe()
	f.password = nil
	return nil
}

// Keys implements token.Inventory.
func (f *File) Keys(context.Context) ([]token.Key, error) {
	info, err := f.info()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sealed {
		return nil, fmt.Errorf("%s: %w", filepath.Base(f.path), ErrSealed)
	}
	var keys []token.Key
	for _, at := range f.list {
		keys = append(keys, &key{from: f, now: info, file: f.path, at: at})
	}
	return keys, nil
}

// Tokens implements token.Inventory.
func (f *File) Tokens(context.Context) ([]token.Info, error) {
	info, err := f.info()
	if errors.Is(err, token.ErrRemoved) {
		return nil, nil
	}
	return []token.Info{info}, err
}

// Events implements token.Inventory; a file has none.
func (f *File) Events(ctx context.Context) <-chan token.Event { return silent(ctx) }

func silent(ctx context.Context) <-chan token.Event {
	c := make(chan token.Event)
	go func() {
		<-ctx.Done()
		close(c)
	}()
	return c
}

func (f *File) lease() *token.Lease { return f.held }

func (f *File) info() (token.Info, error) {
	if _, err := os.Stat(f.path); err != nil {
		return token.Info{}, fmt.Errorf("%w: %w", token.ErrRemoved, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := sha256.Sum256([]byte(f.path))
	return token.Info{
		Module: token.KeyFile, Label: filepath.Base(f.path), Serial: hex.EncodeToString(id[:8]), Model: "PKCS#12",
		LoginRequired: f.password == nil, Attempts: -1, Path: f.path,
	}, nil
}

// unlock opens one key with the password at hand or the one in pin.
func (f *File) unlock(pin secret.PIN, file string, want listed) (algo.PrivateKey, error) {
	_, data, err := load(file)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	password := f.password
	if password == nil {
		if password, err = pin.Read(); err != nil {
			return nil, err
		}
		defer password.Wipe()
	}
	priv, err := unlock(data, password, want)
	return priv, refused(err)
}
