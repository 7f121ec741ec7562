// SPDX-License-Identifier: GPL-3.0-or-later

package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"persten/internal/config"
	"persten/internal/update"
	"persten/proto"
)

// What the publisher gives the linker: root keys in Base64 with commas between them, and where the description is. Without the
// keys nothing can be believed, and the command says so.
var updateRoots, updateURL string

// updateCommand is all there is of updates: no method of the API leads here, and nothing is installed.
func (a *app) updateCommand() *cobra.Command {
	c := &cobra.Command{Use: "update", Short: a.t("update.short"), Args: noArgs, RunE: showHelp}
	c.AddCommand(a.updateCheckCommand(), a.updateVerifyCommand())
	return c
}

func (a *app) updateCheckCommand() *cobra.Command {
	var from string
	c := &cobra.Command{
		Use: "check", Short: a.t("update.check.short"), Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.release(cmd.Context(), from)
			if err != nil {
				return err
			}
			n := compareUpdate(r)
			return a.print(n, func(w io.Writer) { a.printUpdate(w, n) })
		},
	}
	c.Flags().StringVar(&from, "from", "", a.t("update.flag.from"))
	return c
}

func (a *app) updateVerifyCommand() *cobra.Command {
	var from string
	c := &cobra.Command{
		Use: "verify FILE", Short: a.t("update.verify.short"), Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.release(cmd.Context(), from)
			if err != nil {
				return err
			}
			p, err := packageOf(r, args[0])
			if err != nil {
				return err
			}
			return a.print(p, func(w io.Writer) {
				fmt.Fprintln(w, a.t("update.verified", "file", args[0], "name", p.Name, "version", r.Version, "system", p.System))
			})
		},
	}
	c.Flags().StringVar(&from, "from", "", a.t("update.flag.from"))
	return c
}

// updateNews is what the command says as JSON.
type updateNews struct {
	State     string           `json:"state"` // current, newer, ahead, unknown: this program has no version of a release
	Installed string           `json:"installed"`
	Latest    string           `json:"latest"`
	Issued    time.Time        `json:"issued"`
	Notes     string           `json:"notes"`
	Packages  []update.Package `json:"packages"` // for this system
}

func compareUpdate(r *update.Release) updateNews {
	n := updateNews{
		State: "unknown", Installed: version, Latest: r.Version, Issued: r.Issued, Notes: r.Notes,
		Packages: installedOf(r.For(runtime.GOOS+"/"+runtime.GOARCH, packageKind())),
	}
	if order, known := update.Compare(version, r.Version); known {
		n.State = []string{"newer", "current", "ahead"}[order+1]
	}
	return n
}

// installedOf leaves out the window and its libraries where they are not installed: on servers.
func installedOf(list []update.Package) []update.Package {
	if _, err := desktop(); err == nil {
		return list
	}
	return slices.DeleteFunc(list, func(p update.Package) bool { return p.Name == "persten-desktop" })
}

// packageKind is the kind of packages this system installs, or empty when it cannot be told.
func packageKind() string {
	if runtime.GOOS == "windows" {
		return windowsKind()
	}
	for _, known := range []struct{ program, kind string }{{"dpkg", "deb"}, {"rpm", "rpm"}} {
		if _, err := exec.LookPath(known.program); err == nil {
			return known.kind
		}
	}
	return ""
}

