// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"persten/internal/secret"
	"persten/internal/text"
	"persten/proto"
)

// keyfileCommand works on the list of key files, which a running session reads again when it changes.
func (a *app) keyfileCommand() *cobra.Command {
	c := &cobra.Command{Use: "keyfile", Short: a.t("keyfile.short"), Args: noArgs, RunE: showHelp}
	passFD := -1
	add := &cobra.Command{
		Use: "add FILE", Short: a.t("keyfile.add.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.addKeyFile(cmd.Context(), args[0], passFD) },
	}
	add.Flags().IntVar(&passFD, "pass-fd", -1, a.t("cli.flag.passfd"))
	list := &cobra.Command{
		Use: "list", Short: a.t("keyfile.list.short"), Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.listKeyFiles() },
	}
	remove := &cobra.Command{
		Use: "remove FILE", Short: a.t("keyfile.remove.short"), Args: exactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.removeKeyFile(args[0]) },
	}
	c.AddCommand(add, list, remove)
	return c
}

// addKeyFile lets the session's window ask for the password, or takes it from a descriptor.
func (a *app) addKeyFile(ctx context.Context, path string, passFD int) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	add := a.addBySession
	if passFD >= 0 {
		add = func(_ context.Context, path string) (proto.KeyFile, error) { return a.addAlone(path, passFD) }
	}
	f, err := add(ctx, path)
	if err != nil {
		return err
	}
	return a.print(f, func(w io.Writer) { a.printKeyFile(w, f) })
}

func (a *app) addBySession(ctx context.Context, path string) (proto.KeyFile, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return proto.KeyFile{}, err
	}
	defer c.Close()
	r, err := ask[proto.KeyfilesAddResult](ctx, c, proto.MethodKeyfilesAdd, proto.KeyfilesAddParams{Path: path})
	if err != nil {
		return proto.KeyFile{}, err
	}
	return r.File, nil
}

func (a *app) addAlone(path string, passFD int) (proto.KeyFile, error) {
	if err := a.permit(proto.RightKeys); err != nil {
		return proto.KeyFile{}, err
	}
	if err := secret.Harden(); err != nil {
		return proto.KeyFile{}, err
	}
	k, err := a.keyFiles()
	if err != nil {
		return proto.KeyFile{}, err
	}
	if _, err := k.describe(path); err != nil {
		return proto.KeyFile{}, err
	}
	password, err := readSecret(passFD)
	if err != nil {
		return proto.KeyFile{}, err
	}
	pin, err := secret.Handle(password)
	if err != nil {
		return proto.KeyFile{}, err
	}
	made, err := k.files.Add(path, pin)
	if err != nil {
		return proto.KeyFile{}, keyFileFault(path, err)
	}
	return keyFileOf(made), nil
}

func (a *app) listKeyFiles() error {
	k, err := a.keyFiles()
	if err != nil {
		return err
	}
	list := k.List()
	return a.print(proto.KeyfilesListResult{Files: list}, func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, a.t("keyfile.none"))
		}
		for _, f := range list {
			a.printKeyFile(w, f)
		}
	})
}

// printKeyFile prints one line: which file, whose keys, what is wrong with it.
func (a *app) printKeyFile(w io.Writer, f proto.KeyFile) {
	state := text.Plural(a.lang, "count.certificates", len(f.Certificates))
	switch {
	case f.Problem != "":
		state = proto.Text(f.Problem, string(a.lang), map[string]string{"file": f.Name}).What
	case len(f.Certificates) == 0:
		state = a.t("keyfile.sealed")
	}
	fmt.Fprintln(w, f.Path+": "+state)
}

func (a *app) removeKeyFile(path string) error {
	if err := a.permit(proto.RightKeys); err != nil {
		return err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	k, err := a.keyFiles()
	if err != nil {
		return err
	}
	return k.Remove(path)
}

// keyFiles are those of the configuration and of the person, for a command: nobody can be asked for a password.
func (a *app) keyFiles() (keyFiles, error) {
	files, err := a.openKeyFiles()
	if err != nil {
		return keyFiles{}, err
	}
	return keyFiles{files: files, forbid: a.loaded.Keyfiles.Forbid}, nil
}
