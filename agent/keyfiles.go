// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"path/filepath"

	"persten/internal/secret"
	"persten/internal/signing"
	"persten/internal/token"
	"persten/internal/token/keyfile"
	"persten/proto"
)

// keyFiles answers keyfiles.list, add and remove.
type keyFiles struct {
	files  *keyfile.Files
	engine *signing.Engine
	forbid bool
}

// openKeyFiles are the key files of folders of the configuration, and those the person added.
func (a *app) openKeyFiles() (*keyfile.Files, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	list, err := a.statePath("keyfiles.json")
	if err != nil {
		return nil, err
	}
	return keyfile.OpenFiles(c.Keyfiles.Dirs, list), nil
}

// List implements server.KeyFiles.
func (k keyFiles) List() []proto.KeyFile {
	out := []proto.KeyFile{}
	for _, one := range k.files.List() {
		out = append(out, keyFileOf(one))
	}
	return out
}

// Add implements server.KeyFiles.
func (k keyFiles) Add(ctx context.Context, who signing.Caller, path string) (proto.KeyFile, error) {
	info, err := k.describe(path)
	if err != nil {
		return proto.KeyFile{}, err
	}
	var made keyfile.Known
	err = k.engine.Password(ctx, who, info, func(password secret.PIN) error {
		found, err := k.files.Add(path, password)
		made = found
		return passwordOr(path, err)
	})
	return keyFileOf(made), err
}

// describe tells of the token a file would be, if it may be one.
func (k keyFiles) describe(path string) (token.Info, error) {
	if k.forbid {
		return token.Info{}, proto.E(proto.CodePolicyForbids, nil)
	}
	if !filepath.IsAbs(path) {
		return token.Info{}, proto.E(proto.CodeRequestInvalid, nil, "field", "path", "detail", "must be absolute")
	}
	info, err := k.files.Describe(path)
	return info, keyFileFault(path, err)
}

// Remove implements server.KeyFiles.
func (k keyFiles) Remove(path string) error {
	if k.files.Fixed(path) {
		return proto.E(proto.CodeSettingFixed, nil, "name", "keyfiles.dirs")
	}
	if err := k.files.Remove(path); err != nil {
		return proto.E(proto.CodeFileUnwritable, err, "file", path)
	}
	return nil
}

// passwordOr leaves a wrong password as it is, since it is asked for again.
func passwordOr(path string, err error) error {
	if wrong := (*token.PINError)(nil); errors.As(err, &wrong) {
		return err
	}
	return keyFileFault(path, err)
}

// keyFileFault finds the catalogue's word for why a file is no token.
func keyFileFault(path string, err error) error {
	var bad *keyfile.FormatError
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*token.PINError)):
		return proto.E(proto.CodePasswordIncorrect, err)
	case errors.As(err, &bad):
		return proto.E(proto.CodeFormatP12, err, "detail", bad.Detail)
	case errors.Is(err, token.ErrAbsent):
		return proto.E(proto.CodeKeyFileEmpty, err)
	}
	return proto.E(proto.CodeFileUnreadable, err, "file", path)
}

// keyFileOf describes a file for local callers.
func keyFileOf(f keyfile.Known) proto.KeyFile {
	out := proto.KeyFile{
		Path: f.Path, Name: filepath.Base(f.Path), Present: true, Fixed: f.Fixed, Certificates: []proto.CertificateID{},
	}
	if err := keyFileFault(f.Path, f.Fault); err != nil {
		out.Problem = proto.AsError(err).Code
		out.Present = out.Problem != proto.CodeFileUnreadable
	}
	for _, c := range f.Certificates {
		out.Certificates = append(out.Certificates, c.ID())
	}
	return out
}