// windowsKind tells a copy installed for one user, in that user's folder, from the machine's.
func windowsKind() string {
	own, err := os.UserCacheDir() // %LocalAppData%
	program, noSelf := self()
	if err == nil && noSelf == nil && strings.HasPrefix(strings.ToLower(program), strings.ToLower(own)+`\`) {
		return "msiuser"
	}
	return "msi"
}

func (a *app) printUpdate(w io.Writer, n updateNews) {
	fmt.Fprintln(w, a.t("update."+n.State, "installed", n.Installed, "latest", n.Latest))
	fmt.Fprintln(w, a.t("update.issued", "date", n.Issued.Local().Format(time.DateOnly), "url", n.Notes))
	if n.State == "current" || n.State == "ahead" {
		return
	}
	fmt.Fprintln(w)
	if len(n.Packages) == 0 {
		fmt.Fprintln(w, a.t("update.none", "system", runtime.GOOS+"/"+runtime.GOARCH))
		return
	}
	fmt.Fprintln(w, a.t("update.steps"))
	files := []string{}
	for _, p := range n.Packages {
		fmt.Fprintln(w, a.t("update.step.download", "url", p.URL, "size", strconv.FormatInt(p.Size, 10), "sum", p.SHA256))
		files = append(files, p.File)
	}
	for _, f := range files {
		fmt.Fprintln(w, a.t("update.step.verify", "file", f))
	}
	fmt.Fprintln(w, a.t("update.step."+cmp.Or(packageKind(), "other"), "files", "./"+strings.Join(files, " ./"), "file", files[0]))
	fmt.Fprintln(w, a.t("update.managed"))
}

// release is the newest one, as the publisher's description in the file from, or at the address of the configuration, has it.
func (a *app) release(ctx context.Context, from string) (*update.Release, error) {
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	file, err := a.statePath("update.json")
	if err != nil {
		return nil, err
	}
	trust, err := updateTrust(c.Update, file)
	if err != nil {
		return nil, err
	}
	data, err := a.description(ctx, c, from)
	if err != nil {
		return nil, err
	}
	r, seen, err := trust.Read(data)
	if err != nil {
		return nil, updateFault(err)
	}
	return r, keepSeen(file, seen)
}

// updateTrust is what a description is judged by, when the configuration lets anybody look for one. What was seen is in file.
func updateTrust(u config.Update, file string) (t update.Trust, err error) {
	if u.Check == "off" {
		return t, proto.E(proto.CodeUpdateOff, nil)
	}
	t.Channel, t.Now = cmp.Or(u.Check, "stable"), time.Now()
	if t.Roots, err = rootKeys(updateRoots); err != nil {
		return t, err
	}
	t.Seen, err = readSeen(file)
	return t, err
}

// rootKeys reads what the linker was given.
func rootKeys(list string) (roots []ed25519.PublicKey, err error) {
	if list == "" {
		return nil, proto.E(proto.CodeUpdateUnavailable, nil)
	}
	for text := range strings.SplitSeq(list, ",") {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, proto.E(proto.CodeUpdateUnavailable, fmt.Errorf("built with a root key that is none: %q", text))
		}
		roots = append(roots, key)
	}
	return roots, nil
}

// description fetches the description, or reads it from a file.
func (a *app) description(ctx context.Context, c *config.Config, from string) ([]byte, error) {
	if from != "" {
		f, err := os.Open(from)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(io.LimitReader(f, update.MaxSize+1)) // one byte more is refused as too large
	}
	address := cmp.Or(c.Update.URL, updateURL)
	if address == "" {
		return nil, proto.E(proto.CodeUpdateUnavailable, nil)
	}
	n, err := newNetwork(c, "", false)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	data, err := n.Document(ctx, address, update.MaxSize, c.Update.URL != "")
	return data, networkFault(err)
}

func updateFault(err error) error {
	switch {
	case errors.Is(err, update.ErrRollback):
		return proto.E(proto.CodeUpdateRollback, err)
	case errors.Is(err, update.ErrExpired), errors.Is(err, update.ErrEarly):
		return proto.E(proto.CodeUpdateOutdated, err)
	}
	return proto.E(proto.CodeUpdateUntrusted, err, "detail", detail(err))
}

// readSeen reads what was believed last. A file that is damaged is not taken for none: whoever can harm it could offer an old
// description next.
func readSeen(file string) (s update.Seen, err error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if s, err = update.ParseSeen(data); err != nil {
		return s, proto.E(proto.CodeUpdateState, err, "file", file)
	}
	return s, nil
}

// keepSeen writes what is believed now, beside what another process may have seen meanwhile.
func keepSeen(file string, s update.Seen) error {
	before, err := readSeen(file)
	if err == nil {
		s = before.Later(s)
	}
	if s == before {
		return nil
	}
	err = os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = replaceFile(file, s.Encode())
	}
	if err != nil {
		return proto.E(proto.CodeFileUnwritable, err, "file", file)
	}
	return nil
}

// packageOf finds the package of r that a file is, by its content.
func packageOf(r *update.Release, file string) (*update.Package, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return nil, err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	for _, p := range r.Packages {
		if p.SHA256 == sum && p.Size == size {
			return &p, nil
		}
	}
	return nil, proto.E(proto.CodeUpdateMismatch, nil, "file", file, "version", r.Version)
}
