// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/browser"
	"persten/internal/server/compat"
	"persten/proto"
)

// face is a foreign protocol and whether it is answered.
type face struct {
	Name    string `json:"name"`
	On      bool   `json:"on"`
	Fixed   bool   `json:"fixed"` // by the configuration or the machine's policy
	Address string `json:"address"`

	Sites []string `json:"sites,omitempty"` // of the machine's policy: nobody else is answered

	Authority string               `json:"authority,omitempty"` // SHA-256 of the certificate browsers trust
	Until     time.Time            `json:"until,omitzero"`
	Stores    []browser.TrustStore `json:"stores,omitempty"`
}

// The faces, by the names commands and configuration have for them.
const (
	faceNCALayer = "ncalayer"
	faceNexU     = "nexu"
)

// faceNames are the names of the products, which are the same in every language.
var faceNames = map[string]string{faceNCALayer: "NCALayer", faceNexU: "NexU"}

func (a *app) compatCommand() *cobra.Command {
	c := &cobra.Command{Use: "compat", Short: a.t("cli.compat.short"), Args: noArgs, RunE: showHelp}
	act := func(name string, do func(context.Context, string) error) *cobra.Command {
		return &cobra.Command{
			Use: name + " ncalayer|nexu", Short: a.t("cli.compat." + name + ".short"), Args: exactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				f, err := a.face(args[0])
				if err != nil {
					return err
				}
				if f.Fixed && f.On == (name == "disable") { // what is fixed off may still be cleared away
					return proto.E(proto.CodePolicyForbids, fmt.Errorf("[compat] sets %s", f.Name))
				}
				if err := do(cmd.Context(), f.Name); err != nil {
					return err
				}
				return a.compatStatus(cmd.Context())
			},
		}
	}
	c.AddCommand(act("enable", a.enableFace), act("disable", a.disableFace), &cobra.Command{
		Use: "status", Short: a.t("cli.compat.status.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.compatStatus(cmd.Context()) },
	})
	return c
}

// face tells whether a face is on: by policy or configuration, else by the person's switch, a file in the state folder.
func (a *app) face(name string) (face, error) {
	c, err := a.config()
	if err != nil {
		return face{}, err
	}
	f := face{Name: name}
	var fixed *bool
	switch name {
	case faceNCALayer:
		f.Address, fixed, f.Sites = compat.NCALayerAddress, c.Compat.NCALayer, c.Compat.NCALayerSites
	case faceNexU:
		f.Address, fixed, f.Sites = compat.NexUAddress, c.Compat.NexU, c.Compat.NexUSites
	default:
		return f, usage(fmt.Errorf("%q: want ncalayer or nexu", name))
	}
	if fixed != nil {
		f.On, f.Fixed = *fixed, true
		return f, nil
	}
	file, err := a.compatPath(name)
	if err != nil {
		return f, err
	}
	_, err = os.Stat(file)
	f.On = err == nil
	return f, nil
}

// compatPath is a file of the faces; their folder is made when missing.
func (a *app) compatPath(name string) (string, error) {
	dir := a.compatDir
	if dir == "" {
		var err error
		if dir, err = a.statePath("compat"); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, name), os.MkdirAll(dir, 0o700)
}

func (a *app) enableFace(ctx context.Context, name string) error {
	file, err := a.compatPath(name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil || name != faceNCALayer {
		return err
	}
	_, err = a.loopback(ctx, time.Now())
	return err
}

func (a *app) disableFace(ctx context.Context, name string) error {
	file, err := a.compatPath(name)
	if err != nil {
		return err
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if name != faceNCALayer {
		return nil
	}
	return a.dropLoopback(ctx)
}

// compatStatus prints how the faces stand.
func (a *app) compatStatus(ctx context.Context) error {
	var list []face
	for _, name := range []string{faceNCALayer, faceNexU} {
		f, err := a.face(name)
		if err != nil {
			return err
		}
		if name == faceNCALayer && f.On {
			a.describeLoopback(ctx, &f)
		}
		list = append(list, f)
	}
	running := false
	if c, err := a.connect(ctx); err == nil {
		running = true
		c.Close()
	}
	return a.print(list, func(w io.Writer) {
		for _, f := range list {
			a.printFace(w, f)
		}
		if running {
			fmt.Fprintln(w, a.t("cli.compat.restart"))
		}
	})
}

func (a *app) printFace(w io.Writer, f face) {
	state := "cli.compat.off"
	if f.On {
		state = "cli.compat.on"
	}
	line := faceNames[f.Name] + ": " + a.t(state, "address", f.Address)
	if f.Fixed {
		line += " (" + a.t("cli.compat.fixed") + ")"
	}
	fmt.Fprintln(w, line)
	if f.Authority != "" {
		fmt.Fprintln(w, "  "+a.t("cli.compat.authority", "sha256", strings.ToUpper(f.Authority), "until", f.Until.Local().Format(time.DateOnly)))
	}
	for _, s := range f.Stores {
		word := a.t("cli.compat.untrusted")
		if s.Trusted {
			word = a.t("cli.compat.trusted")
		}
		fmt.Fprintf(w, "  %s: %s\n", s.Path, word)
	}
}
